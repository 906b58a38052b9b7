//! The clock, read in this one file.

use messages::time::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The machine's monotonic clock, which goes on while it sleeps and is the same for every process of a boot.
pub fn monotonic() -> Timestamp {
    Timestamp(crate::driver::boot_us())
}
