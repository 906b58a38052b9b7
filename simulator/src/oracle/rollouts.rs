//! Rollouts: never fewer healthy instances than must be, because of the rollout; never more traffic than allowed.

use super::Finding;
use crate::verdict::Invariant;
use actors::fold::Fold;
use messages::agent::Observation;
use messages::entry::{Entry, Record};
use messages::envelope::Body;
use messages::id::{ActorId, InstanceId, JobId, RolloutId};
use messages::manifest::RolloutSpec;
use messages::reason::Reason;
use messages::{job, rollout, route};
use std::collections::{BTreeMap, BTreeSet};

/// What jobs, rollouts and routes have recorded of rollouts.
#[derive(Clone, Debug, Default)]
pub(super) struct Rollouts {
    jobs: BTreeMap<ActorId, JobSeen>,
    rollouts: BTreeMap<RolloutId, RolloutSeen>,
}

#[derive(Clone, Debug, Default)]
struct JobSeen {
    desired: u32,
    minimum: Option<u32>,
    exclusive: bool,
    /// Whether it was ever scaled.
    scaled: bool,
    /// Instances that have a place and are to stay.
    placed: BTreeSet<InstanceId>,
    /// The revision declared in this entry, if it may be taken without a rollout.
    entering: Option<u32>,
    /// Revisions that came in as the rules have it.
    let_in: BTreeSet<u32>,
    healthy: BTreeSet<InstanceId>,
    /// Instances that are out of service, whatever is still seen of them.
    going: BTreeSet<InstanceId>,
    /// Instances that go because of a rollout.
    rolled: BTreeSet<InstanceId>,
    /// Instances that go because a rollout is taken back.
    rolled_back: BTreeSet<InstanceId>,
    /// Instances that no node can take.
    unplaceable: BTreeSet<InstanceId>,
    /// The revision of each instance.
    revisions: BTreeMap<InstanceId, u32>,
    /// The instances of each revision that were ever healthy.
    ever_healthy: BTreeMap<u32, BTreeSet<InstanceId>>,
    /// The most traffic that each revision was ever allowed since its rollout began.
    allowed: BTreeMap<u32, u32>,
}

#[derive(Clone, Debug)]
struct RolloutSeen {
    job: ActorId,
    from: u32,
    to: u32,
    desired: u32,
    spec: RolloutSpec,
}

impl Rollouts {
    /// Whether a revision came in as the rules have it: at once, where nothing of the job ran; or by a rollout that had
    /// passed every gate, and had not been told of as many failures as make it go back.
    pub(super) fn let_in(&self, job: JobId, revision: u32) -> bool {
        self.jobs.get(&job.into()).is_some_and(|seen| seen.let_in.contains(&revision))
    }

    /// An entry was committed.
    pub(super) fn see(&mut self, entry: &Entry, fold: &Fold, findings: &mut Vec<Finding>) {
        match entry {
            Entry::Job(record) => self.see_job(record, findings),
            Entry::Rollout(record) => {
                self.see_rollout(record, findings);
                self.check_evidence(record, fold, findings);
                self.see_settled(record, fold);
            }
            Entry::Route(record) => self.see_route(record, findings),
            Entry::Node(_) | Entry::Scheduler(_) | Entry::Policy(_) => {}
        }
    }

    fn see_job(&mut self, record: &Record<job::Message, job::Event>, findings: &mut Vec<Finding>) {
        let actor = record.head.actor;
        let seen = self.jobs.entry(actor).or_default();
        seen.entering = None;
        for event in &record.events {
            seen.see(event, findings);
        }
    }

    fn see_rollout(&mut self, record: &Record<rollout::Message, rollout::Event>, findings: &mut Vec<Finding>) {
        let id = RolloutId(record.head.actor.id);
        if let rollout::Message::Begin { job, from, to, spec, desired, .. } = &record.input {
            let job = (*job).into();
            let seen = RolloutSeen { job, from: *from, to: *to, desired: *desired, spec: spec.clone() };
            self.rollouts.entry(id).or_insert(seen);
        }
        let Some(rollout) = self.rollouts.get(&id) else { return };
        for (_, body) in &record.head.sends {
            let Body::Job(job::Message::Targets { weights, settled, .. }) = body else { continue };
            let seen = self.jobs.entry(rollout.job).or_default();
            for (revision, weight) in weights {
                let steps = rollout.spec.steps.iter().map(|step| step.weight);
                if *revision == rollout.to
                    && *weight != 0
                    && *weight != 100
                    && !steps.into_iter().any(|each| each == *weight)
                {
                    let message = format!("revision {revision} gets {weight}%, which is no step");
                    findings.push((Invariant::RolloutWeight, "a rollout gives traffic that is no step", message));
                }
                let most = seen.allowed.entry(*revision).or_default();
                *most = (*most).max(*weight);
            }
            seen.allowed.insert(rollout.from, 100);
            if let Some(revision) = settled {
                seen.allowed.insert(*revision, 100);
            }
        }
    }

    /// A rollout is done, with no more failures known to it than it may bear.
    fn see_settled(&mut self, record: &Record<rollout::Message, rollout::Event>, fold: &Fold) {
        let id = record.head.actor;
        if !record.events.iter().any(|event| matches!(event, rollout::Event::Settled)) {
            return;
        }
        let Some(rollout) = self.rollouts.get(&RolloutId(id.id)) else { return };
        let Some(state) = fold.rollout(RolloutId(id.id)) else { return };
        let failures = state.coming().map_or(0, |coming| coming.failures);
        if failures < rollout.spec.failures_max.max(1) {
            self.jobs.entry(rollout.job).or_default().let_in.insert(rollout.to);
        }
    }

    /// A new revision gets traffic, and the old one gives up instances, only for what was seen healthy of the new.
    /// Where the number of instances has changed on the way, shares of it are no measure, and nothing is checked.
    fn check_evidence(
        &self,
        record: &Record<rollout::Message, rollout::Event>,
        fold: &Fold,
        findings: &mut Vec<Finding>,
    ) {
        let id = record.head.actor;
        let Some(begun) = self.rollouts.get(&RolloutId(id.id)) else { return };
        let Some(state) = fold.rollout(RolloutId(id.id)) else { return };
        let Some(job) = self.jobs.get(&begun.job) else { return };
        if state.desired != begun.desired || job.scaled || state.promoted || state.exclusive {
            return;
        }
        let seen = job.ever_healthy.get(&begun.to).map_or(0, |ever| ever.len() as u64);
        let minimum = u64::from(begun.spec.min_healthy.unwrap_or(begun.desired).min(begun.desired));
        for (_, body) in &record.head.sends {
            let Body::Job(job::Message::Targets { counts, weights, settled: None, .. }) = body else { continue };
            let of = |pairs: &[(u32, u32)], revision: u32| {
                pairs.iter().find(|(known, _)| *known == revision).map_or(0, |(_, number)| u64::from(*number))
            };
            let weight = of(weights, begun.to);
            let share = (u64::from(begun.desired) * weight).div_ceil(100);
            if seen < share {
                let message = format!("revision {} gets {weight}%, and {seen} were ever healthy", begun.to);
                findings.push((Invariant::RolloutWeight, "a rollout gives traffic without evidence", message));
            }
            let left = of(counts, begun.from);
            if left + seen < minimum {
                let message = format!("{left} old ones and {seen} new ones are fewer than {minimum}");
                findings.push((Invariant::RolloutMinimum, "a rollout gives up the old too early", message));
            }
        }
    }

    fn see_route(&mut self, record: &Record<route::Message, route::Event>, findings: &mut Vec<Finding>) {
        let route::Message::Endpoints { job, weights, .. } = &record.input else { return };
        let actor = ActorId::from(JobId(job.0));
        let Some(seen) = self.jobs.get(&actor) else { return };
        for (revision, weight) in weights {
            let allowed = seen.allowed.get(revision).copied();
            if let Some(allowed) = allowed.filter(|allowed| weight > allowed) {
                let message =
                    format!("revision {revision} gets {weight}% where {allowed}% is the most that was allowed");
                findings.push((Invariant::RolloutWeight, "a route gives a revision too much traffic", message));
            }
        }
    }
}

impl JobSeen {
    fn see(&mut self, event: &job::Event, findings: &mut Vec<Finding>) {
        use job::Event as E;
        self.see_place(event);
        match event {
            E::Applied { spec, .. } => {
                (self.desired, self.minimum) = (spec.instances, spec.rollout.min_healthy);
                self.exclusive = spec.exclusive;
            }
            E::Scaled { instances } => (self.desired, self.scaled) = (*instances, true),
            E::Wanted { instance, revision, .. } => {
                self.revisions.insert(*instance, *revision);
            }
            E::RolloutBegun { to, .. } => {
                self.allowed.insert(*to, 0);
            }
            E::Observed { instance, observation, .. } => {
                if observation.as_ref().is_some_and(Observation::healthy)
                    && let Some(revision) = self.revisions.get(instance)
                {
                    self.ever_healthy.entry(*revision).or_default().insert(*instance);
                }
                let stays = !self.going.contains(instance);
                if stays && observation.as_ref().is_some_and(Observation::healthy) {
                    self.healthy.insert(*instance);
                } else {
                    self.healthy.remove(instance);
                }
            }
            E::Retired { instance, because: Reason::RolledOut } => {
                self.rolled.insert(*instance);
            }
            E::Retired { instance, because: Reason::RolledBack } => {
                self.rolled.remove(instance);
                self.rolled_back.insert(*instance);
            }
            E::Retired { instance, .. } | E::Kept { instance } => {
                self.rolled.remove(instance);
                self.rolled_back.remove(instance);
            }
            E::Withdrawn { instance } => self.goes(*instance, findings),
            E::Failed { instance, .. } => {
                self.healthy.remove(instance);
                self.going.insert(*instance);
            }
            E::Unplaceable { instance, .. } => {
                self.unplaceable.insert(*instance);
            }
            E::Assigned { instance, .. } => {
                self.unplaceable.remove(instance);
            }
            E::Gone { instance, .. } => {
                self.unplaceable.remove(instance);
                self.healthy.remove(instance);
                self.going.remove(instance);
                self.rolled.remove(instance);
                self.rolled_back.remove(instance);
            }
            _ => {}
        }
    }

    /// Who has a place, and which revision is taken at once because nobody has.
    fn see_place(&mut self, event: &job::Event) {
        use job::Event as E;
        match event {
            E::Applied { revision, .. } => {
                let nothing_runs = self.desired == 0 || self.placed.is_empty();
                self.entering = nothing_runs.then_some(*revision);
            }
            E::Settled { revision } if self.entering == Some(*revision) => drop(self.let_in.insert(*revision)),
            E::Assigned { instance, .. } | E::Kept { instance } => drop(self.placed.insert(*instance)),
            E::Retired { instance, .. } | E::Failed { instance, .. } | E::Gone { instance, .. } => {
                self.placed.remove(instance);
            }
            _ => {}
        }
    }

    fn goes(&mut self, instance: InstanceId, findings: &mut Vec<Finding>) {
        let was_healthy = self.healthy.remove(&instance);
        self.going.insert(instance);
        let minimum = self.minimum.unwrap_or(self.desired).min(self.desired);
        let left = u32::try_from(self.healthy.len()).unwrap_or(u32::MAX);
        // On the way back, what cannot be placed may need the room.
        let back = self.rolled_back.contains(&instance) && self.unplaceable.is_empty();
        if was_healthy && (back || self.rolled.contains(&instance)) && left < minimum && !self.exclusive {
            let message = format!("{left} healthy instances are left, {minimum} must be");
            findings.push((Invariant::RolloutMinimum, "a rollout stops a healthy instance that is needed", message));
        }
    }
}
