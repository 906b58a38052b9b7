//! What a job is told.

use crate::agent::{Ended, Observation};
use crate::id::{InstanceId, NodeId, RolloutId, RouteId};
use crate::manifest::JobSpec;
use crate::scheduler::Unplaceable;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A message to a job. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Policy: this is what the job should be from now on. Answered with `policy::Message::Done`.
    Apply {
        /// The ticket to answer with.
        ticket: u64,
        /// The whole of it.
        spec: JobSpec,
    },
    /// Policy: want so many instances. Answered with `Done`.
    Scale {
        /// The ticket to answer with.
        ticket: u64,
        /// How many.
        instances: u32,
    },
    /// Policy: replace the instance in this slot, or all of them one after the other. Answered with `Done`.
    Restart {
        /// The ticket to answer with.
        ticket: u64,
        /// The slot; all when absent.
        slot: Option<u32>,
    },
    /// Policy: want none and give up what there is. Answered with `Done`.
    Stop {
        /// The ticket to answer with.
        ticket: u64,
    },
    /// Scheduler: no node can take this instance now. It is asked again when something changes.
    Unplaceable {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        why: Unplaceable,
    },
    /// Node: the instance has a claim here, and waits for `node::Message::Start`.
    ///
    /// A job that does not want the instance answers with `node::Message::Stop`. Sent until one of them came.
    Assigned {
        /// Which instance.
        instance: InstanceId,
        /// Where.
        node: NodeId,
        /// The node's name.
        node_name: String,
        /// The node's address for its instances' ports.
        host: String,
        /// The node's epoch.
        epoch: u64,
    },
    /// Node: this is what is seen of the instance. Sent until answered with `node::Message::Noted`.
    Observed {
        /// Which instance.
        instance: InstanceId,
        /// Where.
        node: NodeId,
        /// Grows with every observation of the instance.
        version: u64,
        /// What is seen, or `None` while the node is suspect and nothing can be seen.
        observation: Option<Observation>,
    },
    /// Node: the claim is gone, and nothing of the instance runs or will ever run there.
    /// Sent until answered with `node::Message::Noted`.
    Released {
        /// Which instance.
        instance: InstanceId,
        /// Where.
        node: NodeId,
        /// The version to note.
        version: u64,
        /// How it ended.
        ended: Ended,
    },
    /// Node: please move this instance away (drain). The node still runs it. Sent again until it is stopped.
    MoveAway {
        /// Which instance.
        instance: InstanceId,
        /// Where it is now.
        node: NodeId,
    },
    /// Rollout: have so many instances of each revision, and give each revision such a share of the traffic.
    /// Answered with `rollout::Message::Progress` of at least this version.
    Targets {
        /// Which rollout.
        rollout: RolloutId,
        /// Grows with every change of the rollout's mind.
        version: u64,
        /// Revision and count. A revision not named has none.
        counts: Vec<(u32, u32)>,
        /// Revision and percentage of traffic.
        weights: Vec<(u32, u32)>,
        /// Set when the rollout is over: the revision that the job now is at.
        settled: Option<u32>,
    },
    /// Route: tell me your endpoints, now and at every change, with `route::Message::Endpoints`.
    Subscribe {
        /// Which route.
        route: RouteId,
    },
    /// Route: no more, please.
    Unsubscribe {
        /// Which route.
        route: RouteId,
    },
    /// Route: endpoints up to this version were taken in.
    EndpointsNoted {
        /// Which route.
        route: RouteId,
        /// The version.
        version: u64,
    },
    /// Rollout: progress up to this version was taken in.
    ProgressNoted {
        /// Which rollout.
        rollout: RolloutId,
        /// The version.
        version: u64,
    },
    /// The job's own deadline.
    Wake {
        /// The deadline that passed.
        due: Timestamp,
    },
}

/// What the actor records. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {}
