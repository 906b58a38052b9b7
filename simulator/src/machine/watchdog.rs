//! The lease as the machine keeps it, and the watchdog that holds to it without the agent.

use super::{Machine, MachineEvent};
use crate::world::Event;
use crate::world::context::Context;
use messages::agent::Ended;
use messages::id::InstanceId;
use messages::reason::Reason;
use messages::time::Timestamp;

impl Machine {
    /// The lease holds until then.
    pub(super) fn renew(&mut self, until: Timestamp, cx: &mut Context) {
        self.lease_until = Some(until);
        self.arm_watchdog(cx);
    }

    /// Has the watchdog look at the end of the lease, while the lease holds and something exclusive is there.
    pub(super) fn arm_watchdog(&mut self, cx: &mut Context) {
        let Some(until) = self.lease_until.filter(|until| *until > self.shows(cx.now())) else { return };
        let at = self.when(until).saturating_add(self.watchdog_lags());
        if at < self.watchdog_at && self.processes.values().any(|process| process.assignment.exclusive) {
            self.watchdog_at = at;
            cx.queue.at(at, Event::Machine(self.index, MachineEvent::Watchdog(self.boots)));
        }
    }

    /// The lease may be over: what is exclusive is killed, whatever the agent does.
    pub(super) fn watch(&mut self, cx: &mut Context) {
        self.watchdog_at = u64::MAX;
        let Some(until) = self.lease_until else { return };
        if until > self.shows(cx.now()) {
            return self.arm_watchdog(cx);
        }
        let doomed = self.processes.iter().filter(|(_, process)| process.assignment.exclusive && process.runs());
        let doomed: Vec<InstanceId> = doomed.map(|(instance, _)| *instance).collect();
        if !doomed.is_empty() {
            self.watchdog_bites(until, cx);
        }
        for instance in doomed {
            if !self.cannot_be_killed(instance, cx) {
                cx.mark("watchdog-killed");
                self.end(instance, Ended::new(Reason::LeaseExpired, "the watchdog killed it"), cx);
            }
        }
    }
}
