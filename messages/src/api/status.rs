//! `status`: what there is and how it fares.

use crate::node::Standing;
use crate::reason::Reason;
use crate::resources::Resources;
use crate::time::{Timestamp, rfc3339};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $state:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $code)] $state,)*
        }

        impl $name {
            /// The word in JSON and in tables.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$state => $code,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.pad(self.name())
            }
        }
    };
}

states! {
    /// How a job fares.
    JobState {
        /// As many instances are healthy as there should be.
        Steady = "steady",
        /// Instances are on their way, and none has failed.
        Starting = "starting",
        /// Fewer instances are healthy than there should be.
        Degraded = "degraded",
        /// A new revision is coming in.
        Rolling = "rolling",
        /// None is wanted, and there is none.
        Stopped = "stopped",
    }
}

states! {
    /// Where an instance is in its life.
    InstanceState {
        /// It has no place yet.
        Waiting = "waiting",
        /// It waits before the next try.
        BackingOff = "backing-off",
        /// It has a place and is being started.
        Starting = "starting",
        /// It runs, and its health is not known yet.
        Running = "running",
        /// It runs and is healthy.
        Healthy = "healthy",
        /// It runs and its health check fails.
        Unhealthy = "unhealthy",
        /// Its node is suspect, so nothing is known.
        Unreachable = "unreachable",
        /// It is being stopped.
        Stopping = "stopping",
    }
}

states! {
    /// Where a rollout is.
    RolloutState {
        /// It waits for the health of a step, or holds it for the time agreed.
        Advancing = "advancing",
        /// A person holds it.
        Held = "held",
        /// The new revision has everything.
        Done = "done",
        /// The old revision has everything again.
        Reverted = "reverted",
        /// Another change took its place.
        Superseded = "superseded",
    }
}

/// Everything there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Where the journal stood.
    pub position: u64,
    /// When that was.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Jobs, by realm and name.
    pub jobs: Vec<JobStatus>,
    /// Nodes, by name.
    pub nodes: Vec<NodeStatus>,
    /// Routes, by realm and name.
    pub routes: Vec<RouteStatus>,
    /// Rollouts that are under way, and the latest of each job.
    pub rollouts: Vec<RolloutStatus>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its realm.
    pub realm: String,
    /// Its name.
    pub name: String,
    /// The revision it is at.
    pub revision: u32,
    /// Instances wanted.
    pub desired: u32,
    /// Instances that are healthy.
    pub healthy: u32,
    /// How it fares.
    pub state: JobState,
    /// Why it fares so, where it does not fare well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Its instances, by slot.
    pub instances: Vec<InstanceStatus>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Its id.
    pub id: String,
    /// Its label, `job/slot`.
    pub label: String,
    /// The name of its node, once it has one.
    pub node: Option<String>,
    /// Where it is in its life.
    pub state: InstanceState,
    /// Since when.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// The revision it runs.
    pub revision: u32,
    /// Why it is in this state.
    pub reason: Reason,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Its ports by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, u16>,
    /// How often its slot was filled anew since the job was declared.
    pub restarts: u64,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it takes work.
    pub state: Standing,
    /// Since when.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// Its epoch; it grows each time it was given up.
    pub epoch: u64,
    /// Its rack.
    pub rack: String,
    /// Its site.
    pub site: String,
    /// Its region.
    pub region: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its taints.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taints: BTreeMap<String, String>,
    /// What it can give.
    pub capacity: Resources,
    /// What it has given.
    pub claimed: Resources,
    /// The labels of what it holds.
    pub instances: Vec<String>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Its realm.
    pub realm: String,
    /// Its name.
    pub name: String,
    /// The host it answers to.
    pub host: String,
    /// The path prefix.
    pub path: String,
    /// The job it leads to.
    pub to: String,
    /// Who may enter; everyone when empty.
    pub permit: Vec<String>,
    /// Endpoints there are.
    pub endpoints: u32,
    /// Endpoints that serve.
    pub healthy: u32,
    /// Revision and percentage of traffic.
    pub weights: Vec<(u32, u32)>,
}

/// A rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutStatus {
    /// The job, `realm/name`.
    pub job: String,
    /// The revision it comes from.
    pub from: u32,
    /// The revision it goes to.
    pub to: u32,
    /// Where it is.
    pub state: RolloutState,
    /// The step, from 1; of how many.
    pub step: u32,
    /// How many steps.
    pub steps: u32,
    /// The share of the new revision in percent.
    pub weight: u32,
    /// Since when it is there.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// Why it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}
