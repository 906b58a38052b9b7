//! How good a node that fits is: integer terms from 0 to 1000, each with a weight.
//!
//! | term   | weight | says                                                                                   |
//! |--------|--------|----------------------------------------------------------------------------------------|
//! | fit    | 1      | how full the node gets, so that large rooms stay whole; uneven filling costs           |
//! | alike  | 2      | how few of the same job are on the node, so that a lost node takes few of them along   |
//! | prefer | 4      | the share of preferred tags it has, by their weights                                   |
//! | near   | 4      | how near it is to jobs it should be near; half for each level further out              |
//! | apart  | 4      | how few there are of jobs it should be apart from                                      |
//! | spread | 4      | how few of the same job its domain has beyond the emptiest                             |
//! | avoid  | 40     | whether it is none of the nodes to avoid                                               |
//!
//! A term that does not apply is absent: `fit` without a need, `near` without an instance to be near to, `alike` for a
//! job that wants its own company or says itself how it spreads over nodes.

use super::cluster::{ClusterView, NodeState};
use super::filter::{Floors, Want};
use messages::id::{JobId, NodeId};
use messages::manifest::{Affinity, Level};
use messages::resources::Dimension;
use messages::scheduler::Term;

/// Names and weights, in the order of [`Terms`].
const TERMS: [(&str, i64); 7] =
    [("fit", 1), ("alike", 2), ("prefer", 4), ("near", 4), ("apart", 4), ("spread", 4), ("avoid", 40)];

/// The best value of a term.
const BEST: i64 = 1_000;

/// The values of all terms; absent where one does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms([Option<i64>; TERMS.len()]);

impl Terms {
    /// The sum of the terms, each times its weight.
    pub fn sum(&self) -> i64 {
        self.0.iter().zip(TERMS).filter_map(|(value, (_, weight))| value.map(|value| value * weight)).sum()
    }

    /// The terms for the record.
    pub fn record(&self) -> Vec<Term> {
        let named = self.0.iter().zip(TERMS);
        named
            .filter_map(|(value, (name, weight))| value.map(|value| Term { name: name.into(), value, weight }))
            .collect()
    }
}

/// Scores a node for one instance.
pub fn score<'a>(
    view: &ClusterView<'a>,
    want: &Want<'a>,
    id: NodeId,
    node: &'a NodeState,
    floors: &Floors,
    avoid: &[NodeId],
) -> Terms {
    let avoided = if avoid.contains(&id) { 0 } else { BEST };
    Terms([
        fit(view, want, id, node),
        alike(view, want, node),
        prefer(want, node),
        near(view, want, node),
        apart(view, want, node),
        spread(view, want, node, floors),
        (!avoid.is_empty()).then_some(avoided),
    ])
}

/// The mean share in use afterwards over the dimensions it needs, less a quarter of the gap between the fullest and
/// the emptiest of them.
fn fit(view: &ClusterView<'_>, want: &Want<'_>, id: NodeId, node: &NodeState) -> Option<i64> {
    let left = view.free(id, node).minus(&want.workload.resources);
    let share = |dimension: Dimension<'_>| {
        let (capacity, need) = (node.capacity().get(dimension), want.workload.resources.get(dimension));
        let used = capacity.saturating_sub(left.get(dimension));
        let thousandths = (capacity > 0 && need > 0).then(|| u128::from(used) * 1_000 / u128::from(capacity))?;
        i64::try_from(thousandths).ok()
    };
    let shares: Vec<i64> = want.workload.resources.dimensions().filter_map(share).collect();
    let (low, high) = (shares.iter().min()?, shares.iter().max()?);
    let mean = shares.iter().sum::<i64>() / i64::try_from(shares.len()).ok()?;
    Some((mean - (high - low) / 4).clamp(0, BEST))
}

fn alike<'a>(view: &ClusterView<'a>, want: &Want<'a>, node: &'a NodeState) -> Option<i64> {
    let sociable = want.place.near.iter().any(|near| near.job == want.name);
    let spread = want.place.spread.iter().any(|spread| spread.over == Level::Node);
    (!sociable && !spread).then(|| BEST / (1 + i64::from(view.count(want.job, Level::Node, node))))
}

fn prefer(want: &Want<'_>, node: &NodeState) -> Option<i64> {
    let total: i64 = want.place.prefer.iter().map(|(_, weight)| i64::from(*weight)).sum();
    let had = want.place.prefer.iter().filter(|(tag, _)| node.satisfies(tag));
    let had: i64 = had.map(|(_, weight)| i64::from(*weight)).sum();
    (total > 0).then(|| BEST * had / total)
}

fn near<'a>(view: &ClusterView<'a>, want: &Want<'a>, node: &'a NodeState) -> Option<i64> {
    mean(want.place.near.iter().filter(|near| !near.hard), |near| {
        let other = JobId::named(want.realm, &near.job);
        let levels = Level::ALL.into_iter().filter(|level| *level >= near.within);
        let mut values = levels.zip([BEST, BEST / 2, BEST / 4, BEST / 8]);
        let found = values.find(|(level, _)| view.count(other, *level, node) > 0);
        (view.total(other) > 0).then(|| found.map_or(0, |(_, value)| value))
    })
}

fn apart<'a>(view: &ClusterView<'a>, want: &Want<'a>, node: &'a NodeState) -> Option<i64> {
    mean(want.place.apart.iter().filter(|apart| !apart.hard), |apart| {
        let other = JobId::named(want.realm, &apart.job);
        Some(BEST / (1 + i64::from(view.count(other, apart.within, node))))
    })
}

fn spread<'a>(view: &ClusterView<'a>, want: &Want<'a>, node: &'a NodeState, floors: &Floors) -> Option<i64> {
    let values = want.place.spread.iter().map(|spread| {
        let floor = floors.get(&spread.over).copied().unwrap_or(0);
        let above = view.count(want.job, spread.over, node).saturating_sub(floor);
        BEST / (1 + i64::from(above))
    });
    average(values.collect())
}

fn mean<'a>(
    affinities: impl Iterator<Item = &'a Affinity>,
    value: impl FnMut(&'a Affinity) -> Option<i64>,
) -> Option<i64> {
    average(affinities.filter_map(value).collect())
}

fn average(values: Vec<i64>) -> Option<i64> {
    let count = i64::try_from(values.len()).ok().filter(|count| *count > 0)?;
    Some(values.iter().sum::<i64>() / count)
}
