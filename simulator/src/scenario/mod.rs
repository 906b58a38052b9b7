//! A scenario: a family of worlds, written by hand, from which a seed makes one plan.

mod generate;
mod own;
mod read;

pub use generate::plan;
pub use own::{OWN, own};
pub(crate) use read::mode_of;
pub use read::read;

use crate::plan::{Pattern, Target};
use messages::manifest::Manifest;
use messages::policy::Mode;
use messages::resources::Resources;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A shortest and a longest, a least and a most: one of them is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The least.
    pub low: u64,
    /// The most.
    pub high: u64,
}

impl Range {
    /// Always this.
    pub const fn exactly(value: u64) -> Self {
        Self { low: value, high: value }
    }

    /// From the one to the other.
    pub const fn new(low: u64, high: u64) -> Self {
        Self { low, high }
    }
}

const fn one() -> u64 {
    1
}

/// So many machines that are not like the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Special {
    /// How many, next to those of the kind before.
    pub machines: u64,
    /// What each has.
    pub capacity: Resources,
    /// The model of its GPUs.
    pub gpu_model: String,
    /// Its taints.
    pub taints: BTreeMap<String, String>,
}

/// A family of worlds. Times are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is for, in one sentence.
    pub about: String,
    /// How many machines.
    pub machines: Range,
    /// Over how many racks they are spread.
    pub racks: u64,
    /// Over how many sites the racks are spread.
    #[serde(default = "one")]
    pub sites: u64,
    /// What each machine has.
    pub capacity: Resources,
    /// Machines that have something else, from the first on.
    #[serde(default)]
    pub special: Vec<Special>,
    /// How far each clock may be fast or slow, in millionths.
    pub drift_ppm: u64,
    /// When machines are switched on.
    pub joins: Range,
    /// Whether each seed leaves out some of the faults altogether.
    pub swarm: bool,
    /// From when nothing goes wrong any more.
    pub heal: u64,
    /// Whether only some machines are healed then, drawn by the seed.
    #[serde(default)]
    pub core: bool,
    /// How long after that the world must be as desired.
    pub settle: u64,
    /// How long nothing may be recorded at the end.
    pub quiet: u64,
    /// The manifests that operations apply, by name.
    pub manifests: BTreeMap<String, Manifest>,
    /// The policies that operations set, by name.
    pub policies: BTreeMap<String, String>,
    /// What clients do.
    pub operations: Vec<Doing>,
    /// What goes wrong.
    pub faults: Vec<Going>,
}

/// Something clients do, some times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doing {
    /// When.
    pub at: Range,
    /// How often.
    pub times: Range,
    /// How long after each time the next comes; all at times of their own, when absent.
    #[serde(default)]
    pub every: Option<Range>,
    /// How long after it is applied each job of a manifest is stopped; never, when absent. Each time its jobs are new
    /// ones.
    #[serde(default)]
    pub lasts: Option<Range>,
    /// Which client.
    pub client: u32,
    /// What.
    pub action: Action,
    /// Whether it must be refused.
    pub refused: bool,
}

/// What a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Applies one of these manifests.
    Apply(Vec<String>),
    /// Wants so many instances of a job.
    Scale(String, Range),
    /// Replaces the instances of a job.
    Restart(String),
    /// Stops a job.
    Stop(String),
    /// Takes nothing new on one of these machines.
    Cordon(Range),
    /// Takes work again on one of these machines.
    Uncordon(Range),
    /// Empties one of these machines.
    Drain(Range),
    /// Goes on to all of a job's rollout.
    Promote(String),
    /// Keeps a job's rollout where it is.
    Hold(String),
    /// Lets a job's rollout go on.
    Resume(String),
    /// Gives a job's rollout up.
    Abort(String),
    /// Sets this policy.
    Policy(String, Mode),
    /// Lets the realm have so many instances; without a number, as many as it likes.
    Quota(Option<u64>),
}

/// Something that goes wrong, some times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Going {
    /// What, by the name of its class.
    pub what: String,
    /// When it begins.
    pub at: Range,
    /// How long it lasts.
    pub lasts: Range,
    /// How often.
    pub times: Range,
    /// How many of a thousand, where that matters.
    pub per_mille: Range,
    /// How much longer or later, where that matters.
    pub extra: Range,
    /// The event it begins on; at a time, when absent.
    pub on: Option<On>,
    /// Whom it hits; whom its kind usually hits, when absent.
    pub target: Option<Whom>,
}

/// What a fault begins on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct On {
    /// The event.
    pub pattern: Pattern,
    /// The how manieth time counts, from 1.
    pub nth: Range,
    /// How long after it.
    pub after: Range,
}

/// Whom a fault hits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whom {
    /// One of these machines.
    Machine(Range),
    /// One of these racks.
    Rack(Range),
    /// A machine of one of these racks.
    AnyOfRack(Range),
    /// One of these sites.
    Site(Range),
    /// A machine of one of these sites.
    AnyOfSite(Range),
    /// Every site but one of these.
    Beyond(Range),
    /// Always the same.
    Named(Target),
}
