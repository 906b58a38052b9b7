//! What can go wrong on the bus. It takes effect in `bus`.

use super::Aim::{All, Either, Half, Machines, Rack, World};
use super::{Aim, Given, Kind, Trouble};
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
    /// A few messages of a thousand take very much longer, and those behind them wait.
    LongTail {
        /// How many of a thousand.
        per_mille: u64,
        /// How much longer at the most, in microseconds.
        extra_us: u64,
    },
    /// Some messages of a thousand are overtaken by later ones of the same sender.
    Reorder {
        /// How many of a thousand.
        per_mille: u64,
        /// By how much they are late at the most, in microseconds.
        extra_us: u64,
    },
    /// What a machine says waits until it is over, and then comes at once.
    ClogFrom,
    /// The machines are clogged one after the other, and freed one after the other in another order.
    SwizzleClog,
    /// A machine hears nothing; what it says is heard.
    CutIn,
    /// A machine is not heard; what it is told arrives.
    CutOut,
    /// A rack is cut off.
    RackCut,
    /// A whole site is cut off from the control plane.
    SiteCut,
    /// Each machine reaches another part of the control plane: one its actors only, one the failure detector only, and
    /// one is told everything and not heard by its actor.
    RingPartition,
    /// A link is cut and mended again and again.
    FlappingLink {
        /// How long it stays cut or mended, in microseconds.
        every_us: u64,
    },
    /// A machine's link carries only so much; messages queue, and what would wait too long is dropped.
    Bandwidth {
        /// Bytes in a millisecond, each way.
        bytes_per_ms: u64,
        /// How long a message may wait, in microseconds.
        backlog_us: u64,
    },
    /// Longer messages are refused.
    Oversized {
        /// The longest that passes, in bytes.
        bytes_max: u64,
    },
    /// Bits of messages are flipped, so many messages of a thousand. The checksum must tell, and then they are lost.
    BitFlip {
        /// How many of a thousand.
        per_mille: u64,
    },
    /// What the bus has accepted and not delivered is gone at this moment.
    AcceptedThenLost,
    /// The last messages that each actor has handled come to it again, the latest first.
    Redelivery,
    /// What more than so many others wait before, for the same receiver, is dropped.
    SlowConsumer {
        /// How many may wait.
        most: u64,
    },
    /// Nothing moves until it is over, and then everything comes at once.
    LeaderPause,
    /// Another member takes the queue over: what was handled so shortly ago that the bus does not know comes again, and
    /// the order between what is on its way and what follows is lost.
    MemberChange {
        /// How long ago, in microseconds.
        within_us: u64,
    },
    /// Clients are cut off.
    ClientCut,
    /// Signs of life are lost; all else passes.
    BeatsLost,
    /// Signs of life pass; all else between a machine and its actor is lost.
    MessagesLost,
    /// The oldest message that is still remembered comes to the machine again.
    StaleRetained,
    /// Messages arrive only at multiples of this time, many at once.
    Batches {
        /// The time between two arrivals, in microseconds.
        every_us: u64,
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
            Self::LongTail { .. } => "long-tail",
            Self::Reorder { .. } => "reorder",
            Self::ClogFrom => "clog-from",
            Self::SwizzleClog => "swizzle-clog",
            Self::CutIn => "cut-in",
            Self::CutOut => "cut-out",
            Self::RackCut => "rack-cut",
            Self::SiteCut => "site-cut",
            Self::RingPartition => "ring-partition",
            Self::FlappingLink { .. } => "flapping-link",
            Self::Bandwidth { .. } => "bandwidth",
            Self::Oversized { .. } => "oversized",
            Self::BitFlip { .. } => "bit-flip",
            Self::AcceptedThenLost => "accepted-then-lost",
            Self::Redelivery => "redelivery",
            Self::SlowConsumer { .. } => "slow-consumer",
            Self::LeaderPause => "leader-pause",
            Self::MemberChange { .. } => "member-change",
            Self::ClientCut => "client-cut",
            Self::BeatsLost => "beats-lost",
            Self::MessagesLost => "messages-lost",
            Self::StaleRetained => "stale-retained",
            Self::Batches { .. } => "batches",
        }
    }

    /// Whether it brings back what was handled before, so that the bus must remember it.
    pub const fn remembers(&self) -> bool {
        matches!(self, Self::Redelivery | Self::MemberChange { .. } | Self::StaleRetained)
    }
}

const fn kind(name: &'static str, aim: Aim, make: fn(&Given) -> Trouble) -> Kind {
    Kind { name, aim, make }
}

/// The kinds.
pub const KINDS: &[Kind] = &[
    kind("loss", Either, |given| Trouble::Bus(Bus::Loss { per_mille: given.per_mille })),
    kind("duplicate", Either, |given| {
        Trouble::Bus(Bus::Duplicate { per_mille: given.per_mille, late_us: given.extra_us })
    }),
    kind("slow", Either, |given| Trouble::Bus(Bus::Slow { extra_us: given.extra_us })),
    kind("clog", Machines, |_| Trouble::Bus(Bus::Clog)),
    kind("partition", Machines, |given| {
        let shape = given.pick(6, 0, 3);
        Trouble::Bus(Bus::Partition { to_machine: shape == 1, from_machine: shape == 2 })
    }),
    kind("long-tail", Either, |given| {
        Trouble::Bus(Bus::LongTail { per_mille: given.per_mille, extra_us: given.extra_us })
    }),
    kind("reorder", Either, |given| {
        Trouble::Bus(Bus::Reorder { per_mille: given.per_mille, extra_us: given.extra_us })
    }),
    kind("clog-from", Machines, |_| Trouble::Bus(Bus::ClogFrom)),
    kind("swizzle-clog", Half, |_| Trouble::Bus(Bus::SwizzleClog)),
    kind("cut-in", Machines, |_| Trouble::Bus(Bus::CutIn)),
    kind("cut-out", Machines, |_| Trouble::Bus(Bus::CutOut)),
    kind("rack-cut", Rack, |_| Trouble::Bus(Bus::RackCut)),
    kind("site-cut", All, |_| Trouble::Bus(Bus::SiteCut)),
    kind("ring-partition", All, |_| Trouble::Bus(Bus::RingPartition)),
    kind("flapping-link", Machines, |given| Trouble::Bus(Bus::FlappingLink { every_us: given.extra_us.max(1_000) })),
    kind("bandwidth", Either, |given| {
        let (bytes_per_ms, backlog_us) = (given.pick(9, 1, 60), given.extra_us.max(1_000));
        Trouble::Bus(Bus::Bandwidth { bytes_per_ms, backlog_us })
    }),
    kind("oversized", Either, |given| Trouble::Bus(Bus::Oversized { bytes_max: given.pick(9, 200, 1_500) })),
    kind("bit-flip", Either, |given| Trouble::Bus(Bus::BitFlip { per_mille: given.per_mille })),
    kind("accepted-then-lost", World, |_| Trouble::Bus(Bus::AcceptedThenLost)),
    kind("redelivery", World, |_| Trouble::Bus(Bus::Redelivery)),
    kind("slow-consumer", World, |given| Trouble::Bus(Bus::SlowConsumer { most: given.pick(9, 1, 6) })),
    kind("leader-pause", World, |_| Trouble::Bus(Bus::LeaderPause)),
    kind("member-change", World, |given| Trouble::Bus(Bus::MemberChange { within_us: given.extra_us })),
    kind("client-cut", World, |_| Trouble::Bus(Bus::ClientCut)),
    kind("beats-lost", Machines, |_| Trouble::Bus(Bus::BeatsLost)),
    kind("messages-lost", Machines, |_| Trouble::Bus(Bus::MessagesLost)),
    kind("stale-retained", All, |_| Trouble::Bus(Bus::StaleRetained)),
    kind("batches", World, |given| Trouble::Bus(Bus::Batches { every_us: given.extra_us.max(1_000) })),
];
