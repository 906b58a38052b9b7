//! Words: what no file is called, and what no line says.

use crate::check;
use crate::tree::{files, has_word, sources};

#[test]
fn tidy_no_file_is_named_for_nothing() {
    let vague = ["utils", "util", "common", "helper", "helpers", "manager", "misc", "types", "core"];
    let findings = files(|path| {
        let is_source = path.ends_with(".rs");
        is_source && path.trim_end_matches(".rs").split('/').any(|part| vague.contains(&part))
    });
    check(&findings, "a file is named for what it does, not for where things are put");
}

#[test]
fn tidy_nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"]].map(|halves| halves.concat());
    let stubs = ["todo!", "unimplemented!"];
    let mut findings = Vec::new();
    for source in sources() {
        for (number, (line, code)) in source.text.lines().zip(source.code.lines()).enumerate() {
            if marks.iter().any(|mark| has_word(line, mark)) || stubs.iter().any(|stub| code.contains(stub)) {
                findings.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    check(&findings, "what is not done is not in the tree: do it, or say it in an issue");
}
