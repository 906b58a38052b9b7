//! What a scheduler is told, and the record of what it decided.

use crate::id::{InstanceId, JobId, NodeId, PolicyId};
use crate::manifest::{JobSpec, Place, Workload};
use crate::node::NodeView;
use crate::reason::Reason;
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
        workload: Workload,
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
        view: NodeView,
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
        view: NodeView,
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
}

/// Why an instance cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplaceable {
    /// The most permanent reason.
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
pub enum Event {}
