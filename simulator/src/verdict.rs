//! What came of a run: what was violated, what was counted, and the hash by which two runs are compared.

use crate::plan::hexadecimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The SHA-256 of the plan.
    pub plan_hash: String,
    /// How many things happened.
    pub events: u64,
    /// The SHA-256 over the chain after every committed frame, which stands for the frame and all before it, and over
    /// every final state.
    pub log_hash: String,
    /// What went wrong; nothing, if the seed passed.
    pub violations: Vec<Violation>,
    /// What was counted.
    pub statistics: Statistics,
    /// How often something worth reaching was reached.
    pub marks: BTreeMap<String, u64>,
}

impl Verdict {
    /// Whether nothing was violated.
    pub const fn passed(&self) -> bool {
        self.violations.is_empty()
    }
}

/// The SHA-256 over the hashes of many runs, in their order.
pub fn hash_of_hashes<'a>(hashes: impl Iterator<Item = &'a str>) -> String {
    let hash = hashes.fold(Sha256::new(), |hash, each| hash.chain_update(each.as_bytes()));
    hexadecimal(&hash.finalize())
}

/// Something that must never be, and was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// The stable name of what was violated.
    pub invariant: Invariant,
    /// What happened, without ids and numbers: the same for the same cause.
    pub signature: String,
    /// What happened.
    pub message: String,
    /// When, in microseconds since the world began.
    pub at: u64,
    /// How many entries had been committed.
    pub entries: u64,
}

/// What is checked, by stable name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// An exclusive slot runs at most once at any moment.
    ExclusiveSlot,
    /// An instance is started at most once, on one machine.
    InstanceOnce,
    /// What runs on a machine fits into it.
    Capacity,
    /// What was acknowledged is in the log after a crash.
    AcknowledgedKept,
    /// Nothing is said before it is durable.
    DurableFirst,
    /// The fold of the log is the live state.
    FoldIsState,
    /// Epochs of shards and of nodes only grow.
    EpochGrows,
    /// A rollout leaves as many healthy instances as it must.
    RolloutMinimum,
    /// A new revision gets no more traffic than its step allows.
    RolloutWeight,
    /// After healing, what runs is what is desired.
    Converges,
    /// After healing, there is an end to what is recorded.
    Quiet,
    /// No actor leaves a passed deadline where it was.
    Stuck,
    /// Nothing panics.
    Panics,
    /// The journal opens after every crash.
    Recovers,
    /// A client's command is answered in the end.
    Answered,
    /// A turn taken again gives the same entry.
    Retaken,
    /// A plan run again gives the same verdict.
    Repeats,
    /// An actor takes a message in at most once, and versions of what it is told only grow.
    Once,
    /// A node is asked to run only what was claimed and allowed there.
    Claims,
    /// An instance is stopped only when no route leads to it any more.
    Withdrawn,
    /// What breaks a rule is refused.
    Refused,
    /// A machine's lease ends before the control plane may give the machine up.
    Lease,
    /// What must be near something else is.
    Near,
    /// A damaged message is found out.
    Intact,
    /// An entry follows from its cause, on the same chain and the same authority.
    Caused,
    /// Nothing that is of an older epoch, session or boot is taken in.
    Fenced,
    /// Instances are where they may be: tags, near and apart, spread, policy; and wait only where no node can take them.
    Placement,
    /// Every decision gives its reasons.
    Explained,
    /// A realm stays within its quota.
    Quota,
    /// A command is answered when it is done, and refused only for a reason.
    Done,
    /// A rollout takes its steps as its rules say, and comes to an end.
    RolloutSteps,
    /// What ends comes back in its time, and the healthy go last.
    Restarts,
    /// Routes lead where their job is, and share out all of the traffic.
    Routes,
    /// What clients asked of a job and were told fits into one order.
    Linearizable,
    /// What is of one realm is told to nobody of another.
    Tenants,
    /// What is told to stop gets its grace.
    Grace,
    /// What operators and policies want is known where it matters.
    Known,
}

impl Invariant {
    /// The stable name.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// What was counted in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Entries committed.
    pub entries: u64,
    /// Frames committed.
    pub frames: u64,
    /// Messages delivered.
    pub messages: u64,
    /// Workloads started.
    pub starts: u64,
    /// Commands answered.
    pub answers: u64,
    /// Simulated time, in milliseconds.
    pub simulated_ms: u64,
}
