//! What can go wrong on the bus. It takes effect in `bus`.

use super::{Aim, Kind, Trouble};
use serde::{Deserialize, Serialize};

/// What goes wrong on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bus {
    /// Messages are lost, so many of a thousand.
    Loss {
        /// How many of a thousand.
        per_mille: u64,
    },
    /// Messages come again, so many of a thousand, up to so much later.
    Duplicate {
        /// How many of a thousand.
        per_mille: u64,
        /// The longest delay of the copy, in microseconds.
        late_us: u64,
    },
    /// Messages take up to so much longer, each its own time.
    Slow {
        /// The longest extra time, in microseconds.
        extra_us: u64,
    },
    /// What is said to a machine waits until it is over, and then comes at once.
    Clog,
    /// A machine and the control plane are cut off from each other.
    Partition {
        /// Whether the machine can still be told things.
        to_machine: bool,
        /// Whether the machine can still say things.
        from_machine: bool,
    },
}

impl Bus {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Loss { .. } => "loss",
            Self::Duplicate { .. } => "duplicate",
            Self::Slow { .. } => "slow",
            Self::Clog => "clog",
            Self::Partition { .. } => "partition",
        }
    }
}

/// The kinds.
pub const KINDS: &[Kind] = &[
    Kind { name: "loss", aim: Aim::Either, make: |given| Trouble::Bus(Bus::Loss { per_mille: given.per_mille }) },
    Kind {
        name: "duplicate",
        aim: Aim::Either,
        make: |given| Trouble::Bus(Bus::Duplicate { per_mille: given.per_mille, late_us: given.extra_us }),
    },
    Kind { name: "slow", aim: Aim::Either, make: |given| Trouble::Bus(Bus::Slow { extra_us: given.extra_us }) },
    Kind { name: "clog", aim: Aim::Machines, make: |_| Trouble::Bus(Bus::Clog) },
    Kind {
        name: "partition",
        aim: Aim::Machines,
        make: |given| {
            let shape = given.pick(6, 0, 3);
            Trouble::Bus(Bus::Partition { to_machine: shape == 1, from_machine: shape == 2 })
        },
    },
];
