//! What a plan in a file may not say: what no world could be made of.

use super::Repro;
use super::json::Step;
use crate::plan::Plan;
use std::collections::BTreeSet;

/// No plan is longer than this, in microseconds: a hundred years.
const TIME_MAX: u64 = 100 * 366 * 24 * 3_600 * 1_000_000;
/// A clock that is off by more than this, in millionths, is no clock.
const DRIFT_MAX: u64 = 500_000;

/// Where it is, and what is wrong there.
type Found = (Vec<Step<'static>>, String);

const fn field(name: &'static str) -> Step<'static> {
    Step::Field(name)
}

/// The first thing of which no world can be made.
pub(super) fn senseless(repro: &Repro) -> Option<Found> {
    let found = times(&repro.plan)
        .or_else(|| machines(&repro.plan))
        .or_else(|| operations(&repro.plan))
        .or_else(|| faults(&repro.plan));
    found.map(|(mut path, message)| {
        path.insert(0, field("plan"));
        (path, message)
    })
}

fn times(plan: &Plan) -> Option<Found> {
    let order = [("heal_at", plan.heal_at), ("settled_at", plan.settled_at), ("end_at", plan.end_at)];
    for pair in order.windows(2) {
        let [(before, early), (after, late)] = pair else { continue };
        if late < early {
            return Some((vec![field(after)], format!("{after} is {late}, before {before}, which is {early}")));
        }
    }
    if plan.end_at > TIME_MAX {
        return Some((vec![field("end_at")], format!("end_at is {}; expected at most {TIME_MAX}", plan.end_at)));
    }
    let pace = &plan.pace;
    let ranges = [
        ("inside_us", pace.inside_us),
        ("network_us", pace.network_us),
        ("sync_us", pace.sync_us),
        ("proxy_us", pace.proxy_us),
    ];
    let wrong = ranges.into_iter().find(|(_, (low, high))| low > high || *high > TIME_MAX);
    wrong.map(|(name, (low, high))| {
        let message = format!("{name} is from {low} to {high}; expected a shortest and then a longest time");
        (vec![field("pace"), field(name)], message)
    })
}

fn machines(plan: &Plan) -> Option<Found> {
    let mut names = BTreeSet::new();
    for (index, machine) in plan.machines.iter().enumerate() {
        let at = |rest: &[&'static str]| {
            let steps = [field("machines"), Step::Element(index)];
            steps.into_iter().chain(rest.iter().map(|name| field(name))).collect()
        };
        if !names.insert(&machine.spec.name) {
            return Some((at(&["spec", "name"]), format!("there are two machines {:?}", machine.spec.name)));
        }
        if machine.joins_at > TIME_MAX {
            return Some((at(&["joins_at"]), format!("a machine joins after {TIME_MAX}us")));
        }
        if machine.clock.drift_ppm.unsigned_abs() > DRIFT_MAX {
            let message =
                format!("a clock is off by {} millionths; expected at most {DRIFT_MAX}", machine.clock.drift_ppm);
            return Some((at(&["clock", "drift_ppm"]), message));
        }
    }
    let count = plan.machines.len();
    if let Some(index) = plan.core.iter().position(|machine| *machine >= count) {
        let message = format!("there is no machine {}; the plan has {count}, counted from 0", plan.core[index]);
        return Some((vec![field("core"), Step::Element(index)], message));
    }
    let drift = plan.clock.drift_ppm;
    (drift.unsigned_abs() > DRIFT_MAX).then(|| {
        let message = format!("the clock is off by {drift} millionths; expected at most {DRIFT_MAX}");
        (vec![field("clock"), field("drift_ppm")], message)
    })
}

fn operations(plan: &Plan) -> Option<Found> {
    let (index, operation) = plan.operations.iter().enumerate().find(|(_, operation)| operation.at > plan.end_at)?;
    let message = format!("a command is given at {}, after the end at {}", operation.at, plan.end_at);
    Some((vec![field("operations"), Step::Element(index), field("at")], message))
}

fn faults(plan: &Plan) -> Option<Found> {
    for (index, fault) in plan.faults.iter().enumerate() {
        let at = |name: &'static str| vec![field("faults"), Step::Element(index), field(name)];
        let begins = fault.when.earliest();
        if begins > plan.heal_at {
            let message = format!("a fault begins at {begins}, after everything is healed at {}", plan.heal_at);
            return Some((at("when"), message));
        }
        if fault.lasts > TIME_MAX {
            return Some((at("lasts"), format!("a fault lasts {}; expected at most {TIME_MAX}", fault.lasts)));
        }
        if let Some(message) = fault.target.missing_in(plan) {
            return Some((at("target"), message));
        }
    }
    None
}
