//! What scripts lean on: the shape of answers in JSON, exit codes, help, completions, and the API's own description.

use serde_json::Value;
use std::process::{Command, Output, Stdio};
use tests::{System, orrery};

const SLEEPER: &str = "realm = \"r\"\n[job.s]\nrun = [\"sleep\", \"600\"]\nresources = { memory = \"16MiB\" }\n";

fn run(arguments: &[&str]) -> Output {
    Command::new(orrery()).args(arguments).stdin(Stdio::null()).output().expect("orrery runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn assert_keys(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "{key} is missing in {value}");
    }
}

/// The names of the commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let named = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.filter_map(|line| line.split_whitespace().next().map(str::to_string)).filter(|name| name != "help").collect()
}

#[test]
fn answers_have_the_promised_shape() {
    let system = System::new();
    system.up(&[]);
    system.eventually("the node has joined", System::ready);
    let path = system.data().join("s.toml");
    std::fs::write(&path, SLEEPER).expect("a manifest can be written");
    let applied = system.json(&["apply", &path.display().to_string()]).expect("it is applied");
    assert_keys(&applied, &["position", "changes", "trace"]);
    assert_eq!(applied["changes"][0]["what"], "job r/s");
    system.eventually("it runs", |system| system.healthy("s") == 1);

    let status = system.json(&["status"]).expect("it answers");
    assert_keys(&status, &["position", "jobs", "nodes", "routes", "rollouts"]);
    let job = &status["jobs"][0];
    assert_keys(job, &["name", "revision", "desired", "healthy", "instances"]);
    assert_keys(&job["instances"][0], &["id", "node", "state", "since", "reason"]);

    let verified = system.json(&["replay", "--verify"]).expect("it answers");
    assert_keys(&verified, &["entries", "actors", "mismatches"]);

    let log = system.orrery(&["log", "--json"]);
    for line in text(&log).lines() {
        let entry: Value = serde_json::from_str(line).expect("an entry a line");
        assert_keys(&entry, &["position", "actor", "sequence", "at", "cause", "principal", "correlation", "events"]);
    }

    let (code, description) = system.ask("/openapi.json");
    let description: Value = serde_json::from_str(&description).expect("the description is JSON");
    assert_eq!((code, &description["openapi"]), (200, &Value::from("3.1.0")));
    let paths = ["/v1/submit", "/v1/plan", "/v1/capacity", "/v1/status", "/v1/why/{instance}", "/v1/log", "/v1/verify"];
    for path in paths.into_iter().chain(["/v1/opinions/{instance}"]) {
        assert!(description["paths"].get(path).is_some(), "{path} is not described");
    }
}

#[test]
fn exit_codes_mean_something() {
    let system = System::new();
    assert_eq!(system.orrery(&["status"]).status.code(), Some(3), "nobody answers");
    system.up(&[]);
    system.eventually("the command line is answered", |system| system.json(&["status"]).is_some());
    assert_eq!(system.orrery(&["status"]).status.code(), Some(0));
    assert_eq!(system.orrery(&["status", "nobody"]).status.code(), Some(1), "there is no such job");
    assert_eq!(system.orrery(&["frobnicate"]).status.code(), Some(2), "there is no such command");
    assert_eq!(system.orrery(&["apply", "/nowhere.toml"]).status.code(), Some(3), "it cannot be read");
}

#[test]
fn every_command_has_help_worth_reading_and_every_shell_its_completions() {
    let help = text(&run(&["--help"]));
    let all = commands(&help);
    assert!(all.len() > 15, "{help}");
    for command in &all {
        let output = run(&[command, "--help"]);
        let help = text(&output);
        assert!(output.status.success() && help.contains("--json"), "{command}: {help}");
        for nested in commands(&help) {
            let output = run(&[command, &nested, "--help"]);
            assert!(output.status.success() && text(&output).lines().count() > 5, "{command} {nested}");
        }
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&run(&["completions", shell]));
        assert!(all.iter().all(|command| script.contains(command.as_str())), "{shell}");
    }
}
