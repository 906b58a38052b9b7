//! Routes: they take in the job's word as it is, know when they are dark, share out all of the traffic, and lead to
//! what is gone no longer than it takes to be told.

use super::Finding;
use crate::plan::{Plan, Trouble};
use crate::verdict::Invariant;
use actors::cast::AnyCell;
use actors::fold::Fold;
use messages::entry::{Entry, Record};
use messages::id::{ActorId, InstanceId, JobId};
use messages::node;
use messages::route::{Event, Message};
use std::collections::{BTreeMap, BTreeSet};

/// How long a route may lead to what is gone after its node's word is durable, where nothing else goes wrong, in
/// microseconds: node, job and route take a turn each, and each may have to ask again.
const TOLD_MAX_US: u64 = 2_000_000;
/// The same once the world is healed: what was asked often is asked again only after a while.
const HEALED_MAX_US: u64 = 40_000_000;

/// What routes must know, and by when.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    /// From when on being told takes only so long, and how long.
    told: (u64, u64),
    /// When no route may lead to an instance any more.
    due: BTreeSet<(u64, InstanceId)>,
    by_instance: BTreeMap<InstanceId, (u64, JobId)>,
    /// The routes of each job.
    routes: BTreeMap<JobId, BTreeSet<ActorId>>,
}

/// From when on, and how long after a change at the most, routes are told of it.
fn told(plan: &Plan) -> (u64, u64) {
    let beside = |trouble: &Trouble| matches!(trouble.name(), "partition" | "clog") || of_machine(trouble);
    let beside = plan.faults.iter().all(|fault| beside(&fault.trouble));
    if beside { (0, TOLD_MAX_US) } else { (plan.heal_at, HEALED_MAX_US) }
}

impl Serving {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { told: told(plan), due: BTreeSet::new(), by_instance: BTreeMap::new(), routes: BTreeMap::new() }
    }

    /// The plan is another from now on.
    pub(super) fn goes_on_with(&mut self, plan: &Plan) {
        self.told = told(plan);
    }

    /// An entry was committed at `now`, and folded.
    pub(super) fn see(&mut self, entry: &Entry, fold: &Fold, now: u64, findings: &mut Vec<Finding>) {
        match entry {
            Entry::Route(record) => self.see_route(record, fold, findings),
            Entry::Node(record) => self.see_node(record, fold, now),
            _ => {}
        }
        while let Some((at, instance)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, instance));
            let Some((_, job)) = self.by_instance.remove(&instance) else { continue };
            if let Some(route) =
                self.routes.get(&job).into_iter().flatten().find(|route| leads(fold, **route, instance))
            {
                let message = format!("{route} leads to {instance}");
                findings.push((Invariant::Routes, "a route leads to what is gone", message));
            }
        }
    }

    fn see_route(&mut self, record: &Record<Message, Event>, fold: &Fold, findings: &mut Vec<Finding>) {
        let actor = record.head.actor;
        let Some(AnyCell::Route(cell)) = fold.cell(actor) else { return };
        let route = cell.state();
        for event in &record.events {
            if let Event::Subscribed { job } = event {
                self.routes.entry(*job).or_default().insert(actor);
            }
            let Event::TableChanged { version, endpoints, weights } = event else { continue };
            let Message::Endpoints { job, version: told, endpoints: seen, weights: shares } = &record.input else {
                continue;
            };
            let trouble = match () {
                () if (version, endpoints, weights) != (told, seen, shares) => {
                    "a route's table is not what its job says"
                }
                () if route.job != Some(*job) => "a route takes in the word of a job that it does not lead to",
                () if !shares.is_empty() && shares.iter().map(|(_, share)| share).sum::<u32>() != 100 => {
                    "a route does not share out all of the traffic"
                }
                () => continue,
            };
            findings.push((Invariant::Routes, trouble, format!("{actor} version {version}")));
        }
        if route.table.is_some() && route.dark.is_some() == route.healthy().next().is_some() {
            let message = format!("{actor}: dark {:?}", route.dark);
            findings.push((Invariant::Routes, "a route does not know whether it serves", message));
        }
    }

    /// What is gone, or cannot be seen, is to be led to no more; what can be seen again may be.
    fn see_node(&mut self, record: &Record<node::Message, node::Event>, fold: &Fold, now: u64) {
        let Some(AnyCell::Node(cell)) = fold.cell(record.head.actor) else { return };
        for event in &record.events {
            match event {
                node::Event::Released { instance, job, .. } => self.promise(*instance, *job, now),
                node::Event::Suspected { .. } => {
                    for claim in cell.state().claims() {
                        self.promise(claim.spec().instance, claim.spec().job, now);
                    }
                }
                node::Event::Welcomed { .. } => {
                    for claim in cell.state().claims() {
                        self.forgive(claim.spec().instance);
                    }
                }
                _ => {}
            }
        }
    }

    fn promise(&mut self, instance: InstanceId, job: JobId, now: u64) {
        let (from, within) = self.told;
        let at = now.max(from) + within;
        if !self.by_instance.contains_key(&instance) && self.routes.contains_key(&job) {
            self.by_instance.insert(instance, (at, job));
            self.due.insert((at, instance));
        }
    }

    fn forgive(&mut self, instance: InstanceId) {
        if let Some((at, _)) = self.by_instance.remove(&instance) {
            self.due.remove(&(at, instance));
        }
    }
}

/// Whether it leaves the control plane and its messages alone.
const fn of_machine(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Machine(_))
}

fn leads(fold: &Fold, route: ActorId, instance: InstanceId) -> bool {
    let Some(AnyCell::Route(cell)) = fold.cell(route) else { return false };
    cell.state().healthy().any(|endpoint| endpoint.instance == instance)
}

/// Routes that do not lead where their job is, though nothing happens any more.
pub(super) fn astray(fold: &Fold) -> Vec<String> {
    let routes = fold.routes().filter_map(|(id, route)| Some((id, route, route.job?)));
    let astray = routes.filter(|(_, route, job)| {
        let Some(AnyCell::Job(cell)) = fold.cell(*job) else { return false };
        let job = cell.state();
        let told = route.table.as_ref();
        job.spec.is_some()
            && told.is_none_or(|table| table.endpoints != job.endpoints() || table.weights != job.weights)
    });
    astray.map(|(id, _, _)| format!("{id} does not lead where its job is")).collect()
}
