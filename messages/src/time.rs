//! Time as integers: a point ([`Timestamp`]) and a length ([`Span`]), both in microseconds.

use crate::quantity::QuantityError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

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

/// The day, counted from 1970-01-01, of a Gregorian date; nothing when there is no such date or it lies before.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let shifted_year = year.checked_sub(u64::from(month <= 2))?;
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

/// A text that is not a point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a point in time; write it like 2026-01-31T09:30:00Z")]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// RFC 3339: date, `T` or a space, time with up to microseconds, `Z` or an offset.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        moment(text).ok_or_else(|| TimestampError(text.into()))
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at(zone);
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let digits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|digit| digit.is_ascii_digit());
    if hour > 23 || minute > 59 || second > 59 || !digits {
        return None;
    }
    let micros: u64 = format!("{fraction:0<6}")[..6].parse().ok()?;
    let seconds = days_from_civil(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => seconds,
        (sign, offset) => {
            let [hours, minutes] = numbers(offset, ':', [2, 2])?;
            let ahead = (hours <= 23 && minutes <= 59).then_some(hours * 3_600 + minutes * 60)?;
            if sign == "+" { seconds.checked_sub(ahead)? } else { seconds + ahead }
        }
    };
    Some(Timestamp(seconds * 1_000_000 + micros))
}

/// Numbers of exactly so many digits, with a separator between them.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|digit| digit.is_ascii_digit());
        *number = plain.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

/// Points in time as text, for `#[serde(with = "rfc3339")]` in what people and scripts read.
pub mod rfc3339 {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes RFC 3339 in UTC.
    ///
    /// # Errors
    /// As the serializer gives them.
    pub fn serialize<S: Serializer>(at: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(at)
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// When it is not a point in time.
    pub fn deserialize<'de, D: Deserializer<'de>>(text: D) -> Result<Timestamp, D::Error> {
        String::deserialize(text)?.parse().map_err(D::Error::custom)
    }
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
    fn a_timestamp_is_read_as_it_prints_and_in_other_zones() {
        for at in [0, 951_827_696_000_007, 1_709_164_799_999_999, 253_402_300_799_000_000] {
            assert_eq!(Timestamp(at).to_string().parse(), Ok(Timestamp(at)));
        }
        assert_eq!("2000-02-29 13:34:56+01:00".parse(), Ok(Timestamp(951_827_696_000_000)));
        for text in ["2001-02-29T00:00:00Z", "2001-02-28T24:00:00Z", "2001-02-28", "1969-12-31T23:59:59Z", "now", "ÄT+"]
        {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_prints_in_the_unit_that_reads_best() {
        assert_eq!(Span(950).to_string(), "950us");
        assert_eq!(Span::milliseconds(42).to_string(), "42ms");
        assert_eq!(Span::milliseconds(1_250).to_string(), "1.2s");
        assert_eq!(Span::seconds(125).to_string(), "2m05s");
    }
}
