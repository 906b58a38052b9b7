//! What a node is told.

use crate::agent::{Ended, Observation};
use crate::id::{InstanceId, JobId};
use crate::manifest::Workload;
use crate::reason::Reason;
use crate::resources::Resources;
use crate::shared::Shared;
use crate::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a machine says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// The host or address at which its instances' ports are reached.
    pub host: String,
    /// Its rack.
    pub rack: String,
    /// Its site.
    pub site: String,
    /// Its region.
    pub region: String,
    /// Its tags. `node`, `rack`, `site` and `region` are added by themselves.
    pub tags: BTreeMap<String, String>,
    /// What it can give to instances.
    pub capacity: Resources,
    /// The model of its GPUs; empty when it is not known.
    #[serde(default)]
    pub gpu_model: String,
    /// Its taints, each with a value or an empty one: only jobs that tolerate all of them are placed on it.
    #[serde(default)]
    pub taints: BTreeMap<String, String>,
}

/// An instance that asks for room on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimSpec {
    /// Which instance.
    pub instance: InstanceId,
    /// Its label, `job/slot`.
    pub label: String,
    /// Its job.
    pub job: JobId,
    /// Its realm's name.
    pub realm: String,
    /// The revision.
    pub revision: u32,
    /// Whether it must never run twice.
    pub exclusive: bool,
    /// What it runs and needs.
    pub workload: Shared<Workload>,
}

/// A message to a node. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Agent: here I am. Answered with `Order::Welcome` and `Order::Desired`. Sent until welcomed.
    Hello {
        /// What the machine is.
        spec: NodeSpec,
        /// Changes with every boot of the machine.
        boot: Uuid,
        /// When it was sent, by the machine's monotonic clock. Grows with every hello and report of a boot.
        sent_at: Timestamp,
        /// Every instance of which there is something on the machine, and what is seen of it.
        seen: Vec<(InstanceId, Observation)>,
    },
    /// Agent: this changed. Sent until answered with `Order::ReportHeard`.
    Report {
        /// The epoch the agent was welcomed with.
        epoch: u64,
        /// Its place among the hellos and reports of this boot: grows on the scale of `Hello`'s `sent_at`.
        report: u64,
        /// What is seen of each instance that changed since the last report that was heard.
        observations: Vec<(InstanceId, Observation)>,
    },
    /// Agent: desired state up to this version was taken in. Not made an entry unless it changes something.
    Reconciled {
        /// The epoch.
        epoch: u64,
        /// The version of `Order::Desired`.
        version: u64,
    },
    /// Host: the agent of this session was not heard since then, and will not be answered any more. Sent until the
    /// node has said so (`Order::SayHello`) or has a newer session.
    Silent {
        /// The session.
        session: u64,
        /// When it was last heard, by the host's clock.
        heard: Timestamp,
    },
    /// Scheduler: take this. Answered to the scheduler with `View` or `ClaimRefused`, to the job with `Assigned`.
    Claim {
        /// What to take.
        claim: ClaimSpec,
    },
    /// Job: the claim of this instance may start.
    Start {
        /// Which instance.
        instance: InstanceId,
    },
    /// Job: stop this instance and give up its claim. Answered with `job::Message::Released`, also when there is none.
    Stop {
        /// Which instance.
        instance: InstanceId,
        /// Its job, to which to answer.
        job: JobId,
        /// Why.
        because: Reason,
    },
    /// Job: what was said of this instance up to this version was taken in.
    Noted {
        /// Which instance.
        instance: InstanceId,
        /// The version.
        version: u64,
    },
    /// Scheduler: the view of this version was taken in.
    ViewNoted {
        /// The version.
        version: u64,
    },
    /// Policy: take nothing new. Answered with `policy::Message::Done`.
    Cordon {
        /// The ticket to answer with.
        ticket: u64,
    },
    /// Policy: take new claims again, and end a drain. Answered with `Done`.
    Uncordon {
        /// The ticket to answer with.
        ticket: u64,
    },
    /// Policy: take nothing new and have everything moved away. Answered with `Done`.
    Drain {
        /// The ticket to answer with.
        ticket: u64,
    },
    /// The node's own deadline.
    Wake {
        /// The deadline that passed.
        due: Timestamp,
    },
    /// Job: this instance is to move away, and there is no place for another. Answered with `job::Message::Stay` when the
    /// node is not emptied any more, else not at all.
    MayStay {
        /// Which instance.
        instance: InstanceId,
    },
}

/// Whether a node can be given work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It has not been heard of yet.
    #[default]
    Unknown,
    /// It takes work.
    Ready,
    /// It takes nothing new.
    Cordoned,
    /// It takes nothing new and is being emptied.
    Draining,
    /// It was not heard in time; what it runs may still run.
    Suspect,
    /// Its lease has run out and it was given up.
    Lost,
}

impl Standing {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ready => "ready",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Suspect => "suspect",
            Self::Lost => "lost",
        }
    }
}

/// A node as a scheduler sees it: everything it needs to decide, told at every change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Grows with every change.
    pub version: u64,
    /// What the machine is.
    pub spec: Shared<NodeSpec>,
    /// Whether it takes work.
    pub standing: Standing,
    /// What it holds.
    pub claims: Vec<ClaimView>,
}

/// A claim as a scheduler sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClaimView {
    /// Which instance.
    pub instance: InstanceId,
    /// Its job.
    pub job: JobId,
    /// What it takes.
    pub resources: Resources,
    /// The node's GPUs that it was given, by number: one for a part of a GPU, each of them whole otherwise.
    pub gpus: Vec<u16>,
}

/// The agreed lengths of time around a node's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseTerms {
    /// Time between two beats.
    pub beat_every: Span,
    /// A node not heard for so long is silent.
    pub silent_after: Span,
    /// How long an answered beat keeps the lease.
    pub lease: Span,
    /// What the control side waits beyond the lease, for clocks that run at different speeds.
    pub margin: Span,
}

impl LeaseTerms {
    /// The terms everywhere: a beat every half second, silent after 2 s, a lease of 4 s and a margin of 1 s.
    pub const STANDARD: Self = Self {
        beat_every: Span::milliseconds(500),
        silent_after: Span::seconds(2),
        lease: Span::seconds(4),
        margin: Span::seconds(1),
    };
}

/// What the actor records. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// An agent said hello and was accepted: the node is joined, or back.
    Welcomed {
        /// What the machine is.
        spec: NodeSpec,
        /// Its boot.
        boot: Uuid,
        /// When the hello was sent, by the machine's monotonic clock.
        sent_at: Timestamp,
        /// The epoch from now on.
        epoch: u64,
        /// The session that begins.
        session: u64,
    },
    /// It was not heard in time. What it runs may still run.
    Suspected {
        /// The session that fell silent.
        session: u64,
        /// When it was last heard, by the host's clock.
        heard: Timestamp,
    },
    /// The lease has run out as well: it was given up. Its claims are released one by one, in the same entry.
    GivenUp,
    /// A claim was accepted.
    Claimed {
        /// The claim.
        claim: ClaimSpec,
        /// The GPUs that the instance is given, by number.
        gpus: Vec<u16>,
    },
    /// A claim was refused.
    ClaimRefused {
        /// Which instance.
        instance: InstanceId,
        /// Its job.
        job: JobId,
        /// Why.
        because: Reason,
    },
    /// The instance may run from now on.
    StartAllowed {
        /// Which instance.
        instance: InstanceId,
    },
    /// The instance is to stop.
    StopAsked {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        because: Reason,
    },
    /// Something new was seen of an instance.
    Observed {
        /// Which instance.
        instance: InstanceId,
        /// What was seen.
        observation: Observation,
    },
    /// A report that said something new was taken in; older ones count no more.
    ReportTaken {
        /// The report's number.
        report: u64,
    },
    /// A claim is gone for good, or there never was one: nothing of the instance runs or will ever run here.
    Released {
        /// Which instance.
        instance: InstanceId,
        /// Its job.
        job: JobId,
        /// How it ended.
        ended: Ended,
    },
    /// A job took in what it was told of an instance.
    Noted {
        /// Which instance.
        instance: InstanceId,
        /// Up to this version.
        version: u64,
    },
    /// The scheduler took in the view.
    ViewNoted {
        /// Up to this version.
        version: u64,
    },
    /// The agent took in desired state.
    Reconciled {
        /// Up to this version.
        version: u64,
    },
    /// An operator wants nothing new on it.
    Cordoned {
        /// The ticket of the command.
        ticket: u64,
    },
    /// An operator lets it take new claims again.
    Uncordoned {
        /// The ticket of the command.
        ticket: u64,
    },
    /// An operator wants it empty.
    DrainBegan {
        /// The ticket of the command.
        ticket: u64,
    },
    /// The drain is over: nothing is left on it.
    Drained,
    /// What was owed for too long was said again.
    Reminded,
}
