//! `plan` and `capacity`: what a change would come to, and how much more there is room for.

use crate::policy::Change;
use crate::reason::{Reason, Refusal};
use crate::resources::Resources;
use crate::scheduler::{Decision, Unplaceable};
use crate::time::{Timestamp, rfc3339};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What manifests would come to, found out in a fork of the state, of which nothing gets out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Names the plan, for `apply --plan`: the position it rests on, and the hash.
    pub id: String,
    /// Where the journal stood.
    pub position: u64,
    /// When that was.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// What it comes to, as bytes, hashed: equal for plans that come to the same, whatever they rest on.
    pub hash: String,
    /// What becomes of each command, in order.
    pub commands: Vec<PlannedCommand>,
    /// Instances that would come.
    pub placements: Vec<PlannedPlacement>,
    /// Instances that would go from one node to another.
    pub moves: Vec<PlannedMove>,
    /// Instances that would go.
    pub stops: Vec<PlannedStop>,
    /// Instances of jobs that no manifest names, and that would go nevertheless.
    pub evictions: Vec<PlannedStop>,
    /// Instances that would wait for a place.
    pub waiting: Vec<PlannedWait>,
    /// Rollouts that would begin, and how they would end if all that starts becomes well.
    pub rollouts: Vec<PlannedRollout>,
    /// What would be left.
    pub left: Left,
    /// What would become fragile.
    pub fragile: Vec<Fragility>,
    /// After how long it would come to rest, in milliseconds; none when it would not within the bound.
    pub rest_ms: Option<u64>,
    /// What was taken for granted.
    pub assumed: Vec<String>,
}

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCommand {
    /// The realm.
    pub realm: String,
    /// What would change.
    pub changes: Vec<Change>,
    /// The policy's verdict, in words, where it was taken in.
    pub verdict: String,
    /// Why it would be refused, where it would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// An instance that would come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPlacement {
    /// Its job, `realm/name`.
    pub job: String,
    /// Its slot.
    pub slot: u32,
    /// The revision it would run.
    pub revision: u32,
    /// The revision of what is in the slot now, on the same node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<u32>,
    /// The node's name.
    pub node: String,
    /// Whether it is decided when the command is: room is held for it there in the same turn that checks the command.
    pub at_once: bool,
    /// Why it would come.
    pub reason: Reason,
    /// How its place would be decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Box<Decision>>,
}

/// An instance that would go from one node to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlannedMove {
    /// Its job, `realm/name`.
    pub job: String,
    /// Its slot.
    pub slot: u32,
    /// The node it is on.
    pub from: String,
    /// The node it would be on.
    pub to: String,
    /// The revision it would run.
    pub revision: u32,
}

/// An instance that would go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlannedStop {
    /// Its job, `realm/name`.
    pub job: String,
    /// Its slot.
    pub slot: u32,
    /// The revision it runs.
    pub revision: u32,
    /// The node it is on.
    pub node: String,
    /// Why it would go, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// An instance that would wait for a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedWait {
    /// Its job, `realm/name`.
    pub job: String,
    /// Its slot.
    pub slot: u32,
    /// Why.
    pub reason: Reason,
    /// In a sentence.
    pub message: String,
    /// The nearest miss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// The smallest change that would make it fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

impl PlannedWait {
    /// It waits for what is said of it.
    pub fn new(job: String, slot: u32, why: Unplaceable) -> Self {
        let Unplaceable { reason, message, nearest, change, .. } = why;
        Self { job, slot, reason, message, nearest, change }
    }
}

/// A rollout that would begin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlannedRollout {
    /// The job, `realm/name`.
    pub job: String,
    /// The revision it comes from.
    pub from: u32,
    /// The revision it goes to.
    pub to: u32,
    /// How many steps it has.
    pub steps: u32,
    /// How it would stand in the end: `settled`, `reverted`, `superseded`, or `rolling` at the bound.
    pub ends: String,
    /// Why, where it would not settle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// What would be left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// On all nodes that take work, together.
    pub free: Resources,
    /// What they have, together.
    pub capacity: Resources,
    /// Each node, by name.
    pub nodes: Vec<NodeLeft>,
}

/// What would be left on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLeft {
    /// The node's name.
    pub node: String,
    /// Whether it takes work.
    pub open: bool,
    /// What would be left.
    pub free: Resources,
    /// What it has.
    pub capacity: Resources,
}

/// Something that would be fragile and is not now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fragility {
    /// The job, `realm/name`.
    pub job: String,
    /// What: `one-node`, `one-rack` or `one-site` when all of its instances would be in one; `node-loss` when what it would
    /// lose with some node would not fit elsewhere.
    pub what: String,
    /// Where: the name of the node, rack or site.
    pub place: String,
    /// In a sentence.
    pub message: String,
}

/// How many more instances fit, and what would become of things if something was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Where the journal stood.
    pub position: u64,
    /// For each job that was asked about.
    pub jobs: Vec<JobRoom>,
    /// Each node, rack and site, and what its loss would come to.
    pub losses: Vec<LossOf>,
    /// Whether every one of them could be lost without anything staying without a place.
    pub survives: bool,
}

/// How many more instances of a job fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRoom {
    /// The job, `realm/name`.
    pub job: String,
    /// How many there are, or are on their way.
    pub present: u32,
    /// How many more fit, each beside those before.
    pub fit: u32,
    /// Whether the count ended at its bound, so that more may fit.
    pub bounded: bool,
    /// How many more the realm's quota allows; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// How many of those that fit each node would take, by name.
    pub nodes: BTreeMap<String, u32>,
    /// Why no more fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The nearest miss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// The smallest change that would let one more in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// What the loss of a node, a rack or a site would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossOf {
    /// `node`, `rack` or `site`.
    pub level: String,
    /// Its name.
    pub name: String,
    /// How many instances would be lost with it.
    pub instances: u32,
    /// What would be placed elsewhere: label and node.
    pub placed: Vec<(String, String)>,
    /// What would stay without a place.
    pub stranded: Vec<PlannedWait>,
}
