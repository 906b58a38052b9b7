//! The bus: every message takes its time, and may be lost, come again, or be held back.
//!
//! Order holds for each sender and receiver, and nowhere else; late copies come out of any order.

use crate::plan::{Pace, Trouble};
use crate::world::random::{Domain, Random, key_of_actor, key_of_uuid};
use messages::envelope::Address;
use std::collections::BTreeMap;

/// Who says something to whom, as keys, and which machine's network it crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The sender, as a key of draws.
    pub from: u64,
    /// The receiver, as a key of draws.
    pub to: u64,
    /// The machine whose network it crosses, if it leaves the control plane for one or comes from one.
    pub machine: Option<usize>,
    /// Whether it comes from the machine.
    pub from_machine: bool,
    /// Whether it never leaves the control plane.
    pub inside: bool,
}

/// An address as a key of draws.
pub fn key_of(address: Address) -> u64 {
    match address {
        Address::Actor(id) => key_of_actor(id),
        Address::Agent(id) => key_of_uuid(id.0) ^ 0xa9e7,
        Address::Client(id) => key_of_uuid(id.0) ^ 0xc11e,
        Address::Host => 0x4057,
    }
}

/// What is wrong with the network now, and when the last message of each link arrives.
#[derive(Clone, Debug, Default)]
pub struct Bus {
    troubles: BTreeMap<usize, (Trouble, u64)>,
    last: BTreeMap<(u64, u64), u64>,
}

/// When the copies of a message arrive; empty when it is lost.
pub type Arrivals = [Option<u64>; 2];

impl Bus {
    /// Trouble number `number` of the plan begins and lasts until `until`.
    pub fn begin(&mut self, number: usize, trouble: Trouble, until: u64) {
        self.troubles.insert(number, (trouble, until));
    }

    /// It is over.
    pub fn end(&mut self, number: usize) {
        self.troubles.remove(&number);
    }

    /// When the copies of a message arrive that is said now. `message` is its identity, `occurrence` says how often it
    /// was said before.
    pub fn arrivals(
        &mut self,
        random: Random,
        pace: &Pace,
        now: u64,
        link: Link,
        message: u64,
        occurrence: u64,
    ) -> Arrivals {
        let key = [link.from, link.to, message, occurrence];
        let (low, high) = if link.inside { pace.inside_us } else { pace.network_us };
        let mut delay = random.between(Domain::Latency, &key, low, high);
        let mut copy = None;
        let mut not_before = 0;
        for (number, (trouble, until)) in &self.troubles {
            let key = [link.from, link.to, message, occurrence, *number as u64];
            match *trouble {
                Trouble::Loss { per_mille } if random.chance(Domain::Loss, &key, per_mille) => return [None, None],
                Trouble::Duplicate { per_mille, late_us } if random.chance(Domain::Duplicate, &key, per_mille) => {
                    copy = Some(random.between(Domain::DuplicateDelay, &key, 0, late_us));
                }
                Trouble::Slow { extra_us } => {
                    delay += random.between(Domain::DuplicateDelay, &key, 0, extra_us);
                }
                Trouble::Clog { machine } if link.machine == Some(machine) && !link.from_machine => {
                    not_before = not_before.max(*until);
                }
                Trouble::Partition { machine, to_machine, from_machine } if link.machine == Some(machine) => {
                    let open = if link.from_machine { from_machine } else { to_machine };
                    if !open {
                        return [None, None];
                    }
                }
                _ => {}
            }
        }
        let last = self.last.entry((link.from, link.to)).or_default();
        let first = (now + delay).max(not_before).max(*last + 1);
        *last = first;
        [Some(first), copy.map(|late| first + 1 + late)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { inside_us: (1, 50), network_us: (100, 5_000), sync_us: (1, 1), proxy_us: (1, 1) };
    const LINK: Link = Link { from: 1, to: 2, machine: Some(0), from_machine: true, inside: false };

    fn send(bus: &mut Bus, now: u64, link: Link, message: u64) -> Arrivals {
        bus.arrivals(Random::new(3), &PACE, now, link, message, 0)
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
        bus.begin(0, Trouble::Partition { machine: 0, to_machine: true, from_machine: false }, 10);
        assert_eq!(send(&mut bus, 0, LINK, 1), [None, None]);
        assert!(send(&mut bus, 0, Link { from_machine: false, ..LINK }, 2)[0].is_some());
        bus.end(0);
        assert!(send(&mut bus, 0, LINK, 3)[0].is_some());
    }

    #[test]
    fn what_is_clogged_comes_when_the_clog_is_over() {
        let mut bus = Bus::default();
        bus.begin(0, Trouble::Clog { machine: 0 }, 1_000_000);
        let arrival = send(&mut bus, 0, Link { from_machine: false, ..LINK }, 1)[0];
        assert!(arrival >= Some(1_000_000));
    }
}
