//! Saying why not: the nearest miss, the smallest change that would do, and the verdict on a single node.

use super::Scheduler;
use super::cluster::ClusterView;
use super::filter::{self, Strike, Survey, Surveyed, Want};
use super::select;
use messages::gpu::WHOLE;
use messages::id::{InstanceId, JobId, NodeId};
use messages::manifest::{Tag, did_you_mean};
use messages::node::Standing;
use messages::reason::Reason;
use messages::resources::Dimension;
use messages::scheduler::{Ask, Candidate, Decision, Unplaceable};
use std::collections::{BTreeMap, BTreeSet};

/// Why an instance could not be put on a node, or that it could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The job or the node is not known to the scheduler.
    Unknown(&'static str),
    /// It does not fit there.
    No {
        /// The stable code.
        reason: Reason,
        /// What is missing.
        nearest: String,
        /// The smallest change that would do.
        change: String,
    },
    /// It fits there.
    Fits {
        /// What the node scored, when it is one of the best.
        here: Option<Candidate>,
        /// The one that would be chosen.
        best: Candidate,
    },
}

/// What would be said of one more instance of a job on this node now.
pub fn why_not(state: &Scheduler, job: JobId, node: NodeId) -> Verdict {
    let Some(want) = state.latest_want(job) else { return Verdict::Unknown("job") };
    let view = ClusterView::new(state);
    let survey = Survey::new(&view, want);
    let Some(surveyed) = survey.nodes().iter().find(|surveyed| surveyed.id == node) else {
        return Verdict::Unknown("node");
    };
    if let Some(strike) = filter::strike(&view, &want, surveyed, &filter::floors(&view, &survey), &[]) {
        let (nearest, change) = sentences(&want, surveyed, &strike);
        return Verdict::No { reason: strike.reason(), nearest, change };
    }
    let ask = Ask { instance: InstanceId::default(), label: want.name.into(), revision: 0, avoid: Vec::new() };
    let Decision { candidates, .. } = select::decide(&view, &survey, &ask, &[]);
    let here = candidates.iter().find(|candidate| candidate.node == node).cloned();
    match candidates.into_iter().next() {
        Some(best) => Verdict::Fits { here, best },
        None => Verdict::Unknown("node"),
    }
}

/// Explains that no node can take an instance.
pub fn unplaceable(want: &Want<'_>, label: &str, struck: &[(&Surveyed<'_>, Strike<'_>)]) -> Unplaceable {
    let mut counts: BTreeMap<(u8, Reason), u32> = BTreeMap::new();
    for (_, strike) in struck {
        *counts.entry((strike.tier(), strike.reason())).or_default() += 1;
    }
    let closeness = |(surveyed, strike): &&(&Surveyed<'_>, Strike<'_>)| {
        (u8::MAX - strike.tier(), distance(want, strike), surveyed.node.name().to_string())
    };
    let struck_out: Vec<(Reason, u32)> = counts.into_iter().map(|((_, reason), count)| (reason, count)).collect();
    let Some((surveyed, strike)) = struck.iter().min_by_key(closeness) else {
        return Unplaceable {
            reason: Reason::NoNodes,
            message: format!("{label} waits: there is no node"),
            nearest: None,
            change: Some("add a node".into()),
            struck_out,
        };
    };
    let (nearest, change) = nobody_has(struck, strike).unwrap_or_else(|| sentences(want, surveyed, strike));
    let list: Vec<String> = struck_out.iter().map(|(reason, count)| format!("{reason} on {count}")).collect();
    let message = match strike {
        Strike::NotNear(near, true) => format!("{label} waits for job {}, which it must be near", near.job),
        _ => format!("no node can take {label}: {}", list.join(", ")),
    };
    Unplaceable { reason: strike.reason(), message, nearest: Some(nearest), change: Some(change), struck_out }
}

/// What a site would have to add, and no node of it has: perhaps there is something with nearly that name.
fn nobody_has(struck: &[(&Surveyed<'_>, Strike<'_>)], strike: &Strike<'_>) -> Option<(String, String)> {
    let Strike::Capacity(Dimension::Named(name), missing) = strike else { return None };
    let known: BTreeSet<&str> =
        struck.iter().flat_map(|(it, _)| it.node.capacity().named.iter().map(|(name, _)| name)).collect();
    if known.contains(name) {
        return None;
    }
    let nearest = match did_you_mean(name, known.iter().copied()) {
        Some(other) => format!("no node has any {name}, and there is {other}"),
        None if known.is_empty() => format!("no node has any {name}"),
        None => format!("no node has any {name}; there is {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    };
    Some((nearest, format!("start an agent with --capacity {name}={missing}")))
}

/// How far a node is from taking it, among those struck out alike: thousandths of the need, or tags.
fn distance(want: &Want<'_>, strike: &Strike<'_>) -> u64 {
    match strike {
        Strike::Tags(_, missing) => *missing,
        Strike::Capacity(dimension, missing) | Strike::Free(dimension, missing) => {
            let need = u128::from(want.workload.resources.get(*dimension)).max(1);
            u64::try_from(u128::from(*missing) * 1_000 / need).unwrap_or(u64::MAX)
        }
        _ => 0,
    }
}

/// The nearest miss and the smallest change, each in one sentence.
fn sentences(want: &Want<'_>, surveyed: &Surveyed<'_>, strike: &Strike<'_>) -> (String, String) {
    let (job, node) = (want.name, surveyed.node.name());
    match strike {
        Strike::Policy(verdict) => (
            format!("node {node}: {}", verdict.words()),
            format!("permit action \"place\" for job {job} on node {node}"),
        ),
        Strike::Tags(tag, _) => tag_sentences(job, node, tag, surveyed.node.tags().get(&tag.key)),
        Strike::Capacity(dimension, missing) => {
            let have = surveyed.node.capacity().get(*dimension);
            shortage(job, node, *dimension, have, *missing, "in all")
        }
        Strike::Free(dimension, missing) => {
            let have = want.workload.resources.get(*dimension).saturating_sub(*missing);
            shortage(job, node, *dimension, have, *missing, "free")
        }
        Strike::GpuModel(model) => {
            let models = want.workload.gpu_models.join(" or ");
            (
                format!("node {node} has GPUs of model {model:?} and job {job} takes {models}"),
                format!("add {model:?} to job.{job}.resources.gpu_model, or add a node with {models}"),
            )
        }
        Strike::Devices(most, untouched) => device_sentences(want, node, *most, *untouched),
        Strike::NotNear(near, true) => {
            (format!("job {} has no instance yet", near.job), format!("start job {}", near.job))
        }
        Strike::NotNear(near, false) => (
            format!("node {node} has no instance of {} in its {}", near.job, near.within.name()),
            format!("make room in a {} that has one, or drop job.{job}.place.near", near.within.name()),
        ),
        Strike::NotApart(_, level) => (
            format!("node {node} has in its {} a job that this one must be apart from", level.name()),
            format!("add a node in another {}", level.name()),
        ),
        Strike::Spread(level, count, floor) => (
            format!("the {} of node {node} has {count} of {job} and another has {floor}", level.name()),
            format!("make room in the {} with the fewest, or raise skew_max of job.{job}.place.spread", level.name()),
        ),
        Strike::PerNode(count) => (
            format!("node {node} has {count} of {job}, the most it may have"),
            format!("add a node, or raise job.{job}.place.per_node_max to {}", count + 1),
        ),
        Strike::Refused(because) => (
            format!("node {node} refused it: {because}"),
            format!("wait until node {node} says how it is, or add a node"),
        ),
        Strike::Standing(standing) => {
            let change = match standing {
                Standing::Cordoned | Standing::Draining => format!("uncordon node {node}"),
                _ => format!("bring node {node} back, or add a node"),
            };
            (format!("node {node} would fit and is {}", standing.name()), change)
        }
    }
}

/// Enough is left of a node's GPUs together, and not on one of them, or not on enough of them.
fn device_sentences(want: &Want<'_>, node: &str, most: u64, untouched: usize) -> (String, String) {
    let (job, need) = (want.name, want.workload.resources.gpu_milli);
    let amount = |milli| Dimension::Gpus.amount(milli);
    let (most_left, needed) = (amount(most), amount(need));
    if need < WHOLE {
        let change = match most {
            0 => format!("free {needed} of a GPU on {node}"),
            _ => format!("reduce job.{job}.resources.gpus to {most_left}, or free {needed} of a GPU on {node}"),
        };
        return (format!("node {node} has {most_left} left of its emptiest GPU, and {needed} is asked of one"), change);
    }
    (
        format!("node {node} has {untouched} GPUs of which nobody has a part, and {needed} are asked for"),
        format!("free whole GPUs on {node}, or add a node with {needed}"),
    )
}

fn shortage(job: &str, node: &str, of: Dimension<'_>, have: u64, missing: u64, what: &str) -> (String, String) {
    // More than one GPU can only be asked for whole.
    let less = if of == Dimension::Gpus && have > WHOLE { have - have % WHOLE } else { have };
    let fewer = of.amount(less);
    let (name, have, missing) = (of.name(), of.amount(have), of.amount(missing));
    (
        format!("node {node} has {have} of {name} {what}, {missing} short"),
        match less {
            0 => format!("have {missing} more {name} on {node}"),
            _ => format!("reduce job.{job}.resources.{name} to {fewer}, or have {missing} more {name} on {node}"),
        },
    )
}

fn tag_sentences(job: &str, node: &str, tag: &Tag, have: Option<&String>) -> (String, String) {
    let written = match &tag.value {
        Some(value) => format!("{}={value}", tag.key),
        None => tag.key.clone(),
    };
    let has = match have {
        Some(value) => format!("node {node} has {}={value}", tag.key),
        None => format!("node {node} has no {}", tag.key),
    };
    let drop = format!("drop it from job.{job}.place.require");
    if tag.negated {
        (format!("{has} and job {job} wants a node without {written}"), format!("untag node {node}, or {drop}"))
    } else {
        (format!("{has} and job {job} wants {written}"), format!("tag node {node} with {written}, or {drop}"))
    }
}
