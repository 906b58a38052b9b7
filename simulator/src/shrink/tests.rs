//! Shrinking of plans that fail in this very build: they leave too little time for what a fault does.

use super::*;
use crate::plan::trouble::{Trouble, machine::Machine};
use crate::plan::{Fault, Target, When};
use crate::scenario;
use crate::verdict::Verdict;

type Count = fn(&Plan) -> usize;
type Remove = fn(&mut Plan, usize);

/// A plan with more of everything than it takes to fail: a machine is lost right before everything must be well.
fn large() -> Plan {
    let text = scenario::own("crashing-nodes").expect("the scenario comes with Orrery");
    let scenario = scenario::read(text, "crashing-nodes").expect("the scenario makes sense");
    let mut plan = scenario::plan(&scenario, 5);
    let (trouble, target) = (Trouble::Machine(Machine::Crash), Target::Machine(0));
    let when = When::At(plan.heal_at - 1_000_000);
    plan.faults.push(Fault { id: 99, when, lasts: 10_000_000, target, trouble });
    plan.settled_at = plan.heal_at + 200_000;
    plan
}

fn verdict(plan: &Plan) -> Verdict {
    judge(plan, Judge::default())
}

fn small(plan: &Plan, signature: &Signature) -> Shrunk {
    shrink(plan, signature, Care::default(), &mut |_, _| true).expect("it fails")
}

#[test]
fn what_is_left_fails_the_same_way_and_nothing_of_it_can_be_left_out() {
    let plan = large();
    let signature = Signature::first(&verdict(&plan)).expect("it fails");
    let shrunk = small(&plan, &signature);
    assert!(shrunk.whole && shrunk.runs < 2_000, "{} runs", shrunk.runs);
    assert!(signature.is_in(&verdict(&shrunk.plan)), "{:?}", verdict(&shrunk.plan).violations);
    assert_eq!(shrunk.plan.faults.len(), 1, "{:?}", shrunk.plan.faults);
    let size = Size::of(&shrunk.plan);
    assert!(size.machines <= 2 && size.jobs == 1 && size.operations == 1, "{size:?}");

    let leave_out: [(Count, Remove); 2] = [
        (|plan| plan.faults.len(), |plan, index| drop(plan.faults.remove(index))),
        (|plan| plan.operations.len(), |plan, index| drop(plan.operations.remove(index))),
    ];
    for (count, remove) in leave_out {
        for index in 0..count(&shrunk.plan) {
            let mut less = shrunk.plan.clone();
            remove(&mut less, index);
            assert!(!signature.is_in(&verdict(&less)), "{index} can be left out");
        }
    }
}

#[test]
fn the_same_plan_shrinks_to_the_same() {
    let plan = large();
    let signature = Signature::first(&verdict(&plan)).expect("it fails");
    let care = Care { rerolls: 1, ..Care::default() };
    let twice: [_; 2] = std::array::from_fn(|_| shrink(&plan, &signature, care, &mut |_, _| true));
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn what_does_not_fail_is_not_shrunk() {
    let plan = Plan { faults: Vec::new(), ..large() };
    let plan = Plan { settled_at: plan.end_at, ..plan };
    let signature = Signature { invariant: Invariant::Capacity, signature: "more runs on a machine than fits".into() };
    assert_eq!(shrink(&plan, &signature, Care::default(), &mut |_, _| true), None);
}

#[test]
fn shrinking_ends_when_it_is_told_to() {
    let plan = large();
    let signature = Signature::first(&verdict(&plan)).expect("it fails");
    let mut told = 0;
    let shrunk = shrink(&plan, &signature, Care::default(), &mut |_, _| {
        told += 1;
        told < 3
    });
    let shrunk = shrunk.expect("it fails");
    assert_eq!((told, shrunk.whole), (3, false));
    assert!(signature.is_in(&verdict(&shrunk.plan)));
}
