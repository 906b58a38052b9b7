//! Where entries come from: each names its cause, whose entry is durable, and carries on its chain, its authority and
//! its time.

use super::Finding;
use crate::verdict::Invariant;
use actors::cast::AnyCell;
use actors::fold::Fold;
use messages::entry::Head;
use messages::envelope::{Address, MessageId, Principal};
use messages::id::{ActorId, CorrelationId};
use messages::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// How many entries of each actor are remembered: what is said is heard soon, or not at all.
const REMEMBERED_MAX: usize = 16;

/// The latest entries of each actor, as far as what they cause must agree with them.
#[derive(Clone, Debug, Default)]
pub(super) struct Causes {
    actors: BTreeMap<ActorId, Latest>,
}

#[derive(Clone, Debug, Default)]
struct Latest {
    at: Timestamp,
    entries: VecDeque<Short>,
}

/// An entry in short.
#[derive(Clone, Copy, Debug)]
struct Short {
    sequence: u64,
    correlation: CorrelationId,
    authority: u64,
    sends: usize,
}

impl Short {
    fn of(head: &Head) -> Self {
        let (authority, sends) = (authority_of(&head.principal), head.sends.len());
        Self { sequence: head.sequence, correlation: head.correlation, authority, sends }
    }
}

/// A principal in short: the FNV-1a hash of its name.
fn authority_of(principal: &Principal) -> u64 {
    principal
        .name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Causes {
    /// An entry was committed, and folded.
    pub(super) fn see(&mut self, head: &Head, fold: &Fold, findings: &mut Vec<Finding>) {
        if let Some(trouble) = self.trouble(head, fold) {
            let message = format!("{} entry {}: {trouble}; {:?}", head.actor, head.sequence, head.cause);
            findings.push((Invariant::Caused, "an entry does not follow from its cause", message));
        }
        let latest = self.actors.entry(head.actor).or_default();
        if head.at < latest.at {
            let message = format!("{} entry {}: {} after {}", head.actor, head.sequence, head.at.0, latest.at.0);
            findings.push((Invariant::Caused, "an actor's time goes back", message));
        }
        latest.at = latest.at.max(head.at);
        if latest.entries.len() == REMEMBERED_MAX {
            latest.entries.pop_front();
        }
        latest.entries.push_back(Short::of(head));
    }

    /// What is wrong with the cause that an entry names.
    fn trouble(&self, head: &Head, fold: &Fold) -> Option<&'static str> {
        match head.cause {
            MessageId::Said { by, sequence, index } => {
                if head.from != Address::Actor(by) {
                    return Some("it comes from somebody else");
                }
                if fold.cell(by).map_or(0, AnyCell::sequence) < sequence {
                    return Some("its cause is not durable");
                }
                let entries = self.actors.get(&by).map(|latest| &latest.entries)?;
                let cause = entries.iter().find(|entry| entry.sequence == sequence)?;
                let short = Short::of(head);
                match () {
                    () if index as usize >= cause.sends => Some("its cause said less"),
                    () if cause.correlation != short.correlation => Some("it is of another chain than its cause"),
                    () if cause.authority != short.authority => Some("it is on another authority than its cause"),
                    () => None,
                }
            }
            MessageId::Deadline { of, sequence } => {
                let own = of == head.actor && sequence == head.sequence && head.from == Address::Host;
                (!own).then_some("its deadline is not its own")
            }
            MessageId::Outside(id) => match head.from {
                Address::Client(_) if head.principal == Principal::system() => {
                    Some("a client has the system's authority")
                }
                Address::Client(_) | Address::Agent(_) | Address::Host if head.correlation != CorrelationId(id) => {
                    Some("what comes from outside begins no chain of its own")
                }
                _ => None,
            },
        }
    }
}
