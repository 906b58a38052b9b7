//! JSON as people read it: what fits into a line stays in one, and any part of a text can be found again.

use crate::text::line_and_column;

/// A line holds so many bytes at the most, where it can.
const LINE_MAX: usize = 118;

/// JSON laid out: whatever fits into a line is in one line. `compact` is JSON without white space.
pub fn lay_out(compact: &str) -> String {
    let mut layout = Layout { bytes: compact.as_bytes(), text: compact, out: String::new() };
    layout.value(0, 0, 0);
    layout.out.push('\n');
    layout.out
}

struct Layout<'t> {
    bytes: &'t [u8],
    text: &'t str,
    out: String,
}

impl Layout<'_> {
    /// Writes the value that begins at `at`, `before` bytes into its line. Returns where it ends.
    fn value(&mut self, at: usize, depth: usize, before: usize) -> usize {
        let end = end_of(self.bytes, at);
        let spaces = self.bytes[at..end].iter().filter(|byte| matches!(byte, b',' | b':')).count();
        let is_container = matches!(self.bytes[at], b'{' | b'[');
        if !is_container || before + end - at + spaces <= LINE_MAX {
            self.line(at, end);
            return end;
        }
        let is_object = self.bytes[at] == b'{';
        self.out.push(char::from(self.bytes[at]));
        let mut next = at + 1;
        loop {
            self.fresh_line(depth + 1);
            let mut before = (depth + 1) * 2;
            if is_object {
                let key = end_of(self.bytes, next);
                self.out.push_str(&self.text[next..key]);
                self.out.push_str(": ");
                before += key - next + 2;
                next = key + 1;
            }
            next = self.value(next, depth + 1, before);
            if self.bytes[next] != b',' {
                break;
            }
            self.out.push(',');
            next += 1;
        }
        self.fresh_line(depth);
        self.out.push(char::from(self.bytes[end - 1]));
        end
    }

    fn fresh_line(&mut self, depth: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", depth));
    }

    /// All of it in one line, with a space after each comma and colon.
    fn line(&mut self, at: usize, end: usize) {
        let mut next = at;
        while next < end {
            let step = match self.bytes[next] {
                b'"' => string_end(self.bytes, next),
                _ => next + 1,
            };
            self.out.push_str(&self.text[next..step]);
            if matches!(self.bytes[next], b',' | b':') {
                self.out.push(' ');
            }
            next = step;
        }
    }
}

/// Where the string that begins at `at` ends.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while next < bytes.len() && bytes[next] != b'"' {
        next += if bytes[next] == b'\\' { 2 } else { 1 };
    }
    (next + 1).min(bytes.len())
}

/// Where the value that begins at `at` ends.
fn end_of(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut next = at;
    while next < bytes.len() {
        match bytes[next] {
            b'"' => {
                next = string_end(bytes, next);
                if depth == 0 {
                    return next;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return next,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return next + 1;
                }
            }
            b',' | b':' if depth == 0 => return next,
            byte if byte.is_ascii_whitespace() && depth == 0 => return next,
            _ => {}
        }
        next += 1;
    }
    bytes.len()
}

/// A step on the way into JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// To the field of this name.
    Field(&'a str),
    /// To the element of this number.
    Element(usize),
}

/// Line and column, from 1, of the value that the path leads to, or of the last one on the way that is there.
pub fn place(text: &str, path: &[Step<'_>]) -> (u32, u32) {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, 0);
    for step in path {
        match enter(text, at, *step) {
            Some(found) => at = found,
            None => break,
        }
    }
    line_and_column(text, at)
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

fn enter(text: &str, at: usize, step: Step<'_>) -> Option<usize> {
    let bytes = text.as_bytes();
    let opens = bytes.get(at).copied()?;
    let mut next = skip_space(bytes, at + 1);
    for number in 0.. {
        if matches!(bytes.get(next)?, b'}' | b']') {
            return None;
        }
        let mut wanted = step == Step::Element(number) && opens == b'[';
        if opens == b'{' {
            let end = string_end(bytes, next);
            let name = text.get(next + 1..end - 1)?;
            wanted = step == Step::Field(name);
            next = skip_space(bytes, skip_space(bytes, end) + 1);
        }
        if wanted {
            return Some(next);
        }
        next = skip_space(bytes, end_of(bytes, next));
        if bytes.get(next)? == &b',' {
            next = skip_space(bytes, next + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn sample() -> Value {
        let long = "a, \"quoted\": text that is long enough to fill a good part of a line by itself".to_string();
        json!({ "few": [1, 2, 3], "many": [long, { "deep": [long, long], "empty": {} }], "none": [] })
    }

    #[test]
    fn what_is_laid_out_is_the_same_json_in_short_lines() {
        let text = lay_out(&sample().to_string());
        assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), sample());
        assert!(text.contains("\"few\": [1, 2, 3]"), "{text}");
        assert!(text.lines().count() > 4, "{text}");
    }

    #[test]
    fn the_place_of_a_value_is_its_line_and_column() {
        let text = "{\n  \"a\": [10, {\"b\": \"}\"}],\n  \"c\" : 7\n}\n";
        assert_eq!(place(text, &[]), (1, 1));
        assert_eq!(place(text, &[Step::Field("c")]), (3, 9));
        assert_eq!(place(text, &[Step::Field("a"), Step::Element(1), Step::Field("b")]), (2, 19));
        assert_eq!(place(text, &[Step::Field("a"), Step::Element(7)]), (2, 8));
    }
}
