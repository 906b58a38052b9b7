//! What can go wrong with clocks. It takes effect in `control::clock` and `machine::clock`.

use super::{Aim, Given, Kind, Trouble};
use serde::{Deserialize, Serialize};

/// What goes wrong with clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The control plane's wall clock steps forward, and back when it is over.
    ControlForward {
        /// By so much, in microseconds.
        by_us: u64,
    },
    /// The control plane's wall clock steps back, and forward when it is over.
    ControlBack {
        /// By so much, in microseconds.
        by_us: u64,
    },
    /// The control plane's clocks stand still.
    ControlFreeze,
    /// The control plane's clocks run fast or slow, by more than clocks do.
    ControlDrift {
        /// By so many millionths.
        ppm: i64,
    },
    /// A machine's wall clock steps. Its monotonic clock goes on.
    Step {
        /// By so much, in microseconds.
        by_us: i64,
    },
    /// A machine's clocks stand still, and what runs on it does not: beyond any bound.
    Freeze,
    /// A machine's clocks run fast or slow, within what leases allow for.
    Drift {
        /// By so many millionths.
        ppm: i64,
    },
    /// A machine's clocks run so slow that leases do not allow for it.
    DriftBeyond {
        /// By so many millionths.
        ppm: i64,
    },
}

impl Clock {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ControlForward { .. } => "control-clock-forward",
            Self::ControlBack { .. } => "control-clock-back",
            Self::ControlFreeze => "control-clock-freeze",
            Self::ControlDrift { .. } => "control-clock-drift",
            Self::Step { .. } => "clock-step",
            Self::Freeze => "clock-freeze",
            Self::Drift { .. } => "clock-drift",
            Self::DriftBeyond { .. } => "clock-drift-beyond",
        }
    }

    /// Whether it keeps a machine's lease from ending when it should, so that nothing can be promised of what must
    /// never run twice there.
    pub const fn beyond_the_bound(&self) -> bool {
        matches!(self, Self::Freeze | Self::DriftBeyond { .. })
    }
}

/// Up to so many millionths fast or slow.
fn either_way(given: &Given, low: u64, high: u64) -> i64 {
    let ppm = i64::try_from(given.pick(6, low, high)).unwrap_or(0);
    if given.pick(7, 0, 1) == 0 { ppm } else { -ppm }
}

const fn control(name: &'static str, make: fn(&Given) -> Trouble) -> Kind {
    Kind { name, aim: Aim::World, make }
}

const fn machine(name: &'static str, make: fn(&Given) -> Trouble) -> Kind {
    Kind { name, aim: Aim::Machines, make }
}

const HOUR_US: u64 = 3_600_000_000;

/// The kinds.
pub const KINDS: &[Kind] = &[
    control("control-clock-forward", |given| {
        Trouble::Clock(Clock::ControlForward { by_us: given.pick(6, 1_000_000, HOUR_US) })
    }),
    control("control-clock-back", |given| {
        Trouble::Clock(Clock::ControlBack { by_us: given.pick(6, 1_000_000, HOUR_US) })
    }),
    control("control-clock-freeze", |_| Trouble::Clock(Clock::ControlFreeze)),
    control("control-clock-drift", |given| {
        Trouble::Clock(Clock::ControlDrift { ppm: -i64::try_from(given.pick(6, 100_000, 500_000)).unwrap_or(0) })
    }),
    machine("clock-step", |given| {
        let by_us = i64::try_from(given.pick(6, 1_000_000, HOUR_US)).unwrap_or(0);
        Trouble::Clock(Clock::Step { by_us: if given.pick(7, 0, 1) == 0 { by_us } else { -by_us } })
    }),
    machine("clock-freeze", |_| Trouble::Clock(Clock::Freeze)),
    machine("clock-drift", |given| Trouble::Clock(Clock::Drift { ppm: either_way(given, 20_000, 120_000) })),
    machine("clock-drift-beyond", |given| {
        Trouble::Clock(Clock::DriftBeyond { ppm: -i64::try_from(given.pick(6, 500_000, 900_000)).unwrap_or(0) })
    }),
];
