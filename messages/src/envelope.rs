//! The envelope: who says what to whom, because of what.

use crate::agent::Order;
use crate::id::{ActorId, ClientId, CorrelationId, InstanceId, NodeId};
use crate::policy::Answer;
use crate::reason::Refusal;
use crate::time::Timestamp;
use crate::{job, node, policy, rollout, route, scheduler};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// The identity of a message, by which a second delivery is recognised.
///
/// Ids of what actors send are derived, so the same entry always says the same things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MessageId {
    /// The `index`-th thing said by entry `sequence` of an actor.
    Said {
        /// Who said it.
        by: ActorId,
        /// In which of its entries.
        sequence: u64,
        /// As the how-manieth.
        index: u32,
    },
    /// Something from outside, with an id its sender chose.
    Outside(Uuid),
    /// An actor's own deadline, before entry `sequence`.
    Deadline {
        /// Whose deadline.
        of: ActorId,
        /// The entry it led to, or would have.
        sequence: u64,
    },
}

impl fmt::Display for MessageId {
    /// `kind.id#sequence.index` for what an actor said, `kind.id#sequence` for its deadline, `outside.id` otherwise.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { by, sequence, index } => write!(out, "{by}#{sequence}.{index}"),
            Self::Outside(id) => write!(out, "outside.{id}"),
            Self::Deadline { of, sequence } => write!(out, "{of}#{sequence}"),
        }
    }
}

/// Someone who can say or be told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Address {
    /// An actor.
    Actor(ActorId),
    /// The agent of a node.
    Agent(NodeId),
    /// A client that waits for an answer.
    Client(ClientId),
    /// The host itself: its clock and its failure detector.
    Host,
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(actor) => actor.fmt(out),
            Self::Agent(node) => write!(out, "agent.{node}"),
            Self::Client(client) => write!(out, "client.{client}"),
            Self::Host => out.write_str("host"),
        }
    }
}

impl<T: Into<ActorId>> From<T> for Address {
    fn from(id: T) -> Self {
        Self::Actor(id.into())
    }
}

/// On whose authority something is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Principal {
    /// `user:NAME`, `node:NAME` or `orrery` for what the system does by itself.
    pub name: String,
    /// The groups it belongs to.
    pub groups: Vec<String>,
}

impl Principal {
    /// The system itself.
    pub fn system() -> Self {
        Self { name: "orrery".into(), groups: Vec::new() }
    }

    /// The agent of the node of this name.
    pub fn node(name: &str) -> Self {
        Self { name: format!("node:{name}"), groups: Vec::new() }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Its identity.
    pub id: MessageId,
    /// Who says it.
    pub from: Address,
    /// To whom.
    pub to: Address,
    /// The chain of causes it belongs to.
    pub correlation: CorrelationId,
    /// On whose authority.
    pub principal: Principal,
    /// When it was said.
    pub at: Timestamp,
    /// What is said.
    pub body: Body,
}

/// What is said, by the kind of who hears it. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// To a job.
    Job(job::Message),
    /// To a node.
    Node(node::Message),
    /// To a scheduler.
    Scheduler(scheduler::Message),
    /// To a route.
    Route(route::Message),
    /// To a rollout.
    Rollout(rollout::Message),
    /// To a realm's policy.
    Policy(policy::Message),
    /// To an agent.
    Agent(Order),
    /// To a client: the outcome of its command.
    Reply(Result<Answer, Refusal>),
}

macro_rules! bodies {
    ($($kind:ident($message:ty)),* $(,)?) => {$(
        impl From<$message> for Body {
            fn from(message: $message) -> Self {
                Self::$kind(message)
            }
        }
    )*};
}

bodies! {
    Job(job::Message), Node(node::Message), Scheduler(scheduler::Message), Route(route::Message),
    Rollout(rollout::Message), Policy(policy::Message), Agent(Order), Reply(Result<Answer, Refusal>),
}

/// An address where something listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// Which instance.
    pub instance: InstanceId,
    /// Its label, `job/slot`.
    pub label: String,
    /// The revision it runs.
    pub revision: u32,
    /// The node it runs on.
    pub node: NodeId,
    /// The host or address of the node.
    pub host: String,
    /// Its ports by name.
    pub ports: Vec<(String, u16)>,
    /// Whether it may be given traffic.
    pub healthy: bool,
}
