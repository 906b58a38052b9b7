//! What can go wrong with the control plane's process, and how it may be set. It takes effect in `control`.

use super::Aim::World;
use super::{Given, Kind, Trouble};
use serde::{Deserialize, Serialize};

/// What goes wrong with the control plane's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// It is killed with the power of its disk; it is started again afterwards.
    Crash,
    /// It dies again and again, shortly after each start.
    CrashLoop {
        /// The longest life, in microseconds.
        life_us: u64,
    },
    /// It stands still and then goes on.
    Pause,
    /// It dies exactly at a step, the how manieth time it comes to it.
    CrashAt {
        /// The step.
        step: Step,
        /// The how manieth time, from 1.
        nth: u64,
    },
    /// It is replaced by one that is set otherwise, which reads everything again.
    Upgrade {
        /// Its settings.
        knobs: Knobs,
    },
    /// It keeps a snapshot after every frame.
    SnapshotAlways,
    /// Its frames are kept within so many bytes.
    TinyFrames {
        /// The longest frame of several entries.
        bytes_max: u64,
    },
    /// It puts actors to sleep as soon as they have done something.
    Passivation {
        /// Of so many turns one is followed by it.
        every: u64,
    },
}

/// A step between a turn and its effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Turns were taken; nothing is written.
    BeforeWrite,
    /// Frames are written, and not synced.
    AfterWrite,
    /// Frames are durable, and nothing has left.
    AfterSync,
    /// A part of what may leave has left.
    AmidRelease,
    /// Everything that may leave has left.
    AfterRelease,
}

/// How a control plane is set, besides what the plan says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Knobs {
    /// How long a segment of the journal is, in bytes.
    pub segment_bytes: u64,
    /// A snapshot is kept after so many frames; never, when zero.
    pub snapshot_every: u64,
    /// How long a frame of several entries may be, in bytes; as long as it likes, when zero.
    pub frame_bytes_max: u64,
    /// Whether it starts from the latest snapshot.
    pub from_latest: bool,
}

impl Control {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Crash => "control-crash",
            Self::CrashLoop { .. } => "control-crash-loop",
            Self::Pause => "control-pause",
            Self::CrashAt { step, .. } => step.name(),
            Self::Upgrade { .. } => "upgrade",
            Self::SnapshotAlways => "snapshot-always",
            Self::TinyFrames { .. } => "tiny-frames",
            Self::Passivation { .. } => "passivation",
        }
    }
}

impl Step {
    /// The name of the kind of fault that is a crash at this step.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeWrite => "crash-before-write",
            Self::AfterWrite => "crash-after-write",
            Self::AfterSync => "crash-after-sync",
            Self::AmidRelease => "crash-amid-release",
            Self::AfterRelease => "crash-after-release",
        }
    }
}

fn crash_at(step: Step, given: &Given) -> Trouble {
    Trouble::Control(Control::CrashAt { step, nth: given.pick(9, 1, 12) })
}

/// The kinds.
pub const KINDS: &[Kind] = &[
    Kind { name: "control-crash", aim: World, make: |_| Trouble::Control(Control::Crash) },
    Kind {
        name: "control-crash-loop",
        aim: World,
        make: |given| Trouble::Control(Control::CrashLoop { life_us: given.extra_us }),
    },
    Kind { name: "control-pause", aim: World, make: |_| Trouble::Control(Control::Pause) },
    Kind { name: "crash-before-write", aim: World, make: |given| crash_at(Step::BeforeWrite, given) },
    Kind { name: "crash-after-write", aim: World, make: |given| crash_at(Step::AfterWrite, given) },
    Kind { name: "crash-after-sync", aim: World, make: |given| crash_at(Step::AfterSync, given) },
    Kind { name: "crash-amid-release", aim: World, make: |given| crash_at(Step::AmidRelease, given) },
    Kind { name: "crash-after-release", aim: World, make: |given| crash_at(Step::AfterRelease, given) },
    Kind {
        name: "upgrade",
        aim: World,
        make: |given| {
            let knobs = Knobs {
                segment_bytes: 1 << given.pick(9, 9, 20),
                snapshot_every: given.pick(10, 0, 30),
                frame_bytes_max: given.pick(11, 0, 1) * given.pick(12, 1, 4_096),
                from_latest: given.pick(13, 0, 1) == 1,
            };
            Trouble::Control(Control::Upgrade { knobs })
        },
    },
    Kind { name: "snapshot-always", aim: World, make: |_| Trouble::Control(Control::SnapshotAlways) },
    Kind {
        name: "tiny-frames",
        aim: World,
        make: |given| Trouble::Control(Control::TinyFrames { bytes_max: given.pick(9, 1, 600) }),
    },
    Kind {
        name: "passivation",
        aim: World,
        make: |given| Trouble::Control(Control::Passivation { every: given.pick(9, 1, 12) }),
    },
];
