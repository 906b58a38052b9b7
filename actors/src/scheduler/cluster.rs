//! What the scheduler knows of the nodes, with the room it has given away.
//!
//! The nodes are state. Everything else follows from them: who holds what, when room lapses, who is where, and which
//! nodes changed since when.

use super::census::{Census, Counts, Domain, Domains};
use super::changes::Changes;
use super::nodes::{NodeState, Nodes, Reservation};
use messages::id::{InstanceId, JobId, NodeId};
use messages::node::{ClaimView, NodeView};
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Every node, and what is on it as far as the scheduler knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Cluster {
    nodes: Nodes,
    #[serde(skip_serializing)]
    holders: BTreeSet<(InstanceId, NodeId)>,
    #[serde(skip_serializing)]
    reserved: BTreeMap<InstanceId, NodeId>,
    #[serde(skip_serializing)]
    expiries: BTreeSet<(Timestamp, InstanceId)>,
    #[serde(skip_serializing)]
    domains: Domains,
    #[serde(skip_serializing)]
    census: Census,
    #[serde(skip_serializing)]
    changes: Changes,
}

/// A cluster as it is stored: all else follows from the nodes.
#[derive(Deserialize)]
struct Stored {
    nodes: BTreeMap<NodeId, Box<NodeState>>,
}

impl From<Stored> for Cluster {
    fn from(stored: Stored) -> Self {
        let mut cluster = Self { nodes: stored.nodes.into_iter().collect(), ..Self::default() };
        for slot in (0..).take(cluster.nodes.len()) {
            let Some(node) = cluster.nodes.at_mut(slot) else { continue };
            node.put_at(cluster.domains.spot(node.described()));
            cluster.domains.settle(node.spot(), slot, true);
            cluster.changes.note(slot);
        }
        for (id, node) in cluster.nodes.iter() {
            node.jobs().into_iter().for_each(|job| cluster.census.count(job, node, true));
            cluster.holders.extend(instances(node.claims()).into_iter().map(|instance| (instance, id)));
            for reservation in node.reservations() {
                cluster.reserved.insert(reservation.ask.instance, id);
                cluster.expiries.insert((reservation.until, reservation.ask.instance));
            }
        }
        cluster
    }
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
    }
}

impl Eq for Cluster {}

impl Cluster {
    /// Every node.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &NodeState)> {
        self.nodes.iter()
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> Option<&NodeState> {
        Some(self.at(self.slot(id)?)?.1)
    }

    /// How many slots there are, one for each node that ever was. They go from zero to there.
    pub(super) const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The slot of a node.
    pub(super) fn slot(&self, id: NodeId) -> Option<u32> {
        self.nodes.slot(id)
    }

    /// The node in a slot.
    pub(super) fn at(&self, slot: u32) -> Option<(NodeId, &NodeState)> {
        self.nodes.at(slot)
    }

    /// The node in a slot, also when it was removed: nothing is known of it then but its name and place.
    pub(super) fn ever_at(&self, slot: u32) -> Option<(NodeId, &NodeState)> {
        self.nodes.ever_at(slot)
    }

    /// The nodes of the name that has this number.
    pub(super) fn named(&self, domain: Domain) -> &[u32] {
        self.domains.nodes(domain)
    }

    /// Who is where.
    pub(super) const fn census(&self) -> &Census {
        &self.census
    }

    /// Which nodes changed.
    pub(super) const fn changes(&self) -> &Changes {
        &self.changes
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
        Some((node, self.node(node)?.reservation(instance)?))
    }

    /// Reservations that lapse at or before `now`.
    pub fn lapsed(&self, now: Timestamp) -> impl Iterator<Item = InstanceId> {
        self.expiries.iter().take_while(move |(until, _)| *until <= now).map(|(_, instance)| *instance)
    }

    /// Whether room is held for an instance of a later revision of a job.
    pub(super) fn holds_later(&self, job: JobId, revision: u32) -> bool {
        let counts = self.census.number(job).and_then(|number| self.census.counts(number));
        let slots = counts.into_iter().flat_map(Counts::at_nodes).flat_map(|name| self.named(name));
        let mut held = slots.filter_map(|slot| self.at(*slot)).flat_map(|(_, node)| node.reservations());
        held.any(|held| held.job == job && held.ask.revision > revision)
    }

    /// When the next reservation lapses.
    pub fn next_lapse(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(until, _)| *until)
    }

    /// How many instances of a job there are.
    pub fn total(&self, job: JobId) -> u32 {
        self.census.total(job)
    }

    /// Takes in what a node says, and drops reservations that its claims show. Returns the jobs of which less is there.
    pub(super) fn set_view(&mut self, id: NodeId, view: NodeView) -> Vec<JobId> {
        let known = self.nodes.len();
        let slot = self.nodes.slot_or_new(id);
        let is_new = slot as usize == known;
        let Some(node) = self.nodes.at_mut(slot) else { return Vec::new() };
        if node.come_back() {
            self.domains.settle(node.spot(), slot, true);
            self.changes.note(slot);
        }
        let (gone, come) = difference(instances(node.claims()), instances(&view.claims));
        gone.iter().for_each(|instance| _ = self.holders.remove(&(*instance, id)));
        self.holders.extend(come.iter().map(|instance| (*instance, id)));
        let shows = |instance: &InstanceId| view.claims.iter().any(|claim| claim.instance == *instance);
        let reserved = node.reservations().map(|held| held.ask.instance);
        let shown: Vec<InstanceId> = reserved.filter(shows).collect();
        for instance in &shown {
            self.reserved.remove(instance);
            let until = node.reservation(*instance).map(|held| held.until);
            until.map(|until| self.expiries.remove(&(until, *instance)));
        }
        let before = node.jobs();
        if is_new || !node.described().is(&view.spec) {
            let Some(node) = self.nodes.at_mut(slot) else { return Vec::new() };
            if !is_new {
                before.iter().for_each(|job| self.census.count(*job, node, false));
                self.domains.settle(node.spot(), slot, false);
                self.changes.reshaped();
            }
            node.set_view(view, &shown);
            node.put_at(self.domains.spot(node.described()));
            self.domains.settle(node.spot(), slot, true);
            node.jobs().into_iter().for_each(|job| self.census.count(job, node, true));
            self.changes.note(slot);
            return before;
        }
        if node.set_view(view, &shown) {
            self.changes.note(slot);
        }
        let (gone, come) = difference(before, node.jobs());
        gone.iter().for_each(|job| self.census.count(*job, node, false));
        come.iter().for_each(|job| self.census.count(*job, node, true));
        gone
    }

    /// Removes a node, and all that is on it. Says what it said last, and what room was held on it.
    pub(super) fn remove(&mut self, id: NodeId) -> Option<(NodeView, Vec<Reservation>)> {
        let slot = self.slot(id)?;
        let (_, node) = self.nodes.at(slot)?;
        let view = node.as_view();
        node.jobs().into_iter().for_each(|job| self.census.count(job, node, false));
        self.domains.settle(node.spot(), slot, false);
        instances(node.claims()).into_iter().for_each(|instance| _ = self.holders.remove(&(instance, id)));
        let held = self.nodes.at_mut(slot)?.leave();
        for reservation in &held {
            self.reserved.remove(&reservation.ask.instance);
            self.expiries.remove(&(reservation.until, reservation.ask.instance));
        }
        self.changes.note(slot);
        Some((view, held))
    }

    /// Has a removed node back, with the room that was held on it.
    pub(super) fn put_back(&mut self, id: NodeId, view: NodeView, held: Vec<Reservation>) {
        self.set_view(id, view);
        let Some((slot, node)) = self.slot(id).and_then(|slot| Some((slot, self.nodes.at_mut(slot)?))) else { return };
        for reservation in &held {
            self.reserved.insert(reservation.ask.instance, id);
            self.expiries.insert((reservation.until, reservation.ask.instance));
            self.census.count(reservation.job, node, true);
        }
        node.hold_again(held);
        self.changes.note(slot);
    }

    /// Holds room for an instance.
    pub(super) fn reserve(&mut self, id: NodeId, reservation: Reservation) {
        let instance = reservation.ask.instance;
        self.release(instance);
        let Some((slot, node)) = self.slot(id).and_then(|slot| Some((slot, self.nodes.at_mut(slot)?))) else { return };
        self.reserved.insert(instance, id);
        self.expiries.insert((reservation.until, instance));
        self.census.count(reservation.job, node, true);
        node.reserve(instance, reservation);
        self.changes.note(slot);
    }

    /// Gives up the room held for an instance.
    pub(super) fn release(&mut self, instance: InstanceId) -> Option<(NodeId, Reservation)> {
        let id = self.reserved.remove(&instance)?;
        let slot = self.slot(id)?;
        let node = self.nodes.at_mut(slot)?;
        let reservation = node.release(instance)?;
        self.expiries.remove(&(reservation.until, instance));
        self.census.count(reservation.job, node, false);
        self.changes.note(slot);
        Some((id, reservation))
    }

    /// Whether what follows from the nodes is the same as in a cluster in which it was counted anew.
    #[cfg(test)]
    pub(super) fn counted_as(&self, other: &Self) -> bool {
        let census = |cluster: &Self| cluster.census.in_words(&cluster.domains);
        let held = self.holders == other.holders && self.reserved == other.reserved && self.expiries == other.expiries;
        held && census(self) == census(other)
    }
}

/// The instances of these claims, in order.
fn instances(claims: &[ClaimView]) -> Vec<InstanceId> {
    let mut instances: Vec<InstanceId> = claims.iter().map(|claim| claim.instance).collect();
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
