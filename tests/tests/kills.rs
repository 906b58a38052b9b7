//! The whole of `orrery up` is killed at random moments while a client applies, scales and rolls: what was acknowledged
//! holds, nothing runs twice, and every actor is the fold of its entries.
//!
//! `ORRERY_KILLS` says how many kills, `ORRERY_KILLS_SEED` which moments and commands.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;
use tests::nats::NatsServer;
use tests::{System, root};

/// Kills where nobody says how many.
const KILLS: u64 = 20;
/// The longest that `orrery up` lives between two kills, in milliseconds.
const LIFE_MAX_MS: u64 = 900;

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// What the client was told last: how many instances each job has, and how often it was told something.
#[derive(Debug)]
struct Acknowledged {
    desired: BTreeMap<&'static str, u64>,
    times: u64,
    refused: u64,
    /// What was answered last to what, for whoever looks into a failure.
    answers: Vec<String>,
}

/// The shop with these numbers, and b in one of its versions.
fn manifest(system: &System, counts: [u64; 3], version: u64) -> String {
    let text = std::fs::read_to_string(root().join("examples/abc.toml")).expect("the example is there");
    let programs = root().canonicalize().expect("the repository is there").join("target/release");
    let text = text
        .replace("../target/release", &programs.display().to_string())
        .replace("instances = 4", "instances = A")
        .replace("instances = 2", "instances = B")
        .replace("instances = 3", &format!("instances = {}", counts[2]))
        .replace("instances = A", &format!("instances = {}", counts[0]))
        .replace("instances = B", &format!("instances = {}", counts[1]))
        .replace("\"one\"", &format!("\"v{version}\""))
        .replace("hold = \"5s\"", "hold = \"500ms\"");
    let path = system.data().join("kills.toml");
    std::fs::create_dir_all(system.data()).expect("the data directory can be made");
    std::fs::write(&path, text).expect("a manifest can be written");
    path.display().to_string()
}

/// Does one thing and notes what was acknowledged.
fn act(system: &System, random: &mut Random, acknowledged: &mut Acknowledged) {
    let (output, told): (_, Vec<(&str, u64)>) = match random.below(5) {
        0 | 1 => {
            let wanted = 1 + random.below(5);
            (system.orrery(&["job", "scale", "a", &wanted.to_string()]), vec![("a", wanted)])
        }
        2 => {
            let wanted = 1 + random.below(4);
            (system.orrery(&["job", "scale", "c", &wanted.to_string()]), vec![("c", wanted)])
        }
        3 => {
            let counts = [1 + random.below(5), 1 + random.below(3), 1 + random.below(4)];
            let file = manifest(system, counts, random.below(3));
            let told = ["a", "b", "c"].into_iter().zip(counts).collect();
            (system.orrery(&["apply", "--no-build", &file]), told)
        }
        _ => {
            let verb = ["promote", "abort", "hold"][usize::try_from(random.below(3)).expect("it is below three")];
            (system.orrery(&["rollout", verb, "b"]), Vec::new())
        }
    };
    let answer =
        format!("{told:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    acknowledged.answers.push(answer);
    match output.status.code() {
        Some(0) => {
            acknowledged.times += 1;
            acknowledged.desired.extend(told);
        }
        Some(1) => acknowledged.refused += 1,
        code => {
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("the client gave up ({code:?}): {said}\n{}", system.said())
        }
    }
}

fn jobs(system: &System) -> Vec<Value> {
    let status = system.json(&["status"]).unwrap_or_default();
    status["jobs"].as_array().cloned().unwrap_or_default()
}

fn assert_kept(system: &System, acknowledged: &Acknowledged, round: u64) {
    system.eventually("the command line is answered", |system| !jobs(system).is_empty());
    for job in jobs(system) {
        let name = job["name"].as_str().unwrap_or_default();
        let told = acknowledged.desired.get(name).copied();
        let answers = acknowledged.answers.iter().rev().take(12).cloned().collect::<String>();
        let log = || String::from_utf8_lossy(&system.orrery(&["log"]).stdout).into_owned();
        let holds = job["desired"].as_u64() == told;
        assert!(
            holds,
            "after kill {round}, {told:?} was acknowledged last, and is not what there is: {job}\n{answers}\n{}",
            log()
        );
    }
    let verified = system.json(&["replay", "--verify"]).expect("verification answers");
    let mismatches = verified["mismatches"].as_array().map(Vec::len);
    assert_eq!(mismatches, Some(0), "after kill {round}: {verified}");
}

fn assert_once(system: &System, round: u64) {
    let mut seen = BTreeSet::new();
    for workload in system.workloads() {
        assert!(seen.insert(workload.instance.clone()), "after kill {round}, {workload:?} runs twice");
    }
}

fn settled(system: &System) -> bool {
    let jobs = jobs(system);
    let known: BTreeSet<&str> = jobs
        .iter()
        .flat_map(|job| job["instances"].as_array())
        .flatten()
        .filter_map(|one| one["id"].as_str())
        .collect();
    let workloads = system.workloads();
    let desired: u64 = jobs.iter().filter_map(|job| job["desired"].as_u64()).sum();
    jobs.iter().all(|job| job["healthy"] == job["desired"])
        && workloads.len() as u64 == desired
        && workloads.iter().all(|workload| known.contains(workload.instance.as_str()))
}

/// Kills and starts it again, so many times, and looks each time. What it stands on is killed now and then as well.
fn survive(system: &System, mut ground: Option<&mut NatsServer>, kills: u64, seed: u64) {
    system.up(&[]);
    system.eventually("the node has joined", System::ready);
    let applied = system.orrery(&["apply", "examples/abc.toml"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let desired = BTreeMap::from([("a", 4), ("b", 2), ("c", 3)]);
    let acknowledged = Mutex::new(Acknowledged { desired, times: 1, refused: 0, answers: Vec::new() });
    let (mut random, over) = (Random(seed), AtomicBool::new(false));
    for round in 1..=kills {
        let (life, mut theirs) = (random.below(LIFE_MAX_MS), Random(seed ^ (round << 32)));
        over.store(false, Ordering::Release);
        scope(|scope| {
            let (acknowledged, over) = (&acknowledged, &over);
            let client = scope.spawn(move || {
                while !over.load(Ordering::Acquire) {
                    act(system, &mut theirs, &mut acknowledged.lock().expect("the client is alone"));
                }
            });
            sleep(Duration::from_millis(life));
            match (ground.as_deref_mut(), round % 3) {
                (Some(server), 0) => {
                    server.kill();
                    server.start();
                }
                (Some(server), 1) => {
                    system.kill();
                    server.kill();
                    server.start();
                }
                _ => system.kill(),
            }
            over.store(true, Ordering::Release);
            system.kill();
            system.up(&[]);
            client.join().expect("the client goes on");
        });
        let told = acknowledged.lock().expect("the client is alone");
        assert_once(system, round);
        assert_kept(system, &told, round);
        if round % 20 == 0 {
            println!("{round} kills, {} acknowledged, {} refused", told.times, told.refused);
        }
    }
    // A rollout that was held last waits for a person, with more instances than are wanted.
    let _refused_when_none_is_held = system.orrery(&["rollout", "resume", "b"]);
    system.eventually("what is desired runs, and nothing else", settled);
    let told = acknowledged.lock().expect("the client is alone");
    assert_kept(system, &told, kills);
    println!("{kills} kills survived: {} commands acknowledged, {} refused", told.times, told.refused);
}

fn kills() -> (u64, u64) {
    (number("ORRERY_KILLS").unwrap_or(KILLS), number("ORRERY_KILLS_SEED").unwrap_or(1))
}

#[test]
fn a_control_plane_that_is_killed_again_and_again_loses_nothing() {
    let (kills, seed) = kills();
    survive(&System::new(), None, kills, seed);
}

#[test]
fn nor_does_one_on_nats_when_the_server_is_killed_too() {
    let (kills, seed) = kills();
    let mut server = NatsServer::running();
    let system = System::on_nats(&server.url());
    survive(&system, Some(&mut server), kills, seed);
}
