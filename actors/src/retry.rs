//! Asking again: when something that is still owed is said once more.

use messages::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// The longest time between two tries.
pub const RETRY_EVERY_MAX: Span = Span::seconds(15);

/// When something is said again, and how often it was. Each wait is twice the one before, up to [`RETRY_EVERY_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// When to say it again.
    pub due: Timestamp,
    /// How often it was said again.
    pub tries: u32,
}

impl Retry {
    /// It was said for the first time.
    pub const fn begin(at: Timestamp, first: Span) -> Self {
        Self { due: at.after(first), tries: 0 }
    }

    /// It was said again.
    #[must_use]
    pub fn again(self, at: Timestamp, first: Span) -> Self {
        let tries = self.tries.saturating_add(1);
        let wait = first.times(1 << tries.min(16)).min(RETRY_EVERY_MAX);
        if crate::mutant!(RetryOnlyOnce) && tries > 1 {
            return Self { due: at.after(Span::seconds(86_400)), tries };
        }
        Self { due: at.after(wait), tries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let first = Span::seconds(2);
        let mut retry = Retry::begin(Timestamp(0), first);
        let mut dues = vec![retry.due];
        for _ in 0..4 {
            retry = retry.again(retry.due, first);
            dues.push(retry.due);
        }
        assert_eq!(dues, [2, 6, 14, 29, 44].map(|seconds| Timestamp(seconds * 1_000_000)));
    }
}
