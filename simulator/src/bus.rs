//! The bus: every message takes its time, and may be lost, come again, or be held back.
//!
//! Order holds for each sender and receiver, and nowhere else; late copies come out of any order.

use crate::plan::Pace;
use crate::plan::trouble::bus::Bus as Trouble;
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
    troubles: BTreeMap<u64, Wrong>,
    last: BTreeMap<(u64, u64), u64>,
    bites: Vec<&'static str>,
}

/// A trouble under way.
#[derive(Clone, Debug)]
struct Wrong {
    trouble: Trouble,
    /// The machines it is about; none when it is about everything.
    machines: Vec<usize>,
    until: u64,
}

impl Wrong {
    fn is_about(&self, link: Link) -> bool {
        self.machines.is_empty() || link.machine.is_some_and(|machine| self.machines.contains(&machine))
    }
}

/// When the copies of a message arrive; empty when it is lost.
pub type Arrivals = [Option<u64>; 2];

impl Bus {
    /// Trouble `id` of the plan begins and lasts until `until`. Without machines it is about everything.
    pub fn begin(&mut self, id: u64, trouble: Trouble, machines: &[usize], until: u64) {
        self.troubles.insert(id, Wrong { trouble, machines: machines.to_vec(), until });
    }

    /// It is over.
    pub fn end(&mut self, id: u64) {
        self.troubles.remove(&id);
    }

    /// The kinds that had an effect since the last time.
    pub fn take_bites(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.bites)
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
        for (id, wrong) in self.troubles.iter().filter(|(_, wrong)| wrong.is_about(link)) {
            let key = [link.from, link.to, message, occurrence, *id];
            match wrong.trouble {
                Trouble::Loss { per_mille } if random.chance(Domain::Loss, &key, per_mille) => {
                    self.bites.push(wrong.trouble.name());
                    return [None, None];
                }
                Trouble::Duplicate { per_mille, late_us } if random.chance(Domain::Duplicate, &key, per_mille) => {
                    self.bites.push(wrong.trouble.name());
                    copy = Some(random.between(Domain::DuplicateDelay, &key, 0, late_us));
                }
                Trouble::Slow { extra_us } => {
                    self.bites.push(wrong.trouble.name());
                    delay += random.between(Domain::DuplicateDelay, &key, 0, extra_us);
                }
                Trouble::Clog if !link.from_machine => {
                    self.bites.push(wrong.trouble.name());
                    not_before = not_before.max(wrong.until);
                }
                Trouble::Partition { to_machine, from_machine } => {
                    let open = if link.from_machine { from_machine } else { to_machine };
                    if !open {
                        self.bites.push(wrong.trouble.name());
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
        bus.begin(0, Trouble::Partition { to_machine: true, from_machine: false }, &[0], 10);
        assert_eq!(send(&mut bus, 0, LINK, 1), [None, None]);
        assert!(send(&mut bus, 0, Link { from_machine: false, ..LINK }, 2)[0].is_some());
        bus.end(0);
        assert!(send(&mut bus, 0, LINK, 3)[0].is_some());
    }

    #[test]
    fn what_is_clogged_comes_when_the_clog_is_over() {
        let mut bus = Bus::default();
        bus.begin(0, Trouble::Clog, &[0], 1_000_000);
        let arrival = send(&mut bus, 0, Link { from_machine: false, ..LINK }, 1)[0];
        assert!(arrival >= Some(1_000_000));
    }
}
