//! Amounts as people write them: `500ms`, `64MiB`, `10Mbps`, `250m`. One grammar for manifests and the command line.
//!
//! All arithmetic is on integers. An amount that would have to be rounded, or does not fit, is refused with a sentence.

use crate::time::Span;

/// Why an amount cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// There is no number where one should be.
    #[error("{text:?} is not {what}; write it like {example}")]
    NotOne {
        /// What was written.
        text: String,
        /// What it should be.
        what: &'static str,
        /// How one looks.
        example: &'static str,
    },
    /// A bare number.
    #[error("{text:?} has no unit; write it like {example} (units: {units})")]
    NoUnit {
        /// What was written.
        text: String,
        /// How one looks.
        example: &'static str,
        /// Every unit.
        units: String,
    },
    /// A unit that there is not.
    #[error("{text:?} has an unknown unit {unit:?}{}; units are {units}", or_nothing(.suggestion.as_deref()))]
    UnknownUnit {
        /// What was written.
        text: String,
        /// The unit in it.
        unit: String,
        /// The unit that was meant, perhaps.
        suggestion: Option<String>,
        /// Every unit.
        units: String,
    },
    /// More decimals than the unit can hold.
    #[error("{text:?} is {what} finer than {smallest}, the smallest there is")]
    TooFine {
        /// What was written.
        text: String,
        /// What it is.
        what: &'static str,
        /// The finest there is.
        smallest: &'static str,
    },
    /// More than one GPU, and a part of one.
    #[error("{text:?} is more than one GPU and not a whole number of them; a part is a part of one")]
    Parted {
        /// What was written.
        text: String,
    },
    /// More than there are numbers for.
    #[error("{text:?} is more than can be counted")]
    TooLarge {
        /// What was written.
        text: String,
    },
}

fn or_nothing(suggestion: Option<&str>) -> String {
    suggestion.map(|unit| format!("; did you mean {unit:?}")).unwrap_or_default()
}

/// What is measured: its name, an example, its units with their worth in the smallest.
struct Measure {
    what: &'static str,
    example: &'static str,
    smallest: &'static str,
    units: &'static [(&'static str, u64)],
}

const SPAN: Measure = Measure {
    what: "a length of time",
    example: "\"500ms\", \"10s\" or \"1m30s\"",
    smallest: "1us",
    units: &[
        ("us", 1),
        ("ms", 1_000),
        ("s", 1_000_000),
        ("m", 60_000_000),
        ("h", 3_600_000_000),
        ("d", 86_400_000_000),
    ],
};

const BYTES: Measure = Measure {
    what: "an amount of bytes",
    example: "\"64MiB\" or \"2GB\"",
    smallest: "1B",
    units: &[
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ],
};

const BITS: Measure = Measure {
    what: "a bandwidth",
    example: "\"10Mbps\"",
    smallest: "1bps",
    units: &[("bps", 1), ("kbps", 1_000), ("Mbps", 1_000_000), ("Gbps", 1_000_000_000), ("Tbps", 1_000_000_000_000)],
};

const RATE: Measure = Measure {
    what: "an amount of bytes a second",
    example: "\"100MiB/s\"",
    smallest: "1B/s",
    units: &[
        ("B/s", 1),
        ("KiB/s", 1 << 10),
        ("MiB/s", 1 << 20),
        ("GiB/s", 1 << 30),
        ("kB/s", 1_000),
        ("MB/s", 1_000_000),
        ("GB/s", 1_000_000_000),
    ],
};

const GPUS: Measure =
    Measure { what: "a number of GPUs", example: "2 or 0.25", smallest: "0.001", units: &[("", 1_000)] };

const COUNT: Measure = Measure { what: "a number of them", example: "2", smallest: "1", units: &[("", 1)] };

const CPU: Measure = Measure {
    what: "an amount of processor time",
    example: "\"250m\" (thousandths of a core) or \"1.5\" (cores)",
    smallest: "1m",
    units: &[("m", 1), ("", 1_000)],
};

/// A length of time, like `500ms`, `10s`, `1.5s` or `1m30s`.
///
/// # Errors
/// When it is not one, has no unit, or does not fit.
pub fn span(text: &str) -> Result<Span, QuantityError> {
    let mut total = 0u64;
    let mut rest = text.trim();
    loop {
        let (amount, after) = SPAN.leading(rest, text)?;
        total = total.checked_add(amount).ok_or_else(|| QuantityError::TooLarge { text: text.into() })?;
        if after.is_empty() {
            return Ok(Span(total));
        }
        rest = after;
    }
}

/// An amount of bytes, like `64MiB` or `2GB`.
///
/// # Errors
/// When it is not one, has no unit, or does not fit.
pub fn bytes(text: &str) -> Result<u64, QuantityError> {
    BYTES.whole(text)
}

/// A bandwidth in bits a second, like `10Mbps`.
///
/// # Errors
/// When it is not one, has no unit, or does not fit.
pub fn bits(text: &str) -> Result<u64, QuantityError> {
    BITS.whole(text)
}

/// Bytes a second, like `100MiB/s`.
///
/// # Errors
/// When it is not one, has no unit, or does not fit.
pub fn rate(text: &str) -> Result<u64, QuantityError> {
    RATE.whole(text)
}

/// GPUs in thousandths of one, like `2` or `0.25`. More than one are whole.
///
/// # Errors
/// When it is not a number of them, or more than one and not whole.
pub fn gpus(text: &str) -> Result<u64, QuantityError> {
    let milli = GPUS.whole(text)?;
    let parted = milli > 1_000 && !milli.is_multiple_of(1_000);
    if parted { Err(QuantityError::Parted { text: text.into() }) } else { Ok(milli) }
}

/// A whole number.
///
/// # Errors
/// When it is not one.
pub fn count(text: &str) -> Result<u64, QuantityError> {
    COUNT.whole(text)
}

/// Processor time in thousandths of a core, like `250m`, `2` or `1.5`.
///
/// # Errors
/// When it is not one or does not fit.
pub fn cpu(text: &str) -> Result<u64, QuantityError> {
    CPU.whole(text)
}

impl Measure {
    fn not_one(&self, text: &str) -> QuantityError {
        QuantityError::NotOne { text: text.into(), what: self.what, example: self.example }
    }

    fn unit_names(&self) -> String {
        let name = |(name, _): &(&'static str, u64)| if name.is_empty() { "none for whole ones" } else { *name };
        self.units.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    fn whole(&self, text: &str) -> Result<u64, QuantityError> {
        match self.leading(text.trim(), text)? {
            (amount, "") => Ok(amount),
            _ => Err(self.not_one(text)),
        }
    }

    /// The number and unit at the head of `rest`, in the smallest unit, and what follows.
    fn leading<'t>(&self, rest: &'t str, text: &str) -> Result<(u64, &'t str), QuantityError> {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, after) = rest.split_at(digits);
        let (decimals, after) = match after.strip_prefix('.') {
            Some(tail) => tail.split_at(tail.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(tail.len())),
            None => ("", after),
        };
        if whole.is_empty() || (decimals.is_empty() && after.len() + whole.len() < rest.len()) {
            return Err(self.not_one(text));
        }
        let after = after.trim_start_matches(' ');
        let letters = after.find(|letter: char| letter.is_ascii_digit() || letter == ' ').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let worth = self.worth(unit, text)?;
        Ok((self.amount(whole, decimals, worth, text)?, after.trim_start_matches(' ')))
    }

    fn worth(&self, unit: &str, text: &str) -> Result<u64, QuantityError> {
        if let Some((_, worth)) = self.units.iter().find(|(name, _)| *name == unit) {
            return Ok(*worth);
        }
        if unit.is_empty() {
            return Err(QuantityError::NoUnit { text: text.into(), example: self.example, units: self.unit_names() });
        }
        if !unit.chars().all(|letter| letter.is_alphabetic() || letter == '/') {
            return Err(self.not_one(text));
        }
        let lower = unit.to_lowercase();
        let close = |name: &str| {
            let name = name.to_lowercase();
            let shorter = [name.replace("ib", "i"), name.replace("ps", ""), name.replace("/s", "")];
            !name.is_empty() && (name == lower || shorter.contains(&lower))
        };
        let spelled = |name: &str| strsim::damerau_levenshtein(name, unit) == 1 && unit.len() > 1 && name.len() > 1;
        let found = self.units.iter().map(|(name, _)| *name);
        // A unit that begins otherwise is often another by a thousand.
        let begins_otherwise = |name: &&str| name.chars().next() != unit.chars().next();
        let spelled = || found.clone().filter(|name| spelled(name)).min_by_key(begins_otherwise);
        let suggestion = found.clone().find(|name| close(name)).or_else(spelled);
        Err(QuantityError::UnknownUnit {
            text: text.into(),
            unit: unit.into(),
            suggestion: suggestion.map(str::to_owned),
            units: self.unit_names(),
        })
    }

    fn amount(&self, whole: &str, decimals: &str, worth: u64, text: &str) -> Result<u64, QuantityError> {
        let too_large = || QuantityError::TooLarge { text: text.into() };
        let fine = || QuantityError::TooFine { text: text.into(), what: self.what, smallest: self.smallest };
        let count: u64 = whole.parse().map_err(|_| too_large())?;
        let mut total = count.checked_mul(worth).ok_or_else(too_large)?;
        let decimals = decimals.trim_end_matches('0');
        if !decimals.is_empty() {
            let scale = u32::try_from(decimals.len()).ok().and_then(|power| 10u128.checked_pow(power));
            let scale = scale.ok_or_else(fine)?;
            let part: u128 = decimals.parse().map_err(|_| fine())?;
            let product = part.checked_mul(u128::from(worth)).ok_or_else(fine)?;
            if product % scale != 0 {
                return Err(fine());
            }
            let part = u64::try_from(product / scale).map_err(|_| too_large())?;
            total = total.checked_add(part).ok_or_else(too_large)?;
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_they_are_written() {
        assert_eq!(span("500ms"), Ok(Span::milliseconds(500)));
        assert_eq!(span("1m30s"), Ok(Span::seconds(90)));
        assert_eq!(span("1.5s"), Ok(Span::milliseconds(1_500)));
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("1.5 GB"), Ok(1_500_000_000));
        assert_eq!(bits("10Mbps"), Ok(10_000_000));
        assert_eq!(cpu("250m"), Ok(250));
        assert_eq!(cpu("1.5"), Ok(1_500));
        assert_eq!(cpu("2"), Ok(2_000));
        assert_eq!(rate("100MiB/s"), Ok(100 << 20));
        assert_eq!((gpus("2"), gpus("0.25"), count("3")), (Ok(2_000), Ok(250), Ok(3)));
    }

    #[test]
    fn every_unit_is_worth_what_its_name_says() {
        let worth = |read: fn(&str) -> Result<u64, QuantityError>, units: &[&str]| {
            units.iter().map(|unit| read(&format!("3{unit}")).map(|amount| amount / 3)).collect::<Result<Vec<u64>, _>>()
        };
        let thousands = |count: u32| (0..count).map(|power| 1_000_u64.pow(power)).collect::<Vec<u64>>();
        assert_eq!(worth(bytes, &["B", "kB", "MB", "GB", "TB"]), Ok(thousands(5)));
        let twos = |power: u32| 1_024_u64.pow(power);
        assert_eq!(worth(bytes, &["KiB", "MiB", "GiB", "TiB"]), Ok((1..5).map(twos).collect()));
        assert_eq!(worth(bits, &["bps", "kbps", "Mbps", "Gbps", "Tbps"]), Ok(thousands(5)));
        let spans = worth(|text| span(text).map(|span| span.0), &["us", "ms", "s", "m", "h", "d"]);
        assert_eq!(spans, Ok(vec![1, 1_000, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000]));
    }

    #[test]
    fn a_unit_that_is_nearly_one_is_guessed() {
        let meant = |text: &str| match bytes(text).or_else(|_| bits(text)) {
            Err(QuantityError::UnknownUnit { suggestion, .. }) => suggestion,
            other => panic!("{text} has a unit that is unknown, not {other:?}"),
        };
        for (text, unit) in [("5mbps", "Mbps"), ("5Mps", "Mbps"), ("5kbp", "kbps"), ("5gbps", "Gbps")] {
            assert_eq!(meant(text).as_deref(), Some(unit), "{text}");
        }
        for text in ["5x", "5parsecs"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let said = |error: Result<u64, QuantityError>| error.expect_err("this is no amount").to_string();
        assert_eq!(said(bytes("64MB5")), "\"64MB5\" is not an amount of bytes; write it like \"64MiB\" or \"2GB\"");
        assert_eq!(
            said(bytes("64")),
            "\"64\" has no unit; write it like \"64MiB\" or \"2GB\" (units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB)"
        );
        assert_eq!(
            said(bytes("64Mi")),
            "\"64Mi\" has an unknown unit \"Mi\"; did you mean \"MiB\"; units are B, KiB, MiB, GiB, TiB, kB, MB, GB, TB"
        );
        assert_eq!(said(bytes("20000000TiB")), "\"20000000TiB\" is more than can be counted");
        assert_eq!(
            said(cpu("0.0001")),
            "\"0.0001\" is an amount of processor time finer than 1m, the smallest there is"
        );
        assert_eq!(said(rate("5MiB")).split(';').nth(1), Some(" did you mean \"MiB/s\""));
        assert_eq!(
            said(gpus("1.5")),
            "\"1.5\" is more than one GPU and not a whole number of them; a part is a part of one"
        );
        assert_eq!(said(gpus("0.0001")), "\"0.0001\" is a number of GPUs finer than 0.001, the smallest there is");
        assert_eq!(said(count("1.5")), "\"1.5\" is a number of them finer than 1, the smallest there is");
        assert_eq!(
            said(span("fast").map(|span| span.0)),
            "\"fast\" is not a length of time; write it like \"500ms\", \"10s\" or \"1m30s\""
        );
        assert_eq!(
            said(cpu("-1")),
            "\"-1\" is not an amount of processor time; write it like \"250m\" (thousandths of a core) or \"1.5\" (cores)"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[0-9.a-zA-Z µ-]{0,24}|.{0,12}") {
            let _ = (span(&text), bytes(&text), bits(&text), cpu(&text));
        }

        #[test]
        fn a_span_of_whole_seconds_is_read_back_as_printed(seconds in 0u64..1_000_000) {
            proptest::prop_assert_eq!(span(&Span::seconds(seconds).to_string()), Ok(Span::seconds(seconds)));
        }
    }
}
