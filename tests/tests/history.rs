//! The log of a live session, with a kill and a reverted rollout, in the simulator: taken again byte for byte while it
//! runs, run on with a node fewer, and struck. And what is said of logs and changes that make no sense.

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tests::{System, orrery, root};

/// Runs `orrery` in a directory: the exit code, standard output, standard error.
fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(orrery()).current_dir(directory).args(arguments).output().expect("orrery runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json(arguments: &[&str]) -> Value {
    let (code, said, complaint) = run(&root(), &[arguments, &["--json"]].concat());
    assert_eq!(code, Some(0), "{arguments:?}: {said}{complaint}");
    serde_json::from_str(&said).expect("it is JSON")
}

#[test]
fn a_live_session_is_verified_changed_and_struck() {
    let mut system = System::new();
    system.open_shop();
    system.kill_one();
    system.roll_out_badly();
    // A node that is lost is given up after seven seconds, so there must be something to see after that.
    std::thread::sleep(std::time::Duration::from_secs(10));
    assert!(system.orrery(&["job", "scale", "a", "5"]).status.success());
    system.eventually("there are five", |system| system.healthy("a") == 5);
    let data = system.data().display().to_string();
    let live = json(&["sim", "replay", "--verify", &data]);
    assert_eq!((&live["verdict"], &live["different"]), (&Value::from("same"), &Value::from(0)), "{live}");
    assert!(live["entries"].as_u64() > Some(200), "{live}");

    let file = system.data().join("session.orx").display().to_string();
    let (code, said, complaint) = run(&root(), &["log", "--export", &file, "--data", &data]);
    assert_eq!(code, Some(0), "{said}{complaint}");
    let exported = json(&["sim", "replay", "--verify", &file]);
    assert!(exported["entries"].as_u64() >= live["entries"].as_u64(), "{exported}");

    let control = json(&["sim", "whatif", &file]);
    let fidelity = &control["fidelity"];
    assert_eq!(fidelity["commands_same"], fidelity["commands"], "{fidelity}");
    assert_eq!(fidelity["rollouts_same"], fidelity["rollouts"], "the bad revision reverts there as well: {fidelity}");
    assert!(fidelity["placements"].as_u64() >= Some(9), "{fidelity}");

    let change = system.data().join("change.toml");
    std::fs::write(&change, "[[remove]]\nnode = \"node-2\"\nat = \"4s\"\n").expect("a change can be written");
    let change = change.display().to_string();
    let report = json(&["sim", "whatif", &file, "--change", &change]);
    let moved = report["placements"].as_array().cloned().unwrap_or_default();
    assert!(!moved.is_empty(), "what was on the node goes elsewhere: {report}");
    let lost = |count: &Value| count["what"].as_str().is_some_and(|what| what.ends_with("node-lost"));
    assert!(report["departures"].as_array().is_some_and(|all| all.iter().any(lost)), "{report}");
    let hours = |side: usize| report["cost"][side]["node_milli_hours"].as_u64();
    assert!(hours(1) < hours(0), "{}", report["cost"]);

    let map = system.data().join("blast.svg");
    let svg = map.display().to_string();
    let blast = json(&["sim", "blast", &file, "--every", "5s", "--for", "1m", "--svg", &svg]);
    let losses = blast["losses"].as_array().cloned().unwrap_or_default();
    assert!(losses.len() >= 2 && losses.iter().any(|loss| loss["jobs"][0]["missing"].as_u64() > Some(0)), "{blast}");
    let drawn = std::fs::read_to_string(map).expect("the map is written");
    assert!(drawn.starts_with("<svg") && drawn.contains("node-2 lost at"), "{drawn}");
}

/// A golden log.
fn golden() -> String {
    root().join("simulator/golden/v0.1.0/kills.orx").display().to_string()
}

#[test]
fn logs_that_cannot_be_read_say_why_and_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log.orx");
    let log = path.display().to_string();
    let bytes = std::fs::read(golden()).expect("the golden log is there");
    let refused = |bytes: &[u8], told: &[&str]| {
        std::fs::write(&path, bytes).expect("a file can be written");
        for command in [&["replay", "--verify", &log][..], &["whatif", &log], &["blast", &log]] {
            let (code, said, complaint) = run(&root(), &[&["sim"], command].concat());
            assert_eq!(code, Some(3), "{command:?}: {said}{complaint}");
            assert!(complaint.contains(&log) && told.iter().all(|told| complaint.contains(told)), "{complaint}");
        }
    };
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    refused(&damaged, &["frame ", "export it again"]);
    refused(&bytes[..bytes.len() / 2], &["cut short after frame", "export it again"]);
    let mut newer = bytes;
    newer[4] = 7;
    refused(&newer, &["an exported log of version 7", "or newer"]);
    refused(b"name = \"steady\"\n", &["this is no log"]);
    let (code, _, complaint) = run(&root(), &["sim", "replay", "--verify", "no/such/log"]);
    assert_eq!((code, complaint.contains("orrery log --export")), (Some(3), true), "{complaint}");
    let (code, _, complaint) = run(&root(), &["sim", "replay", &log]);
    assert_eq!((code, complaint.contains("--verify")), (Some(2), true), "{complaint}");
}

#[test]
fn an_entry_that_this_build_makes_otherwise_is_shown_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal");
    std::fs::create_dir(&path).expect("a directory can be made");
    let doctored = doctored_journal();
    std::fs::write(path.join(actors::journal::segment::name(1)), doctored).expect("a segment can be written");
    let data = directory.path().display().to_string();
    let (code, said, complaint) = run(&root(), &["sim", "replay", "--verify", &data]);
    assert_eq!(code, Some(1), "{said}{complaint}");
    assert!(said.starts_with("different: 1 of 2 entries") && said.contains("- recorded, + this build"), "{said}");
    assert!(said.contains("user:mallory") && said.contains("frame 2, policy."), "{said}");
}

/// A journal of one policy, in which the second command was answered otherwise than any build answers.
fn doctored_journal() -> Vec<u8> {
    use actors::cast::{AnyCell, AnyOutcome};
    use messages::entry::Entry;
    use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
    use messages::frame::{self, FrameHead};
    use messages::id::{ActorId, ClientId, CorrelationId, PolicyId};
    use messages::policy::{Event, Message, Request};
    use messages::time::Timestamp;
    let actor = ActorId::from(PolicyId::of_realm("shop"));
    let mut cell = AnyCell::new(actor);
    let mut entries = Vec::new();
    for number in 1..=2 {
        let id = uuid::Uuid::from_u128(number);
        let request = Request::SetQuota { quota: None };
        let envelope = Envelope {
            id: MessageId::Outside(id),
            from: Address::Client(ClientId(id)),
            to: actor.into(),
            correlation: CorrelationId(id),
            principal: Principal { name: "user:ann".into(), groups: Vec::new() },
            at: Timestamp(number as u64),
            body: Body::Policy(Message::Submit { realm: "shop".into(), request }),
        };
        let AnyOutcome::Entry(entry) = cell.handle(&envelope, Timestamp(number as u64)) else { panic!("an entry") };
        entries.push(entry);
    }
    let Some(Entry::Policy(record)) = entries.last_mut() else { panic!("of the policy") };
    let Some(Event::Answered { verdict, .. }) =
        record.events.iter_mut().find(|event| matches!(event, Event::Answered { .. }))
    else {
        panic!("it is answered: {:?}", record.events)
    };
    *verdict = "permitted to user:mallory".into();
    let claim = actors::shard::Shard::claim_frame(actor.shard(), 1);
    let previous = frame::chain(&[0; 32], &claim);
    let head = FrameHead { shard: actor.shard(), claim: false, epoch: 1, sequence: 2, previous, count: 2 };
    let header = actors::journal::segment::segment_header(1);
    let batch = actors::journal::segment::batch(1, header.len() as u64, &[claim, frame::encode(&head, &entries)]);
    [header, batch].concat()
}

#[test]
fn changes_and_moments_that_make_no_sense_are_refused_with_the_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("change.toml");
    let change = path.display().to_string();
    let refused = |text: &str, told: &str| {
        std::fs::write(&path, text).expect("a file can be written");
        let (code, said, complaint) = run(&root(), &["sim", "whatif", &golden(), "--change", &change]);
        assert_eq!(code, Some(2), "{said}{complaint}");
        assert!(complaint.contains(&format!("{change}{told}")), "{complaint}");
    };
    refused("[[remove]]\nnode = \"node-2\"\nwhy = \"cheap\"\n", ":3:1: there is no field \"why\" here");
    refused(
        "\n[[remove]]\nnode = \"node-22\"\n",
        ":2:1: there is no node \"node-22\" in this log; did you mean \"node-2\"?",
    );
    refused("[[fault]]\nwhat = \"flood\"\n", ":1:1: a what-if knows no fault \"flood\"");
    let moment = |from: &str| run(&root(), &["sim", "whatif", &golden(), "--from", from]);
    let (code, _, complaint) = moment("2001-01-01T00:00:00Z");
    assert_eq!((code, complaint.contains("lies before the log; the log is from ")), (Some(2), true), "{complaint}");
    let (code, _, complaint) = moment("99999999");
    assert_eq!((code, complaint.contains("nothing was recorded after --from")), (Some(2), true), "{complaint}");
    let (code, _, complaint) = moment("yesterday");
    assert_eq!((code, complaint.contains("neither a time like")), (Some(2), true), "{complaint}");
    let (code, _, complaint) = run(&root(), &["sim", "whatif", &golden(), "--change", "no/such/change.toml"]);
    assert_eq!((code, complaint.contains("cannot read no/such/change.toml")), (Some(3), true), "{complaint}");
    let (code, _, complaint) = run(&root(), &["sim", "blast", &golden(), "--every", "0s"]);
    assert_eq!((code, complaint.contains("longer than nothing")), (Some(2), true), "{complaint}");
}

#[test]
fn every_command_about_logs_in_the_guide_does_what_it_says() {
    let text = std::fs::read_to_string(root().join("docs/logs.md")).expect("the guide is there");
    let about = ["orrery sim replay ", "orrery sim whatif ", "orrery sim blast "];
    let commands: Vec<&str> = text.lines().filter(|line| about.iter().any(|about| line.starts_with(about))).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    let directory = tempfile::tempdir().expect("a directory");
    let there = root().canonicalize().expect("the repository is there").join("simulator");
    std::os::unix::fs::symlink(there, directory.path().join("simulator")).expect("it can be linked to");
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let (code, said, complaint) = run(directory.path(), &words);
        assert_eq!(code, Some(0), "{command}: {said}{complaint}");
    }
}
