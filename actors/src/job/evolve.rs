//! How a job's state changes: one arm for each event.

use super::state::{Dismissal, Engagement, Instance, Past, Phase, Slot, Subscriber, Waiting};
use super::{ANSWERS_MAX, Job, PAST_MAX, gang, tell};
use crate::retry::Retry;
use messages::agent::Ended;
use messages::id::InstanceId;
use messages::job::Event;
use messages::reason::Reason;
use messages::time::Timestamp;
use std::collections::BTreeMap;

pub(super) fn evolve(job: &mut Job, event: &Event, at: Timestamp) {
    match event {
        Event::Applied { .. }
        | Event::Scaled { .. }
        | Event::Answered { .. }
        | Event::Settled { .. }
        | Event::RestartQueued { .. }
        | Event::RestartDue { .. } => declared(job, event),
        Event::RolloutBegun { .. }
        | Event::RolloutDismissed { .. }
        | Event::RolloutEnded { .. }
        | Event::Targeted { .. }
        | Event::ProgressChanged { .. }
        | Event::ProgressNoted { .. }
        | Event::RolloutPressed
        | Event::DismissalRepeated { .. } => rolled(job, event, at),
        Event::Subscribed { .. }
        | Event::Unsubscribed { .. }
        | Event::EndpointsChanged { .. }
        | Event::EndpointsRepeated { .. }
        | Event::EndpointsNoted { .. } => subscribed(job, event, at),
        Event::Mustered => mustered(job),
        Event::Dropped { slot } => forget_wait(job, *slot),
        Event::Hastened { slot } => {
            if let Some(waiting) = job.slots.get_mut(slot).and_then(|known| known.waiting.as_mut()) {
                waiting.until = at;
            }
        }
        Event::Wanted { .. } => wanted(job, event, at),
        Event::Sought { instances } => sought(job, instances, at),
        Event::Failed { .. } => failed(job, event, at),
        Event::Gone { instance, ended } => gone(job, *instance, ended, at),
        Event::Unplaceable { instance, .. }
        | Event::Assigned { instance, .. }
        | Event::Observed { instance, .. }
        | Event::Retired { instance, .. }
        | Event::Kept { instance }
        | Event::Withdrawn { instance }
        | Event::Stopping { instance }
        | Event::Pressed { instance } => {
            let gathers = gang::gathers(job) && matches!(event, Event::Assigned { .. });
            if let Some(instance) = job.instances.get_mut(instance) {
                lived(instance, event, at);
                if gathers {
                    instance.set_reason(Reason::Waiting, "it has a place, and waits until all of its gang have one");
                }
            }
        }
    }
}

fn declared(job: &mut Job, event: &Event) {
    match event {
        Event::Applied { spec, revision } => {
            job.revision = job.revision.max(*revision);
            job.desired = spec.instances;
            job.mustered &= job.desired > 0;
            job.workloads.insert(*revision, spec.workload.clone().into());
            job.spec = Some(spec.clone().into());
            recount(job);
        }
        Event::Scaled { instances } => {
            job.desired = *instances;
            job.mustered &= job.desired > 0;
            if let Some(spec) = job.spec.as_mut().filter(|_| *instances > 0) {
                spec.instances = *instances;
            }
            if !crate::mutant!(ScaleNotCounted) {
                recount(job);
            }
        }
        Event::Answered { ticket, outcome } => {
            if job.answers.len() == ANSWERS_MAX {
                job.answers.pop_front();
            }
            job.answers.push_back((*ticket, outcome.clone()));
        }
        Event::Settled { revision } => settle(job, *revision),
        Event::RestartQueued { instances } => job.restarts.extend(instances),
        Event::RestartDue { instance } => job.restarts.retain(|queued| queued != instance),
        _ => {}
    }
}

/// Without a rollout, all that is wanted is of the revision the job is at.
fn recount(job: &mut Job) {
    if job.under_way().is_none() && job.settled > 0 {
        job.counts = BTreeMap::from([(job.settled, job.desired)]);
    }
}

fn settle(job: &mut Job, revision: u32) {
    job.settled = revision;
    job.counts = BTreeMap::from([(revision, job.desired)]);
    if !crate::mutant!(WeightsKeptAtSettle) || job.weights.is_empty() {
        job.weights = vec![(revision, 100)];
    }
    forget_workloads(job);
}

fn forget_workloads(job: &mut Job) {
    let mut kept: Vec<u32> = vec![job.revision, job.settled, job.target()];
    kept.extend(job.instances.values().map(|instance| instance.revision));
    kept.extend(job.counts.keys());
    kept.extend(job.waiting().map(|(_, waiting)| waiting.revision));
    job.workloads.retain(|revision, _| kept.contains(revision));
}

fn rolled(job: &mut Job, event: &Event, at: Timestamp) {
    match event {
        Event::RolloutBegun { rollout, from, to } => {
            job.rollout = Some(Engagement {
                rollout: *rollout,
                from: *from,
                to: *to,
                targets: None,
                over: false,
                told: 0,
                noted: 0,
                failures: BTreeMap::new(),
                retry: Retry::begin(at, tell::RETRY_FIRST),
            });
        }
        Event::RolloutDismissed { rollout, by } => {
            if let Some(engagement) = job.rollout.as_mut().filter(|engagement| engagement.rollout == *rollout) {
                engagement.over = true;
            }
            let retry = Retry::begin(at, tell::RETRY_FIRST);
            job.dismissed.insert(*rollout, Dismissal { by: *by, retry });
        }
        Event::RolloutEnded { rollout } => {
            job.dismissed.remove(rollout);
        }
        Event::DismissalRepeated { rollout } => {
            if let Some(dismissal) = job.dismissed.get_mut(rollout) {
                dismissal.retry = dismissal.retry.again(at, tell::RETRY_FIRST);
            }
        }
        Event::Targeted { rollout: _, version, counts, weights, settled } => {
            if let Some(engagement) = &mut job.rollout {
                engagement.targets = Some(*version);
                engagement.over = settled.is_some();
            }
            job.counts = counts.iter().copied().collect();
            job.weights.clone_from(weights);
            if let Some(revision) = settled {
                settle(job, *revision);
            }
        }
        Event::ProgressChanged { .. } | Event::ProgressNoted { .. } | Event::RolloutPressed => {
            if let Some(engagement) = &mut job.rollout {
                progressed(engagement, event, at);
            }
        }
        _ => {}
    }
}

fn progressed(engagement: &mut Engagement, event: &Event, at: Timestamp) {
    match event {
        Event::ProgressChanged { version } => {
            engagement.told = *version;
            engagement.retry = Retry::begin(at, tell::RETRY_FIRST);
        }
        Event::ProgressNoted { version } => engagement.noted = engagement.noted.max(*version),
        Event::RolloutPressed => engagement.retry = engagement.retry.again(at, tell::RETRY_FIRST),
        _ => {}
    }
}

fn subscribed(job: &mut Job, event: &Event, at: Timestamp) {
    let retry = Retry::begin(at, tell::RETRY_FIRST);
    match event {
        Event::Subscribed { route } => {
            job.subscribers.insert(*route, Subscriber { noted: None, retry });
        }
        Event::Unsubscribed { route } => {
            job.subscribers.remove(route);
        }
        Event::EndpointsChanged { version } => {
            job.endpoints_version = *version;
            for subscriber in job.subscribers.values_mut() {
                subscriber.retry = retry;
            }
        }
        Event::EndpointsRepeated { route } => {
            if let Some(subscriber) = job.subscribers.get_mut(route) {
                subscriber.retry = subscriber.retry.again(at, tell::RETRY_FIRST);
            }
        }
        Event::EndpointsNoted { route, version } => {
            if let Some(subscriber) = job.subscribers.get_mut(route) {
                subscriber.noted = subscriber.noted.max(Some(*version));
            }
        }
        _ => {}
    }
}

fn wanted(job: &mut Job, event: &Event, at: Timestamp) {
    let Event::Wanted { instance, slot, incarnation, revision, avoid, because } = event else { return };
    job.incarnations = job.incarnations.max(*incarnation);
    if let Some(known) = job.slots.get_mut(slot) {
        known.waiting = None;
    }
    let fresh = Instance {
        slot: *slot,
        incarnation: *incarnation,
        revision: *revision,
        phase: Phase::Wanted,
        since: at,
        reason: *because,
        detail: String::new(),
        unseen: false,
        node: None,
        node_name: String::new(),
        host: String::new(),
        ports: Vec::new(),
        pid: None,
        started: None,
        observed: 0,
        unplaceable: None,
        avoid: avoid.clone(),
        retiring: None,
        ended: None,
        retry: Retry::begin(at, tell::PLACE_RETRY_FIRST),
    };
    job.instances.insert(*instance, fresh.into());
}

fn sought(job: &mut Job, instances: &[InstanceId], at: Timestamp) {
    for id in instances {
        if let Some(instance) = job.instances.get_mut(id) {
            instance.retry = instance.retry.again(at, tell::PLACE_RETRY_FIRST);
        }
    }
}

fn lived(instance: &mut Instance, event: &Event, at: Timestamp) {
    match event {
        Event::Unplaceable { why, .. } => {
            instance.set_reason(why.reason, &why.message);
            instance.unplaceable = Some(why.clone());
        }
        Event::Assigned { node, node_name, host, .. } => {
            instance.node = Some(*node);
            node_name.clone_into(&mut instance.node_name);
            host.clone_into(&mut instance.host);
            instance.unplaceable = None;
            instance.set_reason(Reason::Waiting, "told to start");
            enter(instance, Phase::Starting, at);
        }
        Event::Observed { version, observation, .. } => {
            instance.observed = *version;
            instance.see(observation.as_ref(), at);
        }
        Event::Retired { because, .. } => instance.retiring = Some(*because),
        Event::Kept { .. } => instance.retiring = None,
        Event::Withdrawn { .. } => {
            instance.reason = instance.retiring.unwrap_or(Reason::Stopped);
            enter(instance, Phase::Leaving, at);
        }
        Event::Stopping { .. } => enter(instance, Phase::Stopping, at),
        Event::Pressed { .. } => instance.retry = instance.retry.again(at, tell::RETRY_FIRST),
        _ => {}
    }
}

/// All of a gang were told to start.
fn mustered(job: &mut Job) {
    job.mustered = true;
    for instance in job.instances.values_mut().filter(|one| one.live() && one.phase == Phase::Starting) {
        instance.set_reason(Reason::Waiting, "told to start");
    }
}

fn enter(instance: &mut Instance, phase: Phase, at: Timestamp) {
    instance.phase = phase;
    instance.since = at;
    instance.retry = Retry::begin(at, tell::RETRY_FIRST);
}

fn failed(job: &mut Job, event: &Event, at: Timestamp) {
    let Event::Failed { instance, reason, evidence, counted, failures, until, avoid } = event else { return };
    let Some(failing) = job.instances.get_mut(instance) else { return };
    failing.set_reason(*reason, evidence);
    if *reason == Reason::Unhealthy {
        failing.ended = Some(Ended::new(*reason, evidence.clone()));
    }
    enter(failing, Phase::Stopping, at);
    let (slot, revision) = (failing.slot, failing.revision);
    let waiting = Some(Waiting { revision, until: *until, reason: *reason, avoid: avoid.clone() });
    job.slots.insert(slot, Slot { failures: *failures, waiting });
    if let Some(engagement) = job.rollout.as_mut().filter(|engagement| *counted && !engagement.over) {
        let known = engagement.failures.entry(revision).or_default();
        *known = (known.0.saturating_add(1), evidence.clone());
    }
}

fn gone(job: &mut Job, id: InstanceId, ended: &Ended, at: Timestamp) {
    let Some(instance) = job.instances.remove(&id) else { return };
    if job.past.len() == PAST_MAX {
        job.past.pop_front();
    }
    job.past.push_back(Past {
        instance: id,
        slot: instance.slot,
        revision: instance.revision,
        node_name: instance.node_name.clone(),
        started: instance.started,
        at,
        asked: instance.retiring,
        ended: instance.ended.clone().unwrap_or_else(|| ended.clone()),
    });
    let waits = job.slots.get(&instance.slot).is_some_and(|known| known.waiting.is_some());
    if !waits {
        job.slots.remove(&instance.slot);
    }
    forget_workloads(job);
}

fn forget_wait(job: &mut Job, slot: u32) {
    if job.in_slot(slot).next().is_none() {
        job.slots.remove(&slot);
    } else if let Some(known) = job.slots.get_mut(&slot) {
        known.waiting = None;
    }
    forget_workloads(job);
}
