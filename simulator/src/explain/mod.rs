//! Explaining: of all that happened in a run, only what led to its violation, as a sequence of who said what to whom.

mod names;
mod slice;
mod svg;
mod text;
mod turning;

pub use names::Names;
pub(crate) use svg::escaped;
pub use svg::svg;
pub use text::text;
pub use turning::{Odds, turning_point};

use crate::plan::Plan;
use crate::repro::Signature;
use crate::verdict::Violation;
use crate::world::World;
use crate::world::tape::{Record, What, names_of};
use messages::envelope::Address;
use messages::id::ActorId;
use serde::Serialize;
use std::sync::Arc;

/// What led to a violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Story {
    /// What was violated.
    pub violation: Violation,
    /// Who takes part, in the order in which they come in.
    pub columns: Vec<String>,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// What went wrong meanwhile.
    pub bands: Vec<Band>,
    /// How much happened in all, of which this is the part that matters.
    pub records: usize,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When, in microseconds.
    pub at: u64,
    /// To whom: a column.
    pub column: usize,
    /// What.
    pub kind: StepKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Somebody said something to the column.
    Said {
        /// Who: a column.
        from: usize,
        /// What.
        name: String,
        /// When it arrived; never, when it was lost.
        arrived: Option<u64>,
    },
    /// Somebody did something.
    Did {
        /// What.
        what: String,
    },
    /// This is it.
    Violated {
        /// What was violated.
        what: String,
    },
}

/// Something that went wrong for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Band {
    /// What.
    pub name: String,
    /// From when, in microseconds.
    pub from: u64,
    /// Until when, in microseconds.
    pub to: u64,
    /// Whom it touched: columns; all of them, when there are none.
    pub columns: Vec<usize>,
}

/// What led to the violation with this signature; nothing, when the plan does not fail so.
pub fn explain(plan: &Plan, signature: &Signature) -> Option<Story> {
    let mut world = World::new(Arc::new(plan.clone()));
    world.record();
    let fails = |world: &World| world.violations().iter().any(|violation| signature.is(violation));
    while !fails(&world) && world.step() {}
    if !fails(&world) {
        world.conclude();
    }
    let names = Names::of(&world);
    let records = world.records();
    let is_it = |record: &Record| matches!(&record.what, What::Violated(violation) if signature.is(violation));
    let violated = records.iter().position(is_it)?;
    let kept = slice::slice(records, violated, &names);
    let What::Violated(violation) = &records[violated].what else { return None };
    let mut story = Story {
        violation: violation.clone(),
        columns: Vec::new(),
        steps: Vec::new(),
        bands: Vec::new(),
        records: records.len(),
    };
    for index in &kept {
        story.tell(records, *index, &names);
    }
    story.bands(records, plan, &names);
    Some(story)
}

impl Story {
    /// The column of this name; a new one, if there is none.
    fn column(&mut self, name: String) -> usize {
        self.columns.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.columns.push(name);
            self.columns.len() - 1
        })
    }

    /// Adds what a record says, if it is not part of what another says.
    fn tell(&mut self, records: &[Record], index: usize, names: &Names) {
        let Record { at, cause, what } = &records[index];
        let (who, kind) = match what {
            What::Sent { from, to, name, arrives, .. } => {
                let from = self.column(names.address(*from));
                let arrived = arrives.iter().flatten().min().copied();
                (names.address(*to), StepKind::Said { from, name: name.clone(), arrived })
            }
            What::Arrived { .. } | What::Begins { .. } | What::Ends(_) => return,
            What::Committed(entry) => {
                let (heard, recorded) = names_of(entry);
                let recorded = if recorded.is_empty() { "nothing".to_owned() } else { recorded.join(", ") };
                let recorded = match &entry.head().refusal {
                    Some(refusal) => format!("refuses: {}", refusal.reason),
                    None => recorded,
                };
                (names.actor(entry.head().actor), StepKind::Did { what: format!("{heard}: {recorded}") })
            }
            What::Machine { machine, what, .. } => (names.machine(*machine), StepKind::Did { what: what.clone() }),
            What::Started { machine, label, .. } => {
                (names.machine(*machine), StepKind::Did { what: format!("starts {label}") })
            }
            What::Ended { machine, label, why, .. } => {
                (names.machine(*machine), StepKind::Did { what: format!("{label} ended: {why}") })
            }
            What::Control(what) => (names.control(), StepKind::Did { what: what.clone() }),
            What::Answered { client, action, done } => {
                let what = format!("{action} {}", if *done { "done" } else { "refused" });
                (format!("client {client}"), StepKind::Did { what })
            }
            What::Violated(violation) => {
                let who = cause.and_then(|cause| names.who(&records[cause].what));
                let what = format!("{}: {}", violation.signature, violation.message);
                (who.unwrap_or_else(|| "world".into()), StepKind::Violated { what: names.said(&what) })
            }
        };
        let column = self.column(who);
        self.steps.push(Step { at: *at, column, kind });
    }

    /// Adds what went wrong before the violation.
    fn bands(&mut self, records: &[Record], plan: &Plan, names: &Names) {
        let end = self.violation.at;
        for record in records {
            let What::Begins { fault, machines } = &record.what else { continue };
            let over = records.iter().find(|other| matches!(other.what, What::Ends(ended) if ended == *fault));
            let to = over.map_or(end, |over| over.at.min(end));
            let trouble = plan.faults.get(*fault).map_or("", |fault| fault.trouble.name());
            let touched: Vec<String> = machines.iter().map(|machine| names.machine(*machine)).collect();
            let columns: Vec<usize> =
                touched.iter().filter_map(|name| self.columns.iter().position(|known| known == name)).collect();
            let of = if touched.is_empty() { String::new() } else { format!(" of {}", touched.join(", ")) };
            if record.at <= end {
                self.bands.push(Band { name: format!("{trouble}{of}"), from: record.at, to, columns });
            }
        }
    }
}

/// Where something happens, for those who ask who.
pub(crate) fn address_of(what: &What) -> Option<Address> {
    match what {
        What::Committed(entry) => Some(Address::Actor(entry.head().actor)),
        What::Sent { from, .. } => Some(*from),
        What::Arrived { to, .. } => Some(*to),
        _ => None,
    }
}

/// The actor whose entry this is, if it is one.
pub fn actor_of(record: &Record) -> Option<ActorId> {
    match address_of(&record.what) {
        Some(Address::Actor(actor)) => Some(actor),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
