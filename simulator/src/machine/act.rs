//! What the agent wants done, and how the machine does it.

use super::Machine;
use crate::process::{Process, Stops};
use crate::world::context::Context;
use crate::world::random::key_of_message;
use crate::world::tape::What;
use actors::agent::Output;
use messages::agent::Assignment;
use messages::envelope::{Address, Body, Principal};
use messages::id::{ActorId, InstanceId};
use messages::time::Span;

impl Machine {
    /// Does what the agent wants done, and arranges its next tick.
    pub(super) fn act(&mut self, cx: &mut Context) {
        while let Some(output) = self.agent.as_mut().and_then(|agent| agent.reconciler.poll()) {
            match output {
                Output::Say(message) => {
                    let (from, to) = (Address::Agent(self.node), Address::Actor(ActorId::from(self.node)));
                    let principal = Principal::node(&self.spec.name);
                    let envelope = cx.envelope(from, to, principal, Body::Node(message));
                    if !self.loses(key_of_message(envelope.id), cx) {
                        cx.send(envelope, 0);
                    }
                }
                Output::Beat(beat) => {
                    if !self.loses(beat.sent_at.0, cx) {
                        cx.send_beat(self.index, self.node, beat);
                    }
                }
                Output::Start(assignment) => self.start(assignment, cx),
                Output::Stop { instance, grace } => self.stop(instance, grace, cx),
                Output::Forget(instance) => {
                    if self.processes.remove(&instance).is_some_and(|process| process.runs()) {
                        cx.oracle.ended(self.index, instance);
                    }
                }
                Output::RenewLease { until } => {
                    self.check_lease(until, cx);
                    self.granted_until = Some(until);
                    self.granted_in = self.epoch();
                    if !self.keeps_no_records(cx) {
                        self.renew(until, cx);
                    }
                }
            }
        }
        self.arrange_tick(cx);
    }

    fn start(&mut self, assignment: Assignment, cx: &mut Context) {
        let instance = assignment.instance;
        cx.note(&self.spec.name, || format!("starts {} ({instance})", assignment.label));
        cx.tape(|| What::started(self.index, &assignment));
        cx.statistics.starts += 1;
        if self.processes.get(&instance).is_some_and(Process::runs) {
            cx.oracle.ended(self.index, instance);
        }
        let process = match self.fails_to_start(cx) {
            Some(because) => Process::failed(assignment, because),
            None => Process::new(assignment),
        };
        if process.runs() {
            for (invariant, signature, message) in cx.oracle.started(self.index, &process.assignment, cx.now()) {
                cx.violate(invariant, signature, message);
            }
            for mark in cx.oracle.take_marks() {
                cx.mark(mark);
            }
            self.check_leased(&process, cx);
        }
        let tempo = self.tempo(true, cx);
        process.arrange_start(self.index, self.boots, tempo, cx);
        self.processes.insert(instance, process);
        self.arm_watchdog(cx);
    }

    fn stop(&mut self, instance: InstanceId, grace: Span, cx: &mut Context) {
        if let Some(process) = self.processes.get(&instance) {
            self.check_grace(process, grace, cx);
        }
        if let Some(process) = self.processes.get_mut(&instance) {
            process.told_to_stop();
        }
        if self.cannot_be_killed(instance, cx) {
            return;
        }
        let (stops, tempo) = (self.stops(grace, cx), self.tempo(false, cx));
        let Some(process) = self.processes.get(&instance) else { return };
        let stops = if process.assignment.workload.stop_grace.0 == 0 { Stops::Normally } else { stops };
        process.arrange_stop(grace, stops, self.index, self.boots, tempo, cx);
    }
}
