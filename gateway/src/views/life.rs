//! What an entry says of the life of one instance, in sentences.

use messages::agent::Observation;
use messages::entry::Entry;
use messages::id::InstanceId;
use messages::reason::Reason;
use messages::{job, scheduler};

/// What happened to the instance in this entry, and why.
pub(super) fn told(entry: &Entry, id: InstanceId) -> Vec<(String, Option<Reason>)> {
    match entry {
        Entry::Job(record) => record.events.iter().filter_map(|event| of_job(event, id)).collect(),
        Entry::Scheduler(record) => record.events.iter().filter_map(|event| of_scheduler(event, id)).collect(),
        _ => Vec::new(),
    }
}

fn of_scheduler(event: &scheduler::Event, id: InstanceId) -> Option<(String, Option<Reason>)> {
    use scheduler::Event as E;
    match event {
        E::Placed { ask, decision, .. } if ask.instance == id => {
            let best = decision.candidates.first();
            let best = best.map_or(String::new(), |best| format!(" on {} with a score of {}", best.name, best.score));
            Some((format!("placed{best}, of {} nodes that fitted", decision.fitting), Some(Reason::BestScore)))
        }
        E::ClaimRefused { instance, because, .. } if *instance == id => {
            Some(("the node refused the claim".into(), Some(*because)))
        }
        E::Expired { instance } if *instance == id => {
            Some(("the claim did not show in time, and its room was given back".into(), None))
        }
        _ => None,
    }
}

fn of_job(event: &job::Event, id: InstanceId) -> Option<(String, Option<Reason>)> {
    use job::Event as E;
    let said = |of: &InstanceId, what: String, reason: Option<Reason>| (*of == id).then_some((what, reason));
    match event {
        E::Wanted { instance, slot, revision, because, .. } => {
            said(instance, format!("wanted in slot {slot} with revision {revision}"), Some(*because))
        }
        E::Unplaceable { instance, why } => said(instance, why.message.clone(), Some(why.reason)),
        E::Assigned { instance, node_name, .. } => {
            said(instance, format!("has a claim on {node_name} and was told to start"), None)
        }
        E::Observed { instance, observation, .. } => {
            let (what, reason) = seen(observation.as_ref());
            said(instance, what, reason)
        }
        E::Failed { instance, reason, evidence, failures, until, .. } => {
            let what = format!("failed ({failures} in a row): {evidence}; its slot comes back at {until}");
            said(instance, what, Some(*reason))
        }
        E::Retired { instance, because } => said(instance, "is to go".into(), Some(*because)),
        E::Kept { instance } => said(instance, "may stay after all".into(), None),
        E::Withdrawn { instance } => said(instance, "gets no more traffic".into(), None),
        E::Stopping { instance } => said(instance, "its node was told to stop it".into(), None),
        E::Gone { instance, ended } => said(instance, format!("gone: {}", ended.detail), Some(ended.reason)),
        _ => None,
    }
}

fn seen(observation: Option<&Observation>) -> (String, Option<Reason>) {
    match observation {
        None => ("not seen any more".into(), Some(Reason::HeartbeatsMissed)),
        Some(Observation::Running { pid, .. }) => (format!("runs as process {pid}"), None),
        Some(Observation::Healthy { .. }) => ("healthy".into(), None),
        Some(Observation::Unhealthy { evidence, .. }) => (format!("unhealthy: {evidence}"), Some(Reason::Unhealthy)),
        Some(Observation::Ended(ended)) => (format!("ended: {}", ended.detail), Some(ended.reason)),
    }
}
