//! Clocks: one runs a little fast or slow, began somewhere, and may step, stand still or change its rate.

use actors::steady::Steady;
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What the simulated world calls its first moment.
pub const EPOCH_US: u64 = 1_700_000_000_000_000;
/// The rate of a clock that is right.
const RIGHT_PPM: i64 = 1_000_000;

/// A clock as a plan describes it: it runs at a constant rate until something goes wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// What it showed when the world began, in microseconds.
    pub offset_us: u64,
    /// How much it is fast (or slow, when negative), in millionths.
    pub drift_ppm: i64,
}

/// A clock as it is: a straight piece after the other, of which the last counts from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timepiece {
    /// The moment of the world at which the piece begins, in microseconds.
    from: u64,
    /// What it showed then, in microseconds.
    shown: u64,
    drift_ppm: i64,
    /// Its drift when nothing is wrong with it.
    own_ppm: i64,
}

impl Timepiece {
    /// The clock of a plan, at the first moment.
    pub const fn new(clock: Clock) -> Self {
        Self { from: 0, shown: clock.offset_us, drift_ppm: clock.drift_ppm, own_ppm: clock.drift_ppm }
    }

    const fn rate(&self) -> i128 {
        let rate = RIGHT_PPM + self.drift_ppm;
        if rate < 0 { 0 } else { rate as i128 }
    }

    /// What it shows at a moment of the world; no earlier moment than its last change.
    pub fn shows(&self, at: u64) -> Timestamp {
        let run = i128::from(at.saturating_sub(self.from)) * self.rate() / i128::from(RIGHT_PPM);
        Timestamp(self.shown.saturating_add(u64::try_from(run).unwrap_or(0)))
    }

    /// The first moment since its last change at which it shows `shown` or more; the end of time, when it stands still.
    pub fn when(&self, shown: Timestamp) -> u64 {
        let run = i128::from(shown.0.saturating_sub(self.shown));
        if run == 0 {
            return self.from;
        }
        if self.rate() == 0 {
            return u64::MAX;
        }
        let takes = (run * i128::from(RIGHT_PPM) + self.rate() - 1) / self.rate();
        self.from.saturating_add(u64::try_from(takes).unwrap_or(u64::MAX))
    }

    /// From now on it is fast (or slow, when negative) by so many millionths; with a million less it stands still.
    pub fn drift(&mut self, at: u64, drift_ppm: i64) {
        (self.shown, self.from) = (self.shows(at).0, at);
        self.drift_ppm = drift_ppm;
    }

    /// From now on it runs as it did at first.
    pub fn run_as_ever(&mut self, at: u64) {
        self.drift(at, self.own_ppm);
    }

    /// It stands still.
    pub fn freeze(&mut self, at: u64) {
        self.drift(at, -RIGHT_PPM);
    }

    /// It is set forward, or back.
    pub fn step(&mut self, at: u64, by_us: i64) {
        (self.shown, self.from) = (self.shows(at).0.saturating_add_signed(by_us), at);
    }
}

/// The clocks of the control plane's machine, and the one that its process makes of them.
#[derive(Clone, Copy, Debug)]
pub struct HostClock {
    /// The wall clock, which may be set.
    pub wall: Timepiece,
    monotonic: Timepiece,
    steady: Steady,
}

impl HostClock {
    /// The clocks of a plan, at the first moment.
    pub fn new(clock: Clock) -> Self {
        let wall = Timepiece::new(clock);
        Self { wall, monotonic: wall, steady: Steady::begin(wall.shows(0), wall.shows(0)) }
    }

    /// A process starts, with a log whose last entry was recorded then.
    pub fn begin(&mut self, at: u64, recorded: Timestamp) {
        let monotonic = self.monotonic.shows(at);
        self.steady = Steady::begin(self.wall.shows(at), monotonic).not_before(recorded, monotonic);
    }

    /// What the process takes for the time.
    pub fn shows(&self, at: u64) -> Timestamp {
        self.steady.shows(self.monotonic.shows(at))
    }

    /// The first moment at which it does.
    pub fn when(&self, shown: Timestamp) -> u64 {
        self.monotonic.when(self.steady.when(shown))
    }

    /// Both clocks of the machine change.
    pub fn change(&mut self, change: impl Fn(&mut Timepiece)) {
        change(&mut self.wall);
        change(&mut self.monotonic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::random::{Domain, Random};

    /// At every moment that is found by what is shown, it is shown, and not a moment before.
    fn agrees(clock: &Timepiece, from: u64, shown: Timestamp) {
        let at = clock.when(shown);
        if at == u64::MAX {
            assert!(clock.shows(from + 1_000_000_000_000) < shown);
            return;
        }
        assert!(clock.shows(at) >= shown, "{clock:?} at {at}");
        assert!(at == clock.from || clock.shows(at - 1) < shown, "{clock:?} before {at}");
    }

    #[test]
    fn a_moment_found_by_what_is_shown_shows_it() {
        for drift_ppm in [-1_000_000, -900_000, -50_000, -1, 0, 333, 50_000, 2_000_000] {
            let clock = Timepiece::new(Clock { offset_us: EPOCH_US, drift_ppm });
            for shown in [0, 1, 999_999, 1_000_000, 77_777_777] {
                agrees(&clock, 0, Timestamp(EPOCH_US + shown));
            }
        }
    }

    #[test]
    fn after_any_changes_it_still_does_and_only_a_step_back_goes_back() {
        for seed in 0..500 {
            let random = Random::new(seed);
            let pick = |key: u64, most: u64| random.between(Domain::Choice, &[key], 0, most);
            let mut clock = Timepiece::new(Clock { offset_us: EPOCH_US, drift_ppm: 100 });
            let mut now = 0;
            for change in 0..20 {
                now += pick(change * 4, 5_000_000);
                let before = clock.shows(now);
                let by = i64::try_from(pick(change * 4 + 1, 4_000_000)).expect("it is small") - 2_000_000;
                match pick(change * 4 + 2, 3) {
                    0 => clock.step(now, by),
                    1 => clock.freeze(now),
                    2 => clock.run_as_ever(now),
                    _ => clock.drift(now, by / 2),
                }
                let back = clock.shows(now) < before;
                assert_eq!(back, pick(change * 4 + 2, 3) == 0 && by < 0);
                agrees(&clock, now, Timestamp(clock.shows(now).0 + pick(change * 4 + 3, 9_000_000)));
            }
        }
    }
}
