//! Shrinking: the smallest plan that still fails the same way.
//!
//! Each pass makes candidates of the best plan so far, in a fixed order, and the first that fails with the same signature
//! is the best from then on. Passes go round until a whole round changes nothing. Then no single fault, command, machine
//! or job can be left out. The same plan always shrinks to the same plan.

mod jobs;
mod machines;
mod parts;
mod times;
mod weaker;

use crate::plan::Plan;
use crate::repro::Signature;
use crate::run::{Judge, judge};
use crate::verdict::Invariant;
use crate::world::random::{Domain, Random};

/// So many plans are run at the most.
const RUNS_MAX: u64 = 6_000;

/// What is left of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The plan.
    pub plan: Plan,
    /// How many plans were run for it.
    pub runs: u64,
    /// Whether it was shrunk as far as it can be, and not ended before.
    pub whole: bool,
}

/// How large a plan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Commands of clients.
    pub operations: usize,
    /// Machines.
    pub machines: usize,
    /// Jobs that are named in any manifest.
    pub jobs: usize,
    /// From the beginning to the end, in milliseconds.
    pub milliseconds: u64,
}

impl Size {
    /// The size of a plan.
    pub fn of(plan: &Plan) -> Self {
        Self {
            faults: plan.faults.len(),
            operations: plan.operations.len(),
            machines: plan.machines.len(),
            jobs: jobs::names(plan).len(),
            milliseconds: plan.end_at / 1_000,
        }
    }
}

/// How thoroughly it is shrunk.
#[derive(Clone, Copy, Debug)]
pub struct Care {
    /// A candidate that does not fail is tried with so many other draws.
    pub rerolls: u64,
    /// So many plans are run at the most.
    pub runs: u64,
}

impl Default for Care {
    fn default() -> Self {
        Self { rerolls: 4, runs: RUNS_MAX }
    }
}

/// Shrinks a plan that fails with this signature. Tells of each smaller one; ends early when told so with `false`.
///
/// Nothing, when the plan does not fail so.
pub fn shrink(
    plan: &Plan,
    signature: &Signature,
    care: Care,
    tell: &mut dyn FnMut(&Plan, u64) -> bool,
) -> Option<Shrunk> {
    let mut shrinker = Shrinker::new(plan, signature, care, tell)?;
    // Most of it goes without other draws, which cost several runs each.
    for rerolls in [0, care.rerolls] {
        shrinker.rerolls = rerolls;
        while shrinker.round() && !shrinker.over {}
        if care.rerolls == 0 {
            break;
        }
    }
    let Shrinker { best, runs, over, .. } = shrinker;
    Some(Shrunk { plan: best, runs, whole: !over })
}

struct Shrinker<'a> {
    best: Plan,
    signature: &'a Signature,
    /// When the violation is, if it is one that happens at a moment, in microseconds.
    at: u64,
    /// Whether it says that something did not come about in time. Then a plan without its faults must pass.
    patience: bool,
    rerolls: u64,
    runs: u64,
    runs_max: u64,
    over: bool,
    tell: &'a mut dyn FnMut(&Plan, u64) -> bool,
}

/// Whether such a violation says that something did not come about in the time there was.
const fn is_of_patience(invariant: Invariant) -> bool {
    matches!(invariant, Invariant::Converges | Invariant::Quiet | Invariant::Answered | Invariant::Near)
}

impl<'a> Shrinker<'a> {
    fn new(
        plan: &Plan,
        signature: &'a Signature,
        care: Care,
        tell: &'a mut dyn FnMut(&Plan, u64) -> bool,
    ) -> Option<Self> {
        let mut shrinker = Self {
            best: plan.clone(),
            signature,
            at: 0,
            patience: false,
            rerolls: 0,
            runs: 0,
            runs_max: care.runs,
            over: false,
            tell,
        };
        shrinker.at = shrinker.fails(plan)?;
        let calm = Plan { faults: Vec::new(), ..plan.clone() };
        shrinker.patience = is_of_patience(signature.invariant) && shrinker.fails(&calm).is_none();
        Some(shrinker)
    }

    /// Every pass once. Whether anything changed.
    fn round(&mut self) -> bool {
        let before = self.best.clone();
        self.cut_tail();
        self.drop_faults();
        self.drop_operations();
        self.drop_jobs();
        self.drop_machines();
        self.settle_knobs();
        self.shorten();
        self.close_gaps();
        self.weaken();
        self.simplify_jobs();
        self.best != before
    }

    /// When the plan fails with the signature, in microseconds.
    fn fails(&mut self, plan: &Plan) -> Option<u64> {
        self.runs += 1;
        let verdict = judge(plan, Judge { until: Some(self.signature), ..Judge::default() });
        verdict.violations.iter().find(|violation| self.signature.is(violation)).map(|violation| violation.at)
    }

    /// Whether the candidate fails the same way, with its own draws or others. Then it is the best from now on.
    fn take(&mut self, candidate: Plan) -> bool {
        if candidate == self.best {
            return false;
        }
        for roll in 0..=self.rerolls {
            if self.over || self.runs >= self.runs_max {
                self.over = true;
                return false;
            }
            let seed = if roll == 0 {
                candidate.seed
            } else {
                Random::new(candidate.seed).word(Domain::Choice, &[0x5e, roll]) >> 32
            };
            let rolled = Plan { seed, ..candidate.clone() };
            let Some(at) = self.fails(&rolled) else { continue };
            if self.patience {
                let calm = Plan { faults: Vec::new(), ..rolled.clone() };
                if !rolled.faults.is_empty() && self.fails(&calm).is_some() {
                    return false;
                }
            }
            self.at = at;
            self.best = rolled;
            self.over = !(self.tell)(&self.best, self.runs);
            return true;
        }
        false
    }

    /// Whether the violation says that something did not come about in time.
    const fn patient(&self) -> bool {
        is_of_patience(self.signature.invariant)
    }

    /// Tries the best plan with something changed.
    fn try_with(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        self.take(candidate)
    }
}

#[cfg(test)]
mod tests;
