//! A page of the documentation, run: its files are written, its commands are typed, and what it says of them must be so.

use crate::{System, root};
use std::path::{Path, PathBuf};

/// What the page shows files in.
const KINDS: [(&str, &str); 2] = [("toml", "# "), ("cedar", "// ")];

/// Runs every command of a page against a system, and returns how many there were. A block of the kind `toml` or `cedar`
/// that begins with a comment of its name is a file. A line after a command is in what it said, where `…` stands for
/// anything; `$PLAN` is the name that the last plan gave itself.
pub fn run(system: &System, page: &str) -> usize {
    let text = std::fs::read_to_string(root().join(page)).expect("the page is readable text");
    let there = system.data().join("page");
    files(&text, &there);
    let (mut name, mut output, mut ran) = (String::new(), String::new(), 0);
    for line in blocks(&text, "console").iter().flat_map(|block| block.lines()) {
        let Some(command) = line.strip_prefix("$ ") else {
            assert!(line.is_empty() || says(&output, line), "{line:?} is not in\n{output}");
            continue;
        };
        let (command, code) = command.split_once("  # exits with ").unwrap_or((command, "0"));
        let word = |word: &str| match word {
            "$PLAN" => name.clone(),
            word if there.join(word).is_file() => there.join(word).display().to_string(),
            word => word.to_owned(),
        };
        let words: Vec<String> = command.split_whitespace().skip(1).map(word).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let done = system.orrery(&words);
        output = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert_eq!(done.status.code(), code.trim().parse().ok(), "{command}\n{output}");
        let planned = output.lines().next().and_then(|line| line.strip_prefix("plan "));
        name = planned.map_or(name, str::to_owned);
        if words[0] == "apply" {
            system.eventually("what was applied runs", |system| {
                let status = system.json(&["status"]).unwrap_or_default();
                let at_rest = |job: &serde_json::Value| job["state"] == "steady" || job["desired"] == 0;
                status["jobs"].as_array().is_some_and(|jobs| jobs.iter().all(at_rest))
            });
        }
        ran += 1;
    }
    ran
}

/// The blocks that begin with this.
fn blocks(text: &str, begin: &str) -> Vec<String> {
    let begin = format!("```{begin}\n");
    text.split(&begin).skip(1).filter_map(|rest| rest.split("```").next().map(str::to_owned)).collect()
}

/// Writes the files of the page.
fn files(text: &str, there: &Path) {
    std::fs::create_dir_all(there).expect("a directory can be made");
    let mut written: Vec<PathBuf> = Vec::new();
    for (kind, comment) in KINDS {
        for block in blocks(text, kind) {
            let Some(name) = block.lines().next().and_then(|line| line.strip_prefix(comment)) else { continue };
            let path = there.join(name);
            std::fs::write(&path, &block).expect("a file can be written");
            written.push(path);
        }
    }
    assert!(!written.is_empty(), "the page shows files");
}

/// Columns of a table are as wide as they must be, so that only words count.
fn says(output: &str, line: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = words(line);
    output.lines().map(words).any(|found| {
        let mut rest = found.as_str();
        let mut parts = line.split('…').map(str::trim).filter(|part| !part.is_empty());
        parts.all(|part| rest.find(part).map(|at| rest = &rest[at + part.len()..]).is_some())
    })
}
