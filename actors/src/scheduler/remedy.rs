//! What lifts an obstacle: the steps, each of which does, and the words for them.

use super::filter::{Strike, Surveyed, Want};
use super::nodes::NodeState;
use super::view::ClusterView;
use messages::gpu::{DEVICES_MAX, WHOLE};
use messages::id::JobId;
use messages::manifest::{Level, Tag, did_you_mean};
use messages::node::Standing;
use messages::reason::Reason;
use messages::resources::Dimension;
use std::collections::BTreeSet;

/// An instance that is wanted, and a node that cannot take it.
pub(super) struct Place<'p, 'a> {
    /// The cluster.
    pub view: &'p ClusterView<'a>,
    /// What is wanted.
    pub want: &'p Want<'a>,
    /// The node.
    pub surveyed: &'p Surveyed<'a>,
}

/// Something that lifts an obstacle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Have a policy permit it.
    Permit { job: String, node: String },
    /// Have these policies not forbid it.
    Allow { policies: String, job: String, node: String },
    /// Have what cannot be evaluated put right.
    Repair { trouble: String },
    /// Give the node a tag.
    Tag { node: String, tag: Tag },
    /// Take a tag from the node.
    Untag { node: String, tag: Tag },
    /// Do not require it.
    DropRequire { job: String, tag: Tag },
    /// Tolerate a taint.
    Tolerate { job: String, taint: Tag },
    /// Take a taint off the node.
    Untaint { node: String, taint: Tag },
    /// Need less.
    Reduce { job: String, of: String, to: u64 },
    /// Have so much more there; GPUs of one of these models, where there are none yet.
    Have { node: String, of: String, more: u64, models: Vec<String> },
    /// Say that there is so much of what a site adds.
    Offer { node: String, of: String, amount: u64 },
    /// Have GPUs of one of these models there, and no others.
    Model { node: String, models: Vec<String> },
    /// Take GPUs of this model too.
    TakeModel { job: String, model: String },
    /// Start another job there.
    Start { job: String, level: Level, node: String },
    /// Do not insist on its company.
    DropNear { job: String, other: String },
    /// Do not insist on being apart: each of these from the other.
    DropApart { pairs: Vec<(String, String)> },
    /// Add a node, of this shape.
    Add { shape: String },
    /// Spread less evenly.
    Skew { job: String, level: Level, to: u32 },
    /// Allow more of it on a node.
    PerNode { job: String, to: u32 },
    /// Wait until the node speaks.
    Wait { node: String },
    /// Let it take work again.
    Uncordon { node: String },
    /// Bring it back.
    Return { node: String },
}

/// Every step that lifts an obstacle, the nearest at hand first.
///
/// What must spread evenly is held to every place it may go to. So to let it go to more places may forbid the one that is
/// looked at, and is not suggested. A node that is added has no company, so that neither is where company is wanted.
pub(super) fn steps(place: &Place<'_, '_>, strike: &Strike<'_>) -> Vec<Step> {
    let spreads = place.want.place.spread.iter().any(|spread| spread.skew_max.is_some());
    let near = place.want.place.near.iter().any(|near| near.hard);
    let widens = |step: &Step| {
        matches!(step, Step::DropRequire { .. } | Step::Tolerate { .. } | Step::Reduce { .. } | Step::TakeModel { .. })
    };
    let helps = |step: &Step| !(spreads && widens(step) || near && matches!(step, Step::Add { .. }));
    let all = all_steps(place, strike);
    let (mut helping, other): (Vec<Step>, Vec<Step>) = all.into_iter().partition(helps);
    if helping.is_empty() {
        helping = other;
    }
    helping
}

fn all_steps(place: &Place<'_, '_>, strike: &Strike<'_>) -> Vec<Step> {
    let (job, node) = (place.want.name.to_string(), place.surveyed.node.name().to_string());
    match strike {
        Strike::Policy(verdict) => vec![match (verdict.reason(), &verdict.trouble) {
            (Reason::PolicyForbids, _) => Step::Allow { policies: verdict.policies.join(", "), job, node },
            (_, Some(trouble)) => Step::Repair { trouble: trouble.clone() },
            _ => Step::Permit { job, node },
        }],
        Strike::Tags(tag, _) => {
            let tag = (*tag).clone();
            let drop = Step::DropRequire { job, tag: tag.clone() };
            match (tag.negated, IMPLICIT.contains(&tag.key.as_str())) {
                (_, true) => vec![drop, Step::Add { shape: shape(place.want) }],
                (true, false) => vec![Step::Untag { node, tag }, drop],
                (false, false) => vec![Step::Tag { node, tag }, drop],
            }
        }
        Strike::Taint(name, value) => {
            let taint = Tag::of_taint(name, value);
            vec![Step::Tolerate { job, taint: taint.clone() }, Step::Untaint { node, taint }]
        }
        Strike::Capacity(Dimension::Gpus, _) | Strike::Free(Dimension::Gpus, _) | Strike::Devices(..) => devices(place),
        Strike::Capacity(of, _) | Strike::Free(of, _) => room(place, *of),
        Strike::GpuModel(model) => {
            let (take, models) = ((*model).to_string(), place.want.workload.gpu_models.clone());
            let take = (!take.is_empty()).then_some(Step::TakeModel { job, model: take });
            take.into_iter().chain([Step::Model { node, models }, Step::Add { shape: shape(place.want) }]).collect()
        }
        Strike::NotNear(near, nowhere) => {
            let (other, level) = (near.job.clone(), near.within);
            let start = nowhere.then(|| Step::Start { job: other.clone(), level, node });
            start.into_iter().chain([Step::DropNear { job, other }]).collect()
        }
        Strike::NotApart(other, level) => apart(place, *other, *level),
        Strike::Spread(level, count, floor) => {
            vec![Step::Skew { job, level: *level, to: (count + 1).saturating_sub(*floor) }]
        }
        Strike::PerNode(count) => vec![Step::PerNode { job, to: count + 1 }, Step::Add { shape: shape(place.want) }],
        Strike::Refused(_) => vec![Step::Wait { node }],
        Strike::Standing(Standing::Cordoned | Standing::Draining) => vec![Step::Uncordon { node }],
        Strike::Standing(_) => vec![Step::Return { node }],
    }
}

/// Tags that every node has by itself.
const IMPLICIT: [&str; 4] = ["node", "rack", "site", "region"];

fn room(place: &Place<'_, '_>, of: Dimension<'_>) -> Vec<Step> {
    let node = place.surveyed.node;
    less_or_more(place, of, whole(of, place.view.free(node).get(of), false), whole(of, missing(place, of), true))
}

/// How much more of this a node would have to have, for all that it holds and for what is wanted.
fn missing(place: &Place<'_, '_>, of: Dimension<'_>) -> u64 {
    let node = place.surveyed.node;
    let wanted = place.view.taken(node).get(of).saturating_add(place.want.workload.resources.get(of));
    wanted.saturating_sub(node.capacity().get(of))
}

fn less_or_more(place: &Place<'_, '_>, of: Dimension<'_>, to: u64, more: u64) -> Vec<Step> {
    let (want, node, name) = (place.want, place.surveyed.node, of.name().to_string());
    let reduce = (to > 0).then(|| Step::Reduce { job: want.name.to_string(), of: name.clone(), to });
    let none = node.capacity().get(of) == 0;
    let models = if none && of == Dimension::Gpus { want.workload.gpu_models.clone() } else { Vec::new() };
    let node = node.name().to_string();
    let have = match of {
        Dimension::Named(_) if none => Step::Offer { node, of: name, amount: more },
        _ => Step::Have { node, of: name, more, models },
    };
    reduce.into_iter().chain([have]).collect()
}

/// A part of a GPU is a part of one, and more than one are whole. So are those that a node may get.
fn devices(place: &Place<'_, '_>) -> Vec<Step> {
    let (need, node) = (place.want.workload.resources.gpu_milli, place.surveyed.node);
    let (free, gpus) = (place.view.free(node).gpu_milli, place.view.gpus(node));
    let untouched = WHOLE * gpus.untouched() as u64;
    let whole = untouched.min(free - free % WHOLE);
    let to = if whole > 0 { whole } else { gpus.most().min(free) };
    let least = missing(place, Dimension::Gpus).div_ceil(WHOLE).max(1);
    // Whoever has, or waits for, one that is not there has it first.
    let enough = |count: &u64| place.view.gpus_with(node, count * WHOLE).fits(need);
    match (least..=DEVICES_MAX as u64).find(enough) {
        Some(count) => less_or_more(place, Dimension::Gpus, to, count * WHOLE),
        None => vec![Step::Add { shape: shape(place.want) }],
    }
}

/// The job that it must not be beside may be one of its own choice, or one that does not want it there, or both.
fn apart(place: &Place<'_, '_>, other: JobId, level: Level) -> Vec<Step> {
    let want = place.want;
    let mut hard = want.place.apart.iter().filter(|apart| apart.hard && apart.within == level);
    let own = hard.find(|apart| JobId::named(want.realm, &apart.job) == other);
    let theirs = other != want.job && place.view.repelled_by(want.job).any(|(by, at)| (by, at) == (other, level));
    let name = own.map(|apart| apart.job.clone()).or_else(|| place.view.state.name_of(other));
    let name = name.unwrap_or_else(|| "the other".into());
    let mine = own.map(|_| (want.name.to_string(), name.clone()));
    let theirs = theirs.then(|| (name, want.name.to_string()));
    let elsewhere = match level {
        Level::Node => String::new(),
        _ => format!(" in another {}", level.name()),
    };
    let add = Step::Add { shape: format!("{elsewhere}{}", shape(want)) };
    vec![add, Step::DropApart { pairs: mine.into_iter().chain(theirs).collect() }]
}

/// What a node must have to take an instance, for people.
pub(super) fn shape(want: &Want<'_>) -> String {
    let need = &want.workload.resources;
    let amounts = need.dimensions().filter(|of| need.get(*of) > 0);
    let amount = |of: Dimension<'_>| {
        let amount = whole(of, need.get(of), true);
        match of {
            Dimension::Gpus => {
                let models = &want.workload.gpu_models;
                let whole = amount.div_ceil(WHOLE).saturating_mul(WHOLE);
                format!("{} of {}{}", of.amount(whole), of.name(), of_models(models))
            }
            _ => format!("{} of {}", of.amount(amount), of.name()),
        }
    };
    let amounts: Vec<String> = amounts.map(amount).collect();
    let with = if amounts.is_empty() { String::new() } else { format!(" with {}", amounts.join(", ")) };
    let tags: Vec<String> = want.place.require.iter().map(ToString::to_string).collect();
    if tags.is_empty() { with } else { format!("{with}, tagged {}", tags.join(", ")) }
}

fn of_models(models: &[String]) -> String {
    if models.is_empty() { String::new() } else { format!(" of model {}", models.join(" or ")) }
}

/// An amount that is written without a loss: rounded as it is written, up or down.
pub(super) fn whole(of: Dimension<'_>, amount: u64, up: bool) -> u64 {
    let unit = |amount: u64| match of {
        Dimension::Memory | Dimension::Disk | Dimension::DiskIo => match amount {
            few if few < 1 << 10 => 1,
            some if some < 1 << 20 => 1 << 10,
            many if many < 10 << 30 => 1 << 20,
            _ => 1 << 30,
        },
        Dimension::Network => 1_000,
        _ => 1,
    };
    if !up {
        return amount / unit(amount) * unit(amount);
    }
    let rounded = amount.div_ceil(unit(amount)) * unit(amount);
    rounded.div_ceil(unit(rounded)) * unit(rounded)
}

/// Steps as a person reads them: any one of them.
pub(super) fn words(steps: &[Step]) -> String {
    let words: Vec<String> = steps.iter().map(Step::words).collect();
    words.join(", or ")
}

impl Step {
    fn words(&self) -> String {
        match self {
            Self::Permit { job, node } => format!("permit action \"place\" for job {job} on node {node}"),
            Self::Allow { policies, job, node } => {
                format!("change {policies}, so that action \"place\" is not forbidden for job {job} on node {node}")
            }
            Self::Repair { trouble } => format!("repair the policy: {trouble}"),
            Self::Tag { node, tag } => format!("tag node {node} with {tag}"),
            Self::Untag { node, tag } => format!("untag node {node}: {}", plain(tag)),
            Self::DropRequire { job, tag } => format!("drop {tag} from job.{job}.place.require"),
            Self::Tolerate { job, taint } => format!("add {taint} to job.{job}.place.tolerate"),
            Self::Untaint { node, taint } => format!("take the taint {taint} off node {node}"),
            Self::Reduce { job, of, to } => format!("reduce job.{job}.resources.{of} to {}", amount(of, *to)),
            Self::Have { node, of, more, models } => {
                format!("have {} more {of}{} on {node}", amount(of, *more), of_models(models))
            }
            Self::Offer { node, of, amount } => format!("start the agent of {node} with --capacity {of}={amount}"),
            Self::Model { node, models } => format!("have GPUs{} on {node}", of_models(models)),
            Self::TakeModel { job, model } => format!("add {model} to job.{job}.resources.gpu_model"),
            Self::Start { job, level: Level::Node, node } => format!("start job {job}, on node {node}"),
            Self::Start { job, level, node } => format!("start job {job}, in the {} of node {node}", level.name()),
            Self::DropNear { job, other } => format!("drop job {other} from job.{job}.place.near"),
            Self::DropApart { pairs } => {
                let drop = |(job, other): &(String, String)| format!("drop job {other} from job.{job}.place.apart");
                pairs.iter().map(drop).collect::<Vec<_>>().join(" and ")
            }
            Self::Add { shape } => format!("add a node{shape}"),
            Self::Skew { job, level, to } => {
                format!("raise skew_max of job.{job}.place.spread over {} to {to}", level.name())
            }
            Self::PerNode { job, to } => format!("raise job.{job}.place.per_node_max to {to}"),
            Self::Wait { node } => format!("wait until node {node} says how it is"),
            Self::Uncordon { node } => format!("uncordon node {node}"),
            Self::Return { node } => format!("bring node {node} back"),
        }
    }
}

/// An amount of this, for people.
fn amount(of: &str, amount: u64) -> String {
    Dimension::of_name(of).map_or_else(|| amount.to_string(), |of| of.amount(amount))
}

/// A tag without its negation.
fn plain(tag: &Tag) -> String {
    Tag { negated: false, ..tag.clone() }.to_string()
}

/// How near it came, in a sentence.
pub(super) fn miss(place: &Place<'_, '_>, strike: &Strike<'_>) -> String {
    let (job, node) = (place.want.name, place.surveyed.node.name());
    let short = |of: &Dimension<'_>, have: u64, missing: u64, what: &str| {
        let (have, missing) = (of.amount(whole(*of, have, false)), of.amount(whole(*of, missing, true)));
        format!("node {node} has {have} of {} {what}, {missing} short", of.name())
    };
    match strike {
        Strike::Policy(verdict) => format!("node {node}: {}", verdict.words()),
        Strike::Tags(tag, _) => {
            let has = match place.surveyed.node.tag(&tag.key) {
                Some(value) => format!("node {node} has {}={value}", tag.key),
                None => format!("node {node} has no {}", tag.key),
            };
            let wants = if tag.negated { "a node without " } else { "" };
            format!("{has} and job {job} wants {wants}{}", plain(tag))
        }
        Strike::Taint(name, value) => {
            format!("node {node} has the taint {}, which job {job} does not tolerate", Tag::of_taint(name, value))
        }
        Strike::Capacity(Dimension::Named(name), _) if !place.view.nodes().any(|(_, node)| has(node, name)) => {
            nobody_has(place, name)
        }
        Strike::GpuModel(model) => {
            let models = place.want.workload.gpu_models.join(" or ");
            let of = if model.is_empty() { "a model that it does not say".into() } else { format!("model {model:?}") };
            format!("node {node} has GPUs of {of} and job {job} takes {models}")
        }
        Strike::Devices(most, untouched) => few_devices(place, *most, *untouched),
        Strike::Capacity(of, missing) => short(of, place.surveyed.node.capacity().get(*of), *missing, "in all"),
        Strike::Free(of, missing) => {
            short(of, place.want.workload.resources.get(*of).saturating_sub(*missing), *missing, "free")
        }
        Strike::NotNear(near, true) => format!("job {} has no instance yet", near.job),
        Strike::NotNear(near, false) => {
            format!("node {node} has no instance of {} in its {}", near.job, near.within.name())
        }
        Strike::NotApart(other, level) => {
            let other = place.view.state.name_of(*other).map_or("a job".to_string(), |name| format!("job {name}"));
            match level {
                Level::Node => format!("node {node} has {other}, which {job} must be apart from"),
                _ => format!("node {node} has in its {} {other}, which {job} must be apart from", level.name()),
            }
        }
        Strike::Spread(level, count, floor) => {
            format!("the {} of node {node} has {count} of {job} and another has {floor}", level.name())
        }
        Strike::PerNode(count) => format!("node {node} has {count} of {job}, the most it may have"),
        Strike::Refused(because) => format!("node {node} refused it: {because}"),
        Strike::Standing(standing) => format!("node {node} is {}", standing.name()),
    }
}

fn has(node: &NodeState, name: &str) -> bool {
    node.capacity().named.get(name) > 0
}

/// No node has any of what a site would have to add: perhaps there is something with nearly that name.
fn nobody_has(place: &Place<'_, '_>, name: &str) -> String {
    let named = place.view.nodes().flat_map(|(_, node)| node.capacity().named.iter().map(|(name, _)| name));
    let known: BTreeSet<&str> = named.collect();
    match did_you_mean(name, known.iter().copied()) {
        Some(other) => format!("no node has any {name}, and there is {other}"),
        None if known.is_empty() => format!("no node has any {name}"),
        None => format!("no node has any {name}; there is {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// Enough is left of a node's GPUs together, and not on one of them, or not on enough of them.
fn few_devices(place: &Place<'_, '_>, most: u64, untouched: usize) -> String {
    let (node, need) = (place.surveyed.node.name(), place.want.workload.resources.gpu_milli);
    let (most, needed) = (Dimension::Gpus.amount(most), Dimension::Gpus.amount(need));
    if need < WHOLE {
        return format!("node {node} has {most} left of its emptiest GPU, and {needed} is asked of one");
    }
    format!("node {node} has {untouched} GPUs of which nobody has a part, and {needed} are asked for")
}
