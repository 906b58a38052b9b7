//! A machine's own clock: it runs a little fast or slow, and it began somewhere.

use messages::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What the simulated world calls its first moment.
pub const EPOCH_US: u64 = 1_700_000_000_000_000;

/// A clock that runs at a constant rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// What it showed when the world began, in microseconds.
    pub offset_us: u64,
    /// How much it is fast (or slow, when negative), in millionths.
    pub drift_ppm: i64,
}

impl Clock {
    /// What it shows at a moment of the world.
    pub fn shows(self, at: u64) -> Timestamp {
        let run = i128::from(at) * i128::from(1_000_000 + self.drift_ppm) / 1_000_000;
        Timestamp(self.offset_us.saturating_add(u64::try_from(run).unwrap_or(0)))
    }

    /// The first moment of the world at which it shows `shown` or more.
    pub fn when(self, shown: Timestamp) -> u64 {
        let run = i128::from(shown.0.saturating_sub(self.offset_us));
        let rate = i128::from(1_000_000 + self.drift_ppm);
        u64::try_from((run * 1_000_000 + rate - 1) / rate).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_found_by_what_is_shown_shows_it() {
        for drift_ppm in [-50_000, -1, 0, 333, 50_000] {
            let clock = Clock { offset_us: EPOCH_US, drift_ppm };
            for shown in [0, 1, 999_999, 1_000_000, 77_777_777] {
                let shown = Timestamp(EPOCH_US + shown);
                let at = clock.when(shown);
                assert!(clock.shows(at) >= shown);
                assert!(at == 0 || clock.shows(at - 1) < shown);
            }
        }
    }
}
