//! Why is it so? Every instance, refusal, restart and rollout step of the founding example has an answer.

use serde_json::Value;
use std::process::Command;
use tests::{System, Workload};

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn read(system: &System, arguments: &[&str]) -> Value {
    system.json(arguments).unwrap_or_else(|| panic!("{arguments:?} answers"))
}

fn log(system: &System) -> Vec<Value> {
    let output = system.orrery(&["log", "--json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).expect("an entry is JSON")).collect()
}

/// Where an entry comes from, back to something from outside.
fn assert_traced(system: &System, entry: &Value) {
    let correlation = entry["correlation"].as_str().expect("every entry belongs to a chain");
    let trace = read(system, &["trace", correlation]);
    let entries = array(&trace["entries"]);
    let held = entries.iter().any(|one| one["entry"]["position"] == entry["position"]);
    assert!(held, "the chain {correlation} holds {entry}");
    let root = entries.first().expect("a chain has a beginning");
    let cause = root["entry"]["cause"].as_str().unwrap_or_default();
    let outside = cause.starts_with("outside.") || cause.starts_with("deadline.");
    assert!(outside, "a chain begins with something from outside or a deadline: {root}");
}

fn assert_instances_explained(system: &System) {
    let status = read(system, &["status"]);
    let jobs = array(&status["jobs"]);
    let instances: Vec<&Value> = jobs.iter().flat_map(|job| array(&job["instances"])).collect();
    assert_eq!(instances.len(), 9);
    for instance in instances {
        let id = instance["id"].as_str().expect("an instance has an id");
        let why = read(system, &["why", id]);
        let candidates = array(&why["decision"]["candidates"]);
        assert!(candidates.iter().any(|candidate| !array(&candidate["terms"]).is_empty()), "score terms: {why}");
        assert!(array(&why["life"]).iter().any(|event| event["reason"] == "best-score"), "reason codes: {why}");
        assert!(!array(&why["causes"]).is_empty(), "causes: {why}");
        assert!(!array(&read(system, &["trace", id])["entries"]).is_empty(), "a trace of {id}");
    }
}

/// The process is gone before anybody knows: only another in its place says that it was started again.
fn another_in_place_of(system: &System, victim: &Workload) -> bool {
    system.workloads().iter().any(|other| other.label == victim.label && other.instance != victim.instance)
}

#[test]
fn everything_that_happened_to_the_shop_has_an_answer() {
    let system = System::new();
    system.up(&["examples/abc.toml"]);
    system.eventually("all nine instances are healthy", System::whole);
    assert_instances_explained(&system);
    let whole_at = read(&system, &["status"])["position"].to_string();

    // A restart.
    let victim = system.workloads().into_iter().find(|workload| workload.label == "c/1").expect("c/1 runs");
    let killed = Command::new("kill").args(["-9", &victim.pid.to_string()]).status();
    assert!(killed.expect("kill runs").success());
    system.eventually("it is back", |system| system.whole() && another_in_place_of(system, &victim));
    let why = read(&system, &["why", &victim.instance]);
    assert!(array(&why["life"]).iter().any(|event| event["reason"] == "exit-signal"), "{why}");
    assert!(!array(&read(&system, &["why", "c/1"])["causes"]).is_empty());

    // A refusal.
    let path = system.data().join("too-big.toml");
    let text = "realm = \"shop\"\n[job.big]\nrun = [\"sleep\", \"60\"]\nresources = { memory = \"900GiB\" }\n";
    std::fs::write(&path, text).expect("a manifest can be written");
    let refused = read(&system, &["apply", &path.display().to_string()]);
    assert_eq!(refused["reason"], "no-memory", "{refused}");
    assert!(refused["nearest"].is_string() && refused["change"].is_string(), "{refused}");
    let trace = read(&system, &["trace", refused["trace"].as_str().expect("a refusal is in the log")]);
    assert!(trace.to_string().contains("no-memory"), "{trace}");

    // Why not there?
    let why_not = read(&system, &["why-not", "a", "vm"]);
    assert!(why_not["summary"].is_string() && !array(&why_not["scores"]).is_empty(), "{why_not}");
    let cordoned = system.orrery(&["node", "cordon", "vm"]);
    assert!(cordoned.status.success());
    system.eventually("the cordon stands against it", |system| {
        read(system, &["why-not", "a", "vm"])["against"].to_string().contains("cordoned")
    });
    assert!(system.orrery(&["node", "uncordon", "vm"]).status.success());

    // A rollout, step by step.
    assert!(system.orrery(&["apply", "--no-build", "examples/abc-bad-b.toml"]).status.success());
    system.eventually("the rollout reverts", |system| {
        system.json(&["rollout", "list"]).unwrap_or_default().to_string().contains("reverted")
    });
    let log = log(&system);
    let steps: Vec<&Value> =
        log.iter().filter(|entry| entry["actor"].as_str().is_some_and(|actor| actor.starts_with("rollout."))).collect();
    assert!(steps.iter().any(|step| step["events"].to_string().contains("gate-failed")), "{steps:?}");
    assert!(steps.iter().any(|step| step["events"].to_string().contains("WeightRaised")), "{steps:?}");
    steps.into_iter().for_each(|step| assert_traced(&system, step));

    // The past.
    let past = read(&system, &["status", "--at", &whole_at]);
    assert_eq!(array(&past["rollouts"]).len(), 0, "{past}");
    let ids = |status: &Value| -> Vec<String> {
        let instances = array(&status["jobs"]).iter().flat_map(|job| array(&job["instances"]));
        instances.filter_map(|instance| instance["id"].as_str().map(str::to_string)).collect()
    };
    assert!(ids(&past).contains(&victim.instance), "the killed instance was there");
    assert!(!ids(&read(&system, &["status"])).contains(&victim.instance), "and is no more");
}
