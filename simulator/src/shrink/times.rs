//! When things are, and how long they last: shorter, rounder, and nothing after the violation.

use super::Shrinker;
use crate::plan::{Plan, When};
use std::collections::BTreeSet;

/// Lengths for people, in microseconds.
const LENGTHS: [u64; 12] =
    [0, 1_000, 10_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000];
/// Moments are multiples of one of these, in microseconds.
const ROUND: [u64; 5] = [5_000_000, 1_000_000, 100_000, 10_000, 1_000];
/// So much time is left after the violation, in microseconds.
const AFTER_US: u64 = 1;

impl Shrinker<'_> {
    /// Ends the plan right after its violation; or, where the violation is that something did not come about in time,
    /// heals earlier and leaves all of the time there is after that.
    pub(super) fn cut_tail(&mut self) {
        if !self.patience {
            let at = self.at;
            self.try_with(|plan| {
                plan.end_at = plan.end_at.min(at + AFTER_US);
                plan.settled_at = plan.settled_at.min(plan.end_at);
                plan.heal_at = plan.heal_at.min(plan.end_at);
                plan.quiet_for = plan.quiet_for.min(plan.end_at - plan.settled_at);
                let (heal, end) = (plan.heal_at, plan.end_at);
                plan.faults.retain(|fault| fault.when.earliest() < heal);
                plan.operations.retain(|operation| operation.at <= end);
                plan.rekeys.retain(|rekey| rekey.at <= end);
            });
            return;
        }
        let last = self.last_moment();
        for round in ROUND {
            let heal = last.next_multiple_of(round);
            if self.best.heal_at > heal && self.try_with(|plan| heal_at(plan, heal)) {
                break;
            }
        }
    }

    /// The last moment at which something that was planned begins or is over.
    fn last_moment(&self) -> u64 {
        let faults = self.best.faults.iter().map(|fault| fault.when.earliest().saturating_add(fault.lasts));
        let operations = self.best.operations.iter().map(|operation| operation.at);
        faults.chain(operations).max().unwrap_or_default().min(self.best.heal_at)
    }

    /// Makes faults shorter, and times earlier and rounder.
    pub(super) fn shorten(&mut self) {
        for index in 0..self.best.faults.len() {
            let lasts = self.best.faults[index].lasts;
            for length in LENGTHS.into_iter().filter(|length| *length < lasts) {
                if self.try_with(|plan| plan.faults[index].lasts = length) {
                    break;
                }
            }
            self.round_fault(index);
        }
        for index in 0..self.best.operations.len() {
            let at = self.best.operations[index].at;
            for moment in rounder(at) {
                if self.try_with(|plan| plan.operations[index].at = moment) {
                    break;
                }
            }
        }
    }

    /// Brings what is planned nearer to what is planned before it, and all that comes later with it.
    pub(super) fn close_gaps(&mut self) {
        let mut before = 0;
        while let Some(moment) = moments(&self.best).find(|moment| *moment > before) {
            let mut kept = moment;
            for length in LENGTHS.into_iter().filter(|length| before + length < moment) {
                if self.try_with(|plan| bring_forward(plan, moment, moment - before - length)) {
                    kept = before + length;
                    break;
                }
            }
            before = kept;
        }
    }

    fn round_fault(&mut self, index: usize) {
        match &self.best.faults[index].when {
            When::At(at) => {
                for moment in rounder(*at) {
                    if self.try_with(|plan| plan.faults[index].when = When::At(moment)) {
                        break;
                    }
                }
            }
            When::On(trigger) => {
                let after = trigger.after;
                for length in LENGTHS.into_iter().filter(|length| *length < after) {
                    let earlier = |plan: &mut Plan| {
                        if let When::On(trigger) = &mut plan.faults[index].when {
                            trigger.after = length;
                        }
                    };
                    if self.try_with(earlier) {
                        break;
                    }
                }
            }
        }
    }
}

/// Rounder moments than this, the roundest first, each before it or after it.
fn rounder(at: u64) -> impl Iterator<Item = u64> {
    let is_rounder = move |round: &u64| !at.is_multiple_of(*round);
    ROUND.into_iter().take_while(is_rounder).flat_map(move |round| [at / round * round, at.next_multiple_of(round)])
}

/// The moments for which something is planned, in order.
fn moments(plan: &Plan) -> impl Iterator<Item = u64> + use<> {
    let faults = plan.faults.iter().filter_map(|fault| match &fault.when {
        When::At(at) => Some(*at),
        When::On(_) => None,
    });
    let moments: BTreeSet<u64> = faults.chain(plan.operations.iter().map(|operation| operation.at)).collect();
    moments.into_iter()
}

/// All that is planned for a moment or later comes earlier by so much.
fn bring_forward(plan: &mut Plan, moment: u64, by: u64) {
    let earlier = |at: &mut u64| {
        if *at >= moment {
            *at -= by;
        }
    };
    for fault in &mut plan.faults {
        if let When::At(at) = &mut fault.when {
            earlier(at);
        }
    }
    plan.operations.iter_mut().for_each(|operation| earlier(&mut operation.at));
    plan.rekeys.iter_mut().for_each(|rekey| earlier(&mut rekey.at));
    [&mut plan.heal_at, &mut plan.settled_at, &mut plan.end_at].into_iter().for_each(earlier);
}

/// Heals at another moment; what is to come after that comes as long after it as before.
fn heal_at(plan: &mut Plan, heal: u64) {
    let earlier = plan.heal_at - heal;
    plan.heal_at = heal;
    plan.settled_at = plan.settled_at.saturating_sub(earlier);
    plan.end_at = plan.end_at.saturating_sub(earlier);
}
