//! What an agent knows of one instance on its machine.

use super::{Found, Verdict};
use messages::agent::{Assignment, Ended, Observation};
use messages::reason::Reason;
use messages::time::{Span, Timestamp};

/// How long after its grace an instance that still has not ended is stopped again.
pub(super) const STOP_AGAIN_AFTER: Span = Span::seconds(5);

/// An instance of which there is something on the machine.
#[derive(Clone, Debug)]
pub(super) struct Local {
    pub(super) exclusive: bool,
    pub(super) stop_grace: Span,
    /// `None` while it starts.
    pub(super) observation: Option<Observation>,
    pub(super) stopping: Option<Stopping>,
    /// Whether the node actor may not have heard the observation yet.
    pub(super) unheard: bool,
    /// What its health check said before its start was heard of.
    early: Option<Verdict>,
}

/// An instance that was told to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    pub(super) reason: Reason,
    pub(super) again_at: Timestamp,
    pub(super) killed: bool,
}

impl Local {
    /// It is about to be started.
    pub(super) fn starting(assignment: &Assignment) -> Self {
        Self {
            exclusive: assignment.exclusive,
            stop_grace: assignment.workload.stop_grace,
            observation: None,
            stopping: None,
            unheard: false,
            early: None,
        }
    }

    /// There was nothing, and there will never be.
    pub(super) fn never(assignment: &Assignment) -> Self {
        let ended = Ended::new(Reason::Stopped, "it was stopped before it was started");
        Self { observation: Some(Observation::Ended(ended)), unheard: true, ..Self::starting(assignment) }
    }

    /// It was there when the agent started.
    pub(super) fn found(found: Found) -> Self {
        Self {
            exclusive: found.exclusive,
            stop_grace: found.stop_grace,
            observation: Some(found.observation),
            stopping: None,
            unheard: true,
            early: None,
        }
    }

    /// Whether it starts or runs.
    pub(super) const fn live(&self) -> bool {
        !matches!(self.observation, Some(Observation::Ended(_)))
    }

    /// Notes what is seen. The end is final.
    pub(super) fn see(&mut self, observation: Observation) {
        if self.live() && self.observation.as_ref() != Some(&observation) {
            self.observation = Some(observation);
            self.unheard = true;
        }
    }

    /// Notes the end. Whoever asked for it knows the reason better than the exit code does.
    pub(super) fn end(&mut self, mut ended: Ended) {
        if let Some(stopping) = &self.stopping {
            ended.reason = stopping.reason;
        }
        self.see(Observation::Ended(ended));
    }

    /// It runs. A verdict may have come before.
    pub(super) fn started(&mut self, ports: Vec<(String, u16)>, pid: u32) {
        if self.observation.is_none() {
            self.see(Observation::Running { ports, pid });
            if let Some(verdict) = self.early.take() {
                self.judged(verdict);
            }
        }
    }

    /// Its check passed or failed; without a check it is healthy once it runs.
    pub(super) fn judged(&mut self, verdict: Verdict) {
        match (self.process(), verdict) {
            (Some((ports, pid)), Verdict::Healthy) => self.see(Observation::Healthy { ports, pid }),
            (Some((ports, pid)), Verdict::Unhealthy(evidence)) => {
                self.see(Observation::Unhealthy { ports, pid, evidence });
            }
            (None, _) if crate::mutant!(EarlyVerdictDropped) => {}
            (None, verdict) => self.early = Some(verdict),
        }
    }

    fn process(&self) -> Option<(Vec<(String, u16)>, u32)> {
        match self.observation.as_ref()? {
            Observation::Running { ports, pid }
            | Observation::Healthy { ports, pid }
            | Observation::Unhealthy { ports, pid, .. } => Some((ports.clone(), *pid)),
            Observation::Ended(_) => None,
        }
    }

    /// Asks it to stop, and returns with which grace. Nothing when it was asked already.
    pub(super) fn stop(&mut self, now: Timestamp) -> Option<Span> {
        if !self.live() || self.stopping.is_some() {
            return None;
        }
        let again_at = now.after(self.stop_grace).after(STOP_AGAIN_AFTER);
        self.stopping = Some(Stopping { reason: Reason::Stopped, again_at, killed: false });
        Some(if crate::mutant!(StopWithoutGrace) { Span::default() } else { self.stop_grace })
    }

    /// Kills it: the lease is over. Returns whether that has to be said.
    pub(super) fn kill(&mut self, now: Timestamp) -> bool {
        if !self.live() || self.stopping.is_some_and(|stopping| stopping.killed) {
            return false;
        }
        let reason = self.stopping.map_or(Reason::LeaseExpired, |stopping| stopping.reason);
        self.stopping = Some(Stopping { reason, again_at: now.after(STOP_AGAIN_AFTER), killed: true });
        true
    }

    /// Whether it should have ended by now, and when to look again.
    pub(super) fn overdue(&mut self, now: Timestamp) -> bool {
        let live = self.live();
        match &mut self.stopping {
            Some(stopping) if live && stopping.again_at <= now => {
                stopping.again_at = now.after(STOP_AGAIN_AFTER);
                stopping.killed = true;
                true
            }
            _ => false,
        }
    }

    /// When [`Local::overdue`] is next true.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.stopping.filter(|_| self.live()).map(|stopping| stopping.again_at)
    }
}
