//! What a scheduler is told, and the record of what it decided.

use crate::id::{InstanceId, JobId, NodeId, PolicyId};
use crate::manifest::{JobSpec, Place, Workload};
use crate::node::NodeView;
use crate::reason::Reason;
use crate::resources::Resources;
use crate::shared::Shared;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The site whose scheduler places instances, until jobs can name another.
pub const DEFAULT_SITE: &str = "local";

/// An instance that needs a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Which instance.
    pub instance: InstanceId,
    /// Its label, `job/slot`.
    pub label: String,
    /// The revision.
    pub revision: u32,
    /// Nodes it had better not go to (it just failed there, or is being moved away).
    pub avoid: Vec<NodeId>,
    /// Whether it is placed only together with all others of its job and revision that wait for a place so.
    pub gang: bool,
}

/// A message to a scheduler. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Job: find places. Idempotent by instance: one that was placed already is claimed again where it was placed.
    Place {
        /// Which job.
        job: JobId,
        /// Its realm's name.
        realm: String,
        /// Its name.
        name: String,
        /// Whether it must never run twice.
        exclusive: bool,
        /// What an instance runs and needs.
        workload: Shared<Workload>,
        /// Where it may and should be.
        place: Place,
        /// The instances.
        asks: Vec<Ask>,
    },
    /// Job: this instance needs no place any more.
    Withdraw {
        /// Which instance.
        instance: InstanceId,
    },
    /// Node: this is what I am and hold. Sent until answered with `node::Message::ViewNoted`.
    View {
        /// Which node.
        node: NodeId,
        /// The view.
        view: Shared<NodeView>,
    },
    /// Node: that claim cannot be taken; this is how things are here.
    ClaimRefused {
        /// Which node.
        node: NodeId,
        /// Which instance.
        instance: InstanceId,
        /// Why.
        because: Reason,
        /// The view.
        view: Shared<NodeView>,
    },
    /// Policy: the rules of a realm for placements. Answered with `policy::Message::RulesNoted`.
    Rules {
        /// The realm's name.
        realm: String,
        /// Which policy.
        policy: PolicyId,
        /// Grows with every change.
        version: u64,
        /// How it is applied.
        mode: crate::policy::Mode,
        /// Cedar policies.
        text: String,
    },
    /// Policy: would these fit, beside all there is? Answered with `policy::Message::Checked`. Changes nothing.
    Check {
        /// Which policy asks.
        policy: PolicyId,
        /// The ticket to answer with.
        ticket: u64,
        /// Jobs that are new or changed.
        jobs: Vec<JobSpec>,
    },
    /// The scheduler's own deadline.
    Wake {
        /// The deadline that passed.
        due: Timestamp,
    },
    /// Policy: would these fit, and would their instances go where it was planned? Then room is held for them there, all or
    /// none, until their jobs ask for it. Answered with `policy::Message::Checked`.
    Reserve {
        /// Which policy asks.
        policy: PolicyId,
        /// The ticket to answer with.
        ticket: u64,
        /// Jobs that are new or changed.
        jobs: Vec<JobSpec>,
        /// Where instances of theirs go, in the order in which that is decided.
        placements: Vec<Placement>,
    },
}

/// Where an instance goes, as it was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Which job.
    pub job: JobId,
    /// What its job will ask.
    pub ask: Ask,
    /// Where it goes.
    pub node: NodeId,
}

/// Why an instance cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplaceable {
    /// What struck out the node that came nearest; for each node it is the most permanent reason that counts.
    pub reason: Reason,
    /// One sentence.
    pub message: String,
    /// The nearest miss.
    pub nearest: Option<String>,
    /// The smallest change that would make it fit.
    pub change: Option<String>,
    /// How many nodes each reason struck out.
    pub struck_out: Vec<(Reason, u32)>,
}

/// The record of one decision: what was weighed and why it came out so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which instance.
    pub instance: InstanceId,
    /// Its label.
    pub label: String,
    /// Where it went; nowhere when absent.
    pub chosen: Option<NodeId>,
    /// Best first; at most [`Decision::CANDIDATES_MAX`].
    pub candidates: Vec<Candidate>,
    /// How many nodes fitted in all.
    pub fitting: u32,
    /// How many nodes each reason struck out, with the name of one of them.
    pub struck_out: Vec<(Reason, u32, String)>,
    /// The policy that allowed it, where one has a say.
    pub policy: Option<String>,
    /// The version of each view it rests on is the one held at this entry of the scheduler's log.
    pub unplaceable: Option<Unplaceable>,
}

impl Decision {
    /// How many candidates a record keeps.
    pub const CANDIDATES_MAX: usize = 5;
}

/// A node that fitted, and what it scored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// The sum of the terms, each times its weight.
    pub score: i64,
    /// Each term: its name, its value from 0 to 1000, its weight.
    pub terms: Vec<Term>,
}

/// One term of a score. A term that does not apply is missing, which is not the same as zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The stable name.
    pub name: String,
    /// 0 to 1000.
    pub value: i64,
    /// How much it counts.
    pub weight: i64,
}

/// What the actor records. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// What the instances of a revision of a job need became known, or changed.
    Learned {
        /// Which job.
        job: JobId,
        /// Its realm's name.
        realm: String,
        /// Its name.
        name: String,
        /// The revision.
        revision: u32,
        /// Whether it must never run twice.
        exclusive: bool,
        /// What an instance runs and needs.
        workload: Shared<Workload>,
        /// Where it may and should be.
        place: Place,
    },
    /// An instance was given a place; the room is held until the node's own view shows the claim.
    Placed {
        /// Which job.
        job: JobId,
        /// What was asked.
        ask: Ask,
        /// What it takes.
        resources: Resources,
        /// How it was decided.
        decision: Decision,
    },
    /// No node can take an instance now. It is tried again at every change.
    Unplaced {
        /// Which job.
        job: JobId,
        /// What was asked.
        ask: Ask,
        /// How it was decided.
        decision: Decision,
    },
    /// An instance needs no place any more.
    Withdrawn {
        /// Which instance.
        instance: InstanceId,
    },
    /// A node said what it is and holds.
    Viewed {
        /// Which node.
        node: NodeId,
        /// The view.
        view: Shared<NodeView>,
    },
    /// A node refused a claim: the instance waits for another place, not there until that node's view changes.
    ClaimRefused {
        /// Which node.
        node: NodeId,
        /// Which instance.
        instance: InstanceId,
        /// Why.
        because: Reason,
    },
    /// A claim did not show in its node's view in time, and its room is not held any longer.
    Expired {
        /// Which instance.
        instance: InstanceId,
    },
    /// Instances that wait were tried again.
    Retried {
        /// Where to go on in the queue of those that wait; all were tried when absent.
        next: Option<u64>,
    },
    /// The rules of a realm for placements changed.
    RulesSet {
        /// The realm's name.
        realm: String,
        /// Grows with every change.
        version: u64,
        /// How it is applied.
        mode: crate::policy::Mode,
        /// Cedar policies.
        text: String,
    },
}
