//! The machine-readable contract: what the command line, HTTP and NATS answer with, as JSON.
//!
//! Fields are only ever added. Times are RFC 3339 in UTC, ids are UUIDs, reasons are the codes of
//! [`crate::reason::Reason`], and `position` is where in the journal the answer stands.

mod backtest;
mod log;
mod plan;
mod status;
mod why;

pub use backtest::{Backtest, Becomes, Flip, Flips};
pub use log::{CauseEntry, LogEntry, Mismatch, Sent, Trace, Verified};
pub use plan::{
    Capacity, Fragility, JobRoom, Left, LossOf, NodeLeft, Plan, PlannedCommand, PlannedMove, PlannedPlacement,
    PlannedRollout, PlannedStop, PlannedWait,
};
pub use status::{
    InstanceState, InstanceStatus, JobState, JobStatus, NodeStatus, RolloutState, RolloutStatus, RouteStatus, Status,
};
pub use why::{LifeEvent, RuledOut, Why, WhyNot};

use crate::manifest::Fault;
use crate::policy::{Answer, Change};
use crate::reason::{Reason, Refusal};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Exit code: done.
pub const EXIT_DONE: u8 = 0;
/// Exit code: refused, or a check failed.
pub const EXIT_REFUSED: u8 = 1;
/// Exit code: the command line itself makes no sense.
pub const EXIT_MISUSE: u8 = 2;
/// Exit code: something could not be reached or read.
pub const EXIT_UNREACHABLE: u8 = 3;

/// The outcome of a command that changed something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Where the journal stood when everything had been taken in.
    pub position: u64,
    /// What changed, and what did not.
    pub changes: Vec<Change>,
    /// The policy's verdict, in words.
    pub verdict: String,
    /// The chain of causes that the command began.
    pub trace: Uuid,
}

impl Applied {
    /// The answer to a command, given at `position`.
    pub fn new(position: u64, trace: Uuid, answer: Answer) -> Self {
        Self { position, changes: answer.changes, verdict: answer.verdict, trace }
    }
}

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stable code.
    pub reason: Reason,
    /// One sentence naming the thing.
    pub message: String,
    /// What came nearest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// The smallest change that would fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Every fault of the manifest, where that is what is wrong.
    #[serde(default, skip_serializing_if = "<[Fault]>::is_empty")]
    pub faults: Box<[Fault]>,
    /// What would come of it now, and would not have when it was planned, and the other way round, a line each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Box<Difference>>,
    /// The chain of causes that ends in this refusal, where it is in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Uuid>,
}

/// What parts two plans, a line each: `-` for what no longer comes of it, `+` for what does now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference(pub Vec<String>);

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let Refusal { reason, message, nearest, change } = refusal;
        Self { reason, message, nearest, change, faults: Box::default(), difference: None, trace: None }
    }
}

impl From<Vec<Fault>> for Failure {
    fn from(faults: Vec<Fault>) -> Self {
        let first = faults.first().map(Fault::sentence).unwrap_or_default();
        let message = match faults.len() {
            0 | 1 => first,
            more => format!("{first} (and {} more)", more - 1),
        };
        let change = faults.first().and_then(|fault| fault.suggestion.clone());
        Self {
            reason: Reason::Invalid,
            message,
            nearest: None,
            change,
            faults: faults.into(),
            difference: None,
            trace: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_the_refusal_and_nothing_empty() {
        let refusal = Refusal::new(Reason::NoMemory, "no node has 8GiB left").nearest("n1 has 6GiB");
        let json = serde_json::to_string(&Failure::from(refusal)).expect("a failure is plain data");
        let expected = r#"{"reason":"no-memory","message":"no node has 8GiB left","nearest":"n1 has 6GiB"}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn a_failure_of_a_manifest_carries_every_fault() {
        let text = "realm = \"r\"\n[job.a]\nrun = [\"a\"]\ninstnces = 1\nx = 2\n";
        let faults = crate::manifest::read(text, "m.toml", crate::manifest::Format::Toml).expect_err("two faults");
        let failure = Failure::from(faults);
        assert_eq!(failure.message, "job.a: unknown field \"instnces\"; did you mean \"instances\"? (and 1 more)");
        assert_eq!(failure.change.as_deref(), Some("instances"));
        assert_eq!(failure.faults.len(), 2);
    }
}
