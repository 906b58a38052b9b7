//! What a node's agent is told ([`Order`]) and what it says ([`Observation`], [`Ended`]).
//!
//! Agents reconcile: they are told the desired state of their node, make it so, and report what they see. They are told
//! all of it when they come, and whenever it is not known that they took it in; else what changed.

use crate::id::{InstanceId, JobId};
use crate::manifest::Workload;
use crate::reason::Reason;
use crate::shared::Shared;
use crate::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a node's agent is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The node is accepted. From now on its beats name this epoch and session.
    Welcome {
        /// The node's epoch; it grows each time the node was given up or has booted.
        epoch: u64,
        /// Counts the accepted hellos of this node.
        session: u64,
        /// How long a beat that was answered keeps the lease, from the moment the beat was sent.
        lease: Span,
        /// The boot that the hello named.
        boot: Uuid,
        /// When that hello was sent, as it said. An agent heeds only answers to hellos of its own.
        hello_at: Timestamp,
        /// Desired state of an older version than this is out of date.
        desired: u64,
    },
    /// The answer to a beat: the lease is renewed from `sent_at`.
    BeatHeard {
        /// The epoch of the beat.
        epoch: u64,
        /// The session of the beat.
        session: u64,
        /// The agent's own monotonic time at which it sent the beat.
        sent_at: Timestamp,
    },
    /// The control plane does not know this agent's session: say hello.
    SayHello,
    /// All that should be on this node. What is not named here should not run.
    Desired {
        /// The node's epoch.
        epoch: u64,
        /// Grows with every change.
        version: u64,
        /// Every claim of the node.
        assignments: Vec<Assignment>,
    },
    /// A report was taken in: observations up to this number need not be sent again.
    ReportHeard {
        /// The report's number.
        report: u64,
    },
    /// Somebody has an opinion of an instance's health. Volatile: who has one says it again.
    Opinion {
        /// The instance.
        instance: InstanceId,
        /// Well, or why not.
        opinion: Result<(), String>,
    },
    /// What is new of what should be on this node. Heeded by an agent that has taken in exactly the version before, and
    /// by no other, which will be told all.
    Changed {
        /// The node's epoch.
        epoch: u64,
        /// The version that it changes.
        since: u64,
        /// The version that comes of it.
        version: u64,
        /// Claims that are new, or of which something changed.
        changed: Vec<Assignment>,
        /// Claims that are gone.
        gone: Vec<InstanceId>,
    },
}

/// One instance that a node has a claim for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Which instance.
    pub instance: InstanceId,
    /// Its label, `job/slot`.
    pub label: String,
    /// Its job.
    pub job: JobId,
    /// Its realm's name.
    pub realm: String,
    /// The revision.
    pub revision: u32,
    /// Whether it must never run twice.
    pub exclusive: bool,
    /// What to do with it.
    pub goal: Goal,
    /// What it runs.
    pub workload: Shared<Workload>,
    /// The GPUs that it was given, by number.
    pub gpus: Vec<u16>,
}

/// What an agent should do with an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// Only the room is held: do not start it.
    Hold,
    /// It should run.
    Run,
    /// It should stop, gracefully, and be forgotten once the end was reported.
    Stop,
}

/// What an agent sees of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observation {
    /// The process runs; its health is not known yet.
    Running {
        /// Ports by name.
        ports: Vec<(String, u16)>,
        /// The process id.
        pid: u32,
    },
    /// It runs and is healthy.
    Healthy {
        /// Ports by name.
        ports: Vec<(String, u16)>,
        /// The process id.
        pid: u32,
    },
    /// It runs and its health check fails.
    Unhealthy {
        /// Ports by name.
        ports: Vec<(String, u16)>,
        /// The process id.
        pid: u32,
        /// What the check saw.
        evidence: String,
    },
    /// It does not run any more, or never did. Final.
    Ended(Ended),
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Why.
    pub reason: Reason,
    /// The exit code or the signal, where there was one.
    pub code: Option<i32>,
    /// One sentence of detail.
    pub detail: String,
}

impl Ended {
    /// An end with a reason and a sentence.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, code: None, detail: detail.into() }
    }
}

impl Observation {
    /// Whether the instance may be given traffic.
    pub const fn healthy(&self) -> bool {
        matches!(self, Self::Healthy { .. })
    }

    /// Its ports, while it runs.
    pub fn ports(&self) -> &[(String, u16)] {
        match self {
            Self::Running { ports, .. } | Self::Healthy { ports, .. } | Self::Unhealthy { ports, .. } => ports,
            Self::Ended(_) => &[],
        }
    }
}
