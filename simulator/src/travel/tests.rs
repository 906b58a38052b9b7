//! However one goes through a run, one sees the same of it.

use super::*;
use crate::run::{Judge, judge};
use crate::scenario::{self, own, read};

fn plan(name: &str, seed: u64) -> Plan {
    let text = own(name).expect("it comes with Orrery");
    scenario::plan(&read(text, name).expect("it makes sense"), seed)
}

/// All that can be seen of where one is.
fn seen(travel: &Travel) -> String {
    let world = travel.world();
    let machines: Vec<_> = (0..world.plan().machines.len()).map(|index| world.machine(index)).collect();
    format!("{} {} {:?} {machines:?} {:?}", world.now(), world.events(), world.fold(), world.statistics())
}

#[test]
fn going_back_and_forth_comes_to_the_same_world() {
    let plan = plan("everything", 5);
    let mut travel = Travel::new(&plan);
    let mut straight = Travel::new(&plan);
    travel.go_to_end();
    let events = travel.event();
    assert!(events > 1_000 && travel.at_end(), "{events}");
    for event in [events, 700, 701, 3, 0, 256, 1_000] {
        travel.go(event);
        straight = if straight.event() > event { Travel::new(&plan) } else { straight };
        straight.go(event);
        assert_eq!(seen(&travel), seen(&straight), "event {event}");
        assert_eq!(travel.position(), travel.known().partition_point(|one| one.event <= event));
    }
}

#[test]
fn the_end_is_what_a_run_comes_to() {
    for seed in 0..3 {
        let plan = plan("exclusive", seed);
        let mut travel = Travel::new(&plan);
        travel.go_to_end();
        let verdict = judge(&plan, Judge::default());
        assert_eq!(
            (travel.violations(), travel.world().statistics().entries),
            (verdict.violations, verdict.statistics.entries)
        );
        assert!(travel.world().now() / 1_000 <= verdict.statistics.simulated_ms);
    }
}

#[test]
fn one_thing_back_undoes_one_thing_forward() {
    let mut travel = Travel::new(&plan("exclusive", 3));
    let mut way = vec![seen(&travel)];
    while travel.position() < 400 && travel.forward() {
        way.push(seen(&travel));
    }
    while travel.back() {
        way.pop();
        assert_eq!(way.last(), Some(&seen(&travel)), "at {}", travel.position());
    }
    assert_eq!((way.len(), travel.position()), (1, 0));
}

#[test]
fn a_violation_at_the_end_is_the_last_thing_that_happens() {
    // Nothing is given the time to be as desired.
    let mut plan = plan("steady", 1);
    (plan.settled_at, plan.end_at, plan.heal_at) = (2_100_000, 2_100_001, 1);
    let mut travel = Travel::new(&plan);
    assert_eq!(travel.pursue(&Stop::Violation, u64::MAX), Pursuit::Reached);
    assert!(!travel.violations().is_empty());
    travel.go_to_end();
    let all = travel.violations().len();
    let last = travel.position();
    assert_eq!(last, travel.known().len());
    assert!(travel.back());
    assert!(travel.violations().len() < all || travel.position() < last);
    assert!(travel.forward());
    assert_eq!((travel.position(), travel.violations().len()), (last, all));
    assert!(!travel.forward());
}

#[test]
fn one_stops_at_what_one_looks_for_in_both_directions() {
    let mut travel = Travel::new(&plan("crashing-nodes", 3));
    let stop = Stop::parse("event suspected").expect("it is a stop");
    assert_eq!(travel.pursue(&stop, 10), Pursuit::Underway);
    assert_eq!(travel.pursue(&stop, u64::MAX), Pursuit::Reached);
    let (first, at) = (travel.event(), travel.world().now());
    assert!(stop.is(&travel.known()[travel.position() - 1], &travel.names()));
    if travel.pursue(&stop, u64::MAX) == Pursuit::Reached {
        assert!(travel.event() > first);
        assert_eq!(travel.pursue_back(&stop), Pursuit::Reached);
    } else {
        travel.go(first);
    }
    assert_eq!((travel.event(), travel.world().now()), (first, at));
    assert_eq!(travel.pursue_back(&stop), Pursuit::Never);
    travel.go_to_time(at - 1);
    assert!(travel.world().now() < at);
    for (text, says) in [("event", "needs a name"), ("somewhere", "expected violation"), ("violation now", "expected")]
    {
        let why = Stop::parse(text).expect_err("it is none");
        assert!(why.contains(says), "{why}");
    }
    assert_eq!(Stop::parse(" actor  job web ").map(|stop| stop.to_string()), Ok("actor job web".into()));
}

#[test]
fn faults_under_way_are_known_at_every_moment() {
    let mut travel = Travel::new(&plan("crashing-nodes", 3));
    assert_eq!(travel.pursue(&Stop::Fault, u64::MAX), Pursuit::Reached);
    assert_eq!(travel.faults().len(), 1);
    assert!(travel.back());
    assert!(travel.faults().is_empty());
    travel.go_to_end();
    assert!(travel.faults().is_empty(), "all is healed in the end");
}

#[test]
fn in_a_large_world_signs_of_life_are_not_listed_and_few_worlds_are_kept() {
    let mut plan = plan("steady", 1);
    let first = plan.machines[0].clone();
    plan.machines = (0..80)
        .map(|number| {
            let mut machine = first.clone();
            machine.spec.name = format!("n{number}");
            machine
        })
        .collect();
    let mut travel = Travel::new(&plan);
    travel.go(5_000);
    let is_beat = |record: &Record| matches!(&record.what, What::Arrived { name, .. } if name == BEAT);
    assert!(!travel.known().is_empty());
    assert!(travel.known().iter().flat_map(|one| &one.records).all(|record| !is_beat(record)));
    let here = seen(&travel);
    travel.go(4_000);
    travel.go(5_000);
    assert_eq!(seen(&travel), here);
    assert!(travel.back() && travel.forward());
    assert!(travel.kept.len() <= KEPT_MACHINES_MAX / 80);
}
