//! What the scheduler decides: no room twice, no second place, no rule broken, nobody left waiting whom a node could
//! take, and every decision explained by itself.

use super::Finding;
use super::given::{Given, Needs, NodeGiven};
use crate::verdict::Invariant;
use actors::cedar::{Circumstance, PLACE, Party};
use actors::fold::Fold;
use actors::scheduler::RESERVATION;
use messages::entry::Record;
use messages::envelope::Body;
use messages::id::{InstanceId, JobId, NodeId};
use messages::job;
use messages::manifest::Level;
use messages::policy::Mode;
use messages::resources::Resources;
use messages::scheduler::{Ask, Decision, Event, Message};
use messages::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

type Entry = Record<Message, Event>;

/// The places that were given, and the checks of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Placing {
    pub(super) given: Given,
    /// When each instance was given its place.
    placed: BTreeMap<InstanceId, Timestamp>,
    oldest: BTreeSet<(Timestamp, InstanceId)>,
}

impl Placing {
    /// An entry of the scheduler was committed.
    pub(super) fn see(&mut self, record: &Entry, findings: &mut Vec<Finding>) {
        for event in &record.events {
            match event {
                Event::Placed { job, ask, resources, decision } => {
                    check_explained(decision, self.given.nodes.len(), findings);
                    self.check_order(record, *job, ask, findings);
                    self.check_place(*job, ask, resources, decision, findings);
                }
                Event::Unplaced { job, ask, decision } => {
                    check_explained(decision, self.given.nodes.len(), findings);
                    check_told(record, ask.instance, findings);
                    if !ask.gang {
                        self.check_nowhere(*job, ask, findings);
                    }
                }
                Event::Viewed { node, view } => {
                    let held = self.given.nodes.get(node).map_or(0, |known| known.view.version);
                    if held >= view.version && held > 0 {
                        let message = format!("{}: version {} after {held}", view.spec.name, view.version);
                        findings.push((Invariant::Once, "a scheduler takes in an old view", message));
                    }
                }
                _ => {}
            }
            if let Event::Placed { ask, .. } = event {
                self.placed.insert(ask.instance, record.head.at);
                self.oldest.insert((record.head.at, ask.instance));
            }
            self.given.see(event);
        }
        self.check_gangs(record, findings);
        if matches!(record.input, Message::Wake { .. }) {
            self.check_held(record.head.at, findings);
        }
    }

    /// Room for a claim that no node shows is held for its time, and no longer.
    fn check_held(&mut self, at: Timestamp, findings: &mut Vec<Finding>) {
        while let Some((since, instance)) =
            self.oldest.first().copied().filter(|(since, _)| since.after(RESERVATION) <= at)
        {
            self.oldest.remove(&(since, instance));
            if self.placed.get(&instance) != Some(&since) {
                continue;
            }
            self.placed.remove(&instance);
            if self.given.is_held(instance) {
                let message = format!("{instance} since {}", since.0);
                findings.push((Invariant::Claims, "room is held too long for a claim that no node shows", message));
            }
        }
    }

    /// The version of a realm's rules that the scheduler has.
    pub(super) fn rules_version(&self, realm: &str) -> u64 {
        self.given.rules.get(realm).map_or(0, |rules| rules.version)
    }

    /// Nodes that the scheduler takes for something else than they are.
    pub(super) fn mistaken(&self, fold: &Fold) -> Vec<String> {
        let nodes = fold.nodes().filter(|(_, node)| node.epoch() > 0);
        let mistaken = nodes
            .filter(|(id, node)| self.given.nodes.get(&NodeId(id.id)).is_none_or(|known| known.view != node.view()));
        mistaken.map(|(_, node)| node.name().into()).collect()
    }

    fn check_place(
        &self,
        job: JobId,
        ask: &Ask,
        resources: &Resources,
        decision: &Decision,
        findings: &mut Vec<Finding>,
    ) {
        let Some(id) = decision.chosen else { return };
        if let Some(other) = self.given.place_of(ask.instance) {
            let message = format!("{} has a place on {other}, and is given one on {id}", ask.label);
            findings.push((Invariant::InstanceOnce, "an instance that has a place is given another", message));
        }
        let Some(node) = self.given.nodes.get(&id) else {
            let message = format!("{} goes to {id}", ask.label);
            return findings.push((Invariant::Placement, "a place is given on a node that is not known", message));
        };
        if let Some((dimension, missing)) = node.view.spec.capacity.shortage(&node.used.plus(resources)) {
            let message =
                format!("{} lacks {} of {}", node.view.spec.name, dimension.amount(missing), dimension.name());
            findings.push((Invariant::Capacity, "a scheduler gives room away twice", message));
        } else if !node.has_gpus_for(resources.gpu_milli) {
            let message = format!("{} on {}", ask.label, node.view.spec.name);
            findings.push((Invariant::Capacity, "a scheduler gives the GPUs of a node away twice", message));
        }
        let Some(needs) = self.given.jobs.get(&job) else { return };
        let look = Look::new(&self.given, job, needs, ask.revision);
        if let Some(rule) = look.broken(node) {
            let message = format!("{} on {}", ask.label, node.view.spec.name);
            findings.push((Invariant::Placement, rule, message));
        }
    }

    /// Where no node can take an instance, no node can.
    fn check_nowhere(&self, job: JobId, ask: &Ask, findings: &mut Vec<Finding>) {
        if let Some(node) = self.taker(job, ask.revision, ask.instance) {
            let message = format!("{} waits, and {node} could take it", ask.label);
            findings.push((Invariant::Placement, "an instance waits though a node could take it", message));
        }
    }

    /// A node that could take an instance now, by name.
    pub(super) fn taker(&self, job: JobId, revision: u32, instance: InstanceId) -> Option<&str> {
        if self.given.waiting.get(&instance).is_some_and(|waits| waits.gang) {
            return self.gang_taker(job, revision);
        }
        let needs = self.given.jobs.get(&job)?;
        let workload = needs.workloads.get(&revision)?;
        let look = Look::new(&self.given, job, needs, revision);
        let refused = self.given.waiting.get(&instance).map(|waits| &waits.refused);
        let takes = |(id, node): &(&NodeId, &NodeGiven)| {
            let no = refused.and_then(|refused| refused.get(id)).is_some_and(|version| *version >= node.view.version);
            let gpus = workload.resources.gpu_milli;
            let gpus = gpus == 0 || (node.gpus_are_known() && node.has_gpus_for(gpus));
            let fits = node.view.spec.capacity.fits(&node.used.plus(&workload.resources)) && gpus;
            !no && fits && look.broken(node).is_none()
        };
        self.given.nodes.iter().find(takes).map(|(_, node)| node.view.spec.name.as_str())
    }

    /// Of those that wait for the same, the first to come gets the first place.
    fn check_order(&self, record: &Entry, job: JobId, ask: &Ask, findings: &mut Vec<Finding>) {
        let own = self.given.waiting.get(&ask.instance).and_then(|waits| waits.number);
        let (Message::Wake { .. }, Some(own)) = (&record.input, own) else { return };
        let earlier = self.given.waiting.iter().find(|(_, waits)| {
            let before = waits.number.is_some_and(|number| number < own);
            before && waits.class == (job, ask.revision) && waits.refused.is_empty()
        });
        if let Some((other, _)) = earlier {
            let message = format!("{} before {other}", ask.label);
            findings.push((Invariant::Placement, "who came later is placed before who came first", message));
        }
    }
}

/// A look at all nodes for one job.
pub(super) struct Look<'a> {
    given: &'a Given,
    job: JobId,
    needs: &'a Needs,
    revision: u32,
    floors: BTreeMap<Level, u32>,
}

impl<'a> Look<'a> {
    pub(super) fn new(given: &'a Given, job: JobId, needs: &'a Needs, revision: u32) -> Self {
        let mut look = Self { given, job, needs, revision, floors: BTreeMap::new() };
        for spread in needs.place.spread.iter().filter(|spread| spread.skew_max.is_some()) {
            let open = given.nodes.values().filter(|node| node.ready() && look.ever(node));
            let counts = open.map(|node| given.count(job, spread.over, node.domain(spread.over)));
            let floor = counts.min().unwrap_or(0);
            look.floors.insert(spread.over, floor);
        }
        look
    }

    /// Whether a node could take the job if nothing else were there.
    fn ever(&self, node: &NodeGiven) -> bool {
        let fits = self
            .needs
            .workloads
            .get(&self.revision)
            .is_none_or(|workload| node.view.spec.capacity.fits(&workload.resources));
        fits && self.takes_gpus(node)
            && self.needs.place.require.iter().all(|tag| node.has(tag))
            && !node.is_tainted_for(&self.needs.place.tolerate)
            && self.permitted(node)
    }

    /// Whether a GPU of the node is of a model that will do, or none is needed.
    fn takes_gpus(&self, node: &NodeGiven) -> bool {
        let Some(workload) = self.needs.workloads.get(&self.revision) else { return true };
        let models = &workload.gpu_models;
        let same = |model: &String| model.to_lowercase() == node.view.spec.gpu_model.to_lowercase();
        workload.resources.gpu_milli == 0 || models.is_empty() || models.iter().any(same)
    }

    fn permitted(&self, node: &NodeGiven) -> bool {
        let Some(rules) = self.given.rules.get(&self.needs.realm) else { return true };
        let (Some(policies), Mode::Enforce) = (&rules.policies, rules.mode) else { return true };
        let Some(workload) = self.needs.workloads.get(&self.revision) else { return true };
        let job = Party::job(&self.needs.realm, &self.needs.name, workload, self.needs.exclusive);
        let node = Party::node(&node.view.spec.name, &node.tags);
        policies.judge(&job, PLACE, &node, Circumstance::None).allowed
    }

    /// The rule that an instance on this node would break.
    pub(super) fn broken(&self, node: &NodeGiven) -> Option<&'static str> {
        let place = &self.needs.place;
        let on = |job: JobId, level: Level| self.given.count(job, level, node.domain(level));
        let other = |name: &str| JobId::named(&self.needs.realm, name);
        if !node.ready() {
            return Some("a place is given on a node that takes no work");
        }
        if !place.require.iter().all(|tag| node.has(tag)) {
            return Some("a place is given on a node without a tag it must have");
        }
        if node.is_tainted_for(&place.tolerate) {
            return Some("a place is given on a node with a taint that is not tolerated");
        }
        if !self.takes_gpus(node) {
            return Some("a place is given on GPUs of a model that will not do");
        }
        if !self.permitted(node) {
            return Some("a place is given that the policy forbids");
        }
        let far = place.near.iter().filter(|near| near.hard).any(|near| {
            let (job, none) = (other(&near.job), on(other(&near.job), near.within) == 0);
            none && !(job == self.job && self.given.total(job) == 0)
        });
        if far {
            return Some("a place is given far from what it must be near");
        }
        if place.apart.iter().any(|apart| apart.hard && on(other(&apart.job), apart.within) > 0) {
            return Some("a place is given near to what it must be apart from");
        }
        if self.given.repelled_by(self.job).any(|(by, level)| by != self.job && on(by, level) > 0) {
            return Some("a place is given near to what must be apart from it");
        }
        if place.per_node_max.is_some_and(|most| on(self.job, Level::Node) >= most) {
            return Some("a node gets more of a job than it may have");
        }
        let crowded = place.spread.iter().any(|spread| {
            let floor = self.floors.get(&spread.over).copied().unwrap_or(0);
            spread.skew_max.is_some_and(|skew| on(self.job, spread.over) + 1 > floor + skew.max(1))
        });
        crowded.then_some("a job is spread less evenly than it must be")
    }
}

/// A decision accounts for every node, and takes the best of those it shows, whose scores are the sums of their terms.
fn check_explained(decision: &Decision, nodes: usize, findings: &mut Vec<Finding>) {
    let struck: u64 = decision.struck_out.iter().map(|(_, count, _)| u64::from(*count)).sum();
    let best = decision.candidates.first().map(|candidate| candidate.node);
    let sums = decision
        .candidates
        .iter()
        .all(|candidate| candidate.score == candidate.terms.iter().map(|term| term.value * term.weight).sum::<i64>());
    let ranked = decision.candidates.is_sorted_by(|one, next| one.score >= next.score);
    let trouble = match () {
        () if struck + u64::from(decision.fitting) != nodes as u64 => "a decision does not account for every node",
        () if decision.chosen != best || !ranked => "a decision does not take the best node",
        () if !sums => "a score is not the sum of its terms",
        () if decision.chosen.is_some() == decision.unplaceable.is_some() => "a decision gives no reason",
        () => return,
    };
    findings.push((Invariant::Explained, trouble, decision.label.clone()));
}

/// Whoever waits is told why.
fn check_told(record: &Entry, waiting: InstanceId, findings: &mut Vec<Finding>) {
    let told =
        record.head.sends.iter().any(
            |(_, body)| matches!(body, Body::Job(job::Message::Unplaceable { instance, .. }) if *instance == waiting),
        );
    if !told {
        findings.push((Invariant::Explained, "an instance waits and nobody is told why", format!("{waiting}")));
    }
}
