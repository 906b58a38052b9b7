//! Nodes of one shape that instances come to and stay on: a new one is opened only when the next fits on none, as far
//! as there are more.

use super::trace::{Amounts, Instance, RESOURCES};
use std::collections::BTreeMap;

/// What is left of one node, and what runs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What is left.
    pub left: Amounts,
    /// How many of each application.
    pub applications: BTreeMap<usize, usize>,
}

/// How a node is chosen.
pub trait Policy {
    /// The worse a node with this left is for what is asked, the larger; where it is equal, the first node is taken.
    /// The instance fits.
    fn loss(&mut self, left: &Amounts, asks: &Amounts) -> i64;
    /// Whether nodes that are the same are worth the same: then what was computed for one is used for others.
    const STEADY: bool = true;
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Nodes in use.
    pub nodes: usize,
    /// Instances placed.
    pub placed: usize,
}

/// Whether so much is left.
pub fn fits(left: &Amounts, asks: &Amounts) -> bool {
    left.iter().zip(asks).all(|(left, asks)| left >= asks)
}

/// With it taken.
pub fn without(left: &Amounts, asks: &Amounts) -> Amounts {
    std::array::from_fn(|at| left[at] - asks[at])
}

/// Losses of what is asked on every node, as of so many changes.
#[derive(Default)]
struct Losses {
    losses: Vec<Option<i64>>,
    changes: usize,
}

/// Packs instances on at most so many nodes of this shape.
pub fn pack<P: Policy>(instances: &[&Instance], shape: &Amounts, most: usize, mut policy: P) -> Outcome {
    let mut nodes: Vec<Node> = Vec::new();
    let mut changed = Vec::new();
    let mut known: BTreeMap<Amounts, Losses> = BTreeMap::new();
    let mut placed = 0;
    for instance in instances {
        let asks = &instance.asks;
        let known = known.entry(*asks).or_default();
        known.losses.resize(nodes.len(), None);
        let all = 0..if P::STEADY { 0 } else { nodes.len() };
        for at in all.chain(changed[known.changes..].iter().copied()) {
            let left = &nodes[at].left;
            known.losses[at] = fits(left, asks).then(|| policy.loss(left, asks));
        }
        known.changes = changed.len();
        let open = known.losses.iter().enumerate().filter_map(|(at, loss)| Some(((*loss)?, at)));
        let allowed =
            |at: &usize| nodes[*at].applications.get(&instance.application).copied().unwrap_or(0) < instance.limit;
        let found = open.filter(|(_, at)| allowed(at)).min().map(|(_, at)| at);
        let found = found.or_else(|| {
            let more = nodes.len() < most && fits(shape, asks);
            more.then(|| {
                nodes.push(Node { left: *shape, applications: BTreeMap::new() });
                nodes.len() - 1
            })
        });
        if let Some(at) = found {
            let node = &mut nodes[at];
            node.left = without(&node.left, asks);
            *node.applications.entry(instance.application).or_default() += 1;
            assert!(node.left.iter().all(|left| *left >= 0), "an instance is put where it fits");
            changed.push(at);
            placed += 1;
        }
    }
    Outcome { nodes: nodes.len(), placed }
}

/// The least number of nodes that any packing needs: the scarcest resource, or the limit of an application.
pub fn bound(instances: &[&Instance], shape: &Amounts) -> usize {
    let mut sums = [0; RESOURCES];
    let mut applications: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for instance in instances {
        for (sum, asks) in sums.iter_mut().zip(&instance.asks) {
            *sum += asks;
        }
        let (count, limit) = applications.entry(instance.application).or_insert((0, instance.limit));
        (*count, *limit) = (*count + 1, (*limit).max(instance.limit));
    }
    let scarce = sums.iter().zip(shape).filter(|(_, shape)| **shape > 0).map(|(sum, shape)| (sum + shape - 1) / shape);
    let dense = applications.values().map(|(count, limit)| count.div_ceil(*limit));
    dense.max().unwrap_or(0).max(scarce.max().unwrap_or(0) as usize)
}

#[cfg(test)]
mod tests {
    use super::super::policies::{Rule, Simple};
    use super::super::trace::Role;
    use super::*;

    #[test]
    fn limits_and_resources_open_new_nodes_and_what_fits_nowhere_is_dropped() {
        let instance =
            |cores: i64, limit| Instance { role: Role::Plain, application: 0, asks: [cores, 0, 0, 1, 1], limit };
        let shape = [10, 0, 0, 10, 10];
        let all = [instance(4, 2), instance(4, 2), instance(1, 2), instance(9, 9), instance(11, 9)];
        let all: Vec<&Instance> = all.iter().collect();
        let outcome = pack(&all, &shape, usize::MAX, Simple::new(Rule::FirstFit, &shape));
        assert_eq!(outcome, Outcome { nodes: 2, placed: 4 }, "the third comes to a second node for the limit of two");
        assert_eq!(pack(&all, &shape, 1, Simple::new(Rule::FirstFit, &shape)), Outcome { nodes: 1, placed: 2 });
        assert_eq!(bound(&all[..4], &shape), 2);
    }
}
