//! A node's hands, and the ear that listens for them: the reconciler that an agent runs, the rule by which it judges
//! health, and the failure detector that each host runs. None is an actor; all are pure and driven by whoever has a clock and a wire.

pub mod detector;
pub mod judge;
pub mod reconciler;
pub mod roll;

mod lease;
mod local;
#[cfg(test)]
mod tests;

use messages::agent::{Assignment, Ended, Observation, Order};
use messages::id::InstanceId;
use messages::node;
use messages::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// A sign of life of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Beat {
    /// The epoch the agent was welcomed with.
    pub epoch: u64,
    /// The session it was welcomed with.
    pub session: u64,
    /// When it was sent, by the machine's monotonic clock.
    pub sent_at: Timestamp,
}

/// What an agent found on its machine when it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Every instance of which there is something.
    pub found: Vec<Found>,
    /// Until when the agent before held the lease, by the machine's monotonic clock, as the last `Output::RenewLease`
    /// said. `None` means that the lease is gone.
    pub lease_until: Option<Timestamp>,
}

/// An instance that was there already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Which.
    pub instance: InstanceId,
    /// Whether it must never run twice.
    pub exclusive: bool,
    /// How long after the stop signal it is killed.
    pub stop_grace: Span,
    /// What is seen of it.
    pub observation: Observation,
}

/// What a reconciler hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The control plane says something.
    Order(Order),
    /// The driver says something.
    Workload(WorkloadEvent),
    /// Time has passed.
    Tick,
}

/// What the driver, which runs the processes, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadEvent {
    /// The process runs.
    Started {
        /// Which instance.
        instance: InstanceId,
        /// Its process id.
        pid: u32,
        /// Its ports by name.
        ports: Vec<(String, u16)>,
    },
    /// It could not be started. Final.
    StartFailed {
        /// Which instance.
        instance: InstanceId,
        /// What went wrong.
        detail: String,
    },
    /// Its health was judged.
    Health {
        /// Which instance.
        instance: InstanceId,
        /// The verdict.
        verdict: Verdict,
    },
    /// The process and all that it started are gone. Final.
    Ended {
        /// Which instance.
        instance: InstanceId,
        /// How.
        ended: Ended,
    },
}

/// A health check's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may have traffic.
    Healthy,
    /// It may not, and this is what the check saw.
    Unhealthy(String),
}

/// What a reconciler wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Say this to the node actor, as the node.
    Say(node::Message),
    /// Send a sign of life to the host's detector.
    Beat(Beat),
    /// Start this. Said at most once for an instance until it is forgotten.
    Start(Assignment),
    /// Stop this, and kill it after `grace`; at once when that is zero. May be said again.
    Stop {
        /// Which instance.
        instance: InstanceId,
        /// How long it may take to stop by itself.
        grace: Span,
    },
    /// Remove what is left of an instance that has ended.
    Forget(InstanceId),
    /// The lease holds until then, by the machine's monotonic clock: keep it where the next agent finds it, and have
    /// the watchdog kill what is exclusive when the time has come.
    RenewLease {
        /// Until when.
        until: Timestamp,
    },
}
