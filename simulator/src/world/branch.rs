//! What can be done with a world in the middle of its plan: look at it, and let it go on otherwise.

use super::{Event, World};
use crate::oracle::Runs;
use crate::plan::Plan;
use crate::verdict::{Statistics, Violation};
use crate::world::context::Context;
use crate::world::features::Features;
use crate::world::tape::{Record, Tape};
use actors::fold::Fold;
use std::sync::Arc;

impl World {
    /// The time in the world, in microseconds since it began.
    pub const fn now(&self) -> u64 {
        self.cx.now()
    }

    /// When the next thing happens, if anything does.
    pub fn next_at(&self) -> Option<u64> {
        self.cx.queue.next_at()
    }

    /// How many things have happened.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.cx.plan
    }

    /// What has been violated so far.
    pub fn violations(&self) -> &[Violation] {
        self.cx.oracle.violations()
    }

    /// What has been counted so far.
    pub const fn statistics(&self) -> Statistics {
        self.cx.statistics
    }

    /// Every actor, as what is durable made it.
    pub const fn fold(&self) -> &Fold {
        self.cx.oracle.fold()
    }

    /// What truly runs, machine by machine.
    pub fn truth(&self) -> Vec<Runs> {
        self.machines.iter().map(super::Machine::truth).collect()
    }

    /// What a machine is like, in words for people: its power, its agent, its lease and what runs.
    pub fn machine(&self, index: usize) -> Option<String> {
        self.machines.get(index).map(|machine| machine.described(self.cx.now()))
    }

    /// Writes down what happens, and what led to it, from now on.
    pub fn record(&mut self) {
        self.cx.tape = Some(Tape::default());
    }

    /// What was written down so far.
    pub fn records(&self) -> &[Record] {
        self.cx.tape.as_ref().map(Tape::records).unwrap_or_default()
    }

    /// Takes note of what is new about what happens, from now on.
    pub fn watch(&mut self, features: Features) {
        self.cx.features = Some(features);
    }

    /// What was new, and what is known by now.
    pub fn features(&mut self) -> Option<&mut Features> {
        self.cx.features.as_mut()
    }

    /// Goes on with a plan that differs in what is still to come: it has the faults of this one and more, and draws
    /// anew from its last moment of drawing anew on, which is now.
    pub fn branch(&mut self, plan: Arc<Plan>) {
        let known = self.cx.plan.faults.len();
        if let Some(rekey) = plan.rekeys.last() {
            self.cx.random = self.cx.random.rekeyed(rekey.seed);
        }
        self.cx.oracle.goes_on_with(&plan);
        self.control.goes_on_with(&plan);
        self.cx.plan = plan;
        Self::arrange_faults(&mut self.cx, known);
    }

    /// Draws are keyed anew from the moments that the plan names.
    pub(super) fn arrange_rekeys(cx: &mut Context) {
        for rekey in Arc::clone(&cx.plan).rekeys.iter() {
            cx.queue.at(rekey.at, Event::Rekey(rekey.seed));
        }
    }
}
