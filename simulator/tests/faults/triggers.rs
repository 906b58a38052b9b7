//! Faults that begin on an event, and faults whose target is found when they begin.

use crate::{SMALL, run_all};
use simulator::plan::{Target, When};
use simulator::scenario;

fn marks(row: &str, mark: &str) -> u64 {
    let verdicts = run_all(SMALL, &format!("[[fault]]\n{row}\n"));
    verdicts.iter().filter_map(|verdict| verdict.marks.get(mark)).sum()
}

#[test]
fn the_owner_of_a_slot_is_paused_just_after_it_was_assigned() {
    let row = "what = \"agent-pause\"\non = \"Assigned(job=web, slot=2)\"\nafter = \"3ms\"\ntarget = \"owner\"\n\
               lasts = \"8s\"\ntimes = 1";
    assert_eq!(marks(row, "agent-pause"), 6);
    assert_eq!(marks(row, "fault-without-target"), 0);
}

#[test]
fn the_owner_of_an_exclusive_slot_is_cut_off_when_its_revision_is_settled() {
    let row = "what = \"cut-out\"\nat = \"5s..9s\"\ntarget = \"owner of lock/0\"\nlasts = \"9s\"\ntimes = 1";
    assert!(marks(row, "cut-out bites") > 0);
}

#[test]
fn the_second_of_an_event_counts_when_the_second_is_asked_for() {
    let row = |nth: u64| {
        format!("what = \"workload-dies\"\non = \"job.Assigned(job=db)\"\nnth = {nth}\ntarget = \"owner\"\ntimes = 1")
    };
    assert_eq!(marks(&row(2), "workload-dies"), 6);
    assert_eq!(marks(&row(999), "workload-dies"), 0);
}

#[test]
fn targets_are_found_when_a_fault_begins() {
    for target in ["all", "half", "minority", "rack 0..1", "any of rack 1", "site site", "m3", "machine 0..2"] {
        let row = format!("what = \"agent-crash\"\nat = \"6s..9s\"\nlasts = \"2s\"\ntimes = 1\ntarget = \"{target}\"");
        assert_eq!(marks(&row, "agent-crash"), 6, "{target}");
        assert_eq!(marks(&row, "fault-without-target"), 0, "{target}");
    }
}

#[test]
fn a_plan_says_whom_it_hits_and_on_what() {
    let row = "[[fault]]\nwhat = \"agent-pause\"\non = \"node.Claimed(job=web)\"\nnth = 2\nafter = \"5ms\"\ntimes = 1\n\
               target = \"owner of lock\"";
    let scenario = scenario::read(&format!("{SMALL}\n{row}"), "small").expect("it makes sense");
    let plan = simulator::plan(&scenario, 1);
    let fault = &plan.faults[0];
    assert_eq!(fault.target, Target::Owner { job: Some("lock".into()), slot: None });
    assert!(matches!(&fault.when, When::On(trigger) if trigger.nth == 2 && trigger.after == 5_000));
    assert_eq!(fault.when.to_string(), "5000us after no. 2 of node.Claimed(job=web)");
}
