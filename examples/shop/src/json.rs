//! Writing JSON objects: all the shop needs of JSON is to say it.

use std::fmt::Write;

/// An object being written, field by field, in the order of the calls.
#[derive(Debug, Default)]
pub struct Object {
    text: String,
}

impl Object {
    /// An object without fields.
    pub fn new() -> Object {
        Object::default()
    }

    /// Adds a text.
    pub fn text(mut self, name: &str, value: &str) -> Object {
        self.name(name);
        quote(&mut self.text, value);
        self
    }

    /// Adds a whole number.
    pub fn number(self, name: &str, value: u64) -> Object {
        self.json(name, &value.to_string())
    }

    /// Adds a value that is JSON already.
    pub fn json(mut self, name: &str, value: &str) -> Object {
        self.name(name);
        self.text.push_str(value);
        self
    }

    /// The object as JSON text.
    pub fn finish(self) -> String {
        if self.text.is_empty() { "{}".to_owned() } else { self.text + "}" }
    }

    fn name(&mut self, name: &str) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        quote(&mut self.text, name);
        self.text.push(':');
    }
}

fn quote(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_out_in_the_order_they_were_said() {
        assert_eq!(Object::new().finish(), "{}");
        let inner = Object::new().number("tea", 250).finish();
        let object = Object::new().text("instance", "b/0").json("items", &inner).finish();
        assert_eq!(object, r#"{"instance":"b/0","items":{"tea":250}}"#);
    }

    #[test]
    fn a_text_cannot_leave_its_quotes() {
        let object = Object::new().text("a\"b", "c\\d\n\u{1}é").finish();
        assert_eq!(object, "{\"a\\\"b\":\"c\\\\d\\n\\u0001é\"}");
    }
}
