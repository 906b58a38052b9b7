//! Branching guided by coverage: where a run comes to something new, the world is kept, and goes on otherwise from there.
//!
//! What is rare takes several lucky steps one after the other. To begin again from the last lucky step makes their odds
//! add where they would multiply. A branch is a plan like any other: the faults it added, and when draws began anew.

use super::{Ran, Strategy, Watch, drawn};
use crate::plan::{Fault, Plan, Rekey, When};
use crate::run::{Judge, judge_world};
use crate::scenario::Scenario;
use crate::world::World;
use crate::world::features::Features;
use crate::world::random::{Domain, Random};
use std::sync::Arc;

/// For one seed so many runs at the most.
const RUNS_MAX: u64 = 96;
/// So many worlds are kept at the most.
const KEPT_MAX: usize = 48;
/// A branch adds so many faults at the most.
const ADDED_MAX: u64 = 3;
/// They begin so soon after it, mostly, in microseconds.
const SOON_US: u64 = 4_000_000;

/// A world that had come to something new.
struct Kept {
    world: World,
    /// The rarest of what was new.
    feature: u64,
    picked: u64,
}

/// Runs a seed, keeps worlds where something new is seen, and lets them go on otherwise.
pub(super) fn explore(scenario: &Scenario, seed: u64, known: &mut Features, watch: Watch<'_>) -> bool {
    let base = Arc::new(Plan { retake: false, ..drawn(scenario, true, seed) });
    let mut search = Branching { seen: Features::default(), kept: Vec::new(), random: Random::new(seed) };
    let mut goes_on = true;
    for number in 0..RUNS_MAX {
        let Some((world, plan)) = search.next(scenario, &base, number) else { break };
        let before = world.events();
        let verdict = search.run(&plan, world);
        let events = verdict.events.saturating_sub(before);
        goes_on = watch(Ran { strategy: Strategy::Branch, plan: &plan, verdict: &verdict, events });
        if !goes_on {
            break;
        }
    }
    known.learn(&search.seen);
    goes_on
}

struct Branching {
    seen: Features,
    kept: Vec<Kept>,
    random: Random,
}

impl Branching {
    /// What is run next: the plan itself, or what goes on otherwise from a kept world.
    fn next(&mut self, scenario: &Scenario, base: &Arc<Plan>, number: u64) -> Option<(World, Arc<Plan>)> {
        if number == 0 {
            return Some((World::new(Arc::clone(base)), Arc::clone(base)));
        }
        let index = self.pick(number)?;
        let kept = &mut self.kept[index];
        kept.picked += 1;
        let mut world = kept.world.clone();
        let plan = Arc::new(self.otherwise(scenario, &world, number));
        world.branch(Arc::clone(&plan));
        Some((world, plan))
    }

    /// One of the kept worlds: the rarer what it came to, and the less often it was picked, the likelier.
    fn pick(&self, number: u64) -> Option<usize> {
        let weight = |kept: &Kept| 1_000_000 / (self.seen.count(kept.feature).max(1) * (1 + kept.picked)) + 1;
        let sum: u64 = self.kept.iter().map(weight).sum();
        let mut left = self.random.word(Domain::Choice, &[0xb0, number]).checked_rem(sum)?;
        self.kept.iter().position(|kept| {
            let weight = weight(kept);
            let is_it = left < weight;
            left = left.saturating_sub(weight);
            is_it
        })
    }

    /// A plan that is as it was until now, and otherwise from now on.
    fn otherwise(&self, scenario: &Scenario, world: &World, number: u64) -> Plan {
        let mut plan = Plan::clone(world.plan());
        let word = |what: u64| self.random.word(Domain::Plan, &[0xb1, number, what]);
        let from = world.next_at().unwrap_or_else(|| world.now());
        plan.rekeys.push(Rekey { at: from, seed: word(0) });
        let mut others = drawn(scenario, false, word(1)).faults;
        others.retain(|other| other.target.missing_in(&plan).is_none());
        let id = plan.faults.iter().map(|fault| fault.id + 1).max().unwrap_or_default();
        for added in 0..word(2) % (ADDED_MAX + 1) {
            let Some(choice) = word(3 + added).checked_rem(others.len() as u64) else { break };
            let Some(other) = usize::try_from(choice).ok().and_then(|choice| others.get(choice)) else { break };
            let at = (from + 1 + word(13 + added) % SOON_US).min(plan.heal_at.saturating_sub(1));
            if at > from {
                plan.faults.push(Fault { id: id + added, when: When::At(at), ..other.clone() });
            }
        }
        plan
    }

    /// Runs a world to its end, and keeps it as it was when something new had been seen.
    fn run(&mut self, plan: &Arc<Plan>, world: World) -> crate::verdict::Verdict {
        let mut seen = self.seen.clone();
        seen.take_new();
        let Self { kept, random, .. } = self;
        let mut fresh: Vec<u64> = Vec::new();
        let mut keep = |world: &mut World| {
            fresh.extend(world.features().map(Features::take_new).unwrap_or_default());
            let Some(feature) = fresh.last().copied() else { return };
            let at_rest = world.next_at().is_some_and(|next| next > world.now() && next < world.plan().heal_at);
            if at_rest {
                fresh.clear();
                let new = Kept { world: world.clone(), feature, picked: 0 };
                if kept.len() < KEPT_MAX {
                    kept.push(new);
                } else {
                    let index = random.word(Domain::Choice, &[0xb2, feature]) % KEPT_MAX as u64;
                    kept[usize::try_from(index).unwrap_or(0)] = new;
                }
            }
        };
        let judge = Judge { features: Some(&mut seen), after_step: Some(&mut keep), ..Judge::default() };
        let verdict = judge_world(plan, || world, judge);
        self.seen = seen;
        verdict
    }
}
