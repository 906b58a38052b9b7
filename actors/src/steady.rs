//! The clock of a host: what turns are told. It takes the wall clock once, when the host starts, and then counts by the
//! monotonic clock, so that setting the wall clock neither ends a lease early nor lets a deadline wait for hours.

use messages::time::{Span, Timestamp};

/// A host's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steady {
    wall: Timestamp,
    monotonic: Timestamp,
}

impl Steady {
    /// The clock of a host that starts when the wall clock and the monotonic clock show this.
    pub const fn begin(wall: Timestamp, monotonic: Timestamp) -> Self {
        Self { wall, monotonic }
    }

    /// The same clock, or a later one: it shows no less than the log's last entry was recorded at.
    #[must_use]
    pub fn not_before(self, recorded: Timestamp, monotonic: Timestamp) -> Self {
        let behind = recorded.since(self.shows(monotonic));
        Self { wall: self.wall.after(behind), ..self }
    }

    /// What it shows when the monotonic clock shows this.
    pub const fn shows(&self, monotonic: Timestamp) -> Timestamp {
        self.wall.after(monotonic.since(self.monotonic))
    }

    /// What the monotonic clock shows when it shows this.
    pub const fn when(&self, shown: Timestamp) -> Timestamp {
        self.monotonic.after(Span(shown.0.saturating_sub(self.wall.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_the_wall_clock_and_counts_by_the_other() {
        let clock = Steady::begin(Timestamp(5_000), Timestamp(70));
        assert_eq!(clock.shows(Timestamp(70)), Timestamp(5_000));
        assert_eq!(clock.shows(Timestamp(170)), Timestamp(5_100));
        assert_eq!(clock.shows(clock.when(Timestamp(7_777))), Timestamp(7_777));
    }

    #[test]
    fn it_never_shows_less_than_was_recorded() {
        let clock = Steady::begin(Timestamp(5_000), Timestamp(70)).not_before(Timestamp(9_000), Timestamp(80));
        assert_eq!(clock.shows(Timestamp(80)), Timestamp(9_000));
        let later = Steady::begin(Timestamp(5_000), Timestamp(70)).not_before(Timestamp(4_000), Timestamp(80));
        assert_eq!(later.shows(Timestamp(80)), Timestamp(5_010));
    }
}
