//! The shop under a steady load: an instance is killed and nobody notices; a bad revision gets its share and no more.

use std::process::Command;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;
use tests::{Load, System, TOKEN, Visit};

/// Requests a second.
const RATE: u64 = 200;

fn shop() -> System {
    let system = System::new();
    system.up(&["examples/abc.toml"]);
    system.eventually("all nine instances are healthy", System::whole);
    system.eventually("the route leads through A to B and C", |system| system.get(Some(TOKEN)).0 == 200);
    system
}

fn assert_all_served(visits: &[Visit]) {
    let failed: Vec<_> = visits.iter().filter(|visit| visit.status != 200).collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed: {:?}",
        failed.len(),
        visits.len(),
        failed.iter().take(5).collect::<Vec<_>>()
    );
}

#[test]
fn instances_are_killed_under_load_and_no_request_fails() {
    let system = shop();
    let visits = Load::during(&system, RATE, TOKEN, |_| {
        for program in ["shop-a", "shop-b", "shop-c"] {
            sleep(Duration::from_secs(1));
            let victim = system.pids(program)[0];
            let killed = Command::new("kill").args(["-9", &victim.to_string()]).status();
            assert!(killed.expect("kill runs").success(), "process {victim} is there to be killed");
            system.eventually("the killed instance is replaced", |system| {
                system.whole() && !system.pids(program).contains(&victim)
            });
        }
    });
    assert!(visits.len() as u64 > 2 * RATE, "only {} requests were sent", visits.len());
    assert_all_served(&visits);
}

/// The rollout of b: its state, and the percent of the traffic that goes to the new revision.
fn rollout(system: &System) -> Option<(String, u64)> {
    let status = system.json(&["status"])?;
    let rollouts = status["rollouts"].as_array()?;
    let of_b = rollouts.iter().find(|rollout| rollout["job"].as_str().is_some_and(|job| job.ends_with('b')))?;
    Some((of_b["state"].as_str()?.to_string(), of_b["weight"].as_u64()?))
}

#[test]
fn a_bad_revision_gets_no_more_than_its_weight_and_is_taken_back() {
    let system = shop();
    let weights = Mutex::new(vec![(Duration::ZERO, 0)]);
    let visits = Load::during(&system, RATE, TOKEN, |load| {
        let applied = system.orrery(&["apply", "examples/abc-bad-b.toml"]);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        system.eventually("the rollout reverts", |system| {
            let Some((state, weight)) = rollout(system) else { return false };
            weights.lock().expect("nobody else looks").push((load.now(), weight));
            state == "reverted"
        });
        sleep(Duration::from_secs(1));
    });
    let mark = |version: &str| format!("\"version\":\"{version}\"");
    let by = |version: &str| visits.iter().filter(|visit| visit.body.contains(&mark(version))).count();
    // Once it has turned bad it answers 500, and the storefront that asked it says 502.
    let failed = visits.iter().filter(|visit| visit.status != 200).count();
    let (bad, good) = (by("bad") + failed, by("one"));
    assert!(bad > 0 && good > 0, "{bad} bad, {good} good");
    // Between two looks at the rollout, its weight was one of the two or less. Each storefront counts for itself, so
    // each may be one request ahead.
    let weights = weights.into_inner().expect("nobody else looks");
    let most = |visit: &Visit| {
        let after = weights.partition_point(|(at, _)| *at <= visit.at);
        weights[after.saturating_sub(1)..].iter().take(2).map(|(_, weight)| *weight).max().unwrap_or(0)
    };
    let share = visits.iter().map(most).sum::<u64>() / 100;
    assert!(bad as u64 <= share + 8, "{bad} of {} visits saw the bad revision, {share} may: {weights:?}", visits.len());
    let why = String::from_utf8_lossy(&system.orrery(&["rollout", "list"]).stdout).into_owned();
    assert!(why.contains("gate-failed"), "{why}");
    system.eventually("the good revision serves alone", |system| system.whole() && system.pids("shop-b").len() == 2);
    let after = Load::during(&system, RATE, TOKEN, |_| sleep(Duration::from_secs(1)));
    assert_all_served(&after);
}
