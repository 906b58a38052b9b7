//! Runs plans.

use crate::plan::Plan;
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::context::TraceLine;
use std::sync::Arc;

/// Runs a plan to its end.
pub fn run(plan: &Plan) -> Verdict {
    let mut world = World::new(Arc::new(plan.clone()));
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
