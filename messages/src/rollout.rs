//! What a rollout is told.

use crate::id::JobId;
use crate::manifest::RolloutSpec;
use crate::policy::Change;
use crate::reason::{Reason, Refusal};
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
    /// Job: another change took your place; say nothing more. Sent until answered with `job::Message::RolloutOver`.
    Supersede {
        /// Which job.
        job: JobId,
        /// The revision that took its place, if one did.
        by: Option<u32>,
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
pub enum Event {
    /// The job asked for it.
    Begun {
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
        /// Whether the old stops before the new starts.
        exclusive: bool,
        /// How.
        spec: RolloutSpec,
    },
    /// A step began: so many of the new revision are asked for, with the traffic it had before.
    StepBegun {
        /// Which step, from 0.
        step: u32,
        /// Its weight in percent.
        weight: u32,
        /// Why: the gate before it passed, or a person asked.
        reason: Reason,
    },
    /// The new revision has the health this step asks for, so it gets the step's share of the traffic.
    WeightRaised {
        /// Percentage of traffic.
        weight: u32,
    },
    /// The new revision has the health this step asks for again; the hold begins anew.
    HealthRegained,
    /// The new revision lost the health this step asks for; its hold begins anew once it has it back.
    HealthLost {
        /// What was seen.
        evidence: String,
    },
    /// What the job said last.
    Progressed {
        /// The version of it.
        version: u64,
        /// The version of the targets it answers.
        targets: u64,
        /// Instances wanted.
        desired: u32,
        /// What there is of each revision.
        revisions: Vec<RevisionProgress>,
    },
    /// The job was told the targets of this version for the first time.
    Targeted {
        /// The version.
        version: u64,
    },
    /// The job was told again.
    TargetsRepeated,
    /// A person asked for all of it now.
    Promoted,
    /// A person asked to stay here.
    Held,
    /// A person asked to go on.
    Resumed,
    /// It is done: the job is at the new revision.
    Settled,
    /// It failed or was given up: the job is back at the old revision.
    Reverted {
        /// Why.
        reason: Reason,
        /// What was seen.
        evidence: String,
    },
    /// Another change took its place.
    Superseded {
        /// The revision that did, if one did.
        by: Option<u32>,
    },
    /// A command was answered so, and is answered so again when it is asked again.
    Answered {
        /// The ticket.
        ticket: u64,
        /// What was answered.
        outcome: Result<Change, Refusal>,
    },
}
