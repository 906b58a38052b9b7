//! Files of plans: written and read again, and what is said of those that make no sense.

use super::*;
use crate::scenario;

fn sample() -> Repro {
    let text = scenario::own("exclusive").expect("the scenario comes with Orrery");
    let scenario = scenario::read(text, "exclusive").expect("the scenario makes sense");
    let signature = Signature { invariant: Invariant::ExclusiveSlot, signature: "an exclusive slot runs twice".into() };
    Repro::failing(scenario::plan(&scenario, 3), signature, "a test")
}

fn fault_of(text: &str) -> String {
    Repro::read(text, "p.json").expect_err("it makes no sense").to_string()
}

#[test]
fn what_was_written_is_read_again() {
    let repro = sample();
    let text = repro.text();
    assert_eq!(Repro::read(&text, "p.json"), Ok(repro));
    assert!(text.lines().all(|line| line.len() <= 400), "lines are for people");
}

#[test]
fn what_is_damaged_is_refused_with_the_place() {
    let text = sample().text();
    let cut = &text[..text.len() / 2];
    let lines = cut.lines().count();
    let said = fault_of(cut);
    assert!(said.starts_with(&format!("p.json:{lines}:")) && said.contains("EOF"), "{said}");
    assert!(fault_of("").starts_with("p.json:1:0: EOF"), "{}", fault_of(""));
    assert!(fault_of("[]").contains("p.json:1:"), "{}", fault_of("[]"));
}

#[test]
fn another_version_is_named() {
    let text = sample().text().replacen("\"version\": 1", "\"version\": 9", 1);
    let said = fault_of(&text);
    assert!(said.starts_with("p.json:2:14: this plan is of version 9, and this build reads version 1"), "{said}");
}

#[test]
fn what_no_world_can_be_made_of_is_refused_with_the_place() {
    let mut late = sample();
    late.plan.settled_at = late.plan.heal_at - 1;
    let text = late.text();
    let line = 1 + text.lines().position(|line| line.contains("\"settled_at\"")).expect("it has a line of its own");
    let said = fault_of(&text);
    assert!(said.starts_with(&format!("p.json:{line}:19: settled_at is ")), "{said}");

    let mut nobody = sample();
    nobody.plan.faults[1].target = crate::plan::Target::Machine(77);
    let said = fault_of(&nobody.text());
    assert!(said.contains("there is no machine 77; the plan has "), "{said}");

    let mut twice = sample();
    twice.plan.machines[1].spec.name = "m0".into();
    assert!(fault_of(&twice.text()).contains("there are two machines \"m0\""));
}

#[test]
fn an_unknown_fault_is_refused_with_those_that_are_known() {
    let text = sample().text();
    let unknown = text.replacen("\"partition\"", "\"earthquake\"", 1);
    let said = fault_of(&unknown);
    assert!(said.contains("unknown variant `earthquake`") && said.contains("partition"), "{said}");
}
