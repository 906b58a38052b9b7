//! What happens when the agent, the supervisor or the machine's memory of them goes away.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gateway::driver::{Event, ExitReason, Launch, Status};

use super::world::{World, alive, carriers, eventually, fresh_id, kill, launch, next, open, shell};

#[test]
fn a_driver_opened_again_adopts_what_runs() {
    let mut world = World::new();
    let sleeper = launch(&["sleep", "1000"]);
    let pid = world.start(&sleeper).pid;
    let done = shell("exit 4");
    world.run(&done);
    world.driver = open(world.directory.path());
    assert_eq!(world.running_pid(&sleeper.instance), Some(pid));
    assert_eq!(world.end_of(&done.instance), ExitReason::Code { code: 4 });
    assert_eq!(world.driver.start(sleeper.clone()).expect("it runs").pid, pid);
    let inventory = world.driver.inventory().expect("readable");
    assert!(inventory.iter().any(|entry| entry.launch == sleeper), "with all that was asked for");
    world.driver.stop(&sleeper.instance, Duration::from_secs(5)).expect("asked");
    assert_eq!(world.end_of(&sleeper.instance), ExitReason::Stopped { forced: false });
}

#[test]
fn two_agents_of_a_machine_bury_only_their_own() {
    let (mine, theirs) = (World::new(), World::new());
    let sleeper = launch(&["sleep", "1000"]);
    mine.start(&sleeper);
    let pid = theirs.start(&sleeper).pid;
    kill(mine.shim_pid(&sleeper.instance));
    assert!(matches!(mine.end_of(&sleeper.instance), ExitReason::Lost { .. }));
    mine.driver.forget(&sleeper.instance).expect("it has ended");
    assert!(alive(pid), "the other agent's instance of the same id goes on");
    assert_eq!(theirs.running_pid(&sleeper.instance), Some(pid));
}

/// Not a story: the agent that the next one kills, in a process of its own.
#[test]
#[ignore = "run by other tests, in a process of its own"]
fn as_an_agent() {
    let Ok(directory) = std::env::var("TEST_AGENT_DIRECTORY") else { return };
    let launch: Launch = serde_json::from_str(&std::env::var("TEST_AGENT_LAUNCH").expect("a launch")).expect("JSON");
    let driver = open(Path::new(&directory));
    println!("pid={}", driver.start(launch).expect("it starts").pid);
    std::thread::sleep(Duration::from_secs(60));
}

fn agent(directory: &Path, launch: &Launch) -> std::process::Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "crashes::as_an_agent", "--ignored", "--nocapture"])
        .env("TEST_AGENT_DIRECTORY", directory)
        .env("TEST_AGENT_LAUNCH", serde_json::to_string(launch).expect("JSON"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test runs itself")
}

#[test]
fn a_killed_agent_leaves_its_workload_running() {
    let mut world = World::new();
    let sleeper = launch(&["sleep", "1000"]);
    let mut agent = agent(world.directory.path(), &sleeper);
    let lines = BufReader::new(agent.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let said: String =
        lines.filter_map(|line| line.split_once("pid=").map(|(_, pid)| pid.to_owned())).next().expect("a pid");
    let pid: i32 = said.trim().parse().expect("a number");
    agent.kill().expect("kill -9");
    agent.wait().expect("gone");
    assert!(alive(pid));
    world.driver = open(world.directory.path());
    assert_eq!(world.running_pid(&sleeper.instance), Some(pid));
    assert_eq!(carriers(&sleeper.instance), 1);
}

#[test]
fn an_agent_killed_at_any_moment_of_a_start_leaves_one_or_none() {
    for delay_ms in 0..15 {
        let mut world = World::new();
        let sleeper = launch(&["sleep", "1000"]);
        let mut agent = agent(world.directory.path(), &sleeper);
        std::thread::sleep(Duration::from_millis(delay_ms));
        agent.kill().expect("kill -9");
        agent.wait().expect("gone");
        world.driver = open(world.directory.path());
        let pid = world.driver.start(sleeper.clone()).expect("it runs, or starts now").pid;
        assert_eq!(world.running_pid(&sleeper.instance), Some(pid));
        // On record a moment before it becomes the program.
        eventually("it runs", || carriers(&sleeper.instance) > 0);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(carriers(&sleeper.instance), 1, "killed after {delay_ms} ms");
    }
}

#[test]
fn a_workload_does_not_outlive_its_supervisor() {
    let world = World::new();
    let parent = shell("setsid sleep 1000 & echo up; sleep 1000");
    let pid = world.start(&parent).pid;
    world.says(&parent.instance, "up");
    kill(world.shim_pid(&parent.instance));
    assert!(matches!(world.end_of(&parent.instance), ExitReason::Lost { .. }));
    assert!(!alive(pid));
    assert_eq!(carriers(&parent.instance), 0, "not even what it had detached");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_supervisor_is_noticed_and_cleaned_up_after() {
    let world = World::new();
    let mut events = world.driver.events().expect("the first to ask");
    let parent = shell("setsid sleep 1000 & echo up; sleep 1000");
    world.start(&parent);
    world.says(&parent.instance, "up");
    kill(world.shim_pid(&parent.instance));
    assert!(matches!(next(&mut events).await, Event::Gone { .. }));
    assert!(matches!(next(&mut events).await, Event::Ended { reason: ExitReason::Lost { .. }, .. }));
    assert_eq!(carriers(&parent.instance), 0);
}

#[test]
fn a_stop_goes_on_without_who_asked_for_it() {
    let mut world = World::new();
    let deaf = shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    world.start(&deaf);
    world.says(&deaf.instance, "up");
    let state = world.directory.path().join("instances").join(&deaf.instance);
    std::fs::write(state.join("stop.json"), r#"{"grace_ms": 100}"#)
        .expect("written by an agent that died before it signalled");
    world.driver = open(world.directory.path());
    assert_eq!(world.end_of(&deaf.instance), ExitReason::Stopped { forced: true });
}

#[test]
fn a_start_that_was_cut_off_leaves_nothing() {
    let mut world = World::new();
    let (half, claim) = (fresh_id(), world.directory.path().join("ports").join("20001"));
    std::fs::create_dir(world.directory.path().join("instances").join(&half)).expect("made by an agent that died");
    std::fs::write(&claim, &half).expect("its port");
    world.driver = open(world.directory.path());
    assert_eq!(world.driver.status(&half).expect("readable"), Status::Unknown);
    assert!(!claim.exists(), "the port is free again");
    let mut late = launch(&["sleep", "1000"]);
    late.instance = half;
    world.start(&late);
}

#[test]
fn after_a_restart_of_the_machine_all_is_lost_and_said_so() {
    let mut world = World::new();
    let sleeper = launch(&["sleep", "1000"]);
    world.start(&sleeper);
    let state = world.directory.path().join("instances").join(&sleeper.instance);
    kill(world.shim_pid(&sleeper.instance));
    eventually("it is gone", || carriers(&sleeper.instance) == 0);
    let mut pids: serde_json::Value =
        serde_json::from_slice(&std::fs::read(state.join("pid.json")).expect("there")).expect("JSON");
    pids["boot_id"] = "another boot".into();
    pids["shim"]["pid"] = std::process::id().into();
    std::fs::write(state.join("pid.json"), pids.to_string()).expect("as the last boot left it");
    world.driver = open(world.directory.path());
    assert_eq!(world.end_of(&sleeper.instance), ExitReason::Lost { why: "the machine was restarted".to_owned() });
}
