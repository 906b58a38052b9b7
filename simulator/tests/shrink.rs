//! What planted bugs shrink to: the same way of failing, with a few faults, machines and jobs; none of them can go.
#![cfg(feature = "mutant")]

use actors::mutant::{Mutant, plant};
use simulator::plan::Plan;
use simulator::repro::{Repro, Signature};
use simulator::run::{Judge, judge};
use simulator::scenario;
use simulator::shrink::{Care, Shrunk, Size, shrink};
use std::sync::{Mutex, PoisonError};

/// A bug is planted in the whole process, so one test runs at a time where they share a process.
static PLANTED: Mutex<()> = Mutex::new(());

/// The first seed of the scenario that fails with the bug, and how.
fn caught(scenario: &str) -> (Plan, Signature) {
    let text = scenario::own(scenario).expect("the scenario comes with Orrery");
    let scenario = scenario::read(text, scenario).expect("the scenario makes sense");
    let fails = |seed| {
        let plan = simulator::plan(&scenario, seed);
        let verdict = judge(&plan, Judge::default());
        Signature::first(&verdict).map(|signature| (plan, signature))
    };
    (0..1_000).find_map(fails).expect("a seed fails")
}

fn fails(plan: &Plan, signature: &Signature) -> bool {
    signature.is_in(&judge(plan, Judge { until: Some(signature), ..Judge::default() }))
}

/// Plants a bug, finds a seed and shrinks it.
fn shrunk(mutant: Mutant, scenario: &str) -> (Plan, Signature, Shrunk) {
    plant(Some(mutant));
    let (plan, signature) = caught(scenario);
    let shrunk = shrink(&plan, &signature, Care::default(), &mut |_, _| true).expect("it fails");
    println!("{mutant:?}: {signature}: {:?} -> {:?}, {} runs", Size::of(&plan), Size::of(&shrunk.plan), shrunk.runs);
    assert!(shrunk.whole, "{mutant:?} is not shrunk to the end");
    assert!(fails(&shrunk.plan, &signature), "{mutant:?} fails otherwise");
    (plan, signature, shrunk)
}

/// Keeps the plan as a test of the simulator, when `ORRERY_BLESS` says so.
#[expect(clippy::disallowed_methods, reason = "a test writes the files that are kept beside it, when told to")]
fn bless(mutant: Mutant, scenario: &str, plan: &Plan, signature: &Signature) {
    if std::env::var("ORRERY_BLESS").is_err() {
        return;
    }
    let mut repro = Repro::failing(plan.clone(), signature.clone(), "shrink");
    repro.planted = Some(format!("{mutant:?}"));
    let file = format!("{}/plans/{scenario}-{mutant:?}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(&file, repro.text()).expect("a plan can be written");
}

/// Nothing single can be left out.
fn is_minimal(plan: &Plan, signature: &Signature) {
    for index in 0..plan.faults.len() {
        let mut less = plan.clone();
        less.faults.remove(index);
        assert!(!fails(&less, signature), "fault {index} can be left out of {:?}", plan.faults);
    }
    for index in 0..plan.operations.len() {
        let mut less = plan.clone();
        less.operations.remove(index);
        assert!(!fails(&less, signature), "command {index} can be left out");
    }
}

fn tries(mutant: Mutant, scenario: &str) {
    let _turn = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    let (plan, signature, shrunk) = shrunk(mutant, scenario);
    is_minimal(&shrunk.plan, &signature);
    bless(mutant, scenario, &shrunk.plan, &signature);
    let fewest = fewest_faults(&plan, &shrunk.plan, &signature);
    plant(None);
    let left = shrunk.plan.faults.len();
    assert!(left <= 5, "{left} faults are left");
    assert!(left <= (fewest * 2).max(1), "{left} faults are left where {fewest} do");
}

/// The fewest faults of a plan with which the rest of the shrunk plan still fails, found by trying all of so few, then
/// of one more.
fn fewest_faults(plan: &Plan, shrunk: &Plan, signature: &Signature) -> usize {
    let count = plan.faults.len();
    let tried = |picked: &[usize]| {
        let faults = picked.iter().map(|index| plan.faults[*index].clone()).collect();
        fails(&Plan { faults, ..plan.clone() }, signature)
    };
    if tried(&[]) {
        return 0;
    }
    if (0..count).any(|one| tried(&[one])) {
        return 1;
    }
    if (0..count).any(|one| (one + 1..count).any(|two| tried(&[one, two]))) {
        return 2;
    }
    shrunk.faults.len().min(3)
}

macro_rules! shrinks {
    ($($test:ident: $mutant:ident in $scenario:literal,)*) => {$(
        #[test]
        fn $test() {
            tries(Mutant::$mutant, $scenario);
        }
    )*};
}

shrinks! {
    mutant_no_lease_wait_shrinks: NoLeaseWait in "exclusive",
    mutant_released_before_ended_shrinks: ReleasedBeforeEnded in "exclusive",
    mutant_lease_from_receipt_shrinks: LeaseFromReceipt in "exclusive",
    mutant_placed_twice_shrinks: PlacedTwice in "lossy-bus",
    mutant_tombstone_forgotten_shrinks: TombstoneForgotten in "lossy-bus",
    mutant_take_stale_observed_shrinks: TakeStaleObserved in "lossy-bus",
    mutant_hello_forgets_claims_shrinks: HelloForgetsClaims in "crashing-nodes",
    mutant_forget_failures_shrinks: ForgetFailures in "rollouts",
    mutant_release_before_durable_shrinks: ReleaseBeforeDurable in "steady",
    mutant_claim_over_capacity_shrinks: ClaimOverCapacity in "tight",
}
