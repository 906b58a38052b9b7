//! The bus: every message takes its time, and may be lost, come again, or be held back.
//!
//! Order holds for each sender and receiver, and nowhere else; late copies come out of any order.

mod again;
mod blind;
mod said;
mod wrong;

pub use said::{Link, Said, What, key_of};

use crate::plan::trouble::Trouble as Any;
use crate::plan::trouble::bus::Bus as Trouble;
use crate::plan::trouble::view::View;
use crate::plan::{Pace, Plan};
use crate::world::random::{Domain, Random};
use again::Handled;
use blind::Blind;
use messages::envelope::{Address, Envelope};
use messages::id::NodeId;
use std::collections::BTreeMap;
use wrong::{Fate, Moment, Wrong};

/// What is wrong with the network now, and when the last message of each link arrives.
#[derive(Clone, Debug, Default)]
pub struct Bus {
    troubles: BTreeMap<u64, Wrong>,
    blind: BTreeMap<u64, Blind>,
    last: BTreeMap<(u64, u64), u64>,
    /// The same of the lanes, two for each machine.
    lanes: Vec<u64>,
    nodes: Vec<NodeId>,
    handled: Option<Handled>,
    /// What was accepted up to this moment is lost.
    lost_until: Option<u64>,
    bites: Vec<&'static str>,
    mistaken: Option<String>,
}

/// When the copies of a message arrive; empty when it is lost.
pub type Arrivals = [Option<u64>; 2];

impl Bus {
    /// The bus of a plan.
    pub fn new(plan: &Plan) -> Self {
        let remembers = plan.faults.iter().any(|fault| matches!(fault.trouble, Any::Bus(bus) if bus.remembers()));
        Self {
            nodes: plan.machines.iter().map(|machine| NodeId::named(&machine.spec.name)).collect(),
            lanes: vec![0; plan.machines.len() * 2],
            handled: remembers.then(Handled::default),
            ..Self::default()
        }
    }

    /// Trouble `id` of the plan lasts from `since` to `until`. Without machines it is about everything. Returns what
    /// comes again because of it.
    pub fn begin(&mut self, id: u64, trouble: Trouble, machines: &[usize], since: u64, until: u64) -> Vec<Envelope> {
        self.troubles.insert(id, Wrong::new(trouble, machines, since, until));
        match trouble {
            Trouble::AcceptedThenLost => self.lost_until = Some(since),
            Trouble::MemberChange { .. } => {
                self.last.clear();
                self.lanes.fill(0);
            }
            _ => {}
        }
        let nodes = self.nodes_of(machines);
        let is_hit = |address| matches!(address, Address::Agent(node) if nodes.contains(&node));
        self.handled.as_ref().map(|handled| handled.again(trouble, since, is_hit)).unwrap_or_default()
    }

    /// A view is wrong until then.
    pub fn blind(&mut self, id: u64, view: View, machines: &[usize], until: u64) {
        self.blind.insert(id, Blind::new(view, self.nodes_of(machines), until));
    }

    fn nodes_of(&self, machines: &[usize]) -> Vec<NodeId> {
        machines.iter().filter_map(|machine| self.nodes.get(*machine).copied()).collect()
    }

    /// It is over.
    pub fn end(&mut self, id: u64) {
        self.troubles.remove(&id);
        self.blind.remove(&id);
    }

    /// The kinds that had an effect since the last time.
    pub fn take_bites(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.bites)
    }

    /// A damaged message that was taken for a sound one since the last time.
    pub const fn take_mistaken(&mut self) -> Option<String> {
        self.mistaken.take()
    }

    /// A message is handled now.
    pub fn handled(&mut self, now: u64, envelope: &Envelope) {
        if let Some(handled) = &mut self.handled {
            handled.note(now, envelope);
        }
    }

    /// Whether the bus has lost by now what it accepted at that moment.
    pub fn has_lost(&mut self, accepted: u64) -> bool {
        let lost = self.lost_until.is_some_and(|until| accepted <= until);
        if lost {
            self.bites.push(Trouble::AcceptedThenLost.name());
        }
        lost
    }

    /// When the copies of something arrive that is said now.
    pub fn arrivals(&mut self, random: Random, pace: &Pace, now: u64, said: &Said<'_>) -> Arrivals {
        let link = said.link;
        let key = [link.from, link.to, said.message, said.occurrence];
        let (low, high) = if link.inside { pace.inside_us } else { pace.network_us };
        let mut fate = Fate { delay: random.between(Domain::Latency, &key, low, high), ..Fate::default() };
        for (id, wrong) in self.troubles.iter_mut().filter(|(_, wrong)| wrong.is_about(said)) {
            let moment = Moment { random, now, id: *id };
            let flipped = wrong.flip(said, moment);
            fate.lost |= flipped.is_some();
            let bites = flipped.is_some() || wrong.bear(&mut fate, said, moment);
            if let Some(Err(mistaken)) = flipped {
                self.mistaken = Some(mistaken);
            }
            if bites {
                self.bites.push(wrong.trouble.name());
            }
            if fate.lost {
                return [None, None];
            }
        }
        for (id, blind) in &mut self.blind {
            if blind.bear(&mut fate, said, Moment { random, now, id: *id }) {
                self.bites.push(blind.view.name());
            }
            if fate.lost {
                return [None, None];
            }
        }
        let first = (now + fate.delay).max(fate.not_before);
        if fate.unordered {
            return [Some(first), fate.copy.map(|late| first + 1 + late)];
        }
        let last = match link.lane.and_then(|lane| self.lanes.get_mut(lane)) {
            Some(last) => last,
            None => self.last.entry((link.from, link.to)).or_default(),
        };
        let first = first.max(*last + 1);
        *last = first;
        [Some(first), fate.copy.map(|late| first + 1 + late)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::agent::Beat;
    use messages::time::Timestamp;

    const PACE: Pace = Pace { inside_us: (1, 50), network_us: (100, 5_000), sync_us: (1, 1), proxy_us: (1, 1) };
    const LINK: Link = Link { from: 1, to: 2, machine: Some(0), from_machine: true, inside: false, lane: None };

    fn send(bus: &mut Bus, now: u64, link: Link, message: u64) -> Arrivals {
        let beat = Beat { epoch: 1, session: 1, sent_at: Timestamp(0) };
        let said = Said { link, message, occurrence: 0, what: What::Beat(&beat) };
        bus.arrivals(Random::new(3), &PACE, now, &said)
    }

    #[test]
    fn messages_of_one_sender_to_one_receiver_keep_their_order() {
        let mut bus = Bus::default();
        let arrivals: Vec<_> = (0..200).filter_map(|message| send(&mut bus, message, LINK, message)[0]).collect();
        assert_eq!(arrivals.len(), 200);
        assert!(arrivals.is_sorted());
    }

    #[test]
    fn a_one_way_partition_stops_one_way() {
        let mut bus = Bus::default();
        bus.begin(0, Trouble::Partition { to_machine: true, from_machine: false }, &[0], 0, 10);
        assert_eq!(send(&mut bus, 0, LINK, 1), [None, None]);
        assert!(send(&mut bus, 0, Link { from_machine: false, ..LINK }, 2)[0].is_some());
        bus.end(0);
        assert!(send(&mut bus, 0, LINK, 3)[0].is_some());
    }

    #[test]
    fn what_is_clogged_comes_when_the_clog_is_over() {
        let mut bus = Bus::default();
        bus.begin(0, Trouble::Clog, &[0], 0, 1_000_000);
        let arrival = send(&mut bus, 0, Link { from_machine: false, ..LINK }, 1)[0];
        assert!(arrival >= Some(1_000_000));
    }
}
