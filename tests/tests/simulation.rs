//! The simulator as it is shipped: the same seeds give the same logs in two processes, and wrong scenarios are refused.

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use tests::root;

/// How many seeds of each scenario are compared.
const SEEDS: u64 = 24;

/// The binary, which the same build put beside the tests.
fn orrery() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors().nth(2).expect("tests lie two levels below the profile's directory").join("orrery")
}

/// Runs `orrery sim`: the exit code, standard output, standard error.
fn sim(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(orrery());
    let output = command.current_dir(root()).arg("sim").args(arguments).output().expect("orrery runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
}

#[test]
fn every_scenario_gives_the_same_logs_in_two_processes() {
    let seeds = SEEDS.to_string();
    let (code, first, complaint) = sim(&["run", "--json", "--seeds", &seeds]);
    assert_eq!(code, Some(0), "{first}{complaint}");
    // Another number of threads, another order, and no second run within the process: still the same.
    let (code, second, complaint) = sim(&["run", "--json", "--seeds", &seeds, "--jobs", "1", "--once"]);
    assert_eq!(code, Some(0), "{second}{complaint}");
    assert_eq!(first, second, "two processes saw different worlds");
    let (_, listed, _) = sim(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("the list is JSON");
    let reports = objects(&first);
    assert!(reports.len() >= 9);
    assert_eq!(listed.as_array().map(Vec::len), Some(reports.len()), "every scenario of the list was run");
    for report in reports {
        assert_eq!(report["verdict"], "pass", "{report}");
        assert_eq!(report["seeds"], SEEDS);
        assert_eq!(report["log_hash"].as_str().map(str::len), Some(64), "{report}");
        assert!(report["entries"].as_u64() > Some(1_000), "something happens: {report}");
    }
}

#[test]
fn one_seed_is_told_whole_and_another_seed_is_another_world() {
    let one = |seed: &str| {
        let (code, said, _) = sim(&["run", "everything", "--json", "--seeds", "1", "--from", seed]);
        assert_eq!(code, Some(0), "{said}");
        objects(&said).pop().expect("an object at the end")
    };
    let (this, other) = (one("3"), one("4"));
    assert_eq!(this["seed"], 3);
    assert_eq!(this["violations"], Value::Array(Vec::new()));
    assert!(this["events"].as_u64() > Some(0));
    assert_ne!(this["log_hash"], other["log_hash"]);
    assert_ne!(this["plan_hash"], other["plan_hash"]);
    let (code, traced, _) = sim(&["run", "everything", "--json", "--from", "3", "--trace"]);
    assert_eq!(code, Some(0));
    let traced = objects(&traced);
    assert!(traced.len() > 100, "a line for everything that happens");
    assert_eq!(traced.last(), Some(&this), "to watch a world does not change it");
}

#[test]
fn a_world_that_cannot_come_to_rest_fails_its_check() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("too-little-time.toml");
    let text = std::fs::read_to_string(root().join("simulator/scenarios/steady.toml")).expect("a scenario");
    let hurried =
        text.replace("heal = \"30s\"", "heal = \"2s\"\nquiet = \"30s\"").replace("settle = \"30s\"", "settle = \"1s\"");
    std::fs::write(&path, hurried).expect("a scenario can be written");
    let path = path.display().to_string();
    let (code, said, _) = sim(&["run", &path, "--seeds", "2"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("fail: 2 seeds") && said.contains("(converges)"), "{said}");
    assert!(said.contains(&format!("again: orrery sim run {path} --from 0 --trace")), "{said}");
    let (code, said, _) = sim(&["run", &path, "--seeds", "2", "--json"]);
    let report = objects(&said).pop().expect("an object");
    assert_eq!((code, &report["verdict"]), (Some(1), &Value::from("fail")));
    assert_eq!(report["violations"][0]["first_seed"], 0);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_place() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("broken.toml");
    let text = "name = \"broken\"\nmachines = \"many\"\n[[fault]]\nwhat = \"earthquake\"\n";
    std::fs::write(&path, text).expect("a scenario can be written");
    let path = path.display().to_string();
    let (code, _, said) = sim(&["run", &path]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(&format!("{path}:2:")) && said.contains("\"many\""), "{said}");
    assert!(said.contains(&format!("{path}:3:")) && said.contains("earthquake"), "{said}");

    let (code, _, said) = sim(&["run", "partition"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("did you mean \"partitions\"?"), "{said}");
    let (code, _, said) = sim(&["run", "no/such/scenario.toml"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("cannot read no/such/scenario.toml"), "{said}");
    let (code, _, said) = sim(&["run", "steady", "--trace", "--seeds", "2"]);
    assert_eq!(code, Some(2), "{said}");
    let (code, _, _) = sim(&["run", "steady", "--seeds", "0"]);
    assert_eq!(code, Some(2));
}
