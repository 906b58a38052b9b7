//! What is told of a failure: what led to it, who took part, what went wrong, and when it was decided.

use super::*;
use crate::plan::trouble::{Trouble, machine::Machine};
use crate::plan::{Fault, Target, When};
use crate::run::{Judge, judge};
use crate::scenario;

/// A plan that fails in this very build: an operator's command is done that the plan says must be refused, while a
/// machine is away.
fn failing() -> (Plan, Signature) {
    let text = scenario::own("exclusive").expect("the scenario comes with Orrery");
    let mut plan = scenario::plan(&scenario::read(text, "exclusive").expect("the scenario makes sense"), 4);
    let (trouble, target) = (Trouble::Machine(Machine::Crash), Target::Machine(0));
    plan.faults = vec![Fault { id: 0, when: When::At(1_500_000), lasts: 5_000_000, target, trouble }];
    plan.operations.truncate(1);
    plan.operations[0].refused = true;
    let verdict = judge(&plan, Judge::default());
    let signature = Signature::first(&verdict).expect("it fails");
    (plan, signature)
}

#[test]
fn a_story_has_what_led_to_the_violation_and_little_else() {
    let (plan, signature) = failing();
    let story = explain(&plan, &signature).expect("it fails");
    assert!(story.records > 200 && (4..72).contains(&story.steps.len()), "{} of {}", story.steps.len(), story.records);
    assert!(matches!(story.steps.last().map(|step| &step.kind), Some(StepKind::Violated { .. })), "{story:#?}");
    let said = |name: &str| {
        let is_it = |step: &Step| matches!(&step.kind, StepKind::Said { name: said, .. } if said.contains(name));
        story.steps.iter().any(is_it)
    };
    assert!(said("apply") && said("Done"), "the command and its answer: {story:#?}");
    assert!(story.steps.iter().map(|step| step.at).is_sorted(), "in the order of time");
    assert_eq!(story.bands.len(), 1);
    assert_eq!(story.bands[0].name, "machine-crash of m0");
}

#[test]
fn a_story_is_shown_as_text_and_as_a_picture() {
    let (plan, signature) = failing();
    let story = explain(&plan, &signature).expect("it fails");
    let text = text(&story);
    assert!(text.contains("machine-crash of m0") && text.contains("policy") && text.contains('▶'), "{text}");
    let svg = svg(&story);
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    for (open, close) in [("<text", "</text>"), ("<rect", "</rect>"), ("<title>", "</title>")] {
        let ends = svg.matches(close).count()
            + svg.lines().filter(|line| line.starts_with(open) && line.ends_with("/>")).count();
        assert_eq!(svg.matches(open).count(), ends, "{open}");
    }
    assert!(!svg.contains("http://") || svg.matches("http").count() == 1, "nothing is fetched");
}

#[test]
fn it_is_decided_at_the_latest_when_nothing_else_can_come_of_it() {
    let (plan, signature) = failing();
    let story = explain(&plan, &signature).expect("it fails");
    let odds = turning_point(&plan, &signature, &story, 4);
    assert!(odds.len() > 2 && odds.iter().all(|odds| odds.of == 4), "{odds:?}");
    assert!(odds.last().is_some_and(Odds::most), "at the end it fails: {odds:?}");
    assert!(odds.iter().map(|odds| odds.at).is_sorted());
}

#[test]
fn what_does_not_fail_has_no_story() {
    let (plan, signature) = failing();
    let calm = Plan { operations: Vec::new(), ..plan };
    assert_eq!(explain(&calm, &signature), None);
}
