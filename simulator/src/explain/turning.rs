//! When it was decided: the world as it was at moments of a story goes on by other chances, many times, and it is counted
//! how often it fails all the same.

use super::Story;
use crate::plan::{Plan, Rekey};
use crate::repro::Signature;
use crate::run::{Judge, judge_world};
use crate::world::World;
use crate::world::random::{Domain, Random};
use serde::Serialize;
use std::sync::Arc;

/// At so many moments at the most.
const MOMENTS_MAX: usize = 24;
/// A branch that goes another way has so much longer than the plan, in microseconds.
const LONGER_US: u64 = 10_000_000;

/// How many branches fail from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Odds {
    /// From when on chances are others, in microseconds.
    pub at: u64,
    /// How many branches fail the same way.
    pub failing: u64,
    /// Of how many.
    pub of: u64,
}

impl Odds {
    /// Whether at least half of the branches fail.
    pub const fn most(&self) -> bool {
        self.failing * 2 >= self.of
    }
}

/// How many of so many branches fail from each moment of a story on. The first for which it is most of them is when it
/// was decided.
pub fn turning_point(plan: &Plan, signature: &Signature, story: &Story, branches: u64) -> Vec<Odds> {
    let mut moments: Vec<u64> = story.steps.iter().map(|step| step.at).collect();
    moments.insert(0, 0);
    moments.dedup();
    let every = moments.len().div_ceil(MOMENTS_MAX).max(1);
    let mut world = World::new(Arc::new(plan.clone()));
    let mut odds = Vec::new();
    for at in moments.into_iter().step_by(every) {
        while world.next_at().is_some_and(|next| next <= at) && world.step() {}
        if world.violations().iter().any(|violation| signature.is(violation)) {
            break;
        }
        let failing = (0..branches).filter(|branch| fails(&world, signature, *branch)).count() as u64;
        odds.push(Odds { at, failing, of: branches });
    }
    odds
}

/// Whether the world fails when it goes on by other chances.
fn fails(world: &World, signature: &Signature, branch: u64) -> bool {
    let mut plan = Plan::clone(world.plan());
    let seed = Random::new(plan.seed).word(Domain::Choice, &[0x7b, world.now(), branch]);
    plan.rekeys.push(Rekey { at: world.now() + 1, seed });
    plan.end_at += LONGER_US;
    let plan = Arc::new(plan);
    let make = || {
        let mut world = world.clone();
        world.branch(Arc::clone(&plan));
        world
    };
    signature.is_in(&judge_world(&plan, make, Judge { until: Some(signature), ..Judge::default() }))
}
