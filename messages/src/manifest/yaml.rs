//! YAML and JSON into the tree. JSON is read by its own rules first, then as the YAML that it also is, for the places.

use super::fault::Stretch;
use super::tree::{Key, Node, SyntaxFault, Value};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// The tree of a JSON text.
pub(super) fn from_json(text: &str) -> Result<Node, SyntaxFault> {
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let whole = error.to_string();
        let message = whole.split(" at line ").next().unwrap_or_default();
        let at = offset(text, error.line(), error.column());
        return Err(SyntaxFault { at, message: format!("not JSON: {message}") });
    }
    from_yaml(text).map_err(|fault| SyntaxFault { message: fault.message.replace("not YAML", "not JSON"), ..fault })
}

/// The tree of a YAML text.
pub(super) fn from_yaml(text: &str) -> Result<Node, SyntaxFault> {
    match serde_saphyr::from_str::<Spanned<Loose>>(text) {
        Ok(root) => Ok(place(root)),
        Err(error) => {
            let error = error.without_snippet();
            let at = error.location().map_or_else(Stretch::default, |location| {
                let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
                offset(text, place(location.line()), place(location.column()))
            });
            let whole = error.to_string();
            let message = whole.lines().next().unwrap_or_default();
            let message = message.split(" at line ").next().unwrap_or_default();
            Err(SyntaxFault { at, message: format!("not YAML: {message}") })
        }
    }
}

/// The stretch of one character at a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> Stretch {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[before.min(text.len())..];
    let within: usize = rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    let start = (before + within).min(text.len());
    Stretch { start, end: start + 1 }
}

/// A value whose parts know their places.
struct Loose(Value);

fn place(spanned: Spanned<Loose>) -> Node {
    Node { value: spanned.value.0, at: stretch(spanned.referenced) }
}

fn stretch(location: Location) -> Stretch {
    let span = location.span();
    let number = |number: Option<u64>| usize::try_from(number.unwrap_or_default()).unwrap_or_default();
    let start = number(span.byte_offset());
    Stretch { start, end: start.saturating_add(number(span.byte_len())) }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a table, a list, a string, a number or a boolean")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Loose, E> {
        Ok(Loose(Value::Boolean(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose(Value::Integer(value.into())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose(Value::Integer(value.into())))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Loose, E> {
        Ok(Loose(Value::Integer(value)))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Loose, E> {
        Ok(Loose(i128::try_from(value).map_or_else(|_| Value::Decimal(value.to_string()), Value::Integer)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Loose, E> {
        Ok(Loose(Value::Decimal(value.to_string())))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Loose, E> {
        Ok(Loose(Value::Text(value.into())))
    }

    fn visit_unit<E: Error>(self) -> Result<Loose, E> {
        Ok(Loose(Value::Nothing))
    }

    fn visit_none<E: Error>(self) -> Result<Loose, E> {
        Ok(Loose(Value::Nothing))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Loose, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Loose, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Loose>>()? {
            list.push(place(item));
        }
        Ok(Loose(Value::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Loose, A::Error> {
        let mut table = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let at = stretch(key.referenced);
            table.push((Key { name: key.value, at }, place(entries.next_value::<Spanned<Loose>>()?)));
        }
        Ok(Loose(Value::Table(table)))
    }
}
