//! What a realm's policy is told: every command from outside enters here, is judged, recorded and passed on.

use crate::envelope::{Address, MessageId};
use crate::id::ActorId;
use crate::manifest::Manifest;
use crate::reason::Refusal;
use crate::resources::Resources;
use crate::scheduler::Placement;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The realm that commands about nodes belong to.
pub const SYSTEM_REALM: &str = "system";

/// A message to a realm's policy. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Client: do this. Judged, recorded, passed on; answered when all it concerns have taken it in.
    Submit {
        /// The realm's name.
        realm: String,
        /// What to do.
        request: Request,
    },
    /// Scheduler: the outcome of `scheduler::Message::Check`.
    Checked {
        /// The ticket.
        ticket: u64,
        /// The first job that would not fit, and why.
        outcome: Result<(), Refusal>,
    },
    /// An actor that a command was passed on to: it was taken in, or refused.
    Done {
        /// The ticket.
        ticket: u64,
        /// What became of it.
        outcome: Result<Change, Refusal>,
    },
    /// Scheduler: rules up to this version were taken in.
    RulesNoted {
        /// The version.
        version: u64,
    },
    /// The policy's own deadline.
    Wake {
        /// The deadline that passed.
        due: Timestamp,
    },
    /// Client: as `Submit`, and only if it comes to what was planned.
    SubmitPlanned {
        /// The realm's name.
        realm: String,
        /// What to do.
        request: Request,
        /// The last entry of this policy that the plan rests on. Any other since then, and it is refused.
        rests_on: u64,
        /// Where the instances that it calls for go at once.
        placements: Vec<Placement>,
    },
}

/// A command from outside. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Make the realm what the manifest says. Jobs and routes it does not name stay as they are.
    Apply {
        /// The manifest.
        manifest: Manifest,
    },
    /// Want so many instances of a job.
    Scale {
        /// The job's name.
        job: String,
        /// How many.
        instances: u32,
    },
    /// Replace an instance, or all of a job's.
    Restart {
        /// The job's name.
        job: String,
        /// The slot; all when absent.
        slot: Option<u32>,
    },
    /// Stop a job.
    Stop {
        /// The job's name.
        job: String,
    },
    /// Serve nothing on a route any more.
    RemoveRoute {
        /// The route's name.
        route: String,
    },
    /// Take nothing new on a node.
    Cordon {
        /// The node's name.
        node: String,
    },
    /// Take new claims on a node again.
    Uncordon {
        /// The node's name.
        node: String,
    },
    /// Empty a node.
    Drain {
        /// The node's name.
        node: String,
    },
    /// Go on to all of a rollout now.
    Promote {
        /// The job's name.
        job: String,
        /// The revision that is coming in.
        revision: u32,
    },
    /// Keep a rollout where it is.
    Hold {
        /// The job's name.
        job: String,
        /// The revision that is coming in.
        revision: u32,
    },
    /// Let a held rollout go on.
    Resume {
        /// The job's name.
        job: String,
        /// The revision that is coming in.
        revision: u32,
    },
    /// Give a rollout up and go back.
    Abort {
        /// The job's name.
        job: String,
        /// The revision that is coming in.
        revision: u32,
    },
    /// Replace the realm's policy.
    SetPolicy {
        /// Cedar policies.
        text: String,
        /// How it is applied.
        mode: Mode,
    },
    /// Replace the realm's quota; none when absent.
    SetQuota {
        /// The most the realm may use.
        quota: Option<Quota>,
    },
}

impl Request {
    /// The job that it is about, by name; none where it is about a manifest or no job.
    pub fn job(&self) -> Option<&str> {
        match self {
            Self::Scale { job, .. }
            | Self::Restart { job, .. }
            | Self::Stop { job }
            | Self::Promote { job, .. }
            | Self::Hold { job, .. }
            | Self::Resume { job, .. }
            | Self::Abort { job, .. } => Some(job),
            Self::Apply { .. }
            | Self::RemoveRoute { .. }
            | Self::Cordon { .. }
            | Self::Uncordon { .. }
            | Self::Drain { .. }
            | Self::SetPolicy { .. }
            | Self::SetQuota { .. } => None,
        }
    }

    /// The name of the action in policies, logs and answers.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "apply",
            Self::Scale { .. } => "scale",
            Self::Restart { .. } => "restart",
            Self::Stop { .. } => "stop",
            Self::RemoveRoute { .. } => "remove-route",
            Self::Cordon { .. } => "cordon",
            Self::Uncordon { .. } => "uncordon",
            Self::Drain { .. } => "drain",
            Self::Promote { .. } => "promote",
            Self::Hold { .. } => "hold",
            Self::Resume { .. } => "resume",
            Self::Abort { .. } => "abort",
            Self::SetPolicy { .. } => "set-policy",
            Self::SetQuota { .. } => "set-quota",
        }
    }
}

/// How a policy's verdicts are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Verdicts are recorded and nothing is denied.
    #[default]
    Audit,
    /// As audit, and what would have been denied is marked so.
    Shadow,
    /// What is denied does not happen.
    Enforce,
}

/// The most a realm may use, over all of its jobs as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Instances.
    pub instances: Option<u64>,
    /// Resources; a zero means no limit in that dimension.
    pub resources: Resources,
}

/// What a command changed on one thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// What: `job shop/a`, `route a.shop.test`, `node n1`.
    pub what: String,
    /// How: `created`, `revision 2`, `scaled 4 to 6`, `unchanged`, …
    pub how: String,
}

/// The answer to a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What changed.
    pub changes: Vec<Change>,
    /// The verdict of the policy, in words.
    pub verdict: String,
}

/// What the actor records. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A command was judged and is being dealt with.
    Accepted {
        /// The ticket under which others answer.
        ticket: u64,
        /// The message it came in.
        id: MessageId,
        /// Who waits for the answer.
        client: Address,
        /// The realm's name.
        realm: String,
        /// What to do.
        request: Request,
        /// The verdict, in words.
        verdict: String,
    },
    /// The turn of a command has come: the scheduler is asked whether what it declares would fit.
    CheckBegun {
        /// The ticket.
        ticket: u64,
    },
    /// What a command declares holds from now on, all of it, and is passed on to the actors it concerns.
    Admitted {
        /// The ticket.
        ticket: u64,
    },
    /// Those that have not answered yet were asked again.
    AskedAgain {
        /// The ticket.
        ticket: u64,
    },
    /// An actor took its part of a command in, or refused it.
    Settled {
        /// The ticket.
        ticket: u64,
        /// Which actor.
        by: ActorId,
        /// What became of it.
        outcome: Result<Change, Refusal>,
    },
    /// A command was answered, for good.
    Answered {
        /// The ticket.
        ticket: u64,
        /// The message it came in.
        id: MessageId,
        /// The verdict, in words.
        verdict: String,
        /// The answer.
        outcome: Result<Answer, Refusal>,
    },
    /// The realm's policy was replaced.
    PolicySet {
        /// The realm's name.
        realm: String,
        /// Cedar policies.
        text: String,
        /// How it is applied.
        mode: Mode,
    },
    /// The realm's quota was replaced.
    QuotaSet {
        /// The most the realm may use.
        quota: Option<Quota>,
    },
    /// The scheduler took the rules of this version in.
    RulesNoted {
        /// The version.
        version: u64,
    },
    /// The rules were sent to the scheduler again.
    RulesSent,
    /// The command only holds if its instances go where it was planned.
    Planned {
        /// The ticket.
        ticket: u64,
        /// Where they go.
        placements: Vec<Placement>,
    },
}
