//! Search finds what can be found, is the same again, and what it finds is a plan that fails from its beginning.

use super::*;
use crate::repro::Repro;
use crate::verdict::Invariant;
use std::collections::BTreeMap;

fn scenario_of(name: &str) -> Scenario {
    let text = scenario::own(name).expect("the scenario comes with Orrery");
    scenario::read(text, name).expect("the scenario makes sense")
}

/// A scenario that leaves too little time after the last fault, so that some of its seeds fail.
fn hurried() -> Scenario {
    Scenario { heal: 15_000_000, settle: 100_000, quiet: 0, ..scenario_of("crashing-nodes") }
}

/// The hashes of all runs of a strategy, and the first that failed.
fn runs(scenario: &Scenario, strategy: Strategy, seed: u64, runs_max: u64) -> (Vec<String>, Option<Plan>) {
    let (mut hashes, mut failed) = (Vec::new(), None);
    explore(scenario, strategy, seed, &mut Features::default(), &mut |ran| {
        hashes.push(ran.verdict.log_hash.clone());
        if !ran.verdict.passed() && failed.is_none() {
            failed = confirmed(ran.plan, ran.verdict).map(|_| ran.plan.clone());
        }
        (hashes.len() as u64) < runs_max
    });
    (hashes, failed)
}

#[test]
fn every_strategy_is_the_same_again_and_has_its_turn() {
    for strategy in Strategy::ALL {
        let scenario = scenario_of("exclusive");
        let (first, failed) = runs(&scenario, strategy, 2, 12);
        assert_eq!(first, runs(&scenario, strategy, 2, 12).0, "{strategy:?}");
        assert_eq!(failed, None, "{strategy:?}");
    }
    let turns = (0..10).map(Strategy::of_turn).fold(BTreeMap::new(), |mut turns, strategy| {
        *turns.entry(strategy).or_insert(0) += 1;
        turns
    });
    assert_eq!(turns.into_values().collect::<Vec<_>>(), [4, 3, 2, 1]);
}

#[test]
fn every_strategy_finds_a_world_without_time_and_its_plan_fails_from_the_beginning() {
    for strategy in Strategy::ALL {
        let failed = (0..40).find_map(|seed| runs(&hurried(), strategy, seed, 60).1);
        let failed = failed.unwrap_or_else(|| panic!("{strategy:?} finds nothing"));
        assert!(!judge(&failed, Judge::default()).passed(), "{strategy:?}");
    }
}

#[test]
fn a_world_that_goes_on_with_a_fault_is_judged_as_one_that_always_had_it() {
    let mut runs = 0;
    explore(&scenario_of("hostile"), Strategy::Perturb, 7_000_003, &mut Features::default(), &mut |ran| {
        let confirmed = ran.verdict.passed() || confirmed(ran.plan, ran.verdict).is_some();
        assert!(confirmed, "{:?} fails, and does not from its beginning", ran.plan.faults);
        runs += 1;
        true
    });
    assert!(runs > 100, "{runs} runs are too few");
}

#[test]
fn a_branch_runs_as_its_plan_does_from_the_beginning() {
    let scenario = scenario_of("exclusive");
    let (mut same, mut all) = (0, 0);
    explore(&scenario, Strategy::Branch, 1, &mut Features::default(), &mut |ran| {
        all += 1;
        let again = judge(ran.plan, Judge::default());
        same += u64::from(again.log_hash == ran.verdict.log_hash);
        all < 16
    });
    assert!(same >= all - 1, "only {same} of {all} branches run as their plans do; ties at a microsecond are rare");
}

#[test]
fn branches_come_to_what_is_new() {
    let scenario = scenario_of("everything");
    let (mut once, mut branched) = (Features::default(), Features::default());
    explore(&scenario, Strategy::Swarm, 4, &mut once, &mut |_| true);
    explore(&scenario, Strategy::Branch, 4, &mut branched, &mut |_| true);
    let (once, branched) = (once.all().count(), branched.all().count());
    assert!(branched > once * 3 / 2, "{once} features in a run, {branched} with branches");
}

#[test]
fn every_branch_is_a_plan_that_can_be_written_and_read_again() {
    let scenario = scenario_of("everything");
    let mut machines = Vec::new();
    for seed in 0..6 {
        let mut ran = 0;
        explore(&scenario, Strategy::Branch, seed, &mut Features::default(), &mut |branch| {
            let signature = Signature { invariant: Invariant::Converges, signature: String::new() };
            let text = Repro::failing(branch.plan.clone(), signature, "branch").text();
            let read = Repro::read(&text, "branch").map(|repro| repro.plan);
            assert_eq!(read.as_ref(), Ok(branch.plan), "seed {seed}, branch {ran}");
            machines.push(branch.plan.machines.len());
            ran += 1;
            ran < 24
        });
    }
    machines.dedup();
    assert!(machines.len() > 1, "all worlds had {machines:?} machines, so that nothing was tried");
}
