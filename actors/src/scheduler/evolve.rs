//! How the scheduler's state follows from its events.

use super::nodes::{RefusedBy, Reservation};
use super::{RESERVATION, REVISIONS_MAX, Rules, Scheduler, Waiting};
use messages::id::{InstanceId, JobId, NodeId};
use messages::node::NodeView;
use messages::reason::Reason;
use messages::scheduler::{Ask, Event, Unplaceable};
use messages::time::{Span, Timestamp};

/// The next turn, and not the one that is taken now: a turn leaves no deadline behind that has passed already.
const NEXT_TURN: Span = Span(1);

impl Scheduler {
    pub(super) fn fold(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Learned { job, realm, name, revision, exclusive, workload, place } => {
                self.forget_repulsion(*job);
                let known = self.jobs.entry(*job).or_default();
                known.realm.clone_from(realm);
                known.name.clone_from(name);
                known.exclusive = *exclusive;
                known.learn(*revision, workload.clone(), place);
                self.forget_old_revisions(*job);
                self.note_repulsion(*job);
                self.retry_all(at);
            }
            Event::Placed { job, ask, resources, decision } => {
                let Some(node) = decision.chosen else { return };
                let refused = self.leave_queue(ask.instance).map(|waiting| waiting.refused).unwrap_or_default();
                let (ask, until) = (ask.clone(), at.after(RESERVATION));
                let (resources, gpus) = (resources.clone(), Vec::new());
                let reservation = Reservation { job: *job, ask, resources, gpus, until, refused };
                self.cluster.reserve(node, reservation);
                let due = self.retry == Some((at.after(NEXT_TURN), 0));
                if !due && self.someone_waits_for_company() {
                    self.retry_all(at);
                }
            }
            Event::Unplaced { job, ask, decision } => self.wait(*job, ask, decision.unplaceable.clone(), Vec::new()),
            Event::Withdrawn { instance } | Event::Expired { instance } => {
                let waited = self.leave_queue(*instance).map(|waiting| waiting.job);
                let held = self.cluster.release(*instance).map(|(_, reservation)| reservation.job);
                for job in waited.into_iter().chain(held) {
                    self.forget_if_gone(job);
                }
                self.retry_all(at);
            }
            Event::Viewed { node, view } => {
                self.see(*node, view);
                self.retry_all(at);
            }
            Event::ClaimRefused { node, instance, because } => {
                let version = self.cluster.node(*node).map_or(0, |node| node.version());
                let Some((_, reservation)) = self.cluster.release(*instance) else { return };
                let mut refused = reservation.refused;
                refused.retain(|no| no.node != *node);
                refused.push(RefusedBy { node: *node, version, because: *because });
                self.wait(reservation.job, &reservation.ask, None, refused);
                self.retry_all(at);
            }
            Event::Retried { next } => self.retry = next.map(|number| (at.after(NEXT_TURN), number)),
            Event::RulesSet { realm, version, mode, text } => {
                let old = self.rules.get(realm).map(|rules| rules.compiled.clone());
                let compiled = old.filter(|_| crate::mutant!(OldRulesPlace)).unwrap_or_default();
                let rules = Rules { version: *version, mode: *mode, text: text.clone(), compiled };
                self.rules.insert(realm.clone(), rules);
                self.retry_all(at);
            }
        }
    }

    /// Takes in what a node says of itself. A claim that it refused may have been asked for again and be taken by now:
    /// who has one waits no more.
    fn see(&mut self, node: NodeId, view: &NodeView) {
        for claim in &view.claims {
            self.leave_queue(claim.instance);
        }
        let mut jobs = self.cluster.set_view(node, view.clone());
        jobs.sort_unstable();
        jobs.dedup();
        for job in jobs {
            self.forget_if_gone(job);
        }
    }

    /// Puts an instance in the queue, or changes what is said of it there.
    fn wait(&mut self, job: JobId, ask: &Ask, why: Option<Unplaceable>, refused: Vec<RefusedBy>) {
        if let Some(waiting) = self.waiting.get_mut(&ask.instance) {
            waiting.ask = ask.clone();
            waiting.why = why;
            return;
        }
        let number = self.queued;
        self.queued += 1;
        self.queue.insert(number, ask.instance);
        self.waiting.insert(ask.instance, Waiting { job, ask: ask.clone(), number, why, refused });
    }

    fn leave_queue(&mut self, instance: InstanceId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&instance)?;
        self.queue.remove(&waiting.number);
        Some(waiting)
    }

    /// Tries all that wait again as soon as may be.
    fn retry_all(&mut self, at: Timestamp) {
        if !self.waiting.is_empty() {
            self.retry = Some((at.after(NEXT_TURN), 0));
        }
    }

    /// Whether an instance waits for another to be near to.
    fn someone_waits_for_company(&self) -> bool {
        let reason = |waiting: &Waiting| waiting.why.as_ref().map(|why| why.reason);
        let company = [Reason::Waiting, Reason::NotNear, Reason::SpreadBroken, Reason::GangIncomplete];
        self.waiting.values().any(|waiting| reason(waiting).is_some_and(|why| company.contains(&why)))
    }

    fn note_repulsion(&mut self, job: JobId) {
        if let Some(known) = self.jobs.get(&job) {
            self.repels.extend(known.repulsion(job));
        }
    }

    fn forget_repulsion(&mut self, job: JobId) {
        if let Some(known) = self.jobs.get(&job) {
            known.repulsion(job).for_each(|of| _ = self.repels.remove(&of));
        }
    }

    fn forget_old_revisions(&mut self, job: JobId) {
        let Some(known) = self.jobs.get_mut(&job) else { return };
        let waits =
            |revision: u32| self.waiting.values().any(|waiting| waiting.job == job && waiting.ask.revision == revision);
        let spare = known.workloads.len().saturating_sub(REVISIONS_MAX);
        let old: Vec<u32> = known
            .workloads
            .iter()
            .map(|(revision, _)| *revision)
            .take(spare)
            .filter(|revision| !waits(*revision))
            .collect();
        for revision in old {
            known.workloads.retain(|(other, _)| *other != revision);
        }
    }

    /// Forgets a job of which there is no instance any more, anywhere.
    fn forget_if_gone(&mut self, job: JobId) {
        let gone = self.cluster.total(job) == 0 && !self.waiting.values().any(|waiting| waiting.job == job);
        if gone {
            self.forget_repulsion(job);
            self.jobs.remove(&job);
        }
    }
}
