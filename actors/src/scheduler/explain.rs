//! Saying why not: the nearest miss, the smallest change that would do, and the verdict on a single node.
//!
//! A node may be struck out for several reasons at once. What is suggested lifts all of them, on the node of which there
//! are the fewest: so whoever follows it sees the instance placed ([`super::remedy`]).

use super::Scheduler;
use super::filter::{self, Floors, Strike, Survey, Surveyed, Want};
use super::nodes::RefusedBy;
use super::remedy::{self, Place};
use super::select;
use super::view::ClusterView;
use messages::gpu::WHOLE;
use messages::id::{InstanceId, JobId, NodeId};
use messages::reason::Reason;
use messages::scheduler::{Ask, Candidate, Decision, Unplaceable};
use std::collections::BTreeMap;

/// Why an instance could not be put on a node, or that it could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The job or the node is not known to the scheduler.
    Unknown(&'static str),
    /// It does not fit there.
    No {
        /// All that stands against it, the most permanent first.
        against: Vec<Against>,
    },
    /// It fits there.
    Fits {
        /// What the node scored, when it is one of the best.
        here: Option<Candidate>,
        /// The one that would be chosen.
        best: Candidate,
    },
}

/// One thing that stands against a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    /// The stable code.
    pub reason: Reason,
    /// What is missing.
    pub nearest: String,
    /// The smallest change that lifts it.
    pub change: String,
}

/// What would be said of one more instance of a job on this node now.
pub fn why_not(state: &Scheduler, job: JobId, node: NodeId) -> Verdict {
    let Some(want) = state.latest_want(job) else { return Verdict::Unknown("job") };
    let view = ClusterView::new(state);
    let survey = Survey::new(&view, want);
    let Some(surveyed) = survey.nodes().iter().find(|surveyed| surveyed.id == node) else {
        return Verdict::Unknown("node");
    };
    let obstacles = filter::obstacles(&view, &want, surveyed, &filter::floors(&view, &survey), &[]);
    if !obstacles.is_empty() {
        let place = Place { view: &view, want: &want, surveyed };
        let against = obstacles.iter().map(|strike| Against {
            reason: strike.reason(),
            nearest: remedy::miss(&place, strike),
            change: remedy::words(&remedy::steps(&place, strike)),
        });
        return Verdict::No { against: against.collect() };
    }
    let ask =
        Ask { instance: InstanceId::default(), label: want.name.into(), revision: 0, avoid: Vec::new(), gang: false };
    let Decision { candidates, .. } = select::decide(&view, &survey, &ask, &[]);
    let here = candidates.iter().find(|candidate| candidate.node == node).cloned();
    match candidates.into_iter().next() {
        Some(best) => Verdict::Fits { here, best },
        None => Verdict::Unknown("node"),
    }
}

/// Explains that no node can take an instance. `struck` are the nodes, each with what struck it out.
pub fn unplaceable<'a>(
    view: &ClusterView<'a>,
    survey: &Survey<'a>,
    label: &str,
    struck: &[(&Surveyed<'a>, Strike<'a>)],
    floors: &Floors,
    refused: &[RefusedBy],
) -> Unplaceable {
    let want = &survey.want;
    let mut counts: BTreeMap<(u8, Reason), u32> = BTreeMap::new();
    for (_, strike) in struck {
        *counts.entry((strike.tier(), strike.reason())).or_default() += 1;
    }
    let struck_out: Vec<(Reason, u32)> = counts.into_iter().map(|((_, reason), count)| (reason, count)).collect();
    let Some((surveyed, obstacles)) = nearest(view, want, struck.iter().map(|it| it.0), floors, refused) else {
        return Unplaceable {
            reason: Reason::NoNodes,
            message: format!("{label} waits: there is no node"),
            nearest: None,
            change: Some(format!("add a node{}", remedy::shape(want))),
            struck_out,
        };
    };
    nearest_miss(view, want, label, struck_out, surveyed, &obstacles)
}

/// Explains it by the node that came nearest, and all that stands against it.
pub(super) fn nearest_miss<'a>(
    view: &ClusterView<'a>,
    want: &Want<'a>,
    label: &str,
    struck_out: Vec<(Reason, u32)>,
    surveyed: &Surveyed<'a>,
    obstacles: &[Strike<'a>],
) -> Unplaceable {
    let place = Place { view, want, surveyed };
    let misses: Vec<String> = obstacles.iter().map(|strike| remedy::miss(&place, strike)).collect();
    let changes: Vec<String> = obstacles.iter().map(|strike| remedy::words(&remedy::steps(&place, strike))).collect();
    let list: Vec<String> = struck_out.iter().map(|(reason, count)| format!("{reason} on {count}")).collect();
    let message = match obstacles.first() {
        Some(Strike::NotNear(near, true)) => format!("{label} waits for job {}, which it must be near", near.job),
        _ => format!("no node can take {label}: {}", list.join(", ")),
    };
    Unplaceable {
        reason: obstacles.first().map_or(Reason::NoNodes, Strike::reason),
        message,
        nearest: Some(misses.join("; and ")),
        change: Some(changes.join("; and ")),
        struck_out,
    }
}

/// Of these nodes, of which none can take an instance, the one that comes nearest, and all that stands against it.
pub(super) fn nearest<'s, 'a>(
    view: &ClusterView<'a>,
    want: &Want<'a>,
    nodes: impl Iterator<Item = &'s Surveyed<'a>>,
    floors: &Floors,
    refused: &[RefusedBy],
) -> Option<(&'s Surveyed<'a>, Vec<Strike<'a>>)>
where
    'a: 's,
{
    let against = nodes.map(|surveyed| (surveyed, filter::obstacles(view, want, surveyed, floors, refused)));
    against.min_by_key(|it| remoteness(want, it)).filter(|(_, obstacles)| !obstacles.is_empty())
}

/// How far a node is from taking an instance: by how much there is against it, how permanent that is, and how much of the
/// need is missing, in thousandths. Of equals the first by name.
fn remoteness(want: &Want<'_>, (surveyed, obstacles): &(&Surveyed<'_>, Vec<Strike<'_>>)) -> (usize, u8, u64, String) {
    let permanence = obstacles.iter().map(|strike| u8::MAX - strike.tier()).max().unwrap_or(0);
    let missing = obstacles.iter().map(|strike| distance(want, strike)).fold(0, u64::saturating_add);
    (obstacles.len(), permanence, missing, surveyed.node.name().to_string())
}

/// How much of the need is missing, in thousandths.
pub(super) fn distance(want: &Want<'_>, strike: &Strike<'_>) -> u64 {
    let (need, missing) = match strike {
        Strike::Capacity(dimension, missing) | Strike::Free(dimension, missing) => {
            (want.workload.resources.get(*dimension), *missing)
        }
        Strike::Devices(most, untouched) => {
            let need = want.workload.resources.gpu_milli;
            let whole = u64::try_from(*untouched).unwrap_or(u64::MAX).saturating_mul(WHOLE);
            (need, need.saturating_sub(if need < WHOLE { *most } else { whole }))
        }
        _ => return 0,
    };
    u64::try_from(u128::from(missing) * 1_000 / u128::from(need.max(1))).unwrap_or(u64::MAX)
}
