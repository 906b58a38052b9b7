//! Failures looked for, made small, explained and compared, by the command as it is shipped; and the page on it is true.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tests::root;

/// The page, whose every command is run here.
const PAGE: &str = "docs/simulation.md";

/// The binary, which the same build put beside the tests.
fn orrery() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors().nth(2).expect("tests lie two levels below the profile's directory").join("orrery")
}

fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(orrery()).current_dir(directory).args(arguments).output().expect("orrery runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn sim(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<&str> = [&["sim"], arguments].concat();
    run(directory, &arguments)
}

/// The blocks of the page that begin with this.
fn blocks(begin: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(PAGE)).expect("the page is readable text");
    let begin = format!("```{begin}\n");
    text.split(&begin).skip(1).filter_map(|rest| rest.split("```").next().map(str::to_owned)).collect()
}

/// A directory with the scenario of the page, which leaves too little time.
fn workplace() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory can be made");
    for (name, scenario) in ["hurried.toml", "far-apart.toml"].into_iter().zip(blocks("toml")) {
        assert!(scenario.contains(name.trim_end_matches(".toml")), "the page shows {name}: {scenario}");
        std::fs::write(directory.path().join(name), scenario).expect("a scenario can be written");
    }
    let pods = blocks("csv").into_iter().next().expect("the page shows a trace");
    std::fs::write(directory.path().join("pods.csv"), pods).expect("a trace can be written");
    directory
}

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_command_of_the_page_does_what_the_page_says() {
    let directory = workplace();
    let commands: Vec<String> = blocks("console")
        .iter()
        .flat_map(|block| block.lines())
        .filter_map(|line| line.strip_prefix("$ ").map(str::to_owned))
        .collect();
    assert!(commands.len() >= 8, "the page shows commands: {commands:?}");
    for command in commands {
        let (line, code) = command.split_once("  # exits with ").unwrap_or((&command, "0"));
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"orrery"), "{line}");
        let (found, said, complaint) = run(directory.path(), &words[1..]);
        assert_eq!(found.map(|code| code.to_string()).as_deref(), Some(code.trim()), "{line}\n{said}{complaint}");
    }
}

#[test]
fn a_failure_is_found_made_small_and_stays_what_it_was() {
    let directory = workplace();
    let at = directory.path();
    let search = ["search", "hurried.toml", "--seeds", "10", "--seed", "a-word", "--out", "found", "--json"];
    let (code, said, _) = sim(at, &search);
    assert_eq!(code, Some(1), "{said}");
    let found = object(&said);
    let failure = &found["failures"][0];
    let file = failure["file"].as_str().expect("a failure has a file").to_owned();
    assert!(found["runs"].as_u64() > Some(10) && found["features"].as_u64() > Some(50), "{found}");

    // Whatever the number of processors, the same is tried and the same is found.
    let (_, again, _) = sim(at, &[&search[..], &["--jobs", "1"]].concat());
    let again = object(&again);
    for same in ["runs", "events", "failed", "by_strategy", "features"] {
        assert_eq!(found[same], again[same], "{same}");
    }

    let (code, said, complaint) = sim(at, &["shrink", &file, "--out", "small.json", "--json"]);
    assert_eq!(code, Some(0), "{said}{complaint}");
    let shrunk = object(&said);
    assert_eq!(shrunk["signature"]["signature"], failure["signature"]);
    assert!(shrunk["after"]["faults"].as_u64() <= Some(2) && shrunk["whole"] == true, "{shrunk}");
    let (code, said, _) = sim(at, &["run", "--plan", "small.json", "--json"]);
    let ran = object(&said);
    assert_eq!((code, &ran["as_expected"], &ran["verdict"]), (Some(0), &Value::from(true), &Value::from("fail")));

    let (code, said, _) = sim(at, &["explain", "small.json", "--svg", "story.svg", "--branches", "2", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(object(&said)["story"]["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{said}");
    let drawn = std::fs::read_to_string(at.join("story.svg")).expect("the story is drawn");
    assert!(drawn.starts_with("<svg"), "{drawn}");
}

#[test]
fn a_plan_that_makes_no_sense_is_refused_with_the_place() {
    let directory = workplace();
    let at = directory.path();
    let (code, _, complaint) = sim(at, &["shrink", "hurried.toml", "--seed", "1", "--out", "small.json"]);
    assert_eq!(code, Some(0), "{complaint}");
    let text = std::fs::read_to_string(at.join("small.json")).expect("the plan is there");
    let write = |name: &str, text: &str| std::fs::write(at.join(name), text).expect("a plan can be written");
    write("newer.json", &text.replacen("\"version\": 1", "\"version\": 2", 1));
    write("cut.json", &text[..text.len() / 3]);
    write("odd.json", &text.replacen("\"pace\": {", "\"pace\": {\n\"haste\": 1,", 1));
    write("lost.json", &text.replacen("\"machine\": 0", "\"machine\": 9", 1));
    for (file, place, says) in [
        ("newer.json", "newer.json:2:14: ", "this build reads version 1"),
        ("cut.json", "cut.json:", "EOF"),
        ("lost.json", "lost.json:", "there is no machine 9"),
        ("odd.json", "odd.json:", "unknown field `haste`"),
    ] {
        let (code, _, complaint) = sim(at, &["run", "--plan", file]);
        assert_eq!(code, Some(2), "{file}: {complaint}");
        assert!(complaint.contains(place) && complaint.contains(says), "{complaint}");
    }
    assert_eq!(sim(at, &["run", "--plan", "nowhere.json"]).0, Some(3));
    assert_eq!(sim(at, &["shrink", "exclusive"]).0, Some(2));
    let (code, _, complaint) = sim(at, &["explain", "exclusive", "--seed", "3"]);
    assert_eq!(code, Some(1), "{complaint}");
    assert!(complaint.contains("does not fail"), "{complaint}");
    assert_eq!(sim(at, &["search", "exclusive", "--for", "soon"]).0, Some(2));
}

#[test]
fn two_builds_part_where_their_traces_do() {
    let directory = workplace();
    let at = directory.path();
    let (_, trace, _) = sim(at, &["run", "exclusive", "--from", "3", "--trace", "--json"]);
    std::fs::write(at.join("old.jsonl"), &trace).expect("a trace can be written");
    let changed: Vec<String> = trace
        .lines()
        .enumerate()
        .map(|(number, line)| if number == 200 { line.replacen("\"at\":", "\"at\":9", 1) } else { line.to_owned() })
        .collect();
    std::fs::write(at.join("new.jsonl"), changed.join("\n")).expect("a trace can be written");
    let (code, said, _) = sim(at, &["diff", "old.jsonl", "new.jsonl", "--json"]);
    assert_eq!((code, &object(&said)["alike"]), (Some(1), &Value::from(200)));
    assert_eq!(sim(at, &["diff", "old.jsonl", "old.jsonl"]).0, Some(0));
    std::fs::write(at.join("bad.jsonl"), "{}\n").expect("a trace can be written");
    let (code, _, complaint) = sim(at, &["diff", "old.jsonl", "bad.jsonl"]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("bad.jsonl:1:"), "{complaint}");
}
