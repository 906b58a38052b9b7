//! Rows that make no sense: counted by reason, with the place of the first.

use crate::text::TextFault;
use serde::Serialize;
use std::collections::BTreeMap;

/// Rows that make no sense for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The reason.
    pub reason: String,
    /// How many rows.
    pub rows: u64,
    /// The first of them, and what is wrong with it.
    pub first: TextFault,
}

/// What is wrong with a row: the reason, which many rows may have in common; the byte of the row; and all of it.
pub(super) type Wrong = (&'static str, usize, String);

/// Rows that make no sense so far.
pub(super) struct Damage<'f> {
    file: &'f str,
    by_reason: BTreeMap<&'static str, Skipped>,
}

impl<'f> Damage<'f> {
    pub(super) const fn new(file: &'f str) -> Self {
        Self { file, by_reason: BTreeMap::new() }
    }

    /// A row makes no sense. `line` counts from 1.
    pub(super) fn note(&mut self, line: usize, row: &str, (reason, byte, message): Wrong) {
        let column = row.get(..byte).unwrap_or(row).chars().count() + 1;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let first = || TextFault { file: self.file.into(), line: number(line), column: number(column), message };
        let skipped = self.by_reason.entry(reason);
        skipped.or_insert_with(|| Skipped { reason: reason.into(), rows: 0, first: first() }).rows += 1;
    }

    pub(super) fn all(self) -> Vec<Skipped> {
        self.by_reason.into_values().collect()
    }
}

/// A number, or what is wrong with it.
pub(super) fn number(name: &str, field: (usize, &str)) -> Result<u64, Wrong> {
    let (byte, text) = field;
    text.trim().parse().map_err(|_| ("a field is no number", byte, format!("{name} is {text:?}; expected a number")))
}
