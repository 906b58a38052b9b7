//! What is done to a planned world: what was recorded, and what a change or a blast adds to it.

use super::{Deed, Event, Planner};
use crate::history::outside::{Command, Happening};
use crate::world::random::{Domain, key_of_uuid};
use actors::cast::AnyCell;
use actors::planner::hands::{Machine, Process, Wish};
use messages::agent::Observation;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId, JobId, NodeId, PolicyId};
use messages::node::{self, LeaseTerms, NodeSpec};
use messages::policy;
use messages::time::Timestamp;
use uuid::Uuid;

impl Planner {
    pub(super) fn do_deed(&mut self, deed: Deed) {
        match deed {
            Deed::Happens(Happening::Command(command)) => self.command(command),
            Deed::Happens(Happening::Silent(node)) | Deed::Cut(node) => self.cut(node),
            Deed::Happens(Happening::Hello { spec, boot }) => self.appear(spec, Some(boot)),
            Deed::Become(spec) => {
                self.changed.insert(NodeId::named(&spec.name), Some(spec.capacity.clone()));
                self.appear(spec, None);
            }
            Deed::Lose(node) | Deed::Remove(node) => {
                if matches!(deed, Deed::Remove(_)) {
                    self.changed.insert(node, None);
                }
                if let Some(machine) = self.machines.get_mut(&node) {
                    machine.lose_power();
                }
                self.cut(node);
            }
            Deed::Boot(node) => {
                let spec = self.machines.get(&node).map(|machine| machine.spec.clone());
                let boot = self.random.uuid(Domain::Plan, &[key_of_uuid(node.0), self.queue.now()]);
                spec.into_iter().for_each(|spec| self.appear(spec, Some(boot)));
            }
            Deed::Link(node) => {
                let spec = self.machines.get(&node).filter(|machine| machine.on).map(|machine| machine.spec.clone());
                spec.into_iter().for_each(|spec| self.appear(spec, None));
            }
            Deed::End(job, label, observation) => self.strike(job, &label, &observation),
            Deed::See(job, label, well) => {
                let (ports, pid) = (Vec::new(), 1);
                let evidence = "as the change says".into();
                let seen = if well {
                    Observation::Healthy { ports, pid }
                } else {
                    Observation::Unhealthy { ports, pid, evidence }
                };
                self.strike(job, &label, &seen);
            }
        }
    }

    /// Something is seen of whatever runs in a slot; what runs keeps its ports.
    fn strike(&mut self, job: JobId, label: &str, seen: &Observation) {
        let mine =
            |process: &&Process| process.assignment.job == job && process.assignment.label == label && process.runs();
        let found = self.machines.iter().find_map(|(node, machine)| {
            machine.processes().find(mine).map(|process| (*node, process.assignment.instance))
        });
        if let Some((node, instance)) = found {
            self.with(node, |machine, now, wishes| machine.see(instance, seen.clone(), now, wishes));
        }
    }

    fn command(&mut self, command: Command) {
        let Command { id, client, principal, realm, request } = command;
        self.tell(Envelope {
            id: MessageId::Outside(id),
            from: Address::Client(client),
            to: ActorId::from(PolicyId::of_realm(&realm)).into(),
            correlation: CorrelationId(id),
            principal,
            at: self.now(),
            body: Body::Policy(policy::Message::Submit { realm, request }),
        });
    }

    /// A machine cannot be heard any more. It is declared silent in time, and its lease ends.
    fn cut(&mut self, node: NodeId) {
        let Some(machine) = self.machines.get_mut(&node) else { return };
        if !machine.linked {
            return;
        }
        machine.linked = false;
        machine.cuts += 1;
        let (cuts, terms) = (machine.cuts, LeaseTerms::STANDARD);
        self.queue.after(terms.silent_after.0, Event::Declared(node, cuts));
        self.queue.after(terms.lease.0, Event::Leaseless(node, cuts));
    }

    pub(super) fn declare(&mut self, node: NodeId, cuts: u64) {
        let silent = self.machines.get(&node).is_some_and(|machine| machine.cuts == cuts && !machine.linked);
        let Some(AnyCell::Node(cell)) = self.turns.fold().cell(node).filter(|_| silent) else { return };
        let session = cell.state().session();
        let heard = Timestamp(self.now().0.saturating_sub(LeaseTerms::STANDARD.silent_after.0));
        let silent = Body::Node(node::Message::Silent { session, heard });
        self.say(Address::Host, node.into(), Principal::system(), silent);
    }

    /// A machine says hello: it is new, or back, or another than before.
    fn appear(&mut self, mut spec: NodeSpec, boot: Option<Uuid>) {
        let node = NodeId::named(&spec.name);
        match self.changed.get(&node) {
            Some(None) => return,
            Some(Some(capacity)) => spec.capacity.clone_from(capacity),
            None => {}
        }
        let fresh = self.random.uuid(Domain::Plan, &[key_of_uuid(node.0)]);
        let machine = self.machines.entry(node).or_insert_with(|| Machine::new(spec.clone(), boot.unwrap_or(fresh)));
        if let Some(boot) = boot.filter(|boot| *boot != machine.boot) {
            machine.lose_power();
            machine.boot = boot;
        }
        (machine.spec, machine.on, machine.linked) = (spec, true, true);
        machine.cuts += 1;
        self.with(node, |machine, now, wishes| wishes.push(Wish::Say(machine.hello(now))));
    }
}
