//! What can go wrong with the control plane's disk. It takes effect in `control::suffer` and `disk`.

use super::{Aim, Kind, Trouble};
use serde::{Deserialize, Serialize};

/// What goes wrong with the control plane's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    /// The next sync fails.
    SyncFails,
    /// It has no room.
    Full,
    /// A sync takes longer.
    Stall {
        /// How much longer, in microseconds.
        extra_us: u64,
    },
}

impl Disk {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SyncFails => "sync-fails",
            Self::Full => "disk-full",
            Self::Stall { .. } => "disk-stall",
        }
    }
}

/// The kinds.
pub const KINDS: &[Kind] = &[
    Kind { name: "sync-fails", aim: Aim::World, make: |_| Trouble::Disk(Disk::SyncFails) },
    Kind { name: "disk-full", aim: Aim::World, make: |_| Trouble::Disk(Disk::Full) },
    Kind { name: "disk-stall", aim: Aim::World, make: |given| Trouble::Disk(Disk::Stall { extra_us: given.extra_us }) },
];
