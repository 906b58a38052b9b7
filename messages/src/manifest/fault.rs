//! What is wrong with a manifest: where, what was expected, and what was probably meant.

use crate::reason::Reason;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that is wrong with a manifest.
///
/// Prints like a compiler: `file:line:column: path: message`, then the line with a caret under the place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The file as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The field, like `job.a.resources.memory`; empty for the whole of it.
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What was expected.
    pub expected: Option<String>,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// The stable code.
    pub reason: Reason,
    /// The line of the source.
    pub source: String,
    /// How many characters of it the fault is about, from `column`.
    pub width: u32,
}

impl std::error::Error for Fault {}

impl Fault {
    /// What is wrong and what to do, without the place.
    pub fn sentence(&self) -> String {
        let mut sentence = String::new();
        if !self.path.is_empty() {
            sentence.push_str(&self.path);
            sentence.push_str(": ");
        }
        sentence.push_str(&self.message);
        if let Some(expected) = &self.expected {
            sentence.push_str("; expected ");
            sentence.push_str(expected);
        }
        if let Some(suggestion) = &self.suggestion {
            sentence.push_str(&format!("; did you mean {suggestion:?}?"));
        }
        sentence
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}:{}:{}: {}", self.file, self.line, self.column, self.sentence())?;
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs stay tabs in front of the caret, so that it stands where the reader's terminal puts the text.
        let before = self.source.chars().take(self.column.saturating_sub(1) as usize);
        let indent: String = before.map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
        let carets = "^".repeat(self.width.max(1) as usize);
        writeln!(out, "{gutter} |")?;
        writeln!(out, "{number} | {}", self.source)?;
        write!(out, "{gutter} | {indent}{carets}")
    }
}

/// A stretch of the source, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    pub start: usize,
    pub end: usize,
}

/// The most characters of a source line that a fault quotes.
const SOURCE_CHARACTERS_MAX: usize = 200;

/// Line, column, the line itself, and how much of it the stretch covers.
pub(super) fn locate(text: &str, stretch: Stretch) -> (u32, u32, String, u32) {
    let start = floor(text, stretch.start);
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let end = floor(text, stretch.end).clamp(start, line_end);
    let line = text[..start].matches('\n').count() + 1;
    let column = text[line_start..start].chars().count() + 1;
    let width = text[start..end].trim_end().chars().count().max(1);
    let source = text[line_start..line_end].trim_end();
    let source: String = source.chars().take(SOURCE_CHARACTERS_MAX).collect();
    let shown = source.chars().count().saturating_sub(column - 1).max(1);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    (number(line), number(column), source, number(width.min(shown)))
}

/// The boundary of a character at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// The one of `candidates` that `word` was probably meant to be: the nearest, and of those as near one that begins with it.
pub fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let lower = word.to_lowercase();
    let far = (word.chars().count() / 3).clamp(1, 3);
    let distance = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let scored = candidates.into_iter().map(|name| (distance(name), !name.starts_with(&lower), name));
    scored.filter(|(distance, ..)| *distance <= far).min().map(|(.., name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_characters_and_never_splits_one() {
        let text = "eins\nzwölf = 1\r\n";
        let (line, column, source, width) = locate(text, Stretch { start: 8, end: 12 });
        assert_eq!((line, column, source.as_str(), width), (2, 3, "zwölf = 1", 3));
        assert_eq!(locate(text, Stretch { start: 900, end: 901 }).0, 3);
    }

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("instnces", ["run", "instances"]), Some("instances".into()));
        assert_eq!(did_you_mean("x", ["run", "instances"]), None);
        assert_eq!(did_you_mean("gpu", ["cpu", "gpus"]), Some("gpus".into()));
    }
}
