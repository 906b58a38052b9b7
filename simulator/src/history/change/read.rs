//! Reads a change's TOML, and says exactly what is wrong with it.

use super::rows;
use super::{Change, Row};
use crate::text::{TextFault, written};
use messages::quantity;
use toml_span::value::{Table, Value, ValueInner};

/// Reads a file that a change names, as it is named there.
pub type Load<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Reads a change.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn read(text: &str, file: &str, load: Load<'_>) -> Result<Change, Vec<TextFault>> {
    let mut reader = Reader { load, faults: Vec::new() };
    let mut rows = Vec::new();
    match toml_span::parse(text) {
        Ok(mut root) => reader.change(&mut root, &mut rows),
        Err(error) => reader.fault(error.span.start, error.to_string()),
    }
    reader.faults.sort();
    if reader.faults.is_empty() {
        rows.sort_by_key(|row: &Row| row.place);
        return Ok(Change { rows });
    }
    Err(reader.faults.into_iter().map(|(place, message)| TextFault::at(file, text, place, message)).collect())
}

/// A reader of rows.
pub(super) struct Reader<'a> {
    load: Load<'a>,
    faults: Vec<(usize, String)>,
}

/// A row that is being read.
pub(super) struct Fields<'v> {
    /// Where it begins.
    pub place: usize,
    table: Table<'v>,
    known: Vec<&'static str>,
}

impl Fields<'_> {
    /// Whether a field is given.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.known.push(key);
        self.table.contains_key(key)
    }
}

impl Reader<'_> {
    /// Something is wrong at a byte of the text.
    pub fn fault(&mut self, place: usize, message: String) {
        self.faults.push((place, message));
    }

    fn change(&mut self, root: &mut Value<'_>, rows: &mut Vec<Row>) {
        let ValueInner::Table(table) = root.take() else { return };
        for (key, mut value) in table {
            let Some(parse) = rows::of(&key.name) else {
                let known = rows::NAMES.join(", ");
                self.fault(
                    key.span.start,
                    format!("there is no table [[{}]] in a change; known are {known}", key.name),
                );
                continue;
            };
            let at = value.span.start;
            let ValueInner::Array(values) = value.take() else {
                self.fault(at, format!("expected tables like [[{}]]", key.name));
                continue;
            };
            for mut value in values {
                let place = value.span.start;
                let ValueInner::Table(table) = value.take() else {
                    self.fault(place, format!("expected a table like [[{}]]", key.name));
                    continue;
                };
                let mut fields = Fields { place, table, known: Vec::new() };
                let at = self.span(&mut fields, "at").unwrap_or(0);
                let edit = parse(self, &mut fields);
                self.rest(&fields);
                rows.extend(edit.map(|edit| Row { place, at, edit }));
            }
        }
    }

    fn rest(&mut self, fields: &Fields<'_>) {
        for key in fields.table.keys() {
            let known = fields.known.join(", ");
            self.fault(key.span.start, format!("there is no field {:?} here; known are {known}", key.name));
        }
    }

    /// The value of a field, read from text, a number or a truth.
    pub fn parsed<T>(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        fields.known.push(key);
        let mut value = fields.table.remove(key)?;
        let place = value.span.start;
        let text = written(value.take());
        let parsed = parse(&text);
        if parsed.is_none() {
            self.fault(place, format!("{key} is {text:?}; expected {expected}"));
        }
        parsed
    }

    /// Text.
    pub fn text(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
        self.parsed(fields, key, "text", |text| (!text.is_empty()).then(|| text.to_string()))
    }

    /// Text that must be there.
    pub fn needed(&mut self, fields: &mut Fields<'_>, key: &'static str, expected: &str) -> Option<String> {
        if !fields.table.contains_key(key) {
            fields.known.push(key);
            self.fault(fields.place, format!("field {key:?} is missing; expected {expected}"));
            return None;
        }
        self.text(fields, key)
    }

    /// A length of time in microseconds.
    pub fn span(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<u64> {
        self.parsed(fields, key, "a time like \"30s\"", |text| quantity::span(text).ok().map(|span| span.0))
    }

    /// A count.
    pub fn count(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<u32> {
        self.parsed(fields, key, "a number", |text| text.parse().ok())
    }

    /// Text as it stands there, or of the file that is named there.
    pub fn file_or_text(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<(usize, String)> {
        fields.known.push(key);
        let place = fields.table.get(key).map_or(fields.place, |value| value.span.start);
        let text = self.needed(fields, key, "the name of a file, or its text between \"\"\"")?;
        if text.contains('\n') {
            return Some((place, text));
        }
        match (self.load)(&text) {
            Ok(text) => Some((place, text)),
            Err(trouble) => {
                self.fault(place, trouble);
                None
            }
        }
    }
}
