//! The nodes in the order of their names, whole and in groups of the same rack, site or region.
//!
//! Positions of a group lie side by side and begin at a block, so that the best of a block can be kept beside it. A few
//! nodes that came lately have no position yet: they are looked at one by one until there are more of them.

use super::Levels;
use crate::scheduler::census::{Domain, Spot};
use crate::scheduler::cluster::Cluster;
use messages::id::NodeId;
use messages::manifest::Level;
use std::cmp::Ordering;

/// Positions of a block.
pub(super) const BLOCK: usize = 64;
/// Nobody is at a position.
pub(super) const NOBODY: u32 = u32::MAX;
/// So many nodes may have no position: this, or one of so many that have one.
const NEW_MAX: usize = 32;
const NEW_SHARE: usize = 16;

/// The order of the nodes.
#[derive(Default)]
pub(super) struct Order {
    /// Grows when positions are dealt anew.
    pub epoch: u64,
    shape: u64,
    /// Slots in the order of names, of the nodes that have a position.
    named: Vec<u32>,
    /// The place in that order, by slot.
    ranks: Vec<u32>,
    groupings: [Option<Grouping>; Levels::COUNT],
}

/// The nodes in groups that are in the same place at some levels.
#[derive(Default)]
pub(super) struct Grouping {
    pub groups: Vec<Group>,
    /// By position; nobody at the rest of a group's last block.
    pub slots: Vec<u32>,
    /// By slot.
    pub positions: Vec<u32>,
    /// The group of each block.
    of_block: Vec<u32>,
}

/// Nodes in the same place.
pub(super) struct Group {
    /// Positions, without those at which nobody is.
    pub begin: usize,
    pub end: usize,
    /// Where any of them is, at the levels that matter.
    pub spot: Spot,
}

impl Group {
    pub(super) const fn blocks(&self) -> std::ops::Range<usize> {
        self.begin / BLOCK..self.end.div_ceil(BLOCK)
    }
}

impl Order {
    /// Deals positions anew if there is need to, and groups by these levels if that was not done yet.
    pub(super) fn follow(&mut self, cluster: &Cluster, levels: Levels) {
        let (known, shape) = (self.named.len(), cluster.changes().shape());
        let new = cluster.len() - known.min(cluster.len());
        if self.epoch == 0 || self.shape != shape || new > NEW_MAX.max(known / NEW_SHARE) {
            let slots = known as u32..cluster.len() as u32;
            self.named.extend(slots);
            self.named.sort_by(|one, other| name(cluster, *one).cmp(&name(cluster, *other)));
            self.ranks = vec![0; self.named.len()];
            self.named.iter().zip(0..).for_each(|(slot, rank)| self.ranks[*slot as usize] = rank);
            self.groupings = Default::default();
            self.shape = shape;
            self.epoch += 1;
        }
        let grouping = &mut self.groupings[usize::from(levels.0)];
        if grouping.is_none() {
            *grouping = Some(Grouping::new(cluster, &self.named, levels));
        }
    }

    /// The groups at these levels, which were asked for.
    pub(super) fn grouping(&self, levels: Levels) -> &Grouping {
        self.groupings[usize::from(levels.0)].as_ref().expect("it was made when the class was asked for")
    }

    /// How many nodes have a position: those with slots below.
    pub(super) const fn placed(&self) -> usize {
        self.named.len()
    }

    /// Which of two nodes comes first by name.
    pub(super) fn compare(&self, cluster: &Cluster, one: u32, other: u32) -> Ordering {
        match (self.ranks.get(one as usize), self.ranks.get(other as usize)) {
            (Some(one), Some(other)) => one.cmp(other),
            _ => name(cluster, one).cmp(&name(cluster, other)),
        }
    }
}

fn name(cluster: &Cluster, slot: u32) -> Option<(&str, NodeId)> {
    cluster.ever_at(slot).map(|(id, node)| (node.name(), id))
}

impl Grouping {
    fn new(cluster: &Cluster, named: &[u32], levels: Levels) -> Self {
        let domain = |spot: Spot, level: Level| if levels.has(level) { spot.at(level) } else { Domain::default() };
        let place = |slot: u32| {
            let spot = cluster.ever_at(slot).map(|(_, node)| node.spot()).unwrap_or_default();
            [Level::Rack, Level::Site, Level::Region].map(|level| domain(spot, level))
        };
        let mut all: Vec<([Domain; 3], u32)> = named.iter().map(|slot| (place(*slot), *slot)).collect();
        all.sort_by_key(|(place, _)| *place);
        let mut grouping = Self { positions: vec![NOBODY; named.len()], ..Self::default() };
        for nodes in all.chunk_by(|one, other| one.0 == other.0) {
            let begin = grouping.slots.len();
            for (_, slot) in nodes {
                grouping.positions[*slot as usize] = grouping.slots.len() as u32;
                grouping.slots.push(*slot);
            }
            let (end, first) = (grouping.slots.len(), nodes[0].1);
            grouping.slots.resize(end.next_multiple_of(BLOCK), NOBODY);
            grouping.of_block.resize(grouping.slots.len() / BLOCK, grouping.groups.len() as u32);
            let spot = cluster.ever_at(first).map(|(_, node)| node.spot()).unwrap_or_default();
            grouping.groups.push(Group { begin, end, spot: spot.of_stranger() });
        }
        grouping
    }

    /// The group of a position.
    pub(super) fn group_of(&self, position: usize) -> usize {
        self.of_block[position / BLOCK] as usize
    }
}
