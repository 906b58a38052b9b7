//! Stable reason codes and refusals: what scripts match on, and what people read.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why something was decided. The code is stable; the enum grows only at the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Reason {
            /// Every reason, in the order of the wire.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

reasons! {
    /// A manifest asked for it.
    Declared = "declared",
    /// An operator asked for it.
    Operator = "operator",
    /// The desired count went up.
    ScaledUp = "scaled-up",
    /// The desired count went down.
    ScaledDown = "scaled-down",
    /// The process exited with a code.
    ExitCode = "exit-code",
    /// A signal ended the process.
    ExitSignal = "exit-signal",
    /// The process used more memory than it may.
    OutOfMemory = "out-of-memory",
    /// The program could not be started.
    CouldNotStart = "could-not-start",
    /// Its health check failed.
    Unhealthy = "unhealthy",
    /// Its node was lost and the lease has run out.
    NodeLost = "node-lost",
    /// Its node is being drained.
    NodeDrained = "node-drained",
    /// A rollout replaced it.
    RolledOut = "rolled-out",
    /// A rollout took it back.
    RolledBack = "rolled-back",
    /// Its lease ran out on the node.
    LeaseExpired = "lease-expired",
    /// It is stopping as asked.
    Stopped = "stopped",
    /// It waits before the next try.
    BackingOff = "backing-off",
    /// No node has enough processor time left.
    NoCpu = "no-cpu",
    /// No node has enough memory left.
    NoMemory = "no-memory",
    /// No node has enough storage left.
    NoDisk = "no-disk",
    /// No node has enough network left.
    NoNetwork = "no-network",
    /// No node has enough ports left.
    NoPorts = "no-ports",
    /// A required tag is missing, or a forbidden one is there.
    TagMismatch = "tag-mismatch",
    /// It must be near a job, and no node there can take it.
    NotNear = "not-near",
    /// It must be apart from a job that is there.
    NotApart = "not-apart",
    /// It would break the spread.
    SpreadBroken = "spread-broken",
    /// The node has as many of this job as it may.
    NodeFull = "per-node-max",
    /// The node is cordoned.
    Cordoned = "cordoned",
    /// The node is suspect or lost.
    NodeDown = "node-down",
    /// The policy forbids it.
    PolicyForbids = "policy-forbids",
    /// No policy permits it.
    PolicyNoPermit = "policy-no-permit",
    /// The policy could not be evaluated, which denies.
    PolicyError = "policy-error",
    /// The realm's quota does not allow it.
    QuotaExceeded = "quota-exceeded",
    /// There is no node at all.
    NoNodes = "no-nodes",
    /// There is no such thing.
    NotFound = "not-found",
    /// What was said makes no sense.
    Invalid = "invalid",
    /// The node's epoch or the instance is not the current one.
    Stale = "stale",
    /// It cannot be done in the present state.
    WrongState = "wrong-state",
    /// Too much is waiting already.
    Overloaded = "overloaded",
    /// The rollout's gate passed.
    GatePassed = "gate-passed",
    /// The rollout's gate failed.
    GateFailed = "gate-failed",
    /// The step did not become healthy in time.
    DeadlinePassed = "deadline-passed",
    /// The node missed its heartbeats.
    HeartbeatsMissed = "heartbeats-missed",
    /// The node was heard again.
    HeardAgain = "heard-again",
    /// It is the best of those that fit.
    BestScore = "best-score",
    /// It waits for an answer that has not come yet.
    Waiting = "waiting",
    /// The journal cannot be written.
    NotDurable = "not-durable",
    /// The process vanished without a record, as after a reboot.
    Vanished = "vanished",
    /// No node has enough reading and writing of storage left.
    NoDiskIo = "no-disk-io",
    /// No node has enough GPUs left, or enough of one.
    NoGpu = "no-gpu",
    /// The node's GPUs are of no model that it may have.
    GpuModel = "gpu-model",
    /// No node has enough left of what a site added.
    NoResource = "no-resource",
    /// The node has a taint that the job does not tolerate.
    Tainted = "tainted",
    /// Not all of its gang can be placed at once.
    GangIncomplete = "gang-incomplete",
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

/// A loud no: what, why, how near it was, and the smallest change that would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The stable code.
    pub reason: Reason,
    /// One sentence naming the thing.
    pub message: String,
    /// What came nearest.
    pub nearest: Option<String>,
    /// The smallest change that would fit.
    pub change: Option<String>,
}

impl Refusal {
    /// A refusal with a reason and a sentence.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), nearest: None, change: None }
    }

    /// Adds what came nearest.
    #[must_use]
    pub fn nearest(mut self, nearest: impl Into<String>) -> Self {
        self.nearest = Some(nearest.into());
        self
    }

    /// Adds the smallest change that would do.
    #[must_use]
    pub fn change(mut self, change: impl Into<String>) -> Self {
        self.change = Some(change.into());
        self
    }
}
