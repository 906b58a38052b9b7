//! Which nodes can take an instance, and what strikes out those that cannot.
//!
//! Each node is struck out by its most permanent reason: policy, tags, taints, what it has in all, near and apart, spread
//! and the most per node, what it has left, and last whether it takes work now. So a node struck out late came near.

use super::census::Spot;
use super::nodes::{NodeState, RefusedBy};
use super::view::ClusterView;
use super::{Rules, Scheduler, index};
use crate::cedar::{Party, Verdict};
use messages::gpu::Gpus;
use messages::id::{JobId, NodeId};
use messages::manifest::{Affinity, Level, Place, Tag, Workload};
use messages::node::Standing;
use messages::reason::Reason;
use messages::resources::{Dimension, Resources};
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
    /// It has this taint, with this value or an empty one, which the job does not tolerate.
    Taint(&'a str, &'a str),
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

impl<'a> Strike<'a> {
    /// What there is too little of.
    pub const fn dimension(&self) -> Option<Dimension<'a>> {
        match self {
            Self::Capacity(of, _) | Self::Free(of, _) => Some(*of),
            Self::Devices(..) => Some(Dimension::Gpus),
            _ => None,
        }
    }

    /// The stable code.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Policy(verdict) => verdict.reason(),
            Self::Tags(..) => Reason::TagMismatch,
            Self::Taint(..) => Reason::Tainted,
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
            Self::Tags(..) | Self::Taint(..) => 1,
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
    /// Whether the index decides, instead of a look at every node.
    pub(super) indexed: bool,
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
    /// What a job needs. Nodes are looked at when they are asked for.
    pub fn new(view: &ClusterView<'a>, want: Want<'a>) -> Self {
        Self { indexed: index::used(), ..Self::of_nodes(view, want) }
    }

    /// A survey in which every decision looks at every node.
    pub(super) const fn of_nodes(view: &ClusterView<'a>, want: Want<'a>) -> Self {
        Self { want, indexed: false, state: view.state, nodes: OnceCell::new() }
    }

    /// Every node, with what strikes it out for good, and what a policy that is not enforced would say.
    pub fn nodes(&self) -> &[Surveyed<'a>] {
        self.nodes.get_or_init(|| {
            let judge = Judge::new(self.state, self.want);
            self.state.cluster.nodes().map(|(id, node)| judge.survey(id, node)).collect()
        })
    }
}

/// What judges nodes for good: the rules of the realm, if it has any, tags, taints, and what a node has in all.
pub(super) struct Judge<'a> {
    pub want: Want<'a>,
    rules: Option<(&'a Rules, Party)>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(state: &'a Scheduler, want: Want<'a>) -> Self {
        let rules = state.rules.get(want.realm);
        let party = |rules| (rules, Party::job(want.realm, want.name, want.workload, want.exclusive));
        Self { want, rules: rules.map(party) }
    }

    pub(super) fn survey(&self, id: NodeId, node: &'a NodeState) -> Surveyed<'a> {
        let mut policy = None;
        let mut strike = None;
        if let Some((rules, job)) = self.rules.as_ref().filter(|_| !crate::mutant!(PlacePolicyIgnored)) {
            let verdict = rules.place(job, &Party::node(node.name(), &node.tags()));
            policy = Some(verdict.worded(rules.mode));
            strike = verdict.denies(rules.mode).then_some(Strike::Policy(verdict));
        }
        let strike = strike.or_else(|| permanent(&self.want, node));
        Surveyed { id, node, strike, policy }
    }
}

fn permanent<'a>(want: &Want<'a>, node: &'a NodeState) -> Option<Strike<'a>> {
    let mut missing = missing_tags(want, node);
    if let Some(first) = missing.next() {
        return Some(Strike::Tags(first, missing.count() as u64 + 1));
    }
    untolerated(want, node).chain(never(want, node)).next()
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
        open.map(|it| view.count(survey.want.job, level, it.node.spot())).min().unwrap_or(0)
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
    let node = surveyed.node;
    surveyed
        .strike
        .clone()
        .or_else(|| unwanted(view, want, node.spot(), floors))
        .or_else(|| no_room(want, &view.free(node), view.gpus(node)))
        .or_else(|| refusal(surveyed, refused))
        .or_else(|| not_ready(node))
}

/// All that stands against a node, the most permanent first; what [`strike`] says is the first of them.
pub fn obstacles<'a>(
    view: &ClusterView<'a>,
    want: &Want<'a>,
    surveyed: &Surveyed<'a>,
    floors: &Floors,
    refused: &[RefusedBy],
) -> Vec<Strike<'a>> {
    let node = surveyed.node;
    let policy = surveyed.strike.clone().filter(|strike| matches!(strike, Strike::Policy(_)));
    let never: Vec<Strike<'a>> = never(want, node).collect();
    let known: Vec<Dimension<'a>> = never.iter().filter_map(Strike::dimension).collect();
    let free = view.free(node);
    let now = shortages(want, &free, view.gpus(node));
    let now = now.filter(|strike| strike.dimension().is_none_or(|of| !known.contains(&of)));
    policy
        .into_iter()
        .chain(missing_tags(want, node).map(|tag| Strike::Tags(tag, 1)))
        .chain(untolerated(want, node))
        .chain(never.iter().cloned())
        .chain(all_unwanted(view, want, node.spot(), floors))
        .chain(now)
        .chain(refusal(surveyed, refused))
        .chain(not_ready(node))
        .collect()
}

/// The tags that are required and are not as they should be.
fn missing_tags<'a>(want: &Want<'a>, node: &NodeState) -> impl Iterator<Item = &'a Tag> {
    let required = want.place.require.iter().filter(|_| !crate::mutant!(TagsIgnored));
    required.filter(|tag| !node.satisfies(tag))
}

/// The taints that the job does not tolerate.
fn untolerated<'a>(want: &Want<'a>, node: &'a NodeState) -> impl Iterator<Item = Strike<'a>> {
    let place = want.place;
    let taints = node.taints().filter(|_| !crate::mutant!(TaintsIgnored));
    taints.filter(move |(name, value)| !place.tolerates(name, value)).map(|(name, value)| Strike::Taint(name, value))
}

/// What a node has too little of in all, and GPUs of a model that will not do.
fn never<'a>(want: &Want<'a>, node: &'a NodeState) -> impl Iterator<Item = Strike<'a>> {
    let all = node.capacity();
    let short = all.shortages(&want.workload.resources);
    let model = (all.gpu_milli > 0).then(|| node.gpu_model());
    let other = model.filter(|model| !want.workload.takes_gpus_of(model) && !crate::mutant!(GpuModelIgnored));
    short.map(|(of, missing)| Strike::Capacity(of, missing)).chain(other.map(Strike::GpuModel))
}

/// What a node has not enough left of, in every dimension, or else on each of its GPUs.
pub(super) fn shortages<'a>(want: &Want<'a>, free: &Resources, gpus: &Gpus) -> impl Iterator<Item = Strike<'a>> {
    let need = &want.workload.resources;
    let counts = |of: &Dimension<'_>| match of {
        Dimension::Memory => !crate::mutant!(MemoryIgnored),
        Dimension::Named(_) => !crate::mutant!(AddedIgnored),
        _ => true,
    };
    let short = free.shortages(need).filter(move |(of, _)| counts(of));
    let in_all = need.gpu_milli <= free.gpu_milli && !crate::mutant!(GpusSummed);
    let devices = (in_all && !gpus.fits(need.gpu_milli)).then(|| Strike::Devices(gpus.most(), gpus.untouched()));
    short.map(|(of, missing)| Strike::Free(of, missing)).chain(devices)
}

/// What strikes a node out for what it has left.
pub(super) fn no_room<'a>(want: &Want<'a>, free: &Resources, gpus: &Gpus) -> Option<Strike<'a>> {
    shortages(want, free, gpus).next()
}

fn refusal<'a>(surveyed: &Surveyed<'a>, refused: &[RefusedBy]) -> Option<Strike<'a>> {
    let version = surveyed.node.version();
    let said_no = refused.iter().find(|no| no.node == surveyed.id && no.version >= version);
    said_no.map(|no| Strike::Refused(no.because))
}

/// What strikes a node out that would fit and takes nothing new.
pub(super) fn not_ready<'a>(node: &NodeState) -> Option<Strike<'a>> {
    let ready = node.standing() == Standing::Ready || crate::mutant!(StandingIgnored);
    (!ready).then(|| Strike::Standing(node.standing()))
}

/// What strikes out a node at this spot for who is there.
pub(super) fn unwanted<'a>(view: &ClusterView<'a>, want: &Want<'a>, spot: Spot, floors: &Floors) -> Option<Strike<'a>> {
    company(view, want, spot).chain(crowd(view, want, spot, floors)).next()
}

/// All that stands against a node at this spot for who is there.
pub(super) fn all_unwanted<'a>(
    view: &ClusterView<'a>,
    want: &Want<'a>,
    spot: Spot,
    floors: &Floors,
) -> Vec<Strike<'a>> {
    let mut company: Vec<Strike<'a>> = company(view, want, spot).collect();
    company.dedup();
    company.into_iter().chain(crowd(view, want, spot, floors)).collect()
}

/// Hard near and apart, its own and those of the jobs that are there.
fn company<'a>(view: &ClusterView<'a>, want: &Want<'a>, spot: Spot) -> impl Iterator<Item = Strike<'a>> {
    let (realm, me) = (want.realm, want.job);
    let near = want.place.near.iter().filter(|near| near.hard && !crate::mutant!(NearIgnored));
    let near = near.filter_map(move |near| {
        let other = view.job(realm, &near.job);
        if view.count(other, near.within, spot) > 0 {
            return None;
        }
        let nowhere = view.total(other) == 0;
        (!(nowhere && other == me)).then_some(Strike::NotNear(near, nowhere))
    });
    let apart = want.place.apart.iter().filter(|apart| apart.hard && !crate::mutant!(ApartIgnored));
    let apart = apart.map(move |apart| (view.job(realm, &apart.job), apart.within));
    let repelled = view.repelled_by(me).filter(move |(by, _)| *by != me && !crate::mutant!(RepelledIgnored));
    let there = apart.chain(repelled).filter(move |(other, level)| view.count(*other, *level, spot) > 0);
    near.chain(there.map(|(other, level)| Strike::NotApart(other, level)))
}

/// Hard spreads, and the most per node.
fn crowd<'a>(view: &ClusterView<'a>, want: &Want<'a>, spot: Spot, floors: &Floors) -> impl Iterator<Item = Strike<'a>> {
    let me = want.job;
    let spread = want.place.spread.iter().filter_map(move |spread| {
        let skew_max = spread.skew_max?;
        let floor = floors.get(&spread.over).copied().unwrap_or(0);
        let count = view.count(me, spread.over, spot);
        let broken = (count + 1).saturating_sub(floor) > skew_max.max(1) && !crate::mutant!(SpreadIgnored);
        broken.then_some(Strike::Spread(spread.over, count, floor))
    });
    let slack = u32::from(crate::mutant!(PerNodeOffByOne));
    let full = want.place.per_node_max.into_iter().filter_map(move |max| {
        let count = view.count(me, Level::Node, spot);
        (count >= max + slack).then_some(Strike::PerNode(count))
    });
    spread.chain(full)
}
