//! The tree as the tidy tests see it: every source file, its text, and its code without comments and strings.

use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file.
pub struct Source {
    /// From the root of the repository, with forward slashes.
    pub path: String,
    /// All of it.
    pub text: String,
    /// The same lines with the insides of comments, strings and characters blanked.
    pub code: String,
}

impl Source {
    /// The code up to the module of tests at its end.
    pub fn shipped_code(&self) -> &str {
        self.code.find("#[cfg(test)]\nmod ").map_or(&self.code, |tests| &self.code[..tests])
    }

    /// Whether the code names this word, as a word.
    pub fn names(&self, word: &str) -> bool {
        has_word(&self.code, word)
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file, sorted by path.
pub fn sources() -> Vec<Source> {
    files(|path| path.ends_with(".rs"))
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).expect("a source file is readable text");
            let code = blank(&text);
            Source { path, text, code }
        })
        .collect()
}

/// Every file whose path is chosen, sorted. Build output and hidden directories are no part of the tree.
pub fn files(chosen: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found);
    found.retain(|path| chosen(path));
    found.sort();
    found
}

fn walk(directory: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory of the tree is readable") {
        let entry = entry.expect("a directory entry is readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("a directory entry has a type");
        if kind.is_dir() && !name.starts_with('.') && name != "target" && name != "orrery-data" {
            walk(&entry.path(), &format!("{prefix}{name}/"), found);
        } else if kind.is_file() {
            found.push(format!("{prefix}{name}"));
        }
    }
}

/// Whether a text has this word, with no letter, digit or underscore beside it.
pub fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Blanks the insides of comments, strings and character literals, keeping every line end where it was.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let inert = inert_length(rest, code.chars().next_back());
        if inert == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (gone, after) = rest.split_at(inert);
            code.extend(gone.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    code
}

/// How many bytes from here on are a comment, a string or a character; 0 when code begins here.
fn inert_length(rest: &str, before: Option<char>) -> usize {
    let to_end_of = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return to_end_of("*/", 2);
    }
    if rest.starts_with('"') {
        return quoted_length(rest);
    }
    let in_word = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    if rest.starts_with('r') && (!in_word || before == Some('b')) {
        let hashes = rest[1..].bytes().take_while(|&byte| byte == b'#').count();
        if rest[1 + hashes..].starts_with('"') {
            return to_end_of(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
        }
    }
    if rest.starts_with('\'') { character_length(rest) } else { 0 }
}

fn quoted_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal's length; a lifetime has none.
fn character_length(rest: &str) -> usize {
    let mut letters = rest.char_indices().skip(1);
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), Some((escaped, _))) => rest[escaped + 1..].find('\'').map_or(0, |at| escaped + 1 + at + 1),
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 0,
    }
}

#[test]
fn tidy_code_is_told_from_comments_and_strings() {
    let code = |text: &str| blank(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code("a // b {\nc /* d\n */ e"), "a c e");
    assert_eq!(code(r##"let x = "{\"}"; y"##), "let x = ; y");
    assert_eq!(code("f(r#\"a\"b{\"#, '{', '\\'', 'x')"), "f( , , , )");
    assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
    assert_eq!(blank("\"a\nb\"\nc").lines().count(), 3);
    assert!(has_word("use actix::Actor;", "actix") && !has_word("use actix_rt::x;", "actix"));
}
