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

use super::census::Spot;
use super::filter::{Floors, Want};
use super::nodes::NodeState;
use super::view::ClusterView;
use messages::id::NodeId;
use messages::manifest::{Affinity, Level};
use messages::resources::Resources;
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
    let Terms([fit, _, prefer, ..]) = own(want, &view.free(node), node);
    let avoided = (!avoid.is_empty()).then(|| avoid.contains(&id));
    let Terms([_, alike, _, near, apart, spread, avoid]) = company(view, want, node.spot(), floors, avoided);
    Terms([fit, alike, prefer, near, apart, spread, avoid])
}

/// The terms that follow from the node alone, with what it has left.
pub(super) fn own(want: &Want<'_>, free: &Resources, node: &NodeState) -> Terms {
    Terms([fit(want, free, node), None, prefer(want, node), None, None, None, None])
}

/// The most that the node's own terms come to.
pub(super) const OWN_MAX: i64 = BEST * (TERMS[0].1 + TERMS[2].1);

/// The terms that follow from who is where, and from whether the node is one to avoid, if there are any such.
pub(super) fn company(
    view: &ClusterView<'_>,
    want: &Want<'_>,
    spot: Spot,
    floors: &Floors,
    avoided: Option<bool>,
) -> Terms {
    let avoid = avoided.map(|avoided| if avoided { 0 } else { BEST });
    let (near, apart) = (near(view, want, spot), apart(view, want, spot));
    Terms([None, alike(view, want, spot), None, near, apart, spread(view, want, spot, floors), avoid])
}

/// The mean share in use afterwards over the dimensions it needs, less a quarter of the gap between the fullest and
/// the emptiest of them.
fn fit(want: &Want<'_>, free: &Resources, node: &NodeState) -> Option<i64> {
    let (mut low, mut high, mut sum, mut count) = (i64::MAX, 0, 0, 0);
    for dimension in want.workload.resources.dimensions() {
        let (capacity, need) = (node.capacity().get(dimension), want.workload.resources.get(dimension));
        if capacity == 0 || need == 0 {
            continue;
        }
        let used = capacity - free.get(dimension).saturating_sub(need).min(capacity);
        let share = thousandths(used, capacity);
        (low, high, sum, count) = (low.min(share), high.max(share), sum + share, count + 1);
    }
    (count > 0).then(|| (sum / count - (high - low) / 4).clamp(0, BEST))
}

/// A part of a whole that is not zero, in thousandths.
fn thousandths(part: u64, whole: u64) -> i64 {
    let quick = part.checked_mul(1_000).map(|part| part / whole);
    let thousandths = quick.unwrap_or_else(|| (u128::from(part) * 1_000 / u128::from(whole)) as u64);
    i64::try_from(thousandths).unwrap_or(BEST)
}

fn alike(view: &ClusterView<'_>, want: &Want<'_>, spot: Spot) -> Option<i64> {
    let sociable = want.place.near.iter().any(|near| near.job == want.name);
    let spread = want.place.spread.iter().any(|spread| spread.over == Level::Node);
    (!sociable && !spread).then(|| BEST / (1 + i64::from(view.count(want.job, Level::Node, spot))))
}

fn prefer(want: &Want<'_>, node: &NodeState) -> Option<i64> {
    let total: i64 = want.place.prefer.iter().map(|(_, weight)| i64::from(*weight)).sum();
    let had = want.place.prefer.iter().filter(|(tag, _)| node.satisfies(tag));
    let had: i64 = had.map(|(_, weight)| i64::from(*weight)).sum();
    (total > 0).then(|| BEST * had / total)
}

fn near(view: &ClusterView<'_>, want: &Want<'_>, spot: Spot) -> Option<i64> {
    mean(want.place.near.iter().filter(|near| !near.hard), |near| {
        let other = view.job(want.realm, &near.job);
        let levels = Level::ALL.into_iter().filter(|level| *level >= near.within);
        let mut values = levels.zip([BEST, BEST / 2, BEST / 4, BEST / 8]);
        let found = values.find(|(level, _)| view.count(other, *level, spot) > 0);
        (view.total(other) > 0).then(|| found.map_or(0, |(_, value)| value))
    })
}

fn apart(view: &ClusterView<'_>, want: &Want<'_>, spot: Spot) -> Option<i64> {
    mean(want.place.apart.iter().filter(|apart| !apart.hard), |apart| {
        let other = view.job(want.realm, &apart.job);
        Some(BEST / (1 + i64::from(view.count(other, apart.within, spot))))
    })
}

fn spread(view: &ClusterView<'_>, want: &Want<'_>, spot: Spot, floors: &Floors) -> Option<i64> {
    let values = want.place.spread.iter().map(|spread| {
        let floor = floors.get(&spread.over).copied().unwrap_or(0);
        let above = view.count(want.job, spread.over, spot).saturating_sub(floor);
        BEST / (1 + i64::from(above))
    });
    average(values)
}

fn mean<'a>(
    affinities: impl Iterator<Item = &'a Affinity>,
    value: impl FnMut(&'a Affinity) -> Option<i64>,
) -> Option<i64> {
    average(affinities.filter_map(value))
}

fn average(values: impl Iterator<Item = i64>) -> Option<i64> {
    let (sum, count) = values.fold((0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count)
}
