//! Time as integers: a point ([`Timestamp`]) and a length ([`Span`]), both in microseconds.

use crate::quantity::QuantityError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, as the host's clock told it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(pub u64);

impl Timestamp {
    /// The point `span` later; stays at the end of time rather than wrap.
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// How long after `earlier` this point lies; zero when it lies before.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(count.saturating_mul(1_000_000))
    }

    /// A span of whole milliseconds.
    pub const fn milliseconds(count: u64) -> Self {
        Self(count.saturating_mul(1_000))
    }

    /// The span in whole milliseconds, rounded down.
    pub const fn as_milliseconds(self) -> u64 {
        self.0 / 1_000
    }

    /// Reads a span as people write it: `500ms`, `10s`, `1m30s`.
    ///
    /// # Errors
    /// When it is not one, has no unit, or does not fit.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        crate::quantity::span(text)
    }

    /// This span `count` times over.
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us < 1_000 => write!(out, "{us}us"),
            us if us < 1_000_000 => write!(out, "{}ms", us / 1_000),
            us if us < 60_000_000 && us % 1_000_000 < 100_000 => write!(out, "{}s", us / 1_000_000),
            us if us < 60_000_000 => write!(out, "{}.{}s", us / 1_000_000, us / 100_000 % 10),
            us => write!(out, "{}m{:02}s", us / 60_000_000, us / 1_000_000 % 60),
        }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with microseconds.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// The Gregorian date of a day counted from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_as_rfc_3339() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp(951_827_696_000_007).to_string(), "2000-02-29T12:34:56.000007Z");
    }

    #[test]
    fn a_span_prints_in_the_unit_that_reads_best() {
        assert_eq!(Span(950).to_string(), "950us");
        assert_eq!(Span::milliseconds(42).to_string(), "42ms");
        assert_eq!(Span::milliseconds(1_250).to_string(), "1.2s");
        assert_eq!(Span::seconds(125).to_string(), "2m05s");
    }
}
