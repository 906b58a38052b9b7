//! The tree that every notation is read into: values that know where they stand in the source.

use super::fault::Stretch;
use toml_span::value::ValueInner;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub value: Value,
    pub at: Stretch,
}

/// A key of a table.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub name: String,
    pub at: Stretch,
}

/// What TOML, YAML and JSON have in common.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Nothing,
    Boolean(bool),
    Integer(i128),
    /// A number with decimals, as digits.
    Decimal(String),
    Text(String),
    List(Vec<Node>),
    Table(Vec<(Key, Node)>),
}

impl Value {
    /// What it is, for people.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Decimal(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A text that is not what its notation allows: where and why.
#[derive(Clone, Debug)]
pub(super) struct SyntaxFault {
    pub at: Stretch,
    pub message: String,
}

/// The tree of a TOML text.
pub(super) fn from_toml(text: &str) -> Result<Node, SyntaxFault> {
    match toml_span::parse(text) {
        Ok(root) => Ok(node(root, text)),
        Err(error) => {
            let line = |span: toml_span::Span| text[..span.start.min(text.len())].matches('\n').count() + 1;
            let message = match &error.kind {
                toml_span::ErrorKind::DuplicateKey { key, first } => {
                    format!("{key:?} was set already, on line {}", line(*first))
                }
                toml_span::ErrorKind::DuplicateTable { name, first } => {
                    format!("table {name:?} was begun already, on line {}", line(*first))
                }
                _ => error.to_string().replace('`', "\""),
            };
            Err(SyntaxFault { at: stretch(error.span), message: format!("not TOML: {message}") })
        }
    }
}

const fn stretch(span: toml_span::Span) -> Stretch {
    Stretch { start: span.start, end: span.end }
}

fn node(mut value: toml_span::Value<'_>, text: &str) -> Node {
    let mut at = stretch(value.span);
    let value = match value.take() {
        ValueInner::String(string) => {
            at = with_quotes(at, text);
            Value::Text(string.into_owned())
        }
        ValueInner::Integer(integer) => Value::Integer(integer.into()),
        ValueInner::Float(float) => Value::Decimal(float.to_string()),
        ValueInner::Boolean(boolean) => Value::Boolean(boolean),
        ValueInner::Array(array) => Value::List(array.into_iter().map(|item| node(item, text)).collect()),
        ValueInner::Table(table) => {
            let key = |key: toml_span::value::Key<'_>| Key { at: stretch(key.span), name: key.name.into_owned() };
            let mut entries: Vec<_> = table.into_iter().map(|(name, item)| (key(name), node(item, text))).collect();
            entries.sort_by_key(|(key, _)| key.at.start);
            Value::Table(entries)
        }
    };
    Node { value, at }
}

/// The stretch of a string with the quotes around it.
fn with_quotes(at: Stretch, text: &str) -> Stretch {
    let bytes = text.as_bytes();
    let quote = |index: usize| bytes.get(index).is_some_and(|byte| matches!(byte, b'"' | b'\''));
    let opened = at.start > 0 && quote(at.start - 1) && (!quote(at.start) || at.start == at.end);
    if opened && quote(at.end) { Stretch { start: at.start - 1, end: at.end + 1 } } else { at }
}
