//! What is fragile: jobs in one place, and what a lost node, rack or site would leave without a place.

use super::outcome::scheduler;
use crate::fold::Fold;
use crate::scheduler::{Losses, Lost, NodeState};
use messages::api::{Fragility, LossOf, PlannedWait};
use messages::id::{InstanceId, JobId, NodeId};
use messages::manifest::Level;
use messages::node::Standing;
use messages::scheduler::Ask;
use std::collections::{BTreeMap, BTreeSet};

/// How many names stand in a sentence.
const NAMED_MAX: usize = 5;

/// What an instance is called, and what it would ask.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Its job, `realm/name`.
    pub job: String,
    /// Its slot.
    pub slot: u32,
    ask: Ask,
}

/// Every instance that would come back if it were lost.
pub(super) fn known(fold: &Fold) -> BTreeMap<InstanceId, Known> {
    let mut known = BTreeMap::new();
    for (_, job) in fold.jobs() {
        for (id, one) in job.instances.iter().filter(|(_, one)| one.live() && one.placed()) {
            let (label, revision, avoid) = (job.label(one.slot), one.revision, Vec::new());
            let ask = Ask { instance: *id, label, revision, avoid, gang: false };
            known.insert(*id, Known { job: job.full_name(), slot: one.slot, ask });
        }
    }
    known
}

/// The nodes of each place of a level, by name. Nodes of which the level is not known are left out.
fn places<'a>(nodes: impl Iterator<Item = (NodeId, &'a NodeState)>, level: Level) -> BTreeMap<String, Vec<NodeId>> {
    let mut places: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
    for (id, node) in nodes.filter(|(_, node)| node.standing() != Standing::Lost) {
        let domain = node.domain(level);
        if !domain.starts_with('?') {
            places.entry(domain).or_default().push(id);
        }
    }
    places
}

/// What the loss of each node, rack and site would come to.
pub(super) fn losses(fold: &Fold) -> Vec<LossOf> {
    let (state, known) = (scheduler(fold), known(fold));
    let mut losses = Losses::new(&state);
    let mut told = Vec::new();
    for level in [Level::Node, Level::Rack, Level::Site] {
        for (name, nodes) in places(state.cluster().nodes(), level) {
            let lost = losses.lose(&nodes, |instance| known.get(&instance).map(|one| one.ask.clone()));
            let named = |node: &NodeId| state.cluster().node(*node).map_or("", NodeState::name).to_string();
            let label =
                |id: &InstanceId| known.get(id).map_or(String::new(), |one| format!("{}/{}", one.job, one.slot));
            told.push(LossOf {
                level: level.name().into(),
                name,
                instances: count(lost.placed.len() + lost.stranded.len()),
                placed: lost.placed.iter().map(|(id, _, node)| (label(id), named(node))).collect(),
                stranded: stranded(&lost, &known),
            });
        }
    }
    told
}

fn stranded(lost: &Lost, known: &BTreeMap<InstanceId, Known>) -> Vec<PlannedWait> {
    let waits = lost.stranded.iter().filter_map(|one| {
        let known = known.get(&one.instance)?;
        Some(PlannedWait::new(known.job.clone(), known.slot, one.why.clone()))
    });
    waits.collect()
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Something fragile about a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weak {
    /// All of its instances are in this place, and there are others of the level.
    Together(String, Level, String),
    /// It does not survive the loss of these nodes.
    Loses(String, BTreeSet<String>),
}

/// All that is fragile.
pub(super) fn weak(fold: &Fold) -> BTreeSet<Weak> {
    let state = scheduler(fold);
    let mut weak = BTreeSet::new();
    for (_, job) in fold.jobs() {
        let nodes = job.instances.values().filter(|one| one.live()).filter_map(|one| state.cluster().node(one.node?));
        let nodes: Vec<&NodeState> = nodes.collect();
        let level = [Level::Node, Level::Rack, Level::Site].into_iter().find(|level| {
            let all: BTreeSet<String> = nodes.iter().map(|node| node.domain(*level)).collect();
            nodes.len() > 1
                && all.len() == 1
                && (*level == Level::Node || places(state.cluster().nodes(), *level).len() > 1)
        });
        if let (Some(level), Some(node)) = (level, nodes.first()) {
            weak.insert(Weak::Together(job.full_name(), level, node.domain(level)));
        }
    }
    weak.extend(loses(fold));
    weak
}

/// The nodes that each job does not survive.
fn loses(fold: &Fold) -> Vec<Weak> {
    let (state, known) = (scheduler(fold), known(fold));
    let mut losses = Losses::new(&state);
    let mut lost: BTreeMap<JobId, (String, BTreeSet<String>)> = BTreeMap::new();
    for (name, nodes) in places(state.cluster().nodes(), Level::Node) {
        let loss = losses.lose(&nodes, |instance| known.get(&instance).map(|one| one.ask.clone()));
        for one in loss.stranded {
            let job = known.get(&one.instance).map_or(String::new(), |known| known.job.clone());
            lost.entry(one.job).or_insert_with(|| (job, BTreeSet::new())).1.insert(name.clone());
        }
    }
    lost.into_values().map(|(job, nodes)| Weak::Loses(job, nodes)).collect()
}

impl Weak {
    /// For people.
    pub fn told(&self) -> Fragility {
        match self {
            Self::Together(job, level, place) => Fragility {
                job: job.clone(),
                what: format!("one-{}", level.name()),
                place: place.clone(),
                message: format!("all instances of {job} would be on one {}, {place}", level.name()),
            },
            Self::Loses(job, nodes) => {
                let mut names: Vec<&str> = nodes.iter().map(String::as_str).take(NAMED_MAX).collect();
                let more = format!("{} more", nodes.len().saturating_sub(NAMED_MAX));
                if nodes.len() > NAMED_MAX {
                    names.push(&more);
                }
                let place = names.join(", ");
                let message =
                    format!("{job} would not survive the loss of {place}: what it has there fits nowhere else");
                Fragility { job: job.clone(), what: "node-loss".into(), place, message }
            }
        }
    }
}
