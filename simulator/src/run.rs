//! Runs plans.

use crate::plan::Plan;
use crate::repro::Signature;
use crate::verdict::{Invariant, Statistics, Verdict, Violation};
use crate::world::context::TraceLine;
use crate::world::features::Features;
use crate::world::{Knobs, World};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a run is said to have done when it panics.
pub const RUN_PANICS: &str = "the run panics";

/// Runs a plan to its end.
pub fn run(plan: &Plan) -> Verdict {
    run_with(plan, Knobs::of(plan))
}

/// Runs a plan to its end, with knobs that change how it is run. The verdict is the same whatever they say.
pub fn run_with(plan: &Plan, knobs: Knobs) -> Verdict {
    let mut world = World::with(Arc::new(plan.clone()), knobs);
    while world.step() {}
    world.finish()
}

/// Runs a plan to its end, and shows a line for everything that is committed, started, ended or goes wrong.
pub fn run_observed(plan: &Plan, mut observe: impl FnMut(&TraceLine)) -> Verdict {
    let mut world = World::new(Arc::new(plan.clone()));
    world.trace();
    while world.step() {
        world.drain_trace().iter().for_each(&mut observe);
    }
    world.drain_trace().iter().for_each(&mut observe);
    world.finish()
}

/// What else is wanted of a run.
#[derive(Default)]
pub struct Judge<'a> {
    /// It may end as soon as this is violated.
    pub until: Option<&'a Signature>,
    /// What is known of features; what the run sees is added.
    pub features: Option<&'a mut Features>,
    /// Is shown the world after each thing that happened.
    pub after_step: Option<&'a mut dyn FnMut(&mut World)>,
}

/// Runs a plan. A run that panics has failed, and is told of like any other.
pub fn judge(plan: &Plan, judge: Judge<'_>) -> Verdict {
    judge_world(plan, || World::new(Arc::new(plan.clone())), judge)
}

/// Runs a world that is made here, which may have come to the middle of its plan. A panic is a failure.
pub fn judge_world(plan: &Plan, make: impl FnOnce() -> World, judge: Judge<'_>) -> Verdict {
    caught(plan, || {
        let Judge { until, features, mut after_step } = judge;
        let mut world = make();
        if let Some(known) = &features {
            match world.features() {
                Some(seen) => seen.learn(known),
                None => world.watch(Features::clone(known)),
            }
        }
        let mut violations = 0;
        while world.step() {
            if let Some(after_step) = &mut after_step {
                after_step(&mut world);
            }
            let found = world.violations();
            if found.len() > violations {
                violations = found.len();
                let is_it = |signature: &Signature| found.iter().any(|violation| signature.is(violation));
                if until.is_some_and(is_it) {
                    break;
                }
            }
        }
        if let (Some(known), Some(seen)) = (features, world.features()) {
            known.learn(seen);
        }
        world.finish()
    })
}

/// The verdict of a run of this plan. A panic is a violation.
pub fn caught(plan: &Plan, run: impl FnOnce() -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
        let violation = Violation {
            invariant: Invariant::Panics,
            signature: RUN_PANICS.into(),
            message: said.into(),
            at: 0,
            entries: 0,
        };
        Verdict {
            scenario: plan.scenario.clone(),
            seed: plan.seed,
            plan_hash: plan.hash(),
            events: 0,
            log_hash: String::new(),
            violations: vec![violation],
            statistics: Statistics::default(),
            marks: BTreeMap::new(),
        }
    })
}
