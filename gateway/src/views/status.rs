//! `status`: jobs, nodes, routes and rollouts as they are in a fold.

use super::names::label;
use actors::fold::Fold;
use actors::job::{Instance, Job, Phase, Waiting};
use actors::node::Node;
use actors::rollout::{Rollout, Standing};
use actors::route::Route;
use messages::api::{
    InstanceState, InstanceStatus, JobState, JobStatus, NodeStatus, RolloutState, RolloutStatus, RouteStatus, Status,
};
use messages::id::{ActorId, InstanceId, JobId};
use messages::manifest::JobSpec;
use messages::policy::{Mode, Quota};
use messages::reason::Reason;
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything there is, or what belongs to one job (`job` or `realm/job`).
pub fn status(fold: &Fold, only: Option<&str>) -> Status {
    let wanted =
        |realm: &str, name: &str| only.is_none_or(|only| only == name || only.split_once('/') == Some((realm, name)));
    let jobs = fold.jobs().filter_map(|(_, job)| Some((job.spec.as_ref()?, job)));
    let mut jobs: Vec<JobStatus> =
        jobs.filter(|(spec, _)| wanted(&spec.realm, &spec.name)).map(|(spec, job)| job_status(spec, job)).collect();
    jobs.sort_by(|one, other| (&one.realm, &one.name).cmp(&(&other.realm, &other.name)));
    let mut nodes: Vec<NodeStatus> = fold.nodes().map(|(id, node)| node_status(fold, id, node)).collect();
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    let mut routes: Vec<RouteStatus> = fold.routes().filter_map(|(_, route)| route_status(route)).collect();
    routes.retain(|route| wanted(&route.realm, &route.to));
    routes.sort_by(|one, other| (&one.realm, &one.name).cmp(&(&other.realm, &other.name)));
    let mut rollouts = rollouts(fold);
    rollouts.retain(|rollout| rollout.job.split_once('/').is_some_and(|(realm, name)| wanted(realm, name)));
    let at = fold.cells().map(|cell| cell.at()).max().unwrap_or_default();
    Status { position: fold.position().0, at, jobs, nodes, routes, rollouts }
}

fn job_status(spec: &JobSpec, job: &Job) -> JobStatus {
    let present = job.instances.iter().map(|(id, instance)| (instance.slot, instance_status(spec, job, *id, instance)));
    let waiting = job.slots.iter().filter_map(|(slot, known)| Some((*slot, known.waiting.as_ref()?)));
    // A slot that waits to come back may still have its last instance, which then says more.
    let waiting = waiting.filter(|(slot, _)| job.instances.values().all(|instance| instance.slot != *slot));
    let waiting = waiting.map(|(slot, waiting)| (slot, waiting_status(spec, job, slot, waiting)));
    let mut instances: Vec<(u32, InstanceStatus)> = present.chain(waiting).collect();
    instances.sort_by_key(|(slot, _)| *slot);
    let instances: Vec<InstanceStatus> = instances.into_iter().map(|(_, instance)| instance).collect();
    let healthy = job.instances.values().filter(|instance| instance.healthy()).count();
    let healthy = u32::try_from(healthy).unwrap_or(u32::MAX);
    let trouble = instances.iter().find(|instance| troubled(instance));
    let state = if job.desired == 0 && instances.is_empty() {
        JobState::Stopped
    } else if job.rollout.as_ref().is_some_and(|rollout| !rollout.over) {
        JobState::Rolling
    } else if healthy >= job.desired {
        JobState::Steady
    } else if trouble.is_some() || job.slots.values().any(|slot| slot.failures > 0) {
        JobState::Degraded
    } else {
        JobState::Starting
    };
    let trouble = trouble.filter(|_| state != JobState::Steady);
    JobStatus {
        realm: spec.realm.clone(),
        name: spec.name.clone(),
        revision: if job.settled == 0 { job.revision } else { job.settled },
        desired: job.desired,
        healthy,
        state,
        reason: trouble.map(|instance| instance.reason),
        detail: trouble.and_then(|instance| instance.detail.clone()),
        instances,
    }
}

fn troubled(instance: &InstanceStatus) -> bool {
    use InstanceState as S;
    match instance.state {
        S::BackingOff | S::Unhealthy | S::Unreachable => true,
        S::Waiting => instance.detail.is_some(),
        S::Starting | S::Running | S::Healthy | S::Stopping => false,
    }
}

fn instance_status(spec: &JobSpec, job: &Job, id: InstanceId, instance: &Instance) -> InstanceStatus {
    let state = match instance.phase {
        Phase::Leaving | Phase::Stopping => InstanceState::Stopping,
        _ if instance.unseen => InstanceState::Unreachable,
        Phase::Wanted => InstanceState::Waiting,
        Phase::Starting => InstanceState::Starting,
        Phase::Running => InstanceState::Running,
        Phase::Healthy => InstanceState::Healthy,
    };
    let unplaceable = instance.unplaceable.as_ref();
    let detail = unplaceable.map_or_else(|| instance.detail.clone(), |why| why.message.clone());
    InstanceStatus {
        id: id.to_string(),
        label: format!("{}/{}", spec.name, instance.slot),
        node: instance.node.map(|_| instance.node_name.clone()),
        state,
        since: instance.since,
        revision: instance.revision,
        reason: unplaceable.map_or(instance.reason, |why| why.reason),
        detail: (!detail.is_empty()).then_some(detail),
        ports: instance.ports.iter().cloned().collect(),
        restarts: past_of(job, instance.slot),
    }
}

fn waiting_status(spec: &JobSpec, job: &Job, slot: u32, waiting: &Waiting) -> InstanceStatus {
    let last = job.past.iter().rev().find(|past| past.slot == slot);
    let failures = job.slots.get(&slot).map_or(0, |slot| slot.failures);
    let what = last.map_or(String::new(), |past| format!("{}; ", past.ended.detail));
    let detail = format!("{what}failed {failures} times in a row, tried again at {}", waiting.until);
    InstanceStatus {
        id: last.map_or(String::new(), |past| past.instance.to_string()),
        label: format!("{}/{slot}", spec.name),
        node: None,
        state: InstanceState::BackingOff,
        since: last.map_or(Timestamp::default(), |past| past.at),
        revision: waiting.revision,
        reason: waiting.reason,
        detail: Some(detail),
        ports: BTreeMap::new(),
        restarts: past_of(job, slot),
    }
}

/// How many former instances of a slot the job remembers.
fn past_of(job: &Job, slot: u32) -> u64 {
    u64::try_from(job.past.iter().filter(|past| past.slot == slot).count()).unwrap_or(u64::MAX)
}

fn node_status(fold: &Fold, id: ActorId, node: &Node) -> NodeStatus {
    let spec = node.spec();
    let labels = node.claims().map(|claim| {
        let claim = claim.spec();
        let known = fold.jobs().find(|(job, _)| JobId(job.id) == claim.job);
        known.and_then(|(_, job)| label(job, claim.instance)).unwrap_or_else(|| claim.label.clone())
    });
    let mut instances: Vec<String> = labels.collect();
    instances.sort();
    NodeStatus {
        id: id.id.to_string(),
        name: spec.name.clone(),
        state: node.standing(),
        since: node.since(),
        epoch: node.epoch(),
        rack: spec.rack.clone(),
        site: spec.site.clone(),
        region: spec.region.clone(),
        tags: spec.tags.clone(),
        taints: spec.taints.clone(),
        capacity: spec.capacity.clone(),
        claimed: node.used(),
        instances,
    }
}

/// None for a route that was removed, and for the service address of a job.
fn route_status(route: &Route) -> Option<RouteStatus> {
    let spec = route.spec.as_ref().filter(|spec| !spec.host.is_empty())?;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let endpoints = route.table.as_ref().map_or(0, |table| table.endpoints.len());
    Some(RouteStatus {
        realm: spec.realm.clone(),
        name: spec.name.clone(),
        host: spec.host.clone(),
        path: spec.path.clone(),
        to: spec.to.clone(),
        permit: spec.permit.clone(),
        endpoints: count(endpoints),
        healthy: count(route.healthy().count()),
        weights: route.table.as_ref().map_or(Vec::new(), |table| table.weights.clone()),
    })
}

/// Those under way, and the latest of each job.
fn rollouts(fold: &Fold) -> Vec<RolloutStatus> {
    let known: Vec<&Rollout> =
        fold.rollouts().map(|(_, rollout)| rollout).filter(|known| known.job.is_some()).collect();
    let latest = |rollout: &Rollout| known.iter().all(|other| other.job != rollout.job || other.to <= rollout.to);
    let shown = known.iter().filter(|rollout| rollout.standing.open() || latest(rollout));
    let mut shown: Vec<RolloutStatus> = shown.map(|rollout| rollout_status(rollout)).collect();
    shown.sort_by(|one, other| (&one.job, one.to).cmp(&(&other.job, other.to)));
    shown
}

fn rollout_status(rollout: &Rollout) -> RolloutStatus {
    let state = match rollout.standing {
        Standing::Idle | Standing::Rolling => RolloutState::Advancing,
        Standing::Held => RolloutState::Held,
        Standing::Settled => RolloutState::Done,
        Standing::Reverted => RolloutState::Reverted,
        Standing::Superseded => RolloutState::Superseded,
    };
    let line = rollout.history.back();
    let evidence = line.map(|line| line.evidence.clone()).filter(|evidence| !evidence.is_empty());
    RolloutStatus {
        job: rollout.name.clone(),
        from: rollout.from,
        to: rollout.to,
        state,
        step: rollout.step + 1,
        steps: rollout.steps(),
        weight: rollout.traffic,
        since: line.map_or(rollout.waiting_since, |line| line.at),
        reason: line.map(|line| line.reason),
        evidence,
    }
}

/// A realm's policy and quota, as they are in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// The realm.
    pub realm: String,
    /// How verdicts are applied.
    pub mode: Mode,
    /// Grows with every change.
    pub version: u64,
    /// Cedar policies.
    pub text: String,
    /// The most the realm may use.
    pub quota: Option<Quota>,
}

/// The policies of all realms, by name.
pub fn policies(fold: &Fold) -> Vec<PolicyStatus> {
    let shown = fold.policies().map(|(_, policy)| PolicyStatus {
        realm: policy.realm().to_owned(),
        mode: policy.mode(),
        version: policy.version(),
        text: policy.text().to_owned(),
        quota: policy.quota().cloned(),
    });
    let mut shown: Vec<PolicyStatus> = shown.filter(|policy| !policy.realm.is_empty()).collect();
    shown.sort_by(|one, other| one.realm.cmp(&other.realm));
    shown
}

/// The reason for people who read tables: the code.
pub fn code(reason: Option<Reason>) -> &'static str {
    reason.map_or("", Reason::code)
}
