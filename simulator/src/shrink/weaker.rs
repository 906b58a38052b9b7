//! Faults that are replaced by weaker ones: of a weaker kind, or with smaller numbers in them.

use super::Shrinker;
use crate::plan::trouble::{self, Aim, Given, Trouble};
use crate::plan::{Fault, Target};
use crate::world::random::Random;
use serde_json::Value;

/// Kinds that hit a machine, the weakest first. What is not named here is only given smaller numbers.
const OF_A_MACHINE: [&str; 8] = [
    "workload-sick",
    "workload-dies",
    "agent-pause",
    "agent-crash",
    "clog",
    "partition",
    "machine-crash",
    "machine-wiped",
];
/// Kinds that hit the world, the weakest first.
const OF_THE_WORLD: [&str; 6] = ["slow", "disk-stall", "duplicate", "loss", "sync-fails", "control-crash"];

impl Shrinker<'_> {
    /// Replaces faults by weaker ones.
    pub(super) fn weaken(&mut self) {
        for index in 0..self.best.faults.len() {
            for weaker in weaker_kinds(&self.best.faults[index], self.best.seed) {
                if self.try_with(|plan| plan.faults[index].trouble = weaker) {
                    break;
                }
            }
            while let Some(smaller) = halved(&self.best.faults[index].trouble) {
                if !self.try_with(|plan| plan.faults[index].trouble = smaller) {
                    break;
                }
            }
        }
    }
}

/// What a fault's trouble may be instead, the weakest first.
fn weaker_kinds(fault: &Fault, seed: u64) -> Vec<Trouble> {
    let names: &[&str] = match fault.target {
        Target::World => &OF_THE_WORLD,
        _ => &OF_A_MACHINE,
    };
    let name = fault.trouble.name();
    if !names.contains(&name) {
        return Vec::new();
    }
    let random = Random::new(seed);
    let (key, lasts) = ([0x3a, fault.id], fault.lasts);
    let given = Given { per_mille: 1_000, extra_us: lasts.min(2_000_000), lasts, choice: 0, random, key };
    let kinds = names.iter().take_while(|weaker| **weaker != name).filter_map(|weaker| trouble::kind(weaker));
    let fits = |aim: Aim| aim == Aim::Either || (aim == Aim::World) == (fault.target == Target::World);
    kinds.filter(|kind| fits(kind.aim)).map(|kind| (kind.make)(&given)).collect()
}

/// The same trouble with every number in it half as large; nothing when none can be.
fn halved(trouble: &Trouble) -> Option<Trouble> {
    let mut value = serde_json::to_value(trouble).ok()?;
    halve(&mut value);
    let smaller = serde_json::from_value(value).ok()?;
    (smaller != *trouble).then_some(smaller)
}

fn halve(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(large) = number.as_u64() {
                *number = (large / 2).into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(halve),
        Value::Object(fields) => fields.values_mut().for_each(halve),
        _ => {}
    }
}
