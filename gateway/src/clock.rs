//! The clock, read in this one file.

use actors::steady::Steady;
use messages::time::Timestamp;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The process's clock since it was first asked.
static STEADY: OnceLock<Steady> = OnceLock::new();
/// How much later it is than that, in microseconds, because of what the log has recorded.
static AHEAD_US: AtomicU64 = AtomicU64::new(0);

/// The time: the wall clock's when this process first asked, and from then on by the monotonic clock. So setting the wall
/// clock takes effect when the process starts again, and no lease ends early by it.
pub fn now() -> Timestamp {
    let monotonic = monotonic();
    let steady = STEADY.get_or_init(|| Steady::begin(wall(), monotonic));
    Timestamp(steady.shows(monotonic).0.saturating_add(AHEAD_US.load(Ordering::Relaxed)))
}

/// The time is not before what the log has recorded, whatever the wall clock says.
pub fn not_before(recorded: Timestamp) {
    AHEAD_US.fetch_add(recorded.since(now()).0, Ordering::Relaxed);
}

fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The machine's monotonic clock, which goes on while it sleeps and is the same for every process of a boot.
pub fn monotonic() -> Timestamp {
    Timestamp(crate::driver::boot_us())
}
