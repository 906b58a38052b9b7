//! What is checked of a machine: its agent heeds nothing of another boot, starts what is exclusive only while it has the
//! lease, which lasts no longer than the control plane waits, and gives what is to stop its grace.

use super::Machine;
use crate::process::Process;
use crate::verdict::Invariant;
use crate::world::context::Context;
use actors::agent::Input;
use messages::agent::Order;
use messages::time::{Span, Timestamp};

impl Machine {
    /// The agent is told an order. A welcome that answers a hello of another boot must not make it join.
    pub(super) fn heed(&mut self, order: Order, cx: &mut Context) {
        let joined = |machine: &Self| machine.agent.as_ref().map(|agent| agent.reconciler.session());
        let strange = match &order {
            Order::Welcome { epoch, session, boot, .. } if *boot != self.boot_id(cx) => Some((*epoch, *session)),
            _ => None,
        };
        let strange = strange.filter(|session| joined(self) != Some(*session));
        self.tell_agent(Input::Order(order), cx);
        if let Some(session) = strange.filter(|session| joined(self) == Some(*session)) {
            let message = format!("{} joins with {session:?}", self.spec.name);
            cx.violate(Invariant::Fenced, "an agent heeds the welcome of another boot", message);
        }
    }

    fn leased(&self, cx: &Context) -> bool {
        self.granted_until.is_some_and(|until| until > self.shows(cx.now()))
    }

    /// The lease is renewed until then. Where that is over by the time it is heard, the clock may have changed its rate
    /// since, and there is no telling when it was.
    pub(super) fn check_lease(&self, until: Timestamp, cx: &mut Context) {
        if until <= self.shows(cx.now()) {
            return;
        }
        if let Some(message) = cx.oracle.check_lease(self.index, self.node, self.when(until), cx.now()) {
            cx.violate(Invariant::Lease, "a lease outlasts what the control plane waits", message);
        }
    }

    /// What is exclusive is started only while the lease holds.
    pub(super) fn check_leased(&self, process: &Process, cx: &mut Context) {
        if process.assignment.exclusive && !self.leased(cx) {
            let message = process.assignment.label.clone();
            cx.violate(Invariant::Lease, "what is exclusive is started without a lease", message);
        }
    }

    /// The epoch that the agent has joined; 0 before it has.
    pub(super) fn epoch(&self) -> u64 {
        self.agent.as_ref().map_or(0, |agent| agent.reconciler.session().0)
    }

    /// What is told to stop for the first time gets its grace, unless the lease is over: because its time has come, or
    /// because the node was given up and let in again in another epoch, which a clock that was set can bring about sooner.
    pub(super) fn check_grace(&self, process: &Process, grace: Span, cx: &mut Context) {
        let own = process.assignment.workload.stop_grace;
        let given_up = self.granted_in != self.epoch();
        let doomed = process.assignment.exclusive && (given_up || !self.leased(cx));
        if grace < own && !doomed && !process.is_told_to_stop() {
            let message = format!("{} gets {grace} of {own}", process.assignment.label);
            cx.violate(Invariant::Grace, "an instance is stopped without its grace", message);
        }
    }
}
