//! The parts of a job's state: its instances, their slots, its rollout and its listeners.

use crate::retry::Retry;
use messages::agent::{Ended, Observation};
use messages::id::{InstanceId, NodeId, RolloutId};
use messages::reason::Reason;
use messages::scheduler::Unplaceable;
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where an instance is in its life. It only ever moves down this list, apart from its health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// A place was asked for.
    #[default]
    Wanted,
    /// It has a claim on a node and was told to start.
    Starting,
    /// Its process runs and nothing is known of its health yet.
    Running,
    /// It runs and is healthy.
    Healthy,
    /// It is no endpoint any more, and is stopped once the routes know.
    Leaving,
    /// It ended, or is to end. Its node was told to stop it and to give up its claim.
    Stopping,
}

/// One run of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The slot it runs for. No two instances have the same slot until the older was released.
    pub slot: u32,
    /// The how-manieth instance of the job it is.
    pub incarnation: u64,
    /// The revision it runs.
    pub revision: u32,
    /// Where it is in its life.
    pub phase: Phase,
    /// Since when it is in that phase.
    pub since: Timestamp,
    /// Why it is in that phase.
    pub reason: Reason,
    /// What was seen, in words.
    pub detail: String,
    /// Whether its node is suspect, so that nothing can be seen of it.
    pub unseen: bool,
    /// Its node, once it was assigned.
    pub node: Option<NodeId>,
    /// The node's name.
    pub node_name: String,
    /// The node's address.
    pub host: String,
    /// Its ports by name.
    pub ports: Vec<(String, u16)>,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// When it was first seen running.
    pub started: Option<Timestamp>,
    /// The version of the latest observation.
    pub observed: u64,
    /// Why no node could take it, if it still waits for that reason.
    pub unplaceable: Option<Unplaceable>,
    /// Nodes it had better not go to.
    pub avoid: Vec<NodeId>,
    /// Set when it is to go: why.
    pub retiring: Option<Reason>,
    /// How it ended, as first seen.
    pub ended: Option<Ended>,
    /// When its place, its start or its stop is asked for again.
    pub retry: Retry,
}

impl Instance {
    /// Whether it counts towards what is wanted: it is not to go and has not failed.
    pub fn live(&self) -> bool {
        self.retiring.is_none() && self.phase < Phase::Leaving
    }

    /// Whether it may be given traffic.
    pub fn healthy(&self) -> bool {
        self.phase == Phase::Healthy && (!self.unseen || crate::mutant!(UnseenStaysHealthy))
    }

    /// Whether it is an endpoint, healthy or not.
    pub fn endpoint(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Healthy)
    }

    /// Whether it is to go because its node is emptied, and has not gone yet.
    pub fn moving(&self) -> bool {
        self.retiring == Some(Reason::NodeDrained) && self.phase < Phase::Leaving && self.ended.is_none()
    }

    /// Whether a node has, or may have, a claim for it.
    pub fn placed(&self) -> bool {
        self.node.is_some()
    }

    /// The state for people and scripts.
    pub fn state(&self) -> &'static str {
        match self.phase {
            Phase::Wanted if self.unplaceable.is_some() => "unplaceable",
            Phase::Wanted => "wanted",
            Phase::Leaving => "leaving",
            Phase::Stopping => "stopping",
            _ if self.unseen => "unreachable",
            Phase::Starting => "starting",
            Phase::Running => "running",
            Phase::Healthy => "healthy",
        }
    }

    /// Takes in what was seen of it.
    pub(super) fn see(&mut self, observation: Option<&Observation>, at: Timestamp) {
        let was = self.phase;
        self.unseen = observation.is_none();
        match observation {
            None if self.phase >= Phase::Leaving => {}
            None => self.set_reason(Reason::HeartbeatsMissed, "its node was not heard in time"),
            Some(Observation::Ended(ended)) => self.ended = self.ended.take().or_else(|| Some(ended.clone())),
            Some(Observation::Running { ports, pid } | Observation::Unhealthy { ports, pid, .. }) => {
                self.run(Phase::Running, ports, *pid, at);
            }
            Some(Observation::Healthy { ports, pid }) => self.run(Phase::Healthy, ports, *pid, at),
        }
        if self.phase != was || self.unseen {
            self.since = at;
        }
    }

    fn run(&mut self, phase: Phase, ports: &[(String, u16)], pid: u32, at: Timestamp) {
        self.ports = ports.to_vec();
        self.pid = Some(pid);
        self.started = self.started.or(Some(at));
        if self.phase < Phase::Leaving {
            self.phase = phase;
            self.set_reason(Reason::Declared, "");
        }
    }

    pub(super) fn set_reason(&mut self, reason: Reason, detail: &str) {
        self.reason = reason;
        detail.clone_into(&mut self.detail);
    }
}

/// What is known of a slot beyond its present instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// How often it failed in a row.
    pub failures: u32,
    /// Set while it is to come back.
    pub waiting: Option<Waiting>,
}

/// A slot that is to come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// With which revision.
    pub revision: u32,
    /// Not before then, and not before its last instance was released.
    pub until: Timestamp,
    /// What happened to its last instance.
    pub reason: Reason,
    /// Nodes it had better not go to.
    pub avoid: Vec<NodeId>,
}

/// The rollout that brings the next revision, or brought the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engagement {
    /// Which rollout.
    pub rollout: RolloutId,
    /// The revision the job was at when it began.
    pub from: u32,
    /// The revision to come.
    pub to: u32,
    /// The version of its latest targets; none before the first.
    pub targets: Option<u64>,
    /// Whether it is over.
    pub over: bool,
    /// The version of the progress it was told.
    pub told: u64,
    /// The version of the progress it has taken in.
    pub noted: u64,
    /// Failures since it began, by revision, and the latest in words.
    pub failures: BTreeMap<u32, (u32, String)>,
    /// When it is told again.
    pub retry: Retry,
}

impl Engagement {
    /// Whether it is owed a `Begin` or a `Progress`.
    pub fn owed(&self) -> bool {
        !self.over && (self.targets.is_none() || self.noted < self.told)
    }
}

/// A rollout that lost its purpose and has not confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissal {
    /// The revision that took its place, if one did.
    pub by: Option<u32>,
    /// When it is told again.
    pub retry: Retry,
}

/// A route that wants to know the endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriber {
    /// The version it has taken in; none before the first.
    pub noted: Option<u64>,
    /// When it is told again.
    pub retry: Retry,
}

/// An instance that is gone, for those who ask why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Which instance.
    pub instance: InstanceId,
    /// Its slot.
    pub slot: u32,
    /// Its revision.
    pub revision: u32,
    /// The name of its node; empty when it was never placed.
    pub node_name: String,
    /// When it was first seen running.
    pub started: Option<Timestamp>,
    /// When it was gone.
    pub at: Timestamp,
    /// Why it was to go, when that was asked for.
    pub asked: Option<Reason>,
    /// How it ended.
    pub ended: Ended,
}
