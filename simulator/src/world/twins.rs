//! Machines with the same name: a cloned disk that is booted beside the one it was cloned from, and the late voice of a
//! boot that is over.

use super::context::Context;
use super::{Event, World};
use crate::machine::{Machine, MachineEvent};
use crate::plan::trouble::machine::Machine as Trouble;
use messages::envelope::{Address, Body, Envelope};
use messages::id::NodeId;
use messages::node::Message;
use std::collections::BTreeMap;
use std::sync::Arc;

/// After a node took a boot that is over for the present one, the agent has said hello again and stopped what it should
/// not run, in microseconds.
const CORRECTED_AFTER_US: u64 = 8_000_000;

/// A hello comes of a boot that is over and was never welcomed. Boots have no order, so the node takes it for a new one,
/// and what runs for gone, until the agent says hello again: meanwhile nothing can be promised.
pub(super) fn excuse_former_boot(
    envelope: &Envelope,
    machines: &[Machine],
    by_node: &BTreeMap<NodeId, Vec<usize>>,
    cx: &mut Context,
) {
    let (Address::Agent(node), Body::Node(Message::Hello { boot, .. })) = (envelope.from, &envelope.body) else {
        return;
    };
    let here = by_node.get(&node).map_or(&[][..], Vec::as_slice);
    if here.iter().any(|index| machines[*index].boot_id(cx) == *boot) {
        return;
    }
    let known = cx.oracle.fold().nodes().find(|(actor, _)| actor.id == node.0);
    if known.is_some_and(|(_, known)| !known.knows_boot(*boot)) {
        cx.mark("hello-of-a-boot-never-welcomed");
        for index in here {
            cx.oracle.excuse(*index, cx.queue.now() + CORRECTED_AFTER_US);
        }
    }
}

impl World {
    /// A copy of each machine appears beside it. Both hear what is said to the node.
    pub(super) fn add_twins(&mut self, machines: &[usize], until: u64) {
        let plan = Arc::clone(&self.cx.plan);
        for machine in machines {
            let Some(described) = plan.machines.get(*machine) else { continue };
            let (index, node) = (self.machines.len(), self.machines[*machine].node());
            self.machines.push(Machine::twin(index, described));
            self.by_node.entry(node).or_default().push(index);
            self.cx.oracle.excuse(*machine, until);
            self.cx.oracle.excuse(index, until);
            self.cx.queue.after(0, Event::Machine(index, MachineEvent::Boot));
        }
    }

    /// The copies are switched off, and an operator restarts what they were copies of.
    pub(super) fn remove_twins(&mut self, machines: &[usize]) {
        for machine in machines {
            let node = self.machines[*machine].node();
            let here = self.by_node.entry(node).or_default();
            if let Some(twin) = here.pop_if(|index| *index != *machine) {
                if self.machines[twin].joined() {
                    self.cx.bite(Trouble::Twin.name());
                }
                self.machines[twin].lose_power(&mut self.cx);
            }
            self.machines[*machine].restart(&mut self.cx);
        }
    }
}
