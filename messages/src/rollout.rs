//! What a rollout is told.

use crate::id::JobId;
use crate::manifest::RolloutSpec;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A message to a rollout. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Job: bring me from one revision to the next. Sent until the first `job::Message::Targets`.
    Begin {
        /// Which job.
        job: JobId,
        /// Its name, `realm/name`.
        name: String,
        /// The revision it is at.
        from: u32,
        /// The revision it should come to.
        to: u32,
        /// Instances wanted.
        desired: u32,
        /// Whether a slot may never run twice, so that the old stops before the new starts.
        exclusive: bool,
        /// How.
        spec: RolloutSpec,
    },
    /// Job: this is how things are. Sent at every change until answered with `job::Message::ProgressNoted`.
    Progress {
        /// Grows with every change.
        version: u64,
        /// The version of the targets that this answers.
        targets: u64,
        /// Instances wanted.
        desired: u32,
        /// What there is of each revision.
        revisions: Vec<RevisionProgress>,
    },
    /// Policy: go on to all of it now. Answered with `policy::Message::Done`.
    Promote {
        /// The ticket to answer with.
        ticket: u64,
    },
    /// Policy: stay where it is until told otherwise. Answered with `Done`.
    Hold {
        /// The ticket to answer with.
        ticket: u64,
    },
    /// Policy: go on by itself again. Answered with `Done`.
    Resume {
        /// The ticket to answer with.
        ticket: u64,
    },
    /// Policy: give it up and go back. Answered with `Done`.
    Abort {
        /// The ticket to answer with.
        ticket: u64,
    },
    /// The rollout's own deadline.
    Wake {
        /// The deadline that passed.
        due: Timestamp,
    },
}

/// What there is of one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionProgress {
    /// The revision.
    pub revision: u32,
    /// Instances that exist, in whatever state.
    pub present: u32,
    /// Instances that are healthy.
    pub healthy: u32,
    /// Ends and failed health checks since the rollout began.
    pub failures: u32,
    /// The latest failure, in words: which instance, what was seen.
    pub evidence: Option<String>,
}

/// What the actor records. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {}
