//! Texts that people write for the simulator: where something in one of them is wrong, and values as they are written.

use std::fmt;
use toml_span::value::ValueInner;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub struct TextFault {
    /// The file as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for TextFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl TextFault {
    /// Something wrong at a byte of the text.
    pub fn at(file: &str, text: &str, place: usize, message: String) -> Self {
        let (line, column) = line_and_column(text, place);
        Self { file: file.into(), line, column, message }
    }
}

/// The line and the column of a byte, both from 1. A column is a character.
pub(crate) fn line_and_column(text: &str, place: usize) -> (u32, u32) {
    let before = text.get(..place).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    (number(line), number(column))
}

/// A value as it is written: text, a number or a truth; nothing, when it is something else.
pub(crate) fn written(value: ValueInner<'_>) -> String {
    match value {
        ValueInner::String(text) => text.into_owned(),
        ValueInner::Integer(number) => number.to_string(),
        ValueInner::Boolean(truth) => truth.to_string(),
        _ => String::new(),
    }
}
