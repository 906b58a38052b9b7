//! Machines with the same name: a cloned disk that is booted beside the one it was cloned from.

use super::{Event, World};
use crate::machine::{Machine, MachineEvent};
use crate::plan::trouble::machine::Machine as Trouble;
use std::sync::Arc;

impl World {
    /// A copy of each machine appears beside it. Both hear what is said to the node.
    pub(super) fn add_twins(&mut self, machines: &[usize]) {
        let plan = Arc::clone(&self.cx.plan);
        for machine in machines {
            let Some(described) = plan.machines.get(*machine) else { continue };
            let (index, node) = (self.machines.len(), self.machines[*machine].node());
            self.machines.push(Machine::twin(index, described));
            self.by_node.entry(node).or_default().push(index);
            self.cx.queue.after(0, Event::Machine(index, MachineEvent::Boot));
        }
    }

    /// The copies are switched off, and an operator restarts what they were copies of.
    pub(super) fn remove_twins(&mut self, machines: &[usize]) {
        for machine in machines {
            let node = self.machines[*machine].node();
            let here = self.by_node.entry(node).or_default();
            if let Some(twin) = here.pop_if(|index| *index != *machine) {
                if self.machines[twin].speaks() {
                    self.cx.bite(Trouble::Twin.name());
                }
                self.machines[twin].lose_power(&mut self.cx);
            }
            self.machines[*machine].restart(&mut self.cx);
        }
    }
}
