//! Jobs: how instances come, go and come back, one after the other and not too soon; and that a revision stays what it
//! is.

use super::{Finding, gangs};
use crate::verdict::Invariant;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::job::{Instance, Job, Phase};
use messages::agent::Observation;
use messages::entry::Record;
use messages::envelope::Body;
use messages::id::{ActorId, InstanceId};
use messages::job::{Event, Message};
use messages::manifest::{Restart, Workload};
use messages::reason::Reason;
use messages::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

type Entry = Record<Message, Event>;

/// What jobs have recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives {
    jobs: BTreeMap<ActorId, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    desired: u32,
    revisions: BTreeMap<u32, Workload>,
    /// Instances in their slots; those that failed, were retired, or have a place.
    slots: BTreeMap<InstanceId, u32>,
    failed: BTreeSet<InstanceId>,
    retired: BTreeMap<InstanceId, Reason>,
    placed: BTreeSet<InstanceId>,
    /// How often each slot has failed in a row, and when it may come back.
    failures: BTreeMap<u32, (u32, Timestamp)>,
    began: BTreeMap<InstanceId, Timestamp>,
    answered: BTreeSet<u64>,
}

impl Lives {
    /// An entry of a job was committed, and folded.
    pub(super) fn see(&mut self, record: &Entry, fold: &Fold, findings: &mut Vec<Finding>) {
        let actor = record.head.actor;
        let Some(AnyCell::Job(cell)) = fold.cell(actor) else { return };
        let (job, at) = (cell.state(), record.head.at);
        gangs::check_turn(record, job, findings);
        let seen = self.jobs.entry(actor).or_default();
        let told = || record.head.sends.iter().any(|(_, body)| matches!(body, Body::Rollout(_)));
        if record.events.contains(&Event::RolloutPressed) && !told() {
            findings.push((Invariant::Restarts, "a rollout is pressed and told nothing", job.full_name()));
        }
        for (index, event) in record.events.iter().enumerate() {
            if let (Event::RestartDue { instance }, Some(Event::Retired { instance: retired, .. })) =
                (event, record.events.get(index + 1))
                && instance == retired
                && seen.restarts_early(*instance, job)
            {
                let message = format!("{}: {instance}", job.full_name());
                findings.push((Invariant::Restarts, "a restart does not wait for the one before it", message));
            }
            if let Some((invariant, signature)) = seen.trouble(event, job, at) {
                findings.push((invariant, signature, format!("{}: {event:?}", job.full_name())));
            }
            seen.note(event, at);
        }
    }
}

impl Seen {
    fn trouble(&self, event: &Event, job: &Job, at: Timestamp) -> Option<(Invariant, &'static str)> {
        match event {
            Event::Applied { spec, revision } => {
                let other = self.revisions.get(revision).is_some_and(|known| *known != spec.workload);
                other.then_some((Invariant::RolloutSteps, "a revision changes what it is"))
            }
            Event::Answered { ticket, .. } => {
                let again = self.answered.contains(ticket);
                again.then_some((Invariant::Once, "a command is carried out twice"))
            }
            Event::Settled { revision } | Event::Targeted { settled: Some(revision), .. } => {
                let shared = job.settled == *revision && job.weights != [(*revision, 100)] && job.under_way().is_none();
                shared.then_some((Invariant::RolloutWeight, "a revision that has won has not all of the traffic"))
            }
            Event::Wanted { slot, .. } => self.comes(*slot, job, at),
            Event::Failed { instance, reason, failures, until, .. } => {
                self.fails(*instance, (*reason, *failures, *until), job, at)
            }
            Event::Retired { instance, because } => Self::retires(*instance, *because, job),
            Event::Gone { instance, .. } => {
                let placed = self.placed.contains(instance);
                let known = self.failed.contains(instance) || self.retired.contains_key(instance);
                let silent = placed && !known;
                silent.then_some((Invariant::Restarts, "an instance ends unasked and is not counted"))
            }
            _ => None,
        }
    }

    /// A slot comes back no sooner than it may, and an exclusive job has no more slots than it wants instances.
    fn comes(&self, slot: u32, job: &Job, at: Timestamp) -> Option<(Invariant, &'static str)> {
        if self.failures.get(&slot).is_some_and(|(_, until)| at < *until) {
            return Some((Invariant::Restarts, "a slot comes back before its wait is over"));
        }
        let surges = job.exclusive() && !self.failures.contains_key(&slot) && self.slots.len() >= self.desired as usize;
        surges.then_some((Invariant::ExclusiveSlot, "an exclusive job has more slots than it wants"))
    }

    /// The wait of a slot doubles from failure to failure, up to its bound.
    fn fails(
        &self,
        instance: InstanceId,
        (reason, failures, until): (Reason, u32, Timestamp),
        job: &Job,
        at: Timestamp,
    ) -> Option<(Invariant, &'static str)> {
        let lost = matches!(reason, Reason::NodeLost | Reason::LeaseExpired | Reason::NodeDrained);
        let restart = job.spec.as_ref().map(|spec| spec.restart.clone())?;
        let slot = self.slots.get(&instance)?;
        let before = self.failures.get(slot).map_or(0, |(failures, _)| *failures);
        let young = self.began.get(&instance).is_none_or(|began| at.since(*began) < restart.forget_after);
        let right = match (lost, young) {
            (true, _) => before,
            (false, true) => before + 1,
            (false, false) => 1,
        };
        let (least, most) = bounds(&restart, failures);
        let wait = until.since(at);
        match () {
            () if failures != right => Some((Invariant::Restarts, "a slot's failures are counted wrong")),
            () if !lost && (wait < least || wait > most) => {
                Some((Invariant::Restarts, "a slot waits too short or too long"))
            }
            () => None,
        }
    }

    /// Of too many the sick go before the healthy.
    fn retires(instance: InstanceId, because: Reason, job: &Job) -> Option<(Invariant, &'static str)> {
        let counts = matches!(because, Reason::ScaledDown | Reason::RolledOut | Reason::RolledBack);
        let gone = job.instances.get(&instance).filter(|one| counts && one.healthy())?;
        let sick = |one: &Instance| matches!(one.phase, Phase::Starting | Phase::Running) && one.live();
        let wrong = job.instances.values().any(|one| one.revision == gone.revision && sick(one));
        wrong.then_some((Invariant::Restarts, "a healthy instance goes though a sick one could"))
    }

    /// Whether a healthy instance is restarted before the one before it is done.
    fn restarts_early(&self, instance: InstanceId, job: &Job) -> bool {
        let healthy = job.instances.get(&instance).is_some_and(|one| one.healthy());
        healthy && self.retired.values().any(|because| *because == Reason::Operator)
    }

    fn note(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Applied { spec, revision } => {
                self.desired = spec.instances;
                self.revisions.insert(*revision, spec.workload.clone());
            }
            Event::Scaled { instances } => self.desired = *instances,
            Event::Answered { ticket, .. } => drop(self.answered.insert(*ticket)),
            Event::Wanted { instance, slot, .. } => drop(self.slots.insert(*instance, *slot)),
            Event::Assigned { instance, .. } => drop(self.placed.insert(*instance)),
            Event::Observed { instance, observation: Some(observation), .. } if !ended(observation) => {
                self.began.entry(*instance).or_insert(at);
            }
            Event::Failed { instance, failures, until, .. } => {
                self.failed.insert(*instance);
                if let Some(slot) = self.slots.get(instance) {
                    self.failures.insert(*slot, (*failures, *until));
                }
            }
            Event::Retired { instance, because } => drop(self.retired.insert(*instance, *because)),
            Event::Kept { instance } => drop(self.retired.remove(instance)),
            Event::Gone { instance, .. } => self.forget(*instance),
            Event::Dropped { slot } => drop(self.failures.remove(slot)),
            Event::Hastened { slot } => {
                if let Some((_, until)) = self.failures.get_mut(slot) {
                    *until = at;
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self, instance: InstanceId) {
        let failed = self.failed.remove(&instance);
        self.retired.remove(&instance);
        self.placed.remove(&instance);
        self.began.remove(&instance);
        if let Some(slot) = self.slots.remove(&instance)
            && !failed
        {
            self.failures.remove(&slot);
        }
    }
}

const fn ended(observation: &Observation) -> bool {
    matches!(observation, Observation::Ended(_))
}

/// How short and how long a slot may wait after so many failures in a row.
fn bounds(restart: &Restart, failures: u32) -> (Span, Span) {
    let least = restart.backoff.times(1 << failures.saturating_sub(1).min(20)).min(restart.backoff_max);
    (least, Span(least.0 + least.0 / 8 + 1))
}
