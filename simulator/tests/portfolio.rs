//! Over a portfolio of scenarios, everything worth reaching is reached: each kind of fault has its effect somewhere.

use simulator::plan::trouble;
use simulator::scenario;
use std::collections::{BTreeMap, BTreeSet};

/// The scenarios, and how many seeds of each.
const PORTFOLIO: [(&str, u64); 7] = [
    ("everything", 60),
    ("meddling", 60),
    ("half-blind", 60),
    ("disks", 40),
    ("gray", 40),
    ("clocks", 40),
    ("tight", 20),
];

/// What the world itself must come to in them.
const REACHED: [&str; 14] = [
    "agent-adopted",
    "claim-refused",
    "command-refused",
    "command-repeated",
    "control-died-idle",
    "control-died-writing",
    "message-lost",
    "node-drained",
    "node-lost",
    "opened-from-snapshot",
    "rollout-reverted",
    "rollout-settled",
    "torn-tail-cut",
    "unsynced-tail-lost",
];

#[test]
fn every_kind_of_fault_has_its_effect_somewhere() {
    let (mut reached, mut named) = (BTreeMap::<String, u64>::new(), BTreeSet::new());
    for (name, seeds) in PORTFOLIO {
        let text = scenario::own(name).expect("the scenario comes with Orrery");
        let scenario = scenario::read(text, name).expect("it makes sense");
        named.extend(scenario.faults.iter().map(|fault| fault.what.clone()));
        for seed in 0..seeds {
            for (mark, count) in simulator::run(&simulator::plan(&scenario, seed)).marks {
                *reached.entry(mark).or_default() += count;
            }
        }
    }
    let unnamed: Vec<&str> = trouble::kinds().map(|kind| kind.name).filter(|kind| !named.contains(*kind)).collect();
    assert!(unnamed.is_empty(), "no scenario of the portfolio has {unnamed:?}");
    let missing: Vec<String> = trouble::kinds()
        .map(|kind| format!("{} bites", kind.name))
        .chain(REACHED.map(str::to_string))
        .filter(|mark| !reached.contains_key(mark))
        .collect();
    assert!(missing.is_empty(), "never reached: {missing:?}; reached were {reached:#?}");
}
