//! Perturbation: what if, at the very moment at which something is recorded, one thing goes wrong?
//!
//! The faults that found the most in controllers of clusters are a crash between two steps, and a view that is old or
//! lacks something. They are tried right before and right after every commit of a run in which nothing else goes wrong.

use super::{Ran, Strategy, Watch, drawn};
use crate::plan::trouble::{self, Aim, Given};
use crate::plan::{Fault, Plan, Target, When};
use crate::run::{Judge, judge_world};
use crate::scenario::Scenario;
use crate::world::World;
use crate::world::features::Features;
use crate::world::random::{Domain, Random};
use std::sync::Arc;

/// What is tried at each moment: the kind, and for how long, in microseconds.
const TRIED: &[(&str, u64)] = &[
    ("control-crash", 300_000),
    ("agent-crash", 1_000_000),
    ("agent-pause", 8_000_000),
    ("partition", 8_000_000),
    ("machine-crash", 2_000_000),
    ("clog", 4_000_000),
    ("stale-view", 8_000_000),
    ("hidden-event", 8_000_000),
    ("stale-reports", 8_000_000),
];
/// For one seed so many runs at the most.
const RUNS_MAX: u64 = 400;

/// The moments of a run at which something was committed.
fn moments(plan: &Arc<Plan>) -> Vec<u64> {
    let mut world = World::new(Arc::clone(plan));
    let (mut frames, mut moments) = (0, Vec::new());
    while world.step() {
        let now = world.statistics().frames;
        if now > frames && world.now() < plan.heal_at && moments.last() != Some(&world.now()) {
            moments.push(world.now());
        }
        frames = now;
    }
    moments
}

/// Tries every fault at every moment, or evenly chosen ones when there are too many.
pub(super) fn explore(scenario: &Scenario, seed: u64, known: &mut Features, watch: Watch<'_>) -> bool {
    let base = Arc::new(Plan { faults: Vec::new(), retake: false, ..drawn(scenario, false, seed) });
    let moments = moments(&base);
    let tried: Vec<_> = TRIED.iter().filter_map(|(name, lasts)| Some((trouble::kind(name)?, *lasts))).collect();
    let all = moments.len() as u64 * tried.len() as u64 * 2;
    let every = all.div_ceil(RUNS_MAX).max(1);
    let random = Random::new(seed);
    let skipped = random.word(Domain::Plan, &[0x9e7]) % every;
    let mut world = World::new(Arc::clone(&base));
    let mut number = 0_u64;
    for moment in moments {
        for before in [true, false] {
            let at = if before { moment.saturating_sub(1) } else { moment + 1 };
            while world.next_at().is_some_and(|next| next < at) && world.step() {}
            for (kind, lasts) in &tried {
                number += 1;
                if number % every != skipped {
                    continue;
                }
                let key = [0x9e8, number];
                let machine = random.word(Domain::Plan, &key) % (base.machines.len() as u64).max(1);
                let target = match kind.aim {
                    Aim::World | Aim::Either => Target::World,
                    _ => Target::Machine(usize::try_from(machine).unwrap_or(0)),
                };
                let choice = random.word(Domain::Plan, &[0x9e9, number]);
                let given = Given { per_mille: 500, extra_us: 2_000_000, lasts: *lasts, choice, random, key };
                let fault = Fault { id: 0, when: When::At(at), lasts: *lasts, target, trouble: (kind.make)(&given) };
                let plan = Arc::new(Plan { faults: vec![fault], ..Plan::clone(&base) });
                if !one(&world, plan, known, watch) {
                    return false;
                }
            }
        }
    }
    true
}

/// Lets the world go on with a fault from here.
fn one(world: &World, plan: Arc<Plan>, known: &mut Features, watch: Watch<'_>) -> bool {
    let before = world.events();
    let mut seen = Features::default();
    let make = || {
        let mut world = world.clone();
        world.branch(Arc::clone(&plan));
        world
    };
    let verdict = judge_world(&plan, make, Judge { features: Some(&mut seen), ..Judge::default() });
    known.learn(&seen);
    let events = verdict.events.saturating_sub(before);
    watch(Ran { strategy: Strategy::Perturb, plan: &plan, verdict: &verdict, events })
}
