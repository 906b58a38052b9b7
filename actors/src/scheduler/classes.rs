//! Nodes in classes: to a job without wishes, nodes of which it has nothing are alike when they have the same capacity,
//! the same room left, and the same standing. So a decision looks at classes, and at the few nodes that are special.

use super::cluster::{ClusterView, NodeState, RefusedBy};
use super::filter::{Floors, Strike, Surveyed, Want, permanent, strike};
use super::score::{Terms, score};
use super::select::{Ranked, candidate, keep};
use messages::id::NodeId;
use messages::manifest::Level;
use messages::node::Standing;
use messages::reason::Reason;
use messages::resources::Resources;
use messages::scheduler::{Ask, Candidate, Decision};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What nodes of a class have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    capacity: Resources,
    used: Resources,
    standing: Standing,
}

/// The nodes of each class, in the order of their names. Derived from the nodes, and kept with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes {
    members: BTreeMap<Class, BTreeSet<(String, NodeId)>>,
    named: BTreeSet<(String, NodeId)>,
}

impl Class {
    pub(super) fn of(node: &NodeState) -> Self {
        Self { capacity: node.capacity().clone(), used: node.used().clone(), standing: node.standing() }
    }
}

impl Classes {
    pub(super) fn insert(&mut self, id: NodeId, node: &NodeState) {
        let name = (node.name().to_string(), id);
        self.named.insert(name.clone());
        self.members.entry(Class::of(node)).or_default().insert(name);
    }

    pub(super) fn remove(&mut self, id: NodeId, node: &NodeState) {
        let name = (node.name().to_string(), id);
        self.named.remove(&name);
        self.leave(&Class::of(node), &name);
    }

    /// A node that was of this class may be of another now.
    pub(super) fn regroup(&mut self, id: NodeId, was: Class, node: &NodeState) {
        let class = Class::of(node);
        if class != was {
            let name = (node.name().to_string(), id);
            self.leave(&was, &name);
            self.members.entry(class).or_default().insert(name);
        }
    }

    fn leave(&mut self, class: &Class, name: &(String, NodeId)) {
        if let Some(members) = self.members.get_mut(class) {
            members.remove(name);
            if members.is_empty() {
                self.members.remove(class);
            }
        }
    }

    /// Whether a node has so much in all.
    pub(super) fn any_has(&self, need: &Resources) -> bool {
        self.members.keys().any(|class| class.capacity.fits(need))
    }

    /// The nodes of this name.
    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = NodeId> + 'a {
        let from = (name.to_string(), NodeId::default());
        self.named.range(from..).take_while(move |(other, _)| other == name).map(|(_, id)| *id)
    }
}

/// Whether a job has no wishes, and nobody has any about it, so that classes suffice. They say nothing of single GPUs.
pub(super) fn suffice(view: &ClusterView<'_>, want: &Want<'_>) -> bool {
    let place = want.place;
    let free = place.require.is_empty() && place.prefer.is_empty() && place.near.is_empty();
    let alone = place.apart.is_empty() && place.spread.is_empty() && view.repelled_by(want.job).next().is_none();
    let plain = want.workload.resources.gpu_milli == 0;
    free && alone && plain && !view.state.has_rules(want.realm)
}

/// What was found while looking at nodes and classes.
struct Found<'a> {
    best: Vec<Ranked<'a>>,
    fitting: u32,
    struck: BTreeMap<(u8, Reason), (u32, &'a str)>,
}

impl<'a> Found<'a> {
    fn strike(&mut self, strike: &Strike<'a>, count: u32, name: &'a str) {
        let entry = self.struck.entry((strike.tier(), strike.reason())).or_insert((0, name));
        *entry = (entry.0 + count, entry.1.min(name));
    }
}

/// Decides where an instance goes of a job for which classes suffice: exactly what looking at every node would decide.
/// Nothing, when it fits nowhere; then every node is looked at, to say why.
pub(super) fn decide<'a>(
    view: &ClusterView<'a>,
    want: &Want<'a>,
    ask: &Ask,
    refused: &[RefusedBy],
) -> Option<Decision> {
    let cluster = view.state.cluster();
    let special = special(view, want, ask, refused);
    let floors = Floors::new();
    let terms = |id: NodeId, node: &'a NodeState| -> Terms { score(view, want, id, node, &floors, &ask.avoid) };
    let judge = |id: NodeId, node: &'a NodeState| {
        let surveyed = Surveyed { id, node, strike: permanent(want, node), policy: None };
        strike(view, want, &surveyed, &floors, refused)
    };
    let mut found = Found { best: Vec::new(), fitting: 0, struck: BTreeMap::new() };
    let mut set_apart: BTreeMap<Class, usize> = BTreeMap::new();
    for (id, node) in special.iter().filter_map(|id| Some((*id, cluster.node(*id)?))) {
        *set_apart.entry(Class::of(node)).or_default() += 1;
        match judge(id, node) {
            Some(strike) => found.strike(&strike, 1, node.name()),
            None => {
                found.fitting += 1;
                keep(&mut found.best, (terms(id, node).sum(), Reverse((node.name(), id))));
            }
        }
    }
    for (class, members) in &cluster.classes().members {
        let count = members.len() - set_apart.get(class).copied().unwrap_or(0);
        let mut alike = members.iter().filter(|(_, id)| !special.contains(id)).filter_map(|(_, id)| {
            let node = cluster.node(*id)?;
            Some((*id, node))
        });
        let Some((id, node)) = alike.next() else { continue };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if let Some(strike) = judge(id, node) {
            found.strike(&strike, count, node.name());
            continue;
        }
        found.fitting += count;
        let sum = terms(id, node).sum();
        for (id, node) in std::iter::once((id, node)).chain(alike).take(Decision::CANDIDATES_MAX) {
            keep(&mut found.best, (sum, Reverse((node.name(), id))));
        }
    }
    let nodes = found.best.iter().filter_map(|(_, Reverse((_, id)))| Some((*id, cluster.node(*id)?)));
    let candidates: Vec<Candidate> = nodes.map(|(id, node)| candidate(id, node, &terms(id, node))).collect();
    let second = candidates.get(usize::from(crate::mutant!(SecondBestChosen)));
    let chosen = Some(second.or(candidates.first())?.node);
    let struck = found.struck.into_iter();
    Some(Decision {
        instance: ask.instance,
        label: ask.label.clone(),
        chosen,
        candidates,
        fitting: found.fitting,
        struck_out: struck.map(|((_, reason), (count, name))| (reason, count, name.to_string())).collect(),
        policy: None,
        unplaceable: None,
    })
}

/// Nodes that are like no others: those that have something of the job, those to which something was given just now, and
/// those of which something is said.
fn special(view: &ClusterView<'_>, want: &Want<'_>, ask: &Ask, refused: &[RefusedBy]) -> BTreeSet<NodeId> {
    let cluster = view.state.cluster();
    let names = cluster.domains_of(want.job, Level::Node).chain(view.nodes_given(want.job));
    let mut special: BTreeSet<NodeId> = names.flat_map(|name| cluster.classes().named(name)).collect();
    special.extend(view.given());
    special.extend(ask.avoid.iter().copied());
    special.extend(refused.iter().map(|no| no.node));
    special
}
