//! What the bus delivers again though it was handled.

use super::said::key_of;
use crate::plan::trouble::bus::Bus as Trouble;
use messages::envelope::{Address, Envelope};
use std::collections::{BTreeMap, VecDeque};

/// So many messages are remembered for each receiver.
const REMEMBERED_MAX: usize = 24;
/// So many of them come again, the latest first.
const AGAIN_MAX: usize = 8;

/// What was handled lately, by receiver; only where a plan needs it.
#[derive(Clone, Debug, Default)]
pub(super) struct Handled {
    by_receiver: BTreeMap<u64, VecDeque<(u64, Envelope)>>,
}

impl Handled {
    pub fn note(&mut self, now: u64, envelope: &Envelope) {
        let handled = self.by_receiver.entry(key_of(envelope.to)).or_default();
        if handled.len() == REMEMBERED_MAX {
            handled.pop_front();
        }
        handled.push_back((now, envelope.clone()));
    }

    /// What comes again because of a trouble that begins now, in its order.
    pub fn again(&self, trouble: Trouble, now: u64, is_hit: impl Fn(Address) -> bool) -> Vec<Envelope> {
        let actors = self
            .by_receiver
            .values()
            .filter(|handled| handled.front().is_some_and(|(_, envelope)| matches!(envelope.to, Address::Actor(_))));
        match trouble {
            Trouble::Redelivery => {
                let latest = actors.flat_map(|handled| handled.iter().rev().take(AGAIN_MAX));
                latest.map(|(_, envelope)| envelope.clone()).collect()
            }
            Trouble::MemberChange { within_us } => {
                let late = actors.flatten().filter(|(at, _)| at + within_us >= now);
                late.map(|(_, envelope)| envelope.clone()).collect()
            }
            Trouble::StaleRetained => {
                let oldest = self.by_receiver.values().filter_map(VecDeque::front);
                oldest.filter(|(_, envelope)| is_hit(envelope.to)).map(|(_, envelope)| envelope.clone()).collect()
            }
            _ => Vec::new(),
        }
    }
}
