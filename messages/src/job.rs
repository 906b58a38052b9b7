//! What a job is told.

use crate::agent::{Ended, Observation};
use crate::id::{InstanceId, NodeId, RolloutId, RouteId};
use crate::manifest::JobSpec;
use crate::policy::Change;
use crate::reason::{Reason, Refusal};
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
    /// Rollout: it is over since another change took its place, and nothing more will come of it. The answer to
    /// `rollout::Message::Supersede`.
    RolloutOver {
        /// Which rollout.
        rollout: RolloutId,
    },
    /// Node: it is not emptied any more, and what it was to move away may stay. The answer to `node::Message::MayStay`.
    Stay {
        /// Which instance.
        instance: InstanceId,
        /// The node.
        node: NodeId,
    },
}

/// What the actor records. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The job is declared anew. The workload is that of `revision`, which may be one there was before.
    Applied {
        /// The whole of it.
        spec: JobSpec,
        /// The revision of its workload.
        revision: u32,
    },
    /// So many instances are wanted now. Zero when the job was stopped.
    Scaled {
        /// How many.
        instances: u32,
    },
    /// A command was answered so, and is answered so again when it is asked again.
    Answered {
        /// The ticket.
        ticket: u64,
        /// What was answered.
        outcome: Result<Change, Refusal>,
    },
    /// The job is at this revision now, with all its instances and all its traffic, without a rollout.
    Settled {
        /// The revision.
        revision: u32,
    },
    /// A rollout was asked to bring the next revision. Until it says how, everything stays as it is.
    RolloutBegun {
        /// Which rollout.
        rollout: RolloutId,
        /// The revision the job is at.
        from: u32,
        /// The revision to come.
        to: u32,
    },
    /// A rollout has lost its purpose, and is told so until it confirms.
    RolloutDismissed {
        /// Which rollout.
        rollout: RolloutId,
        /// The revision that took its place, if one did.
        by: Option<u32>,
    },
    /// A dismissed rollout has confirmed.
    RolloutEnded {
        /// Which rollout.
        rollout: RolloutId,
    },
    /// The rollout has said what to have.
    Targeted {
        /// Which rollout.
        rollout: RolloutId,
        /// The version of its targets.
        version: u64,
        /// Revision and count.
        counts: Vec<(u32, u32)>,
        /// Revision and percentage of traffic.
        weights: Vec<(u32, u32)>,
        /// The revision the job is at from now on, when the rollout is over.
        settled: Option<u32>,
    },
    /// An instance is wanted, and a place for it was asked for.
    Wanted {
        /// Which instance.
        instance: InstanceId,
        /// Its slot.
        slot: u32,
        /// Its incarnation; it grows over all instances of the job.
        incarnation: u64,
        /// The revision it runs.
        revision: u32,
        /// Nodes it had better not go to.
        avoid: Vec<NodeId>,
        /// Why it is wanted.
        because: Reason,
    },
    /// Places were asked for again.
    Sought {
        /// The instances.
        instances: Vec<InstanceId>,
    },
    /// No node can take it now.
    Unplaceable {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        why: Unplaceable,
    },
    /// It has a claim on a node, and was told to start.
    Assigned {
        /// Which instance.
        instance: InstanceId,
        /// Where.
        node: NodeId,
        /// The node's name.
        node_name: String,
        /// The node's address.
        host: String,
    },
    /// Something else was seen of it.
    Observed {
        /// Which instance.
        instance: InstanceId,
        /// The version of the observation.
        version: u64,
        /// What was seen; nothing while the node is suspect.
        observation: Option<Observation>,
    },
    /// It ended or became sick unasked. What is left of it is cleared away, and its slot comes back later.
    Failed {
        /// Which instance.
        instance: InstanceId,
        /// What happened.
        reason: Reason,
        /// In words.
        evidence: String,
        /// Whether it speaks against the revision, rather than against the node.
        counted: bool,
        /// How often the slot has failed in a row.
        failures: u32,
        /// When the slot may come back.
        until: Timestamp,
        /// Nodes it had better not come back to.
        avoid: Vec<NodeId>,
    },
    /// It should go as soon as that does no harm.
    Retired {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        because: Reason,
    },
    /// It was to go, and may stay after all.
    Kept {
        /// Which instance.
        instance: InstanceId,
    },
    /// It is no endpoint any more; it is stopped once the routes know.
    Withdrawn {
        /// Which instance.
        instance: InstanceId,
    },
    /// Its node was told to stop it.
    Stopping {
        /// Which instance.
        instance: InstanceId,
    },
    /// Its node was told again to start or to stop it.
    Pressed {
        /// Which instance.
        instance: InstanceId,
    },
    /// It is gone: released by its node, or never placed.
    Gone {
        /// Which instance.
        instance: InstanceId,
        /// How it ended.
        ended: Ended,
    },
    /// A slot that waited to come back is not needed any more.
    Dropped {
        /// The slot.
        slot: u32,
    },
    /// A slot that waits may come back at once.
    Hastened {
        /// The slot.
        slot: u32,
    },
    /// These are to be replaced one after the other, when their turn comes.
    RestartQueued {
        /// The instances.
        instances: Vec<InstanceId>,
    },
    /// The turn of this one has come, or it is gone anyway.
    RestartDue {
        /// Which instance.
        instance: InstanceId,
    },
    /// A route wants to know the endpoints.
    Subscribed {
        /// Which route.
        route: RouteId,
    },
    /// A route does not want to know any more.
    Unsubscribed {
        /// Which route.
        route: RouteId,
    },
    /// The endpoints or their weights have changed, and every route was told.
    EndpointsChanged {
        /// The new version.
        version: u64,
    },
    /// A route was told again.
    EndpointsRepeated {
        /// Which route.
        route: RouteId,
    },
    /// A route has taken the endpoints in.
    EndpointsNoted {
        /// Which route.
        route: RouteId,
        /// The version.
        version: u64,
    },
    /// The progress of the rollout has changed, and it was told.
    ProgressChanged {
        /// The new version.
        version: u64,
    },
    /// The rollout has taken the progress in.
    ProgressNoted {
        /// The version.
        version: u64,
    },
    /// The rollout was told again: to begin, or how things are.
    RolloutPressed,
    /// A dismissed rollout was told again.
    DismissalRepeated {
        /// Which rollout.
        rollout: RolloutId,
    },
    /// All of the gang have a place, and were told to start.
    Mustered,
}
