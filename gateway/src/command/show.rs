//! How answers are shown: JSON for programs, plain aligned columns for people.

use serde::Serialize;
use std::io::{ErrorKind, Write};

/// For whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Show {
    /// Programs, rather than people.
    pub json: bool,
}

impl Show {
    /// Shows an answer as JSON.
    pub fn value<T: Serialize>(self, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.text(&(text + "\n")),
            Err(error) => eprintln!("orrery: the answer cannot be shown: {error}"),
        }
    }

    /// Shows one of several answers, as a line of JSON.
    pub fn line<T: Serialize>(self, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => self.text(&(text + "\n")),
            Err(error) => eprintln!("orrery: the answer cannot be shown: {error}"),
        }
    }

    /// Shows text as it is.
    pub fn text(self, text: &str) {
        write(text.as_bytes());
    }

    /// Shows an answer as JSON, or as the text made of it.
    pub fn answer<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) {
        if self.json { self.value(value) } else { self.text(&text(value)) }
    }
}

/// Writes to standard output. When nobody reads it any more, there is nothing left to do.
pub(super) fn write(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("orrery: cannot write to standard output: {error}");
            std::process::exit(i32::from(messages::api::EXIT_UNREACHABLE))
        }
    }
}

/// Rows under a heading, each column as wide as its widest cell.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|&cell| cell.to_owned()).collect();
    let all = || std::iter::once(&heading).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..heading.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in all() {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["shop/a".to_owned(), "4".to_owned()], vec!["b".to_owned(), "12".to_owned()]];
        assert_eq!(table(&["JOB", "N"], &rows), "JOB     N\nshop/a  4\nb       12\n");
    }
}
