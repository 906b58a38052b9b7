//! The same plan comes to the same, bit for bit: run twice, and gone on with from a copy taken in the middle.
//!
//! With `ORRERY_LADDER=FILE` what every plan came to is also written there, a line each, so that other processes and
//! builds can be held to it; `./test` does.
#![expect(clippy::disallowed_methods, reason = "a test writes down what it is told to")]

use simulator::plan::Plan;
use simulator::scenario;
use simulator::verdict::Verdict;
use simulator::world::World;
use std::sync::Arc;

/// So many seeds of every scenario.
const SEEDS: u64 = 6;

/// A run of a plan, of which a copy was made in the middle: what came of each.
fn copied(plan: &Plan) -> (Verdict, Verdict) {
    let mut world = World::new(Arc::new(plan.clone()));
    while world.now() < plan.heal_at / 2 && world.step() {}
    let mut copy = world.clone();
    while world.step() {}
    while copy.step() {}
    (world.finish(), copy.finish())
}

fn line(plan: &Plan, verdict: &Verdict) -> String {
    format!("{}:{} {} events, {}\n", plan.scenario, plan.seed, verdict.events, verdict.log_hash)
}

#[test]
fn the_same_plan_comes_to_the_same() {
    let mut lines = String::new();
    for (name, text) in scenario::OWN {
        let scenario = scenario::read(text, name).expect("the scenario makes sense");
        for seed in 2_000..2_000 + SEEDS {
            let plan = simulator::plan(&scenario, seed);
            let verdict = simulator::run(&plan);
            assert_eq!(verdict, simulator::run(&plan), "seed {seed} of {name} is not the same twice");
            let (first, copy) = copied(&plan);
            assert_eq!(verdict, first, "seed {seed} of {name} is not the same step by step");
            assert_eq!(verdict, copy, "seed {seed} of {name} goes on otherwise from a copy");
            lines += &line(&plan, &verdict);
        }
    }
    if let Ok(file) = std::env::var("ORRERY_LADDER") {
        std::fs::write(&file, lines).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}
