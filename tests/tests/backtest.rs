//! A policy held against what was recorded: by the running control plane, from its data directory, and from an exported
//! log, all alike. What it says is so, the entries it names are there, and the page on it is true.

use serde_json::Value;
use std::process::Command;
use tests::{System, orrery, page};

const PAGE: &str = "docs/policies.md";

const PERMIT: &str = "permit(principal, action, resource);\n";

fn array(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn write(system: &System, name: &str, text: &str) -> String {
    std::fs::create_dir_all(system.data()).expect("a directory can be made");
    let path = system.data().join(name);
    std::fs::write(&path, text).expect("a file can be written");
    path.display().to_string()
}

fn two_nodes() -> System {
    let mut system = System::new();
    system.up_as(&["--name", "n1", "--rack", "r1"], &[]);
    system.eventually("the command line is answered", |system| system.json(&["status"]).is_some());
    system.join_as("n2", &["--rack", "r2"]);
    system.eventually("both nodes are there", |system| system.nodes_ready() == 2);
    system
}

/// Runs a command without a control plane: the exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(orrery()).args(arguments).output().expect("orrery runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_policy_is_held_against_a_session_live_and_recorded() {
    let system = two_nodes();
    let web = "realm = \"shop\"\n[job.web]\nrun = [\"sleep\", \"3600\"]\ninstances = 3\n\
               resources = { cpu = \"1\", memory = \"64MiB\" }\n";
    assert!(system.orrery(&["apply", &write(&system, "web.toml", web)]).status.success());
    system.eventually("they run", |system| system.healthy("web") == 3);
    assert!(system.orrery(&["job", "scale", "web", "4"]).status.success());
    system.eventually("one more runs", |system| system.healthy("web") == 4);

    let everything = write(&system, "everything.cedar", PERMIT);
    let same = system.orrery(&["policy", "test", &everything]);
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));
    let strict = format!(
        "{PERMIT}@id(\"no-scaling\") forbid(principal, action == Action::\"scale\", resource);\n\
         @id(\"not-n1\") forbid(principal, action == Action::\"place\", resource == Node::\"n1\");\n"
    );
    let strict = write(&system, "strict.cedar", &strict);
    let refused = system.orrery(&["policy", "test", &strict, "--since", "1h"]);
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stderr));
    let tested = system.json(&["policy", "test", &strict]).expect("it answers");
    assert_eq!((&tested["commands"], &tested["placements"]), (&2.into(), &4.into()), "{tested}");
    let scaled = array(&tested["flips"]).into_iter().find(|flips| flips["action"] == "scale").expect("it flips");
    assert_eq!((&scaled["becomes"], &scaled["what"]), (&"forbidden".into(), &"job shop/web".into()), "{tested}");
    assert_eq!(scaled["first"][0]["now"], "forbidden by no-scaling", "{tested}");
    let placed = array(&tested["flips"]).into_iter().find(|flips| flips["action"] == "place").expect("it flips");
    let on_n1 = array(&system.json(&["status"]).expect("it answers")["jobs"][0]["instances"]);
    let on_n1 = on_n1.iter().filter(|one| one["node"] == "n1").count();
    assert_eq!(placed["count"], on_n1, "{tested}");
    // What it says to ask shows what it says.
    for (flips, shows) in [(&scaled, "scale"), (&placed, "n1")] {
        let ask = flips["first"][0]["ask"].as_str().expect("a command").to_owned();
        let words: Vec<&str> = ask.split_whitespace().skip(1).collect();
        let asked = system.orrery(&words);
        let said = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert!(asked.status.success() && said.contains(shows), "{ask}: {said}");
    }

    // The same from the data directory while it is used, and from a file, without a control plane.
    let data = system.data().display().to_string();
    let file = system.data().join("session.orx").display().to_string();
    assert_eq!(run(&["log", "--export", &file, "--data", &data]).0, Some(0));
    let commanded: Value = tested["flips"].clone();
    for log in [&data, &file] {
        let (code, said, complaint) = run(&["policy", "test", &strict, "--log", log, "--json"]);
        assert_eq!(code, Some(1), "{complaint}");
        let of_log: Value = serde_json::from_str(&said).expect("it is JSON");
        assert_eq!((&of_log["realm"], &of_log["flips"]), (&"shop".into(), &commanded), "{log}");
    }

    // Once it is in force, what it forbids is refused; and to take it back would allow that again.
    assert!(system.orrery(&["policy", "set", &strict, "--mode", "enforce"]).status.success());
    assert_eq!(system.orrery(&["job", "scale", "web", "5"]).status.code(), Some(1));
    let back = system.json(&["policy", "test", &everything]).expect("it answers");
    assert_eq!((&back["to_forbidden"], &back["to_allowed"]), (&0.into(), &1.into()), "{back}");
    assert_eq!(back["flips"][0]["first"][0]["was"], "forbidden by no-scaling", "{back}");
}

#[test]
fn what_makes_no_sense_is_said_with_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path.display().to_string()
    };
    let wrong = file("wrong.cedar", "permit(principal, action, resource);\n\n  permit(principal);\n");
    let right = file("right.cedar", PERMIT);
    let golden = tests::root().join("simulator/golden/v0.1.0/kills.orx").display().to_string();
    let (code, _, complaint) = run(&["policy", "test", &wrong, "--log", &golden]);
    assert_eq!(code, Some(2), "{complaint}");
    assert!(complaint.contains("wrong.cedar: the policy does not parse at line 3, column "), "{complaint}");
    let (code, said, _) = run(&["policy", "test", &wrong, "--log", &golden, "--json"]);
    let failure: Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!((code, &failure["reason"]), (Some(2), &Value::from("invalid")), "{failure}");
    for (arguments, code, told) in [
        (&["policy", "test", &right, "--log", &golden, "--since", "soon"][..], 2, "--since: "),
        (&["policy", "test", "/nowhere.cedar"], 3, "cannot read /nowhere.cedar"),
        (&["policy", "test", &right, "--log", "/no/such/log"], 3, "orrery log --export"),
        (&["policy", "test", &right, "--log", &wrong], 3, "this is no log"),
        (&["policy", "test", &right, "--api", "http://127.0.0.1:9", "--realm", "shop"], 3, "no control plane answers"),
        (&["policy", "test"], 2, "FILE"),
    ] {
        let (exit, said, complaint) = run(arguments);
        assert_eq!(exit, Some(code), "{arguments:?}: {said}{complaint}");
        assert!(complaint.contains(told), "{arguments:?}: {complaint}");
    }
    let (code, said, complaint) = run(&["policy", "test", &right, "--log", &golden, "--realm", "shop"]);
    assert_eq!(code, Some(0), "{said}{complaint}");
    assert!(said.contains("nothing would come out otherwise"), "{said}");
}

#[test]
fn every_command_of_the_page_does_what_the_page_says() {
    let system = two_nodes();
    assert!(page::run(&system, PAGE) >= 5, "the page shows commands");
}
