//! The two clocks the driver reads: the wall's, for records people read, and the boot clock, for deadlines.

use rustix::time::{ClockId, clock_gettime};

/// Microseconds since 1970, by the wall clock.
#[must_use]
pub fn wall_us() -> u64 {
    micros(ClockId::Realtime)
}

/// Microseconds since the machine started, sleep included; it never jumps, so deadlines are kept in it.
#[must_use]
pub fn boot_us() -> u64 {
    micros(ClockId::Boottime)
}

fn micros(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanos / 1_000
}
