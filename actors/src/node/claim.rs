//! What a node holds for an instance, and what it still has to say of one that is gone.

use super::debt::Debt;
use messages::agent::{Assignment, Ended, Goal, Observation};
use messages::id::JobId;
use messages::node::ClaimSpec;
use messages::reason::Reason;
use messages::shared::Shared;
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Room that a node holds for an instance, and what is known of the instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Shared, since a turn copies the claims it changes.
    pub(super) spec: Shared<ClaimSpec>,
    /// The GPUs that it was given.
    pub(super) gpus: Vec<u16>,
    pub(super) goal: Goal,
    pub(super) since: Timestamp,
    /// Whether the agent may ever have been told to run it.
    pub(super) started: bool,
    pub(super) because: Option<Reason>,
    pub(super) observation: Option<Observation>,
    /// The job is asked whether to start it, until it says so.
    pub(super) assigned: Debt,
    /// The job is told what is seen.
    pub(super) observed: Debt,
    /// The job is asked to move it away, while the node is drained.
    pub(super) moving: Debt,
}

impl Claim {
    pub(super) fn new(spec: ClaimSpec, gpus: Vec<u16>, at: Timestamp) -> Self {
        let mut assigned = Debt::default();
        assigned.owe(at);
        Self {
            spec: spec.into(),
            gpus,
            goal: Goal::Hold,
            since: at,
            started: false,
            because: None,
            observation: None,
            assigned,
            observed: Debt::default(),
            moving: Debt::default(),
        }
    }

    /// What was claimed.
    pub fn spec(&self) -> &ClaimSpec {
        &self.spec
    }

    /// The GPUs that it was given, by number.
    pub fn gpus(&self) -> &[u16] {
        &self.gpus
    }

    /// What the agent should do with the instance.
    pub const fn goal(&self) -> Goal {
        self.goal
    }

    /// Since when it is held.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Why it should stop, when it should.
    pub const fn because(&self) -> Option<Reason> {
        self.because
    }

    /// What was last seen of the instance.
    pub const fn observation(&self) -> Option<&Observation> {
        self.observation.as_ref()
    }

    /// What is owed because of it.
    pub(super) fn debts(&self) -> [&Debt; 3] {
        let observed = if crate::mutant!(ObservedNotRepeated) { &self.assigned } else { &self.observed };
        let moving = if crate::mutant!(MovingNotRepeated) { &self.assigned } else { &self.moving };
        [&self.assigned, observed, moving]
    }

    /// What its agent is told to do with it.
    pub fn assignment(&self) -> Assignment {
        let spec = &self.spec;
        let early = self.goal == Goal::Hold && crate::mutant!(StartWithoutGoalRun);
        Assignment {
            instance: spec.instance,
            label: spec.label.clone(),
            job: spec.job,
            realm: spec.realm.clone(),
            revision: spec.revision,
            exclusive: spec.exclusive,
            goal: if early { Goal::Run } else { self.goal },
            workload: spec.workload.clone(),
            gpus: self.gpus.clone(),
        }
    }
}

/// A claim that is gone, of which the job has not noted it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Release {
    pub(super) job: JobId,
    pub(super) ended: Ended,
    pub(super) debt: Debt,
}
