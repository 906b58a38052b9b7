//! Scenarios that make no sense: what is said, and where it points.

use crate::SMALL;
use simulator::scenario;

/// What is said of a row, with the line and column in it.
fn said(row: &str) -> Vec<(u32, u32, String)> {
    let lines = u32::try_from(SMALL.lines().count()).expect("few lines");
    let faults = scenario::read(&format!("{SMALL}[[fault]]\n{row}\n"), "small.toml").expect_err(row);
    faults.into_iter().map(|fault| (fault.line - lines - 1, fault.column, fault.message)).collect()
}

fn first(row: &str) -> (u32, u32, String) {
    said(row).remove(0)
}

#[test]
fn an_unknown_fault_is_answered_with_what_was_meant() {
    let (_, column, message) = first("what = \"swizle-clog\"");
    assert_eq!(column, 1);
    assert!(message.starts_with("there is no fault \"swizle-clog\"; did you mean \"swizzle-clog\"?"), "{message}");
}

#[test]
fn a_range_that_runs_backwards_is_told_from_one_that_is_none() {
    let said = first("what = \"loss\"\nat = \"8s..2s\"");
    assert_eq!(said, (2, 7, "at is \"8s..2s\"; it runs backwards: 8s comes after 2s".into()));
    assert!(first("what = \"loss\"\nat = \"soon\"").2.contains("expected a time or a range"));
    assert!(first("what = \"loss\"\ntimes = \"5..1\"").2.contains("runs backwards"));
}

#[test]
fn a_fault_after_the_world_has_healed_is_refused() {
    let said = first("what = \"loss\"\nat = \"30s\"");
    assert_eq!(said, (2, 7, "it begins at 30s, when the world has healed: heal is 20s".into()));
}

#[test]
fn an_impossible_target_is_refused_with_what_is_possible() {
    for (row, expected) in [
        ("what = \"agent-crash\"\ntarget = \"m9\"", "there are at most 4 machines"),
        ("what = \"agent-crash\"\ntarget = \"rack 7\"", "there are 2 racks"),
        ("what = \"agent-crash\"\ntarget = \"owner\"", "it needs on"),
        (
            "what = \"agent-crash\"\ntarget = \"owner of wbe\"",
            "no manifest has the job \"wbe\"; there are db, lock, web",
        ),
        ("what = \"agent-crash\"\ntarget = \"site moon\"", "the only site"),
        ("what = \"agent-crash\"\ntarget = \"everyone\"", "expected any, m0"),
        ("what = \"control-crash\"\ntarget = \"m1\"", "hits no machine in particular"),
    ] {
        let (line, column, message) = first(row);
        assert_eq!((line, column), (2, 11), "{row}");
        assert!(message.contains(expected), "{row}: {message}");
    }
}

#[test]
fn an_event_that_nobody_records_is_answered_with_what_was_meant() {
    for (row, expected) in [
        ("what = \"loss\"\non = \"Asigned(job=web)\"", "no actor records \"Asigned\"; did you mean \"Assigned\"?"),
        ("what = \"loss\"\non = \"node.Assigned\"", "no actor records \"Assigned\"; known are Welcomed"),
        ("what = \"loss\"\non = \"pod.Assigned\"", "there is no kind of actor \"pod\""),
        ("what = \"loss\"\non = \"Assigned(job=wbe)\"", "no manifest has the job \"wbe\""),
        ("what = \"loss\"\non = \"Assigned(slot=two)\"", "slot is \"two\"; expected a number"),
        ("what = \"loss\"\non = \"Welcomed(node=m7)\"", "there is no node \"m7\""),
        ("what = \"loss\"\non = \"Assigned(job=web\"", "expected an event like"),
    ] {
        let (line, column, message) = first(row);
        assert_eq!((line, column), (2, 7), "{row}");
        assert!(message.contains(expected), "{row}: {message}");
    }
    assert!(first("what = \"loss\"\nafter = \"3ms\"").2.contains("go with on"));
    assert!(first("what = \"loss\"\non = \"Assigned\"\nnth = 0").2.contains("expected 1"));
}

/// All that is said of a small scenario after one part of its text was replaced by another.
fn said_after(old: &str, new: &str) -> String {
    let text = SMALL.replacen(old, new, 1);
    assert_ne!(text, SMALL, "{old}");
    let faults = scenario::read(&text, "small.toml").expect_err(new);
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

#[test]
fn what_would_never_end_is_refused_before_it_begins() {
    let said = said_after("machines = \"4\"", "machines = 10000000");
    assert_eq!(
        said,
        "small.toml:3:12: machines is \"10000000\"; expected a number or a range like \"1..5\", from 1 to 100000\n"
    );
    assert!(said_after("heal = \"20s\"", "heal = \"5000h\"").contains("of 1000h at the most"));
    assert!(said_after("machines = \"4\"", "machines = 0").contains("from 1 to 100000"));
    assert!(first("what = \"loss\"\ntimes = 4000000000").2.contains("of 10000 at the most"));
    assert!(said_after("at = \"2s\"\napply", "at = \"2s\"\ntimes = 1000000\napply").contains("of 10000 at the most"));
}

#[test]
fn a_field_that_a_fault_makes_nothing_of_is_refused() {
    assert_eq!(
        first("what = \"partition\"\nper_mille = 10"),
        (2, 13, "partition has no per_mille; leave it out".into())
    );
    assert_eq!(first("what = \"loss\"\nextra = \"1ms\""), (2, 10, "loss has no extra; leave it out".into()));
}

#[test]
fn a_command_after_the_end_is_refused() {
    let said = said_after("at = \"2s\"", "at = \"3000s\"");
    assert!(said.contains("a command would be given after the end, which is at 1m40s"), "{said}");
}

#[test]
fn a_program_that_is_told_nonsense_is_named_and_a_broken_manifest_is_told_once() {
    let said = said_after("[\"./server\"]", "[\"./server\", \"--errors=5000\"]");
    assert!(said.contains("manifest one, job.web.run: \"--errors=5000\" makes no sense"), "{said}");
    let said = said_after("instances = 3", "instance = 3");
    assert_eq!(said.lines().count(), 1, "{said}");
}
