//! What can go wrong, in families. To add a kind: its variant, its name and its row in [`KINDS`](bus::KINDS) of one
//! family's file here, and one place in the world where it takes effect.

pub mod bus;
pub mod clock;
pub mod control;
pub mod disk;
pub mod machine;
pub mod operator;
pub mod view;

use crate::world::random::{Domain, Random};
use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// On the bus.
    Bus(bus::Bus),
    /// With the control plane's disk.
    Disk(disk::Disk),
    /// With a machine, its agent or its workloads.
    Machine(machine::Machine),
    /// With a clock.
    Clock(clock::Clock),
    /// With the control plane's process.
    Control(control::Control),
    /// With what an actor gets to see.
    View(view::View),
    /// With what operators do.
    Operator(operator::Operator),
}

impl Trouble {
    /// The name of the kind, in scenarios and marks.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bus(trouble) => trouble.name(),
            Self::Disk(trouble) => trouble.name(),
            Self::Machine(trouble) => trouble.name(),
            Self::Control(trouble) => trouble.name(),
            Self::View(trouble) => trouble.name(),
            Self::Operator(trouble) => trouble.name(),
            Self::Clock(trouble) => trouble.name(),
        }
    }
}

/// The kinds of every family.
const FAMILIES: [&[Kind]; 7] =
    [bus::KINDS, disk::KINDS, machine::KINDS, clock::KINDS, control::KINDS, view::KINDS, operator::KINDS];

/// A kind of trouble.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in scenarios and marks.
    pub name: &'static str,
    /// Whom it hits.
    pub aim: Aim,
    /// Makes one of what a scenario's row gives.
    pub make: fn(&Given) -> Trouble,
}

impl Kind {
    /// Whether what it makes depends on how many of a thousand it is given, and on how much longer or later.
    pub fn heeds(&self) -> (bool, bool) {
        let made = |per_mille, extra_us| {
            (self.make)(&Given { per_mille, extra_us, lasts: 1, choice: 0, random: Random::new(0), key: [0, 0] })
        };
        let plain = made(1, 1_000_000);
        (made(2, 1_000_000) != plain, made(1, 2_000_000) != plain)
    }
}

/// Whom a kind of trouble hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Nobody in particular.
    World,
    /// Some machines; one, unless the scenario says otherwise.
    Machines,
    /// Nobody in particular, unless the scenario names machines.
    Either,
    /// The machines of a rack, unless the scenario says otherwise.
    Rack,
    /// Half of the machines, unless the scenario says otherwise.
    Half,
    /// All machines, unless the scenario says otherwise.
    All,
    /// The machines of a site, unless the scenario says otherwise.
    Site,
}

/// What a scenario's row gives for one fault.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// How many of a thousand.
    pub per_mille: u64,
    /// How much longer or later, in microseconds.
    pub extra_us: u64,
    /// How long the fault lasts, in microseconds.
    pub lasts: u64,
    /// Chooses among what is there when it begins.
    pub choice: u64,
    /// The draws of the plan.
    pub random: Random,
    /// Row of the scenario and how manieth time.
    pub key: [u64; 2],
}

impl Given {
    /// A number from `low` to `high`, both included. `what` tells draws of one fault apart; up to 8 are taken, but for 6.
    pub fn pick(&self, what: u64, low: u64, high: u64) -> u64 {
        self.random.between(Domain::Plan, &[12, self.key[0], self.key[1], what], low, high)
    }
}

/// Every kind.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    FAMILIES.into_iter().flatten()
}

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    kinds().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_kind_heeds_what_it_is_made_of() {
        let heeds = |name| kind(name).map(Kind::heeds);
        assert_eq!(heeds("loss"), Some((true, false)));
        assert_eq!(heeds("disk-stall"), Some((false, true)));
        assert_eq!(heeds("reorder"), Some((true, true)));
        assert_eq!(heeds("partition"), Some((false, false)));
    }

    #[test]
    fn every_kind_makes_what_has_its_name_and_no_two_share_one() {
        let random = Random::new(1);
        let given = Given { per_mille: 10, extra_us: 10, lasts: 10, choice: 0, random, key: [0, 0] };
        for kind in kinds() {
            assert_eq!((kind.make)(&given).name(), kind.name);
        }
        let names: BTreeSet<&str> = kinds().map(|kind| kind.name).collect();
        assert_eq!(names.len(), kinds().count());
    }
}
