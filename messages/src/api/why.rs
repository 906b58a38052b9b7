//! `why` and `why-not`: the decision behind what is, and what stands against what is not.

use super::log::CauseEntry;
use crate::reason::Reason;
use crate::scheduler::Decision;
use crate::time::{Timestamp, rfc3339};
use serde::{Deserialize, Serialize};

/// Why an instance is where and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Where the journal stood.
    pub position: u64,
    /// Which instance.
    pub instance: String,
    /// Its label, `job/slot`.
    pub label: String,
    /// In one sentence.
    pub summary: String,
    /// The decision that placed it: what was weighed, with every term. None while it has not been placed.
    pub decision: Option<Decision>,
    /// Its life so far, oldest first.
    pub life: Vec<LifeEvent>,
    /// The chain of causes, back to something from outside.
    pub causes: Vec<CauseEntry>,
}

/// Something that happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeEvent {
    /// When.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Where in the journal.
    pub position: u64,
    /// What.
    pub what: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// Why a job's instance is not, or could not be, on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyNot {
    /// Where the journal stood.
    pub position: u64,
    /// The job, `realm/name`.
    pub job: String,
    /// The node's name.
    pub node: String,
    /// Whether it would fit there.
    pub fits: bool,
    /// In one sentence.
    pub summary: String,
    /// Everything that stands against it; empty when it would fit.
    pub against: Vec<RuledOut>,
    /// What the node would score, in terms, and what the chosen one scored.
    pub scores: Vec<crate::scheduler::Candidate>,
}

/// One thing that stands against a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuledOut {
    /// The stable code.
    pub reason: Reason,
    /// In a sentence.
    pub message: String,
    /// The smallest change that would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}
