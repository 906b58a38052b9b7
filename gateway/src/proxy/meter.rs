//! Counters and a latency histogram, cheap enough to keep for every request.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::StatusCode;

/// Buckets to a doubling of the latency: a bucket's bound is at most a quarter off.
const BUCKETS_PER_DOUBLING: u32 = 4;
/// Up to 2^32 microseconds, more than an hour.
const BUCKETS: usize = 31 * BUCKETS_PER_DOUBLING as usize;

/// Latencies in integer buckets of microseconds.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS] }
    }
}

impl Histogram {
    fn record(&self, latency: Duration) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(microseconds)].fetch_add(1, Relaxed);
    }

    /// The latency that `percent` of the requests kept, rounded up to its bucket's bound.
    fn percentile_us(&self, percent: u64) -> Option<u64> {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let rank = (total * percent).div_ceil(100).max(1);
        let mut passed = 0;
        let at = counts.iter().position(|count| {
            passed += count;
            passed >= rank
        })?;
        Some(bucket_bound_us(at))
    }
}

/// Four buckets per power of two, by the two bits below the highest.
fn bucket_of(microseconds: u64) -> usize {
    let value = microseconds.max(BUCKETS_PER_DOUBLING.into());
    let exponent = value.ilog2();
    let step = (value >> (exponent - 2)) & 3;
    let index = (exponent - 2) * BUCKETS_PER_DOUBLING;
    (index as usize + step as usize).min(BUCKETS - 1)
}

/// The largest latency of bucket `at`.
fn bucket_bound_us(at: usize) -> u64 {
    let (doubling, step) = (at / 4, at as u64 % 4);
    ((4 + step + 1) << doubling) - 1
}

/// What happened on one route, revision, endpoint or link.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    by_class: [AtomicU64; 5],
    tries: AtomicU64,
    retries: AtomicU64,
    failures: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    latency: Histogram,
}

impl Meter {
    /// A try was given to it; `again` when another was made for the same request before.
    pub(crate) fn tried(&self, again: bool) {
        self.tries.fetch_add(1, Relaxed);
        if again {
            self.retries.fetch_add(1, Relaxed);
        }
    }

    /// A try came to nothing: no connection, or it ended before an answer.
    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    /// It answered.
    pub(crate) fn answered(&self, status: StatusCode, latency: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.by_class[class].fetch_add(1, Relaxed);
        self.latency.record(latency);
    }

    /// A TCP connection was made to it.
    pub(crate) fn connected(&self, latency: Duration) {
        self.latency.record(latency);
    }

    /// Payload towards the endpoint.
    pub(crate) fn sent_up(&self, bytes: u64) {
        self.bytes_up.fetch_add(bytes, Relaxed);
    }

    /// Payload from the endpoint.
    pub(crate) fn sent_down(&self, bytes: u64) {
        self.bytes_down.fetch_add(bytes, Relaxed);
    }

    /// The counters as they stand.
    pub(crate) fn read(&self) -> Reading {
        let by_class = std::array::from_fn(|class| self.by_class[class].load(Relaxed));
        Reading {
            requests: by_class.iter().sum(),
            by_class,
            tries: self.tries.load(Relaxed),
            retries: self.retries.load(Relaxed),
            failures: self.failures.load(Relaxed),
            bytes_up: self.bytes_up.load(Relaxed),
            bytes_down: self.bytes_down.load(Relaxed),
            latency_p50_us: self.latency.percentile_us(50),
            latency_p99_us: self.latency.percentile_us(99),
        }
    }
}

/// A meter at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reading {
    /// Requests answered.
    pub requests: u64,
    /// The same by status class, 1xx to 5xx.
    pub by_class: [u64; 5],
    /// Tries made: requests or connections given, answered or not.
    pub tries: u64,
    /// Tries made because an earlier one of the same request failed.
    pub retries: u64,
    /// Tries that came to nothing.
    pub failures: u64,
    /// Payload bytes towards endpoints.
    pub bytes_up: u64,
    /// Payload bytes from endpoints.
    pub bytes_down: u64,
    /// Median time to the answer's head (in TCP mode: to a connection), if any was measured.
    pub latency_p50_us: Option<u64>,
    /// The same for 99 of 100.
    pub latency_p99_us: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_lies_within_its_bucket() {
        for microseconds in (0..5_000).chain([1 << 20, (1 << 31) + 7, (1 << 32) - 1]) {
            let at = bucket_of(microseconds);
            assert!(bucket_bound_us(at) >= microseconds, "{microseconds} is in bucket {at}");
            if at > 0 {
                assert!(bucket_bound_us(at - 1) < microseconds, "{microseconds} is not below {at}");
            }
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_count_from_below() {
        let meter = Meter::default();
        assert_eq!(meter.read().latency_p50_us, None);
        for milliseconds in 1..=100 {
            meter.answered(StatusCode::OK, Duration::from_millis(milliseconds));
        }
        let reading = meter.read();
        let p50 = reading.latency_p50_us.expect("measured");
        let p99 = reading.latency_p99_us.expect("measured");
        assert!((50_000..65_000).contains(&p50), "{p50}");
        assert!((99_000..125_000).contains(&p99), "{p99}");
        assert_eq!((reading.requests, reading.by_class[1]), (100, 100));
    }
}
