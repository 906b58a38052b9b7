//! Sizes: files of 500 lines at most, functions of 60, and a first line that says what a file is for.
//!
//! What is larger today is listed in `ratchet.txt` with its size, and may only become smaller.

use std::collections::BTreeMap;
use std::fs;

use crate::check;
use crate::tree::{Source, root, sources};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 60;
const RATCHET: &str = "tests/tests/tidy/ratchet.txt";

/// A thing with a size: `path` for a file, `path function` for a function.
type Sizes = BTreeMap<String, usize>;

#[test]
fn tidy_files_and_functions_are_short() {
    let mut too_large = Sizes::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            too_large.insert(source.path.clone(), lines);
        }
        for (name, lines) in functions(&source) {
            if lines > FUNCTION_LINES_MAX {
                too_large.insert(format!("{} {name}", source.path), lines);
            }
        }
    }
    let listed = ratchet();
    let mut findings = Vec::new();
    for (what, lines) in &too_large {
        match listed.get(what) {
            None => findings.push(format!("{what} has {lines} lines")),
            Some(limit) if lines > limit => findings.push(format!("{what} grew from {limit} to {lines} lines")),
            Some(_) => {}
        }
    }
    for (what, limit) in &listed {
        match too_large.get(what) {
            None => findings.push(format!("{what} is short enough by now: take it off {RATCHET}")),
            Some(lines) if lines < limit => {
                findings.push(format!("{what} shrank to {lines}: lower it in {RATCHET}"));
            }
            Some(_) => {}
        }
    }
    let advice = format!(
        "a file has {FILE_LINES_MAX} lines at most, a function {FUNCTION_LINES_MAX}; split what does two things"
    );
    check(&findings, &advice);
}

#[test]
fn tidy_files_begin_by_saying_what_they_are_for() {
    let findings: Vec<String> = sources()
        .iter()
        .filter(|source| {
            let first = source.text.lines().next().unwrap_or_default();
            first.trim_start_matches(['/', '!']).trim().len() < 10 || !first.starts_with("//")
        })
        .map(|source| source.path.clone())
        .collect();
    check(&findings, "the first line of a file is a comment that says what it is for");
}

fn ratchet() -> Sizes {
    let text = fs::read_to_string(root().join(RATCHET)).expect("the ratchet file is there");
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (lines, what) = line.split_once(' ').expect("a line of the ratchet is `LINES PATH [FUNCTION]`");
            (what.to_owned(), lines.parse().expect("a line of the ratchet begins with a number"))
        })
        .collect()
}

/// Every function with a body, and how many lines it has from its name to its closing brace.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let code = &source.code;
    code.match_indices("fn ")
        .filter(|(start, _)| !code[..*start].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_'))
        .filter_map(|(start, _)| {
            let name: String =
                code[start + 3..].chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            let end = body_end(&code[start..])?;
            (!name.is_empty()).then(|| (name, code[start..start + end].lines().count()))
        })
        .collect()
}

/// Where the body of the function that begins here ends; none when it has no body.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut parentheses) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => parentheses += 1,
            b')' | b']' => parentheses = parentheses.saturating_sub(1),
            b'{' => braces += 1,
            b'}' if braces <= 1 => return (braces == 1).then_some(at + 1),
            b'}' => braces -= 1,
            b';' if braces == 0 && parentheses == 0 => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn tidy_functions_are_measured_from_name_to_closing_brace() {
    let code =
        "trait T { fn none(x: [u8; 3]); }\nfn one() {}\nfn three(f: fn(u8) -> u8) {\n  if x { y }\n}\n".to_owned();
    let source = Source { path: String::new(), text: code.clone(), code };
    assert_eq!(functions(&source), [("one".to_owned(), 1), ("three".to_owned(), 3)]);
}
