//! Turns: each message once, each version newer than the last, and nothing claimed, started or stopped out of turn.

use super::Finding;
use super::gpus::Parts;
use crate::plan::Plan;
use crate::verdict::Invariant;
use actors::fold::Fold;
use actors::job::WITHDRAW_WAIT_MAX;
use messages::agent::Assignment;
use messages::entry::{Entry, Head, Record};
use messages::envelope::MessageId;
use messages::id::{ActorId, InstanceId};
use messages::reason::Reason;
use messages::resources::Resources;
use messages::time::Timestamp;
use messages::{job, node, route};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What was recorded, as far as later turns must agree with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    /// Nothing goes wrong in this world.
    faultless: bool,
    said: BTreeMap<(ActorId, ActorId), (u64, u32)>,
    outside: BTreeSet<(ActorId, Uuid)>,
    nodes: BTreeMap<ActorId, NodeSeen>,
    /// Instances that a node was allowed to start.
    allowed: BTreeSet<InstanceId>,
    jobs: BTreeMap<ActorId, JobSeen>,
    tables: BTreeMap<ActorId, (ActorId, u64)>,
}

#[derive(Clone, Debug, Default)]
struct NodeSeen {
    capacity: Resources,
    claims: BTreeMap<InstanceId, Resources>,
    gpus: Parts,
    released: BTreeSet<InstanceId>,
}

#[derive(Clone, Debug, Default)]
struct JobSeen {
    slots: BTreeMap<InstanceId, u32>,
    places: BTreeMap<InstanceId, ActorId>,
    versions: BTreeMap<InstanceId, u64>,
    withdrawn: BTreeMap<InstanceId, Timestamp>,
}

impl Turns {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { faultless: plan.faults.is_empty(), ..Self::default() }
    }

    /// The plan is another from now on.
    pub(super) const fn goes_on_with(&mut self, plan: &Plan) {
        self.faultless &= plan.faults.is_empty();
    }

    /// An entry was committed, and folded.
    pub(super) fn see(&mut self, entry: &Entry, fold: &Fold, findings: &mut Vec<Finding>) {
        findings.extend(self.see_cause(entry.head()));
        match entry {
            Entry::Node(record) => self.see_node(record, findings),
            Entry::Job(record) => self.jobs.entry(record.head.actor).or_default().see(record, fold, findings),
            Entry::Route(record) => self.see_route(record, findings),
            Entry::Scheduler(_) | Entry::Rollout(_) | Entry::Policy(_) => {}
        }
    }

    fn see_cause(&mut self, head: &Head) -> Option<Finding> {
        let news = match head.cause {
            MessageId::Said { by, sequence, index } => {
                let last = self.said.insert((head.actor, by), (sequence, index));
                last.is_none_or(|last| last < (sequence, index))
            }
            MessageId::Outside(id) => self.outside.insert((head.actor, id)),
            MessageId::Deadline { .. } => true,
        };
        let message = || format!("{} entry {}: {:?}", head.actor, head.sequence, head.cause);
        (!news).then(|| (Invariant::Once, "a message is taken in twice", message()))
    }

    fn see_node(&mut self, record: &Record<node::Message, node::Event>, findings: &mut Vec<Finding>) {
        let seen = self.nodes.entry(record.head.actor).or_default();
        for event in &record.events {
            match event {
                node::Event::Welcomed { spec, .. } => seen.capacity = spec.capacity.clone(),
                node::Event::Claimed { claim, gpus } => {
                    let instance = claim.instance;
                    if seen.released.contains(&instance) {
                        findings.push((Invariant::Claims, "a node claims what it released", format!("{instance}")));
                    }
                    seen.claims.insert(instance, claim.workload.resources.clone());
                    let milli = claim.workload.resources.gpu_milli;
                    if let Some(wrong) = seen.gpus.give(seen.capacity.gpu_milli, instance, milli, gpus) {
                        findings.push((Invariant::Capacity, wrong, format!("{instance} is given GPUs {gpus:?}")));
                    }
                    let used = seen.claims.values().fold(Resources::default(), |sum, one| sum.plus(one));
                    if let Some((dimension, missing)) = seen.capacity.shortage(&used) {
                        let message = format!("{}: {} missing", dimension.name(), dimension.amount(missing));
                        findings.push((Invariant::Capacity, "a node claims more than it has", message));
                    }
                }
                node::Event::ClaimRefused { instance, because, .. } if self.faultless && for_room(*because) => {
                    let message = format!("{instance}: {because}");
                    findings.push((Invariant::Capacity, "a place without room is chosen in a sound world", message));
                }
                node::Event::StartAllowed { instance } => drop(self.allowed.insert(*instance)),
                node::Event::Released { instance, .. } => {
                    seen.claims.remove(instance);
                    seen.gpus.take_back(*instance);
                    seen.released.insert(*instance);
                }
                _ => {}
            }
        }
    }

    fn see_route(&mut self, record: &Record<route::Message, route::Event>, findings: &mut Vec<Finding>) {
        // A route that begins to follow a job, again or for the first time, knows none of its tables.
        if record.events.iter().any(|event| matches!(event, route::Event::Subscribed { .. })) {
            self.tables.remove(&record.head.actor);
        }
        let route::Message::Endpoints { job, .. } = &record.input else { return };
        for event in &record.events {
            let route::Event::TableChanged { version, .. } = event else { continue };
            let job = ActorId::from(*job);
            let last = self.tables.insert(record.head.actor, (job, *version));
            if last.is_some_and(|(of, last)| of == job && last >= *version) {
                let message = format!("version {version} after {last:?}");
                findings.push((Invariant::Once, "a route takes in an old table", message));
            }
        }
    }

    /// A workload is started.
    pub(super) fn started(&self, assignment: &Assignment) -> Option<Finding> {
        let instance = assignment.instance;
        let label = &assignment.label;
        (!self.allowed.contains(&instance)).then(|| {
            (Invariant::Claims, "what only holds room is started", format!("{label} ({instance}) was not allowed to"))
        })
    }
}

const fn for_room(because: Reason) -> bool {
    use Reason::{GpuModel, NoCpu, NoDisk, NoDiskIo, NoMemory, NoNetwork, NoPorts, NoResource};
    matches!(because, NoCpu | NoMemory | NoDisk | NoNetwork | NoPorts | NoDiskIo | NoResource | GpuModel)
}

impl JobSeen {
    fn see(&mut self, record: &Record<job::Message, job::Event>, fold: &Fold, findings: &mut Vec<Finding>) {
        use job::Event as E;
        for event in &record.events {
            match event {
                E::Wanted { instance, slot, .. } => {
                    if let Some((other, _)) = self.slots.iter().find(|(_, taken)| *taken == slot) {
                        let message = format!("slot {slot} of {} still has {other}", record.head.actor);
                        findings.push((Invariant::InstanceOnce, "a slot is filled before it is free", message));
                    }
                    self.slots.insert(*instance, *slot);
                }
                E::Assigned { instance, node, .. } => drop(self.places.insert(*instance, (*node).into())),
                E::Observed { instance, version, .. } => self.observes(*instance, *version, findings),
                E::Withdrawn { instance } => drop(self.withdrawn.insert(*instance, record.head.at)),
                E::Stopping { instance } => self.stops(*instance, record.head.at, fold, findings),
                E::Gone { instance, .. } => self.goes(*instance, &record.input, findings),
                _ => {}
            }
        }
    }

    fn observes(&mut self, instance: InstanceId, version: u64, findings: &mut Vec<Finding>) {
        if self.versions.insert(instance, version).is_some_and(|last| last >= version) {
            let message = format!("version {version} of {instance}");
            findings.push((Invariant::Once, "a job takes in an old observation", message));
        }
    }

    /// A healthy instance that was withdrawn is stopped: by now no route may lead to it, or too long was waited.
    fn stops(&mut self, instance: InstanceId, at: Timestamp, fold: &Fold, findings: &mut Vec<Finding>) {
        let Some(since) = self.withdrawn.remove(&instance) else { return };
        let led = |route: &actors::route::Route| {
            let mut endpoints = route.table.iter().flat_map(|table| &table.endpoints);
            endpoints.any(|endpoint| endpoint.instance == instance && endpoint.healthy)
        };
        if at < since.after(WITHDRAW_WAIT_MAX)
            && let Some((route, _)) = fold.routes().find(|(_, route)| led(route))
        {
            let message = format!("{route} still leads to {instance}");
            findings.push((Invariant::Withdrawn, "an instance stops while a route leads to it", message));
        }
    }

    fn goes(&mut self, instance: InstanceId, input: &job::Message, findings: &mut Vec<Finding>) {
        self.slots.remove(&instance);
        self.withdrawn.remove(&instance);
        let place = self.places.remove(&instance);
        if let job::Message::Released { instance: released, node, .. } = input
            && *released == instance
            && place.is_some_and(|place| place != ActorId::from(*node))
        {
            let message = format!("{instance} is on {place:?}, and {node} said it is gone");
            findings.push((Invariant::InstanceOnce, "a job believes a node that has not the instance", message));
        }
    }
}
