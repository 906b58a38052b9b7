//! The founding example, as real processes: it comes up, survives what happens to it, explains itself, and replays.

use std::process::Command;
use tests::{System, TOKEN};

fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "process {pid} is there to be killed");
}

fn assert_replays(system: &System) {
    let verified = system.json(&["replay", "--verify"]).expect("verification answers");
    assert_eq!(verified["mismatches"].as_array().map(Vec::len), Some(0), "{verified}");
    assert!(verified["entries"].as_u64() > Some(0));
}

#[test]
fn the_founding_example_comes_up_and_comes_back() {
    let system = System::new();
    system.up(&["examples/abc.toml"]);
    system.eventually("all nine instances are healthy", System::whole);
    system.eventually("the route leads through A to B and C", |system| system.get(Some(TOKEN)).0 == 200);
    let (_, body) = system.get(Some(TOKEN));
    assert!(body.contains("shop-b") && body.contains("shop-c"), "{body}");
    assert_eq!(system.get(None).0, 401);

    let victim = system.pids("shop-b")[0];
    kill(victim);
    system.eventually("the killed instance is replaced", |system| {
        let pids = system.pids("shop-b");
        system.whole() && pids.len() == 2 && !pids.contains(&victim)
    });
    let why = system.orrery(&["why", "b/0"]);
    assert!(why.status.success(), "{}", String::from_utf8_lossy(&why.stderr));
    assert!(String::from_utf8_lossy(&why.stdout).contains("best-score"));
    assert_replays(&system);
}

#[test]
fn a_killed_control_plane_takes_over_what_still_runs() {
    let system = System::new();
    system.up(&["examples/abc.toml"]);
    system.eventually("all nine instances are healthy", System::whole);
    let programs = ["shop-a", "shop-b", "shop-c"];
    let before = programs.map(|program| system.pids(program));
    for round in 0..5u32 {
        system.kill();
        let left = programs.map(|program| system.pids(program));
        assert_eq!(left[1..], before[1..], "workloads go on without a control plane");
        system.up(&[]);
        system.eventually("the command line is answered", |system| system.json(&["status"]).is_some());
        let wanted = (4 + round % 2).to_string();
        let scaled = system.orrery(&["job", "scale", "a", &wanted]);
        assert!(scaled.status.success(), "{}", String::from_utf8_lossy(&scaled.stderr));
    }
    system.eventually("what was acknowledged last holds", System::whole);
    let after = programs.map(|program| system.pids(program));
    assert_eq!(after[1..], before[1..], "B and C were never started again");
    assert_replays(&system);
}

#[test]
fn a_bad_revision_reverts_by_itself() {
    let system = System::new();
    system.up(&["examples/abc.toml"]);
    system.eventually("all nine instances are healthy", System::whole);
    let applied = system.orrery(&["apply", "examples/abc-bad-b.toml"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    system.eventually("the rollout reverts", |system| {
        let rollouts = system.json(&["rollout", "list"]).unwrap_or_default().to_string();
        rollouts.contains("reverted")
    });
    system.eventually("only the good revision is left", |system| {
        let status = system.json(&["status"]).unwrap_or_default();
        let jobs = status["jobs"].as_array().cloned().unwrap_or_default();
        let settled = jobs.iter().any(|job| job["name"] == "b" && job["revision"] == 1);
        settled && system.whole() && system.pids("shop-b").len() == 2
    });
    assert_replays(&system);
}

#[test]
fn a_second_node_joins_takes_work_and_is_drained() {
    let mut system = System::new();
    system.up(&[]);
    system.join("n2");
    let instances = |system: &System| {
        let status = system.json(&["status"]).unwrap_or_default();
        let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
        let n2 = nodes.iter().find(|node| node["name"] == "n2" && node["state"] != "unknown").cloned();
        n2.and_then(|node| node["instances"].as_array().map(Vec::len))
    };
    system.eventually("the second node is there", |system| instances(system).is_some());
    let applied = system.orrery(&["apply", "examples/abc.toml"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    system.eventually("all nine run, on both nodes", |system| system.whole() && instances(system) > Some(0));
    system.eventually("the route reaches both", |system| system.get(Some(TOKEN)).0 == 200);
    let drained = system.orrery(&["node", "drain", "n2"]);
    assert!(drained.status.success(), "{}", String::from_utf8_lossy(&drained.stderr));
    system.eventually("it is empty and the shop is whole", |system| system.whole() && instances(system) == Some(0));
    assert_replays(&system);
}

#[test]
fn what_cannot_be_is_refused_at_once() {
    let system = System::new();
    system.up(&[]);
    system.eventually("the command line is answered", |system| system.json(&["status"]).is_some());
    let path = system.data().join("too-big.toml");
    let text = "realm = \"shop\"\n[job.big]\nrun = [\"sleep\", \"60\"]\nresources = { memory = \"900GiB\" }\n";
    std::fs::write(&path, text).expect("a manifest can be written");
    system.eventually("the node has joined", System::ready);
    let refused = system.orrery(&["apply", &path.display().to_string()]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("memory"), "{said}");
}
