//! Lists with named columns, as traces come. A row that makes no sense is left out, and said: how many, where, and why.

use flate2::read::GzDecoder;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where the traces lie: beside the project.
pub fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/traces")
}

/// Rows that were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    file: PathBuf,
    rows: Vec<(usize, String)>,
}

impl Skipped {
    /// Of this file, none yet.
    pub const fn of(file: PathBuf) -> Self {
        Self { file, rows: Vec::new() }
    }

    /// One more, on this line.
    pub fn add(&mut self, line: usize, reason: String) {
        self.rows.push((line, reason));
    }

    /// Says so where people look, if there are any.
    pub fn say(&self, group: &str) {
        if !self.rows.is_empty() {
            eprintln!("bench: {group}: {self}");
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.rows.len();
        write!(f, "{}: {count} row{} left out", self.file.display(), if count == 1 { "" } else { "s" })?;
        for (line, reason) in self.rows.iter().take(3) {
            write!(f, "; line {line}: {reason}")?;
        }
        if count > 3 { write!(f, "; and so on") } else { Ok(()) }
    }
}

/// Opens a file, unpacked if its name ends in `.gz`.
///
/// # Errors
/// When it cannot be opened.
pub fn open(path: &Path) -> Result<Box<dyn Read>, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let gz = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if gz { Box::new(GzDecoder::new(file)) } else { Box::new(file) })
}

/// A row of a list, with the names of its columns.
pub struct Row<'a> {
    heads: &'a csv::StringRecord,
    fields: &'a csv::StringRecord,
}

impl Row<'_> {
    /// What stands in a column.
    ///
    /// # Errors
    /// When there is no such column, or nothing in it.
    pub fn text(&self, column: &str) -> Result<&str, String> {
        let at = self.heads.iter().position(|head| head == column).ok_or_else(|| format!("no column {column}"))?;
        self.fields.get(at).ok_or_else(|| format!("no {column}"))
    }

    /// The whole number in a column.
    ///
    /// # Errors
    /// When there is none.
    pub fn number<T: std::str::FromStr>(&self, column: &str) -> Result<T, String> {
        let text = self.text(column)?;
        text.parse().map_err(|_| format!("{column} is {text:?}, no whole number"))
    }
}

/// Reads a list row by row, and collects those that were not taken.
///
/// # Errors
/// When the file cannot be read.
pub fn rows(
    path: &Path,
    mut take: impl FnMut(Result<Row<'_>, String>) -> Result<(), String>,
) -> Result<Skipped, String> {
    let failed = |error: csv::Error| format!("{}: {error}", path.display());
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(open(path)?);
    let heads = reader.headers().map_err(failed)?.clone();
    let mut skipped = Skipped::of(path.to_owned());
    for (at, record) in reader.records().enumerate() {
        let row = match &record {
            Ok(fields) => Ok(Row { heads: &heads, fields }),
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = take(row) {
            skipped.add(at + 2, reason);
        }
    }
    Ok(skipped)
}
