//! What can go wrong with the control plane's disk. It takes effect in `control::disk` and `disk`.

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
    /// Every operation takes so many times as long.
    Throttle {
        /// How many times.
        factor: u64,
    },
    /// The power goes in the middle of the next write, which is torn.
    TornWrite,
    /// The power goes in the middle of the next sync, and pages are lost one by one: what lies behind may be there.
    LostPages,
    /// The power goes in the middle of the next sync, and pages hold what was there before, or anything.
    GarbledPages,
    /// The power goes while names become durable: what was made, renamed or removed is lost one by one.
    LostNames,
    /// The next sync fails and drops what it should have written; the one after says that all is well. When it is over
    /// the power goes.
    SyncGate,
    /// Every sync fails.
    SyncsFail,
    /// The next write is cut short.
    ShortWrite,
    /// Nothing can be changed.
    ReadOnly,
    /// The process is killed, and reads give less than was asked for.
    ShortReads,
    /// The power goes, and a sector of what was durable cannot be read.
    Unreadable,
    /// The power goes, and a bit of what was durable is not what it was.
    Flip,
    /// The power goes, and a page that was durable holds what was meant for another place.
    Misdirected,
    /// The power goes, and a page that was acknowledged was never written.
    Phantom,
    /// The power goes, and the disk comes back empty.
    Wiped,
    /// The power goes, and the disk comes back as it was some seconds ago.
    Older,
}

impl Disk {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SyncFails => "sync-fails",
            Self::Full => "disk-full",
            Self::Stall { .. } => "disk-stall",
            Self::Throttle { .. } => "disk-throttle",
            Self::TornWrite => "torn-write",
            Self::LostPages => "lost-pages",
            Self::GarbledPages => "garbled-pages",
            Self::LostNames => "lost-names",
            Self::SyncGate => "fsync-gate",
            Self::SyncsFail => "syncs-fail",
            Self::ShortWrite => "short-write",
            Self::ReadOnly => "read-only-disk",
            Self::ShortReads => "short-read",
            Self::Unreadable => "unreadable-sector",
            Self::Flip => "silent-flip",
            Self::Misdirected => "misdirected-write",
            Self::Phantom => "phantom-write",
            Self::Wiped => "wiped-disk",
            Self::Older => "older-disk",
        }
    }
}

/// A kind without parameters.
const fn plain(name: &'static str, make: fn(&super::Given) -> Trouble) -> Kind {
    Kind { name, aim: Aim::World, make }
}

/// The kinds.
pub const KINDS: &[Kind] = &[
    plain("sync-fails", |_| Trouble::Disk(Disk::SyncFails)),
    plain("disk-full", |_| Trouble::Disk(Disk::Full)),
    plain("disk-stall", |given| Trouble::Disk(Disk::Stall { extra_us: given.extra_us })),
    plain("disk-throttle", |given| Trouble::Disk(Disk::Throttle { factor: given.pick(6, 3, 60) })),
    plain("torn-write", |_| Trouble::Disk(Disk::TornWrite)),
    plain("lost-pages", |_| Trouble::Disk(Disk::LostPages)),
    plain("garbled-pages", |_| Trouble::Disk(Disk::GarbledPages)),
    plain("lost-names", |_| Trouble::Disk(Disk::LostNames)),
    plain("fsync-gate", |_| Trouble::Disk(Disk::SyncGate)),
    plain("syncs-fail", |_| Trouble::Disk(Disk::SyncsFail)),
    plain("short-write", |_| Trouble::Disk(Disk::ShortWrite)),
    plain("read-only-disk", |_| Trouble::Disk(Disk::ReadOnly)),
    plain("short-read", |_| Trouble::Disk(Disk::ShortReads)),
    plain("unreadable-sector", |_| Trouble::Disk(Disk::Unreadable)),
    plain("silent-flip", |_| Trouble::Disk(Disk::Flip)),
    plain("misdirected-write", |_| Trouble::Disk(Disk::Misdirected)),
    plain("phantom-write", |_| Trouble::Disk(Disk::Phantom)),
    plain("wiped-disk", |_| Trouble::Disk(Disk::Wiped)),
    plain("older-disk", |_| Trouble::Disk(Disk::Older)),
];
