//! Which nodes can take an instance, and what strikes out those that cannot.
//!
//! Each node is struck out by its most permanent reason: policy, tags, what it has in all, near and apart, spread and
//! the most per node, what it has left, and last whether it takes work now. So a node struck out late came near.

use super::cluster::{ClusterView, NodeState, RefusedBy};
use super::{Scheduler, classes};
use crate::cedar::{Party, Verdict};
use messages::id::{JobId, NodeId};
use messages::manifest::{Affinity, Level, Place, Tag, Workload};
use messages::node::Standing;
use messages::reason::Reason;
use messages::resources::Dimension;
use messages::shared::Shared;
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// What the instances of a job need.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// Which job.
    pub job: JobId,
    /// Its realm's name.
    pub realm: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Whether it must never run twice.
    pub exclusive: bool,
    /// What an instance runs and needs.
    pub workload: &'a Shared<Workload>,
    /// Where it may and should be.
    pub place: &'a Place,
}

/// What strikes a node out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strike<'a> {
    /// The policy.
    Policy(Verdict),
    /// So many tags, of which this is the first.
    Tags(&'a Tag, u64),
    /// It never has enough of this; so much is missing.
    Capacity(Dimension<'a>, u64),
    /// Its GPUs are of this model, which the job does not take.
    GpuModel(&'a str),
    /// No instance of that job is there; or anywhere, when set.
    NotNear(&'a Affinity, bool),
    /// An instance of this job is there, from which it must be apart.
    NotApart(JobId, Level),
    /// Its domain has so many, and another so few.
    Spread(Level, u32, u32),
    /// It has so many, which is the most it may have.
    PerNode(u32),
    /// It has not enough left of this; so much is missing.
    Free(Dimension<'a>, u64),
    /// None of its GPUs has enough left, or too few are untouched: the most that is left of one, and how many are.
    Devices(u64, usize),
    /// It said no itself.
    Refused(Reason),
    /// It takes nothing new.
    Standing(Standing),
}

impl Strike<'_> {
    /// The stable code.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Policy(verdict) => verdict.reason(),
            Self::Tags(..) => Reason::TagMismatch,
            Self::Capacity(dimension, _) | Self::Free(dimension, _) => dimension.reason(),
            Self::GpuModel(_) => Reason::GpuModel,
            Self::Devices(..) => Reason::NoGpu,
            Self::NotNear(_, true) => Reason::Waiting,
            Self::NotNear(_, false) => Reason::NotNear,
            Self::NotApart(..) => Reason::NotApart,
            Self::Spread(..) => Reason::SpreadBroken,
            Self::PerNode(_) => Reason::NodeFull,
            Self::Refused(because) => *because,
            Self::Standing(Standing::Cordoned | Standing::Draining) => Reason::Cordoned,
            Self::Standing(_) => Reason::NodeDown,
        }
    }

    /// How permanent it is: the lower, the more.
    pub const fn tier(&self) -> u8 {
        match self {
            Self::Policy(_) => 0,
            Self::Tags(..) => 1,
            Self::Capacity(..) | Self::GpuModel(_) => 2,
            Self::NotNear(..) | Self::NotApart(..) => 3,
            Self::Spread(..) | Self::PerNode(_) => 4,
            Self::Free(..) | Self::Devices(..) | Self::Refused(_) => 5,
            Self::Standing(_) => 6,
        }
    }
}

/// What holds for all instances of a job alike and does not change within a batch.
#[derive(Clone, Debug)]
pub struct Survey<'a> {
    /// What they need.
    pub want: Want<'a>,
    /// Whether classes of nodes suffice for a decision.
    pub(super) by_class: bool,
    state: &'a Scheduler,
    nodes: OnceCell<Vec<Surveyed<'a>>>,
}

/// One node in a survey.
#[derive(Clone, Debug)]
pub struct Surveyed<'a> {
    /// Which node.
    pub id: NodeId,
    /// The node.
    pub node: &'a NodeState,
    /// What strikes it out for good.
    pub strike: Option<Strike<'a>>,
    /// What the policy says.
    pub policy: Option<String>,
}

impl<'a> Survey<'a> {
    /// What a job needs, and whether classes suffice to find it. Nodes are looked at when they are asked for.
    pub fn new(view: &ClusterView<'a>, want: Want<'a>) -> Self {
        Self { by_class: classes::suffice(view, &want), ..Self::of_nodes(view, want) }
    }

    /// A survey in which every decision looks at every node.
    pub(super) const fn of_nodes(view: &ClusterView<'a>, want: Want<'a>) -> Self {
        Self { want, by_class: false, state: view.state, nodes: OnceCell::new() }
    }

    /// Every node, with what strikes it out for good, and what a policy that is not enforced would say.
    pub fn nodes(&self) -> &[Surveyed<'a>] {
        self.nodes.get_or_init(|| {
            let (want, rules) = (&self.want, self.state.rules.get(self.want.realm));
            let judge = rules.map(|rules| (rules, Party::job(want.realm, want.name, want.workload, want.exclusive)));
            let survey = |(id, node): (NodeId, &'a NodeState)| {
                let mut policy = None;
                let mut strike = None;
                if let Some((rules, job)) = judge.as_ref().filter(|_| !crate::mutant!(PlacePolicyIgnored)) {
                    let verdict = rules.place(job, &Party::node(node.name(), node.tags()));
                    policy = Some(verdict.worded(rules.mode));
                    strike = verdict.denies(rules.mode).then_some(Strike::Policy(verdict));
                }
                let strike = strike.or_else(|| permanent(want, node));
                Surveyed { id, node, strike, policy }
            };
            self.state.cluster.nodes().map(survey).collect()
        })
    }

    /// Whether some node could take an instance if nothing else were there.
    pub fn possible(&self) -> bool {
        let classes = self.state.cluster.classes();
        let by_class = self.by_class && classes.any_has(&self.want.workload.resources);
        by_class || self.nodes().iter().any(|node| node.strike.is_none())
    }
}

pub(super) fn permanent<'a>(want: &Want<'a>, node: &'a NodeState) -> Option<Strike<'a>> {
    let required = want.place.require.iter().filter(|_| !crate::mutant!(TagsIgnored));
    let mut missing = required.filter(|tag| !node.satisfies(tag));
    if let Some(first) = missing.next() {
        return Some(Strike::Tags(first, missing.count() as u64 + 1));
    }
    if let Some((dimension, missing)) = node.capacity().shortage(&want.workload.resources) {
        return Some(Strike::Capacity(dimension, missing));
    }
    let model = &node.view().spec.gpu_model;
    (!want.workload.takes_gpus_of(model) && !crate::mutant!(GpuModelIgnored)).then_some(Strike::GpuModel(model))
}

/// The fewest instances that a domain has which could take one, for each spread that must hold.
pub type Floors = BTreeMap<Level, u32>;

/// Counts the floors of the spreads: over the domains of all nodes that take work and could ever take the job.
pub fn floors<'a>(view: &ClusterView<'a>, survey: &Survey<'a>) -> Floors {
    let spreads = survey.want.place.spread.iter();
    let floor = |level: Level| {
        let open = survey.nodes().iter().filter(|it| {
            let ready = it.node.standing() == Standing::Ready || crate::mutant!(FloorsOverAll);
            it.strike.is_none() && ready
        });
        open.map(|it| view.count(survey.want.job, level, it.node)).min().unwrap_or(0)
    };
    spreads.map(|spread| (spread.over, floor(spread.over))).collect()
}

/// What strikes a node out now.
pub fn strike<'a>(
    view: &ClusterView<'a>,
    want: &Want<'a>,
    surveyed: &Surveyed<'a>,
    floors: &Floors,
    refused: &[RefusedBy],
) -> Option<Strike<'a>> {
    let (id, node) = (surveyed.id, surveyed.node);
    surveyed
        .strike
        .clone()
        .or_else(|| unwanted_company(view, want, node))
        .or_else(|| unwanted_crowd(view, want, node, floors))
        .or_else(|| too_little(view, want, id, node))
        .or_else(|| {
            let said_no = refused.iter().find(|no| no.node == id && no.version >= node.view().version);
            said_no.map(|no| Strike::Refused(no.because))
        })
        .or_else(|| {
            (node.standing() != Standing::Ready && !crate::mutant!(StandingIgnored))
                .then_some(Strike::Standing(node.standing()))
        })
}

/// What is left, in every dimension and on each GPU.
fn too_little<'a>(view: &ClusterView<'a>, want: &Want<'a>, id: NodeId, node: &'a NodeState) -> Option<Strike<'a>> {
    let need = &want.workload.resources;
    let mut free = view.free(id, node);
    if crate::mutant!(MemoryIgnored) {
        free.memory_bytes = u64::MAX;
    }
    if crate::mutant!(AddedIgnored) {
        free.named = node.capacity().named.clone();
    }
    if let Some((dimension, missing)) = free.shortage(need) {
        return Some(Strike::Free(dimension, missing));
    }
    if need.gpu_milli == 0 || crate::mutant!(GpusSummed) {
        return None;
    }
    let gpus = view.gpus(id, node);
    gpus.pick(need.gpu_milli).is_none().then(|| Strike::Devices(gpus.most(), gpus.untouched()))
}

/// Hard near and apart, its own and those of the jobs that are there.
fn unwanted_company<'a>(view: &ClusterView<'a>, want: &Want<'a>, node: &'a NodeState) -> Option<Strike<'a>> {
    for near in want.place.near.iter().filter(|near| near.hard && !crate::mutant!(NearIgnored)) {
        let other = JobId::named(want.realm, &near.job);
        if view.count(other, near.within, node) == 0 {
            let nowhere = view.total(other) == 0;
            if !(nowhere && other == want.job) {
                return Some(Strike::NotNear(near, nowhere));
            }
        }
    }
    for apart in want.place.apart.iter().filter(|apart| apart.hard && !crate::mutant!(ApartIgnored)) {
        let other = JobId::named(want.realm, &apart.job);
        if view.count(other, apart.within, node) > 0 {
            return Some(Strike::NotApart(other, apart.within));
        }
    }
    let repelled = view.repelled_by(want.job).filter(|(by, _)| *by != want.job && !crate::mutant!(RepelledIgnored));
    repelled
        .into_iter()
        .find_map(|(by, level)| (view.count(by, level, node) > 0).then_some(Strike::NotApart(by, level)))
}

/// Hard spreads, and the most per node.
fn unwanted_crowd<'a>(
    view: &ClusterView<'a>,
    want: &Want<'a>,
    node: &'a NodeState,
    floors: &Floors,
) -> Option<Strike<'a>> {
    for spread in &want.place.spread {
        let Some(skew_max) = spread.skew_max else { continue };
        let floor = floors.get(&spread.over).copied().unwrap_or(0);
        let count = view.count(want.job, spread.over, node);
        if (count + 1).saturating_sub(floor) > skew_max.max(1) && !crate::mutant!(SpreadIgnored) {
            return Some(Strike::Spread(spread.over, count, floor));
        }
    }
    let count = view.count(want.job, Level::Node, node);
    let slack = u32::from(crate::mutant!(PerNodeOffByOne));
    want.place.per_node_max.filter(|max| count >= *max + slack).map(|_| Strike::PerNode(count))
}
