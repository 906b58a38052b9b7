//! What a manifest says once it has been read and checked: plain data with every default filled in.

use crate::resources::Resources;
use crate::time::Span;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A whole manifest: one realm, its jobs and its routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The realm that everything in it belongs to.
    pub realm: String,
    /// What the client builds before it applies, in order. Never sent to the control plane's actors.
    pub build: Vec<Build>,
    /// Jobs by name.
    pub jobs: BTreeMap<String, JobSpec>,
    /// Routes by name, as written: host and path.
    pub routes: BTreeMap<String, RouteSpec>,
}

/// A command the client runs before it applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The name in the manifest.
    pub name: String,
    /// Program and arguments.
    pub run: Vec<String>,
    /// Where to run it, relative to the manifest.
    pub directory: Option<String>,
}

/// One job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The realm.
    pub realm: String,
    /// The name in the realm.
    pub name: String,
    /// What each instance runs. A change here makes a new revision.
    pub workload: Workload,
    /// How many instances are wanted.
    pub instances: u32,
    /// Where instances may and should be.
    pub place: Place,
    /// Whether a slot may never run twice, whatever is lost: its node stops it when the lease runs out, and a
    /// replacement waits that long. Otherwise a cut-off instance goes on while its replacement starts.
    pub exclusive: bool,
    /// How an instance that ended comes back.
    pub restart: Restart,
    /// How the next revision comes in.
    pub rollout: RolloutSpec,
}

/// What an instance runs and needs: what makes a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Program and arguments; `${NAME}` stands for a variable of its environment.
    pub run: Vec<String>,
    /// The directory that a relative program path starts from (the manifest's own).
    pub base_directory: String,
    /// Environment.
    pub environment: BTreeMap<String, String>,
    /// Names of the ports it listens on; the first is where its health and its links go unless they say otherwise.
    pub ports: Vec<String>,
    /// What it needs.
    pub resources: Resources,
    /// The models of GPU that will do; any when empty.
    #[serde(default)]
    pub gpu_models: Vec<String>,
    /// The jobs it talks to, by name in the same realm, and what it was promised.
    pub links: BTreeMap<String, LinkSpec>,
    /// How its health is judged. Without one, running is healthy.
    pub health: Option<Health>,
    /// How long after the stop signal it is killed.
    pub stop_grace: Span,
}

impl Workload {
    /// Whether it can use GPUs of this model.
    pub fn takes_gpus_of(&self, model: &str) -> bool {
        let named = self.gpu_models.is_empty() || self.gpu_models.iter().any(|one| one.eq_ignore_ascii_case(model));
        named || self.resources.gpu_milli == 0
    }

    /// Whether every node has enough for both or for neither of them.
    pub fn needs_the_same_as(&self, other: &Self) -> bool {
        let models = self.resources.gpu_milli == 0 || self.gpu_models == other.gpu_models;
        models && self.resources == other.resources
    }
}

/// The promises of a link from one job to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSpec {
    /// 99 of 100 requests answer within this.
    pub latency_p99: Option<Span>,
    /// Bits a second.
    pub bandwidth_bits: Option<u64>,
    /// The port of the target; its first when none is named.
    pub port: Option<String>,
}

/// How far apart two places are: the level at which they are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The same machine.
    Node,
    /// The same rack.
    Rack,
    /// The same site.
    Site,
    /// The same region.
    Region,
}

impl Level {
    /// Every level, nearest first.
    pub const ALL: [Self; 4] = [Self::Node, Self::Rack, Self::Site, Self::Region];

    /// The name in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Rack => "rack",
            Self::Site => "site",
            Self::Region => "region",
        }
    }
}

/// Where instances may (`require`, hard `near` and `apart`) and should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Tags a node must have (or, negated, must not).
    pub require: Vec<Tag>,
    /// Tags a node had better have, each with a weight of 1 to 100.
    pub prefer: Vec<(Tag, u32)>,
    /// Attraction to the instances of other jobs (or of itself).
    pub near: Vec<Affinity>,
    /// Repulsion from the instances of other jobs (or of itself).
    pub apart: Vec<Affinity>,
    /// Even spreading.
    pub spread: Vec<Spread>,
    /// At most so many instances of this job on one node.
    pub per_node_max: Option<u32>,
    /// The taints of a node that do not keep this job away.
    #[serde(default)]
    pub tolerate: Vec<Tag>,
    /// Whether its instances start together or not at all.
    #[serde(default)]
    pub gang: bool,
}

impl Place {
    /// Whether a taint of a node does not keep this job away.
    pub fn tolerates(&self, taint: &str, value: &str) -> bool {
        let covers = |tag: &Tag| tag.key == taint && tag.value.as_ref().is_none_or(|wanted| wanted == value);
        self.tolerate.iter().any(covers)
    }
}

/// A tag of a node: `key=value`, `key` alone (any value), or either negated by a leading `!`.
///
/// `site`, `rack`, `region` and `node` are tags every node has.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value; any when absent.
    pub value: Option<String>,
    /// Whether the node must not have it.
    pub negated: bool,
}

impl Tag {
    /// Reads a tag as it is written; nothing when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (negated, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let (key, value) = rest.split_once('=').map_or((rest, None), |(key, value)| (key, Some(value)));
        let word = |word: &str| {
            let letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '/');
            (1..=63).contains(&word.len()) && word.chars().all(letter)
        };
        let sound = word(key) && value.is_none_or(word);
        sound.then(|| Self { key: key.into(), value: value.map(str::to_owned), negated })
    }

    /// A taint of a node, as it is written; without a value where that is empty.
    pub fn of_taint(name: &str, value: &str) -> Self {
        Self { key: name.into(), value: (!value.is_empty()).then(|| value.into()), negated: false }
    }

    /// Whether no node can be as both want it.
    pub fn excludes(&self, other: &Self) -> bool {
        let (wanted, unwanted) = match (self.negated, other.negated) {
            (true, true) => return false,
            (false, false) => {
                let differ = self.value.is_some() && other.value.is_some() && self.value != other.value;
                return self.key == other.key && differ;
            }
            (false, true) => (self, other),
            (true, false) => (other, self),
        };
        wanted.key == unwanted.key && (unwanted.value.is_none() || unwanted.value == wanted.value)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.negated { "!" } else { "" })?;
        out.write_str(&self.key)?;
        self.value.iter().try_for_each(|value| write!(out, "={value}"))
    }
}

/// Attraction to, or repulsion from, the instances of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affinity {
    /// The other job's name in the same realm.
    pub job: String,
    /// The level at which two places count as the same.
    pub within: Level,
    /// Whether it must hold; otherwise it counts in the score.
    ///
    /// A hard `near` a job that has no instance yet waits for that job rather than be refused.
    pub hard: bool,
}

/// Even spreading of a job's instances over the domains of a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The level.
    pub over: Level,
    /// The most that two domains may differ by; soft when absent.
    pub skew_max: Option<u32>,
}

/// How health is judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is asked.
    pub check: Check,
    /// Time between two checks.
    pub every: Span,
    /// How long a check may take.
    pub timeout: Span,
    /// Failures in a row that make it unhealthy.
    pub failures_max: u32,
    /// Time after the start in which a failure does not count yet.
    pub grace: Span,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// A GET that must answer with a 2xx or 3xx status.
    Http {
        /// The port's name; the first port when absent.
        port: Option<String>,
        /// The path.
        path: String,
    },
    /// A connection that must be accepted.
    Tcp {
        /// The port's name; the first port when absent.
        port: Option<String>,
    },
    /// A program that must exit with 0.
    Command {
        /// Program and arguments.
        run: Vec<String>,
    },
    /// The latest opinion published on the bus for this instance.
    Opinion,
}

/// How an instance that ended comes back: after `backoff`, twice as long each time, at most `backoff_max`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// The first wait.
    pub backoff: Span,
    /// The longest wait.
    pub backoff_max: Span,
    /// After so long without an end, the count of failures starts afresh.
    pub forget_after: Span,
}

/// How a new revision comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutSpec {
    /// The steps before all of it: the percentage the new revision gets, and how long it must hold.
    pub steps: Vec<Step>,
    /// Healthy instances, of any revision, that there must always be; the desired count when absent.
    pub min_healthy: Option<u32>,
    /// Failures (an end or a failed health check of a new instance) that make it revert.
    pub failures_max: u32,
    /// How long a step may take to become healthy.
    pub deadline: Span,
}

/// One step of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Percentage of instances and of traffic, 1 to 100.
    pub weight: u32,
    /// How long it must stay healthy before the next step.
    pub hold: Span,
}

/// A route from outside to a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// The realm.
    pub realm: String,
    /// The name as written, `host` or `host/path`.
    pub name: String,
    /// The host it answers to. Empty for the service address of a job.
    pub host: String,
    /// The path prefix, `/` for all.
    pub path: String,
    /// The job's name in the same realm.
    pub to: String,
    /// The port of the job; its first when absent.
    pub port: Option<String>,
    /// Who may enter: `user:NAME` or `group:NAME`; everyone when empty.
    pub permit: Vec<String>,
}

impl Default for Restart {
    fn default() -> Self {
        Self { backoff: Span::milliseconds(100), backoff_max: Span::seconds(30), forget_after: Span::seconds(60) }
    }
}

impl Default for RolloutSpec {
    fn default() -> Self {
        Self {
            steps: vec![
                Step { weight: 10, hold: Span::seconds(5) },
                Step { weight: 50, hold: Span::seconds(5) },
                Step { weight: 100, hold: Span::seconds(5) },
            ],
            min_healthy: None,
            failures_max: 1,
            deadline: Span::seconds(60),
        }
    }
}
