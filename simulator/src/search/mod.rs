//! Search: where a failure might be, by several strategies side by side. What is tried depends on the scenario, the
//! strategy and the seed alone, so a search is the same again whatever the number of processors.

mod branch;
mod perturb;

use crate::plan::Plan;
use crate::repro::Signature;
use crate::run::{Judge, judge};
use crate::scenario::{self, Scenario};
use crate::verdict::Verdict;
use crate::world::features::Features;
use serde::{Deserialize, Serialize};

/// How it is chosen what is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Each seed leaves out some kinds of faults altogether, so that the others can do more.
    Swarm,
    /// Every kind of fault that the scenario has.
    Uniform,
    /// A run without trouble, again and again, each time with one fault right before or right after one commit.
    Perturb,
    /// Runs that go on otherwise from moments at which something new was seen.
    Branch,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 4] = [Self::Swarm, Self::Uniform, Self::Perturb, Self::Branch];

    /// The strategy whose turn it is: of ten, four swarm, three are uniform, two perturb, one branches.
    pub const fn of_turn(turn: u64) -> Self {
        match turn % 10 {
            0 | 2 | 5 | 7 => Self::Swarm,
            1 | 4 | 8 => Self::Uniform,
            3 | 9 => Self::Perturb,
            _ => Self::Branch,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Swarm => "swarm",
            Self::Uniform => "uniform",
            Self::Perturb => "perturb",
            Self::Branch => "branch",
        }
    }
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Ran<'a> {
    /// Which strategy chose it.
    pub strategy: Strategy,
    /// What was run.
    pub plan: &'a Plan,
    /// What came of it.
    pub verdict: &'a Verdict,
    /// How many things happened that were not known from the run that it branched from.
    pub events: u64,
}

/// Whoever watches a search: false when it should end.
pub type Watch<'a> = &'a mut dyn FnMut(Ran<'_>) -> bool;

/// Tries what a strategy makes of a scenario and a seed, and tells of each run. Adds to what is known of features.
/// False when the watcher ended it.
pub fn explore(scenario: &Scenario, strategy: Strategy, seed: u64, known: &mut Features, watch: Watch<'_>) -> bool {
    match strategy {
        Strategy::Swarm | Strategy::Uniform => {
            let plan = drawn(scenario, strategy == Strategy::Swarm, seed);
            let verdict = watched(&plan, known);
            watch(Ran { strategy, plan: &plan, verdict: &verdict, events: verdict.events })
        }
        Strategy::Perturb => perturb::explore(scenario, seed, known, watch),
        Strategy::Branch => branch::explore(scenario, seed, known, watch),
    }
}

/// The plan of a seed, with or without leaving kinds of faults out.
fn drawn(scenario: &Scenario, swarm: bool, seed: u64) -> Plan {
    let scenario = Scenario { swarm, ..scenario.clone() };
    scenario::plan(&scenario, seed)
}

fn watched(plan: &Plan, known: &mut Features) -> Verdict {
    let mut seen = Features::default();
    let verdict = judge(plan, Judge { features: Some(&mut seen), ..Judge::default() });
    known.learn(&seen);
    verdict
}

/// How a failing plan fails when it is run from its beginning: a branch is a promise, and this keeps it.
pub fn confirmed(plan: &Plan, verdict: &Verdict) -> Option<Signature> {
    let again = judge(plan, Judge::default());
    Signature::all(verdict).find(|signature| signature.is_in(&again)).or_else(|| Signature::first(&again))
}

#[cfg(test)]
mod tests;
