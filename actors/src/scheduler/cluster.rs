//! What the scheduler knows of the nodes, with the room it has given away, and counters of who is where.
//!
//! [`Cluster`] is state. [`ClusterView`] is a look at it within one decision or batch of decisions, to which placements
//! just decided are added, so that each sees those before it; the state itself is not copied.

use super::Scheduler;
use super::classes::{Class, Classes};
use messages::gpu::Gpus;
use messages::id::{InstanceId, JobId, NodeId};
use messages::manifest::{Level, Tag};
use messages::node::{NodeView, Standing};
use messages::reason::Reason;
use messages::resources::Resources;
use messages::scheduler::Ask;
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Every node, and what is on it as far as the scheduler knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Cluster {
    nodes: BTreeMap<NodeId, Box<NodeState>>,
    holders: BTreeSet<(InstanceId, NodeId)>,
    reserved: BTreeMap<InstanceId, NodeId>,
    expiries: BTreeSet<(Timestamp, InstanceId)>,
    census: Census,
    #[serde(skip_serializing)]
    classes: Classes,
}

/// How many instances of each job there are: in each domain, and in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Census {
    domains: BTreeMap<(JobId, Level), BTreeMap<String, u32>>,
    totals: BTreeMap<JobId, u32>,
}

/// A cluster as it is stored: the classes follow from the nodes.
#[derive(Deserialize)]
struct Stored {
    nodes: BTreeMap<NodeId, Box<NodeState>>,
    holders: BTreeSet<(InstanceId, NodeId)>,
    reserved: BTreeMap<InstanceId, NodeId>,
    expiries: BTreeSet<(Timestamp, InstanceId)>,
    census: Census,
}

impl From<Stored> for Cluster {
    fn from(stored: Stored) -> Self {
        let Stored { nodes, holders, reserved, expiries, census } = stored;
        let mut classes = Classes::default();
        for (id, node) in &nodes {
            classes.insert(*id, node);
        }
        Self { nodes, holders, reserved, expiries, census, classes }
    }
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    view: NodeView,
    used: Resources,
    gpus: Gpus,
    domains: [String; 4],
    tags: BTreeMap<String, String>,
    reservations: BTreeMap<InstanceId, Reservation>,
}

/// Room given away that the node's view does not show yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The job.
    pub job: JobId,
    /// What was asked.
    pub ask: Ask,
    /// What it takes.
    pub resources: Resources,
    /// The GPUs that the node is thought to give it; none while there are none to give.
    pub gpus: Vec<u16>,
    /// When it lapses, if the node's view does not show the claim before.
    pub until: Timestamp,
    /// Nodes that refused the instance before.
    pub refused: Vec<RefusedBy>,
}

/// A node that refused a claim. It counts until the node's view changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedBy {
    /// Which node.
    pub node: NodeId,
    /// The version of the view it refused with.
    pub version: u64,
    /// Why.
    pub because: Reason,
}

impl NodeState {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.view.spec.name
    }

    /// What it said last.
    pub const fn view(&self) -> &NodeView {
        &self.view
    }

    /// Whether it takes work.
    pub const fn standing(&self) -> Standing {
        self.view.standing
    }

    /// What it has in all.
    pub const fn capacity(&self) -> &Resources {
        &self.view.spec.capacity
    }

    /// What its claims and the room given away take.
    pub const fn used(&self) -> &Resources {
        &self.used
    }

    /// What is left of each of its GPUs.
    pub const fn gpus(&self) -> &Gpus {
        &self.gpus
    }

    /// Its tags, with `node`, `rack`, `site` and `region`.
    pub const fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    /// The room given away that its view does not show yet.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations.values()
    }

    /// The place it is in, at this level. A node of which the level is not known is a place of its own.
    pub fn domain(&self, level: Level) -> &str {
        &self.domains[level as usize]
    }

    /// Whether its tags are as this one wants them.
    pub fn satisfies(&self, tag: &Tag) -> bool {
        let found = self.tags.get(&tag.key).is_some_and(|have| tag.value.as_ref().is_none_or(|want| want == have));
        found != tag.negated
    }

    fn set_view(&mut self, view: NodeView) {
        let spec = &view.spec;
        let own = || format!("?{}", spec.name);
        let named = |parts: &[&str]| match parts.last() {
            Some(last) if !last.is_empty() => parts.join("/"),
            _ => own(),
        };
        self.domains = [
            spec.name.clone(),
            named(&[&spec.region, &spec.site, &spec.rack]),
            named(&[&spec.region, &spec.site]),
            named(&[&spec.region]),
        ];
        self.tags = spec.tags.clone();
        let implicit = [("node", &spec.name), ("rack", &spec.rack), ("site", &spec.site), ("region", &spec.region)];
        self.tags
            .extend(implicit.into_iter().filter(|(_, value)| !value.is_empty()).map(|(k, v)| (k.into(), v.clone())));
        self.view = view;
    }

    fn sum_up(&mut self) {
        let claims = self.view.claims.iter().map(|claim| &claim.resources);
        let claims = claims.filter(|_| !crate::mutant!(ClaimsIgnored));
        let count = if crate::mutant!(ReservationIgnored) { 0 } else { usize::MAX };
        let reserved = self.reservations.values().map(|reservation| &reservation.resources).take(count);
        self.used = claims.chain(reserved).fold(Resources::default(), |sum, one| sum.plus(one));
        if self.view.spec.capacity.gpu_milli > 0 {
            self.hand_out_gpus();
        }
    }

    /// Which GPUs are left: the node says which its claims have, and what is given away is thought to have those that
    /// the node would give it. While there is none for one of them nothing is left.
    fn hand_out_gpus(&mut self) {
        let mut left = Gpus::all(self.view.spec.capacity.gpu_milli);
        self.view.claims.iter().for_each(|claim| left.take(claim.resources.gpu_milli, &claim.gpus));
        let mut without: Vec<&mut Reservation> = Vec::new();
        for held in self.reservations.values_mut().filter(|held| held.resources.gpu_milli > 0) {
            if held.gpus.is_empty() || !left.have(held.resources.gpu_milli, &held.gpus) {
                without.push(held);
            } else {
                left.take(held.resources.gpu_milli, &held.gpus);
            }
        }
        let mut all = true;
        for held in without {
            held.gpus = left.pick(held.resources.gpu_milli).unwrap_or_default();
            left.take(held.resources.gpu_milli, &held.gpus);
            all &= !held.gpus.is_empty();
        }
        self.gpus = if all { left } else { Gpus::default() };
    }

    /// The jobs of its instances in order, each as often as it has instances here.
    fn jobs(&self) -> Vec<JobId> {
        let claims = self.view.claims.iter().map(|claim| claim.job);
        let mut jobs: Vec<JobId> = claims.chain(self.reservations.values().map(|held| held.job)).collect();
        jobs.sort_unstable();
        jobs
    }
}

impl Cluster {
    /// Every node.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &NodeState)> {
        self.nodes.iter().map(|(id, node)| (*id, &**node))
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> Option<&NodeState> {
        self.nodes.get(&id).map(|node| &**node)
    }

    /// Where an instance has a place: where its claim is seen, or where room is held for it.
    pub fn place_of(&self, instance: InstanceId) -> Option<NodeId> {
        let first = self.holders.range((instance, NodeId::default())..).next();
        let held =
            first.filter(|(holder, _)| *holder == instance && !crate::mutant!(HoldersForgotten)).map(|(_, node)| *node);
        held.or_else(|| self.reserved.get(&instance).copied())
    }

    /// The room held for an instance, and where.
    pub fn reservation(&self, instance: InstanceId) -> Option<(NodeId, &Reservation)> {
        let node = *self.reserved.get(&instance)?;
        Some((node, self.nodes.get(&node)?.reservations.get(&instance)?))
    }

    /// Reservations that lapse at or before `now`.
    pub fn lapsed(&self, now: Timestamp) -> impl Iterator<Item = InstanceId> {
        self.expiries.iter().take_while(move |(until, _)| *until <= now).map(|(_, instance)| *instance)
    }

    /// When the next reservation lapses.
    pub fn next_lapse(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(until, _)| *until)
    }

    /// How many instances of a job there are in a domain.
    pub fn count(&self, job: JobId, level: Level, domain: &str) -> u32 {
        self.census.domains.get(&(job, level)).and_then(|domains| domains.get(domain)).copied().unwrap_or(0)
    }

    /// How many instances of a job there are.
    pub fn total(&self, job: JobId) -> u32 {
        self.census.totals.get(&job).copied().unwrap_or(0)
    }

    /// Takes in what a node says, and drops reservations that its claims show. Returns the jobs of which less is there.
    pub(super) fn set_view(&mut self, id: NodeId, view: NodeView) -> Vec<JobId> {
        let known = self.nodes.contains_key(&id);
        let node = self.nodes.entry(id).or_default();
        let (gone, come) = difference(instances(&node.view), instances(&view));
        gone.iter().for_each(|instance| _ = self.holders.remove(&(*instance, id)));
        self.holders.extend(come.iter().map(|instance| (*instance, id)));
        let mut shown: Vec<InstanceId> = node.reservations.keys().copied().collect();
        shown.retain(|instance| view.claims.iter().any(|claim| claim.instance == *instance));
        for instance in &shown {
            self.reserved.remove(instance);
            self.expiries.remove(&(node.reservations[instance].until, *instance));
        }
        let forget = |node: &mut NodeState| node.reservations.retain(|instance, _| !shown.contains(instance));
        if known && view.spec == node.view.spec {
            return self.change(id, |node| {
                forget(node);
                node.view = view;
            });
        }
        let jobs = node.jobs();
        self.census.count_all(node, false);
        self.classes.remove(id, node);
        forget(node);
        node.set_view(view);
        node.sum_up();
        self.census.count_all(node, true);
        self.classes.insert(id, node);
        jobs
    }

    /// Holds room for an instance.
    pub(super) fn reserve(&mut self, id: NodeId, reservation: Reservation) {
        let instance = reservation.ask.instance;
        self.release(instance);
        if self.nodes.contains_key(&id) {
            self.reserved.insert(instance, id);
            self.expiries.insert((reservation.until, instance));
            self.change(id, |node| _ = node.reservations.insert(instance, reservation));
        }
    }

    /// Gives up the room held for an instance.
    pub(super) fn release(&mut self, instance: InstanceId) -> Option<(NodeId, Reservation)> {
        let id = self.reserved.remove(&instance)?;
        let mut released = None;
        self.change(id, |node| released = node.reservations.remove(&instance));
        let reservation = released?;
        self.expiries.remove(&(reservation.until, instance));
        Some((id, reservation))
    }

    /// Changes what is on a node, and what is counted of it. Returns the jobs of which it has less than before.
    fn change(&mut self, id: NodeId, change: impl FnOnce(&mut NodeState)) -> Vec<JobId> {
        let Some(node) = self.nodes.get_mut(&id) else { return Vec::new() };
        let (class, jobs) = (Class::of(node), node.jobs());
        change(node);
        node.sum_up();
        self.classes.regroup(id, class, node);
        let (gone, come) = difference(jobs, node.jobs());
        gone.iter().for_each(|job| self.census.count(*job, node, false));
        come.iter().for_each(|job| self.census.count(*job, node, true));
        gone
    }

    /// The nodes in classes.
    pub(super) const fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The domains of this level that have instances of a job.
    pub(super) fn domains_of(&self, job: JobId, level: Level) -> impl Iterator<Item = &str> {
        self.census.domains.get(&(job, level)).into_iter().flat_map(|domains| domains.keys().map(String::as_str))
    }
}

impl Census {
    /// Counts all of a node's instances in, or out.
    fn count_all(&mut self, node: &NodeState, add: bool) {
        node.jobs().into_iter().for_each(|job| self.count(job, node, add));
    }

    /// Counts an instance of a job on a node in, or out.
    fn count(&mut self, job: JobId, node: &NodeState, add: bool) {
        change(&mut self.totals, &job, add);
        for level in Level::ALL {
            let domains = self.domains.entry((job, level)).or_default();
            change(domains, node.domain(level), add);
            if domains.is_empty() {
                self.domains.remove(&(job, level));
            }
        }
    }
}

/// The instances whose claims a view shows, in order.
fn instances(view: &NodeView) -> Vec<InstanceId> {
    let mut instances: Vec<InstanceId> = view.claims.iter().map(|claim| claim.instance).collect();
    instances.sort_unstable();
    instances.dedup();
    instances
}

/// What is in the first list and not in the second, and the other way round. Both are sorted; each item counts.
fn difference<T: Ord + Copy>(before: Vec<T>, after: Vec<T>) -> (Vec<T>, Vec<T>) {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
    loop {
        match (before.peek(), after.peek()) {
            (Some(one), Some(other)) if one == other => {
                before.next();
                after.next();
            }
            (Some(one), other) if other.is_none_or(|other| one < other) => gone.extend(before.next()),
            (_, Some(_)) => come.extend(after.next()),
            (_, None) => return (gone, come),
        }
    }
}

/// One more, or one less; what comes to zero is dropped.
fn change<K, Q>(counts: &mut BTreeMap<K, u32>, key: &Q, add: bool)
where
    K: Ord + std::borrow::Borrow<Q>,
    Q: Ord + ToOwned<Owned = K> + ?Sized,
{
    match counts.get_mut(key) {
        Some(count) if add => *count += 1,
        Some(count) if *count > 1 => *count -= 1,
        Some(_) => _ = counts.remove(key),
        None if add => _ = counts.insert(key.to_owned(), 1),
        None => {}
    }
}

/// The cluster as one batch of decisions sees it.
#[derive(Clone, Debug)]
pub struct ClusterView<'a> {
    pub(super) state: &'a Scheduler,
    extra: BTreeMap<NodeId, Resources>,
    gpus: BTreeMap<NodeId, Gpus>,
    counts: BTreeMap<(JobId, Level, &'a str), u32>,
    totals: BTreeMap<JobId, u32>,
    pub(super) repels: BTreeSet<(JobId, JobId, Level)>,
}

impl<'a> ClusterView<'a> {
    /// The cluster as the state has it.
    pub const fn new(state: &'a Scheduler) -> Self {
        Self {
            state,
            extra: BTreeMap::new(),
            gpus: BTreeMap::new(),
            counts: BTreeMap::new(),
            totals: BTreeMap::new(),
            repels: BTreeSet::new(),
        }
    }

    /// Every node.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &'a NodeState)> + use<'a> {
        self.state.cluster.nodes()
    }

    /// What a node has left.
    pub fn free(&self, id: NodeId, node: &NodeState) -> Resources {
        let free = node.capacity().minus(&node.used);
        match self.extra.get(&id) {
            Some(extra) => free.minus(extra),
            None => free,
        }
    }

    /// What a node has left of each of its GPUs.
    pub fn gpus<'v>(&'v self, id: NodeId, node: &'v NodeState) -> &'v Gpus {
        self.gpus.get(&id).unwrap_or(&node.gpus)
    }

    /// How many instances of a job there are in a node's domain of this level.
    pub fn count(&self, job: JobId, level: Level, node: &'a NodeState) -> u32 {
        let domain = node.domain(level);
        let extra = self.counts.get(&(job, level, domain)).copied().unwrap_or(0);
        self.state.cluster.count(job, level, domain) + extra
    }

    /// How many instances of a job there are.
    pub fn total(&self, job: JobId) -> u32 {
        self.state.cluster.total(job) + self.totals.get(&job).copied().unwrap_or(0)
    }

    /// Nodes that were given something just now.
    pub(super) fn given(&self) -> impl Iterator<Item = NodeId> {
        self.extra.keys().copied()
    }

    /// The names of the nodes that were given an instance of a job just now.
    pub(super) fn nodes_given(&self, job: JobId) -> impl Iterator<Item = &'a str> {
        let of = move |key: &&(JobId, Level, &str)| key.0 == job && key.1 == Level::Node;
        self.counts.range((job, Level::Node, "")..).map(|(key, _)| key).take_while(of).map(|key| key.2)
    }

    /// Counts an instance as placed.
    pub fn place(&mut self, job: JobId, resources: &Resources, id: NodeId, node: &'a NodeState) {
        if !crate::mutant!(ReservationIgnored) {
            let extra = self.extra.entry(id).or_default();
            *extra = extra.plus(resources);
        }
        let mut gpus = self.gpus(id, node).clone();
        if let Some(devices) = gpus.pick(resources.gpu_milli).filter(|devices| !devices.is_empty()) {
            gpus.take(resources.gpu_milli, &devices);
            self.gpus.insert(id, gpus);
        }
        *self.totals.entry(job).or_default() += 1;
        for level in Level::ALL {
            *self.counts.entry((job, level, node.domain(level))).or_default() += 1;
        }
    }

    /// Jobs that must be apart from this one, other than by its own wish, and at which level.
    pub fn repelled_by(&self, job: JobId) -> impl Iterator<Item = (JobId, Level)> {
        let range = (job, JobId::default(), Level::Node)..;
        let of = move |(target, _, _): &&(JobId, JobId, Level)| *target == job;
        let known = self.state.repels.range(range.clone()).take_while(of);
        known.chain(self.repels.range(range).take_while(of)).map(|(_, by, level)| (*by, *level))
    }
}
