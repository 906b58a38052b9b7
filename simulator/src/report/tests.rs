//! Runs that are drawn are the runs themselves, and their pages say all of them.

use super::*;
use crate::scenario::{own, read};

fn made(scenario: &str, seed: u64) -> Report {
    let text = own(scenario).expect("it comes with Orrery");
    let scenario = read(text, scenario).expect("it makes sense");
    report(&crate::plan(&scenario, seed))
}

fn told() -> Told {
    Told { again: "orrery sim run <x>".into(), further: Vec::new(), expected: None, twice: false }
}

#[test]
fn a_run_that_is_drawn_is_the_run_itself() {
    let run = made("crashing-nodes", 3);
    assert_eq!(run.verdict, crate::run(&run.plan));
    assert!(run.drawn.delays.until(3).len() as u64 <= run.verdict.statistics.starts);
    assert!(
        run.drawn.samples.fill.len() > 50 && run.drawn.samples.fill.len() <= 260,
        "{}",
        run.drawn.samples.fill.len()
    );
    assert!(!run.drawn.faults.is_empty() && run.drawn.faults.iter().all(|fault| fault.from <= fault.to));
}

#[test]
fn the_page_needs_nothing_else_and_says_how_to_run_it_again() {
    let run = made("crashing-nodes", 3);
    let text = page(&run, &told());
    for part in ["orrery sim run &lt;x&gt;", &run.verdict.log_hash, &run.verdict.plan_hash, "machine-crash", "healthy"]
    {
        assert!(text.contains(part), "{part} is missing");
    }
    for reference in ["http://", "https://", "src=", "<link", "@import", "url("] {
        assert!(!text.contains(reference), "the page refers to {reference}");
    }
}

#[test]
fn every_step_comes_after_the_one_before_it() {
    let run = made("steady", 1);
    let most: Vec<u64> =
        (0..4).map(|step| *run.drawn.delays.until(step).last().expect("something was placed")).collect();
    assert!(most.is_sorted() && most[3] > 0, "{most:?}");
    assert_eq!(delays::percentile(&[1, 2, 3, 4], 50), Some(3));
    assert_eq!(delays::percentile(&[], 50), None);
}

#[test]
fn what_was_looked_at_is_counted_and_what_was_violated_comes_first() {
    let mut run = made("steady", 1);
    let violation = crate::verdict::Violation {
        invariant: crate::verdict::Invariant::Routes,
        signature: "a route leads to what is gone".into(),
        message: "web".into(),
        at: 5_000_000,
        entries: 3,
    };
    run.verdict.violations.push(violation);
    let all = checks::Check::all(&run, false);
    assert_eq!((all[0].invariant, all[0].violated), (crate::verdict::Invariant::Routes, 1));
    let of = |invariant| all.iter().find(|check| check.invariant == invariant).expect("every invariant is there");
    let caused = of(crate::verdict::Invariant::Caused);
    assert_eq!(caused.looked, [(run.verdict.statistics.entries, "entries")]);
    assert!(of(crate::verdict::Invariant::Repeats).looked.is_empty());
    moments::add_violations(&mut run.drawn.moments, &run.verdict);
    let text = page(&run, &told());
    assert!(text.contains("href=\"#violation-0\"") && text.contains("id=\"violation-0\""), "it is linked");
    assert!(text.contains("class=\"v\""), "it is drawn");
}

#[test]
fn moments_beyond_what_is_kept_are_counted() {
    let run = made("everything", 2);
    assert!(run.drawn.moments.is_sorted_by_key(|moment| moment.at));
    assert!(run.drawn.moments.len() <= moments::MOMENTS_MAX);
    assert!(run.drawn.moments.iter().any(|moment| moment.kind == "decision"));
}
