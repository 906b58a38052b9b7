//! A scenario done to a real system: real processes are killed, stopped and cut off, and the same is expected of them.

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tests::{Workload, orrery};

/// Two machines, everything that can be done to them, and one thing that cannot.
const SCENARIO: &str = r#"
name = "rough"
about = "A real system is treated roughly for some seconds."
machines = 2
heal = "14s"
settle = "60s"

[manifest]
shop = '''
realm = "shop"
[job.web]
run = ["./web", "--start=100ms"]
instances = 3
ports = ["http"]
resources = { cpu = "100m", memory = "256MiB" }
health = { http = "/healthz", every = "500ms" }
[job.lock]
run = ["./lock"]
instances = 1
exclusive = true
resources = { cpu = "100m", memory = "256MiB" }
'''

[[do]]
at = "0s"
apply = "shop"

[[do]]
at = "5s"
scale = "web"
instances = 2

[[fault]]
what = "control-crash"
at = "4s"
times = 1
lasts = "1s"

[[fault]]
what = "agent-pause"
at = "3s"
times = 1
lasts = "2s"
target = "m0"

[[fault]]
what = "machine-crash"
at = "6s"
times = 1
lasts = "2s"
target = "m1"

[[fault]]
what = "partition"
at = "9s"
times = 1
lasts = "4s"
target = "m0"

[[fault]]
what = "workload-dies"
at = "3500ms"
times = 2

[[fault]]
what = "disk-full"
at = "10s"
times = 1
lasts = "2s"

[[fault]]
what = "bit-flip"
at = "3s"
times = 1
"#;

fn live(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(orrery());
    let output = command.current_dir(directory).args(["sim", "live"]).args(arguments).output().expect("orrery runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_scenario_is_done_to_a_real_system_and_what_is_expected_holds() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let at = directory.path();
    std::fs::write(at.join("rough.toml"), SCENARIO).expect("it can be written");
    let (code, said, told) = live(at, &["rough.toml", "--seed", "1", "--data", "real", "--json"]);
    let lived: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{told}"));
    assert_eq!((code, &lived["verdict"]), (Some(0), &Value::from("pass")), "{lived:#}\n{told}");
    for kind in ["control-crash", "agent-pause", "machine-crash", "partition"] {
        assert_eq!(lived["done"][kind], 1, "{kind}: {lived:#}");
    }
    // A small disk takes root, and a system that lets it mount.
    let full = lived["done"]["disk-full"] == 1;
    let why = lived["skipped"]["disk-full"][1].as_str().unwrap_or_default();
    assert!(full || why.contains("no small disk can be mounted"), "{lived:#}");
    assert_eq!(lived["skipped"]["bit-flip"][0], 1, "{lived:#}");
    assert!(lived["skipped"]["bit-flip"][1].as_str().is_some_and(|why| why.contains("single messages")), "{lived:#}");
    assert_eq!(lived["commands"]["done"], 2, "{lived:#}");
    assert!(lived["settled_ms"].is_u64());
    for check in lived["checks"].as_array().expect("there are checks") {
        assert!(check["wrong"].is_null() && check["looked"].as_u64() > Some(0), "{check:#}");
    }
    // Its log is one like any other, and nothing of it is left running.
    let log = at.join("real/control");
    let again = Command::new(orrery()).args(["sim", "replay", "--verify"]).arg(log).output().expect("orrery runs");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
    assert_eq!(Workload::all_below(at), []);
}

#[test]
fn what_is_no_scenario_and_no_new_directory_is_refused() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(directory.path().join("something"), "").expect("it can be written");
    let (code, _, told) = live(directory.path(), &["steady", "--seed", "1", "--data", "."]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("is not empty"), "{told}");
    assert_eq!(live(directory.path(), &["steady"]).0, Some(2));
    assert_eq!(live(directory.path(), &["nowhere", "--seed", "1"]).0, Some(2));
}
