//! What every part of the reader needs: fields with their paths, values of a type, and the list of what is wrong.
//!
//! Nothing here stops at the first fault: what cannot be read is noted and left out, and reading goes on.

use super::fault::{Fault, Stretch, did_you_mean, locate};
use super::tree::{Key, Node, Value};
use crate::quantity::QuantityError;
use crate::reason::Reason;
use std::fmt::Display;

/// The most faults that are reported of one manifest.
const FAULTS_MAX: usize = 100;

/// What other systems call things that we have another word for.
const FOREIGN: &[(&str, &str)] = &[
    ("affinity", "near"),
    ("allow", "permit"),
    ("anti_affinity", "apart"),
    ("args", "run"),
    ("cmd", "run"),
    ("command", "run"),
    ("constraints", "require"),
    ("count", "instances"),
    ("cwd", "directory"),
    ("depends_on", "links"),
    ("env", "environment"),
    ("exec", "run"),
    ("healthcheck", "health"),
    ("interval", "every"),
    ("mem", "memory"),
    ("ram", "memory"),
    ("replicas", "instances"),
    ("retries", "failures"),
    ("storage", "disk"),
    ("workdir", "directory"),
];

/// Collects what is wrong.
pub(super) struct Reader<'t> {
    text: &'t str,
    file: &'t str,
    faults: Vec<Fault>,
}

/// A value and the path to it.
#[derive(Clone)]
pub(super) struct Item<'n> {
    node: &'n Node,
    pub path: String,
    /// The place of its key; of itself where it has none.
    pub key_at: Stretch,
}

impl<'n> Item<'n> {
    /// The whole of a manifest.
    pub fn whole(node: &'n Node) -> Self {
        Self { node, path: String::new(), key_at: Stretch { start: node.at.start, end: node.at.start } }
    }

    pub const fn at(&self) -> Stretch {
        self.node.at
    }

    pub const fn value(&self) -> &'n Value {
        &self.node.value
    }

    fn below(&self, key: &'n Key, node: &'n Node) -> Self {
        let plain = key.name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'));
        let name = if plain { key.name.clone() } else { format!("{:?}", key.name) };
        let path = if self.path.is_empty() { name } else { format!("{}.{name}", self.path) };
        Self { node, path, key_at: key.at }
    }
}

/// A table of known fields.
pub(super) struct Table<'n> {
    item: Item<'n>,
    entries: &'n [(Key, Node)],
}

impl<'n> Table<'n> {
    /// The field of this name, where it is set.
    pub fn get(&self, name: &str) -> Option<Item<'n>> {
        let (key, node) = self.entries.iter().find(|(key, _)| key.name == name)?;
        Some(self.item.below(key, node))
    }

    /// Whether another field was probably meant to be this one.
    pub fn misnamed(&self, name: &str) -> bool {
        let meant = |(key, _): &(Key, Node)| FOREIGN.contains(&(key.name.as_str(), name));
        self.entries.iter().any(meant)
    }

    /// The table itself.
    pub const fn item(&self) -> &Item<'n> {
        &self.item
    }
}

impl<'t> Reader<'t> {
    pub const fn new(text: &'t str, file: &'t str) -> Self {
        Self { text, file, faults: Vec::new() }
    }

    /// Every fault, in the order of the source.
    pub fn finish(mut self) -> Vec<Fault> {
        self.faults.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
        self.faults.dedup();
        self.faults
    }

    /// Notes a fault.
    pub fn fault(&mut self, at: Stretch, path: &str, message: impl Display) {
        self.note(at, path, message, None, None);
    }

    /// Notes a fault with what was expected and what was probably meant.
    pub fn note(
        &mut self,
        at: Stretch,
        path: &str,
        message: impl Display,
        expected: Option<String>,
        suggestion: Option<String>,
    ) {
        if self.faults.len() < FAULTS_MAX {
            let (line, column, source, width) = locate(self.text, at);
            self.faults.push(Fault {
                file: self.file.into(),
                line,
                column,
                path: path.into(),
                message: message.to_string(),
                expected,
                suggestion,
                reason: Reason::Invalid,
                source,
                width,
            });
        }
    }

    /// Notes that a value is not of the kind it should be.
    pub fn expected(&mut self, item: &Item<'_>, expected: impl Into<String>) {
        let found = format!("found {}", item.value().what());
        self.note(item.at(), &item.path, found, Some(expected.into()), None);
    }

    /// Notes a word that is none of the known ones.
    pub fn unknown(&mut self, at: Stretch, path: &str, what: &str, word: &str, known: &[&str]) {
        let foreign = FOREIGN.iter().find(|(name, ours)| *name == word && known.contains(ours));
        let suggestion =
            foreign.map(|(_, ours)| (*ours).to_owned()).or_else(|| did_you_mean(word, known.iter().copied()));
        let expected = suggestion.is_none().then(|| format!("one of {}", known.join(", ")));
        self.note(at, path, format!("unknown {what} {word:?}"), expected, suggestion);
    }

    /// A table with these fields and no others.
    pub fn table<'n>(&mut self, item: &Item<'n>, fields: &[&str]) -> Option<Table<'n>> {
        let entries: &'n [(Key, Node)] = match item.value() {
            Value::Table(entries) => entries,
            Value::Nothing => &[],
            _ => {
                self.expected(item, format!("a table with {}", fields.join(", ")));
                return None;
            }
        };
        for (key, _) in entries {
            if !fields.contains(&key.name.as_str()) {
                self.unknown(key.at, &item.path, "field", &key.name, fields);
            }
        }
        Some(Table { item: item.clone(), entries })
    }

    /// The entries of a table whose keys are names.
    pub fn entries<'n>(&mut self, item: &Item<'n>, expected: &str) -> Vec<(&'n str, Item<'n>)> {
        match item.value() {
            Value::Table(entries) => {
                entries.iter().map(|(key, node)| (key.name.as_str(), item.below(key, node))).collect()
            }
            Value::Nothing => Vec::new(),
            _ => {
                self.expected(item, expected);
                Vec::new()
            }
        }
    }

    /// The items of a list.
    pub fn list<'n>(&mut self, item: &Item<'n>, expected: &str) -> Vec<Item<'n>> {
        let Value::List(nodes) = item.value() else {
            self.expected(item, expected);
            return Vec::new();
        };
        let place =
            |(index, node): (usize, &'n Node)| Item { node, path: format!("{}[{index}]", item.path), key_at: node.at };
        nodes.iter().enumerate().map(place).collect()
    }

    /// The items of a list, or the one thing that stands for a list of one.
    pub fn one_or_many<'n>(&mut self, item: &Item<'n>, expected: &str) -> Vec<Item<'n>> {
        if matches!(item.value(), Value::List(_)) { self.list(item, expected) } else { vec![item.clone()] }
    }

    /// A text, without the byte that no program can be given.
    pub fn text(&mut self, item: &Item<'_>, expected: &str) -> Option<String> {
        match item.value() {
            Value::Text(text) if text.contains('\0') => {
                self.fault(item.at(), &item.path, "has a zero byte in it, which no program can be given");
                None
            }
            Value::Text(text) => Some(text.clone()),
            _ => {
                self.expected(item, expected);
                None
            }
        }
    }

    /// A list of texts.
    pub fn texts(&mut self, item: &Item<'_>, expected: &str) -> Vec<String> {
        let items = self.list(item, expected);
        items.iter().filter_map(|item| self.text(item, "a string")).collect()
    }

    /// A list of texts with a program at its head.
    pub fn command(&mut self, item: &Item<'_>) -> Vec<String> {
        let words = self.texts(item, "a list of strings, like [\"./program\", \"--option\"]");
        let listed = matches!(item.value(), Value::List(_));
        if listed && words.first().is_none_or(|program| program.trim().is_empty()) {
            let expected = Some("a program and its arguments".to_owned());
            self.note(item.at(), &item.path, "has no program", expected, None);
        }
        words
    }

    /// A whole number within bounds.
    pub fn integer(&mut self, item: &Item<'_>, least: u32, most: u32) -> Option<u32> {
        let expected = format!("a whole number from {least} to {most}");
        let Value::Integer(number) = item.value() else {
            self.expected(item, expected);
            return None;
        };
        let within = u32::try_from(*number).ok().filter(|number| (least..=most).contains(number));
        if within.is_none() {
            self.note(item.at(), &item.path, format!("{number} is out of range"), Some(expected), None);
        }
        within
    }

    /// Yes or no.
    pub fn boolean(&mut self, item: &Item<'_>) -> Option<bool> {
        if let Value::Boolean(boolean) = item.value() {
            return Some(*boolean);
        }
        self.expected(item, "true or false");
        None
    }

    /// An amount, written as text; a bare number is shown to `parse` as its digits.
    pub fn amount<T>(&mut self, item: &Item<'_>, parse: fn(&str) -> Result<T, QuantityError>) -> Option<T> {
        self.measured(item, parse)
    }

    /// The same, read by what knows more than the text.
    pub fn measured<T>(&mut self, item: &Item<'_>, parse: impl FnOnce(&str) -> Result<T, QuantityError>) -> Option<T> {
        let text = match item.value() {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Decimal(number) => number.clone(),
            _ => {
                self.expected(item, "an amount with its unit");
                return None;
            }
        };
        match parse(&text) {
            Ok(amount) => Some(amount),
            Err(error) => {
                self.fault(item.at(), &item.path, error);
                None
            }
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, item: &Item<'_>, what: &str, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let text = self.text(item, &format!("one of {}", known.join(", ")))?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            self.unknown(item.at(), &item.path, what, &text, &known);
        }
        found.map(|(_, value)| *value)
    }

    /// Checks a name: small letters, digits, and hyphens inside.
    pub fn name(&mut self, at: Stretch, path: &str, what: &str, name: &str) -> bool {
        if is_name(name) {
            return true;
        }
        let tidy: String =
            name.trim().to_lowercase().chars().map(|c| if matches!(c, '_' | ' ' | '.') { '-' } else { c }).collect();
        let suggestion = Some(tidy).filter(|tidy| is_name(tidy));
        let expected = Some("small letters, digits and hyphens between them, at most 63".to_owned());
        self.note(at, path, format!("{name:?} is not a name for {what}"), expected, suggestion);
        false
    }
}

/// Whether this can be the name of a realm, a job, a port: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
pub fn is_name(name: &str) -> bool {
    let letters = name.as_bytes();
    let plain = |letter: &u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    (1..=63).contains(&letters.len())
        && letters.iter().all(|letter| plain(letter) || *letter == b'-')
        && letters.first().is_some_and(plain)
        && letters.last().is_some_and(plain)
}
