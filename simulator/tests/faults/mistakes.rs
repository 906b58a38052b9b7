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
