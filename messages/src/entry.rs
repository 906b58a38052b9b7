//! The entry: one turn of one actor, whole. What it heard, what it recorded, what it said, because of what, for whom.

use crate::envelope::{Address, Body, Envelope, MessageId, Principal};
use crate::id::{ActorId, CorrelationId, Kind};
use crate::reason::Refusal;
use crate::time::Timestamp;
use crate::{job, node, policy, rollout, route, scheduler};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What every entry has, whatever the actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Whose entry.
    pub actor: ActorId,
    /// Which of its entries, from 1.
    pub sequence: u64,
    /// The time of the turn, by the host's clock; it never goes back within an actor.
    pub at: Timestamp,
    /// The message that caused it.
    pub cause: MessageId,
    /// Who sent that message.
    pub from: Address,
    /// The chain of causes.
    pub correlation: CorrelationId,
    /// On whose authority.
    pub principal: Principal,
    /// What it said: the `index`-th has the id `MessageId::Said { by: actor, sequence, index }`.
    pub sends: Vec<(Address, Body)>,
    /// Why it did nothing, where it refused.
    pub refusal: Option<Refusal>,
}

impl Head {
    /// What the entry said, as envelopes.
    pub fn envelopes(&self) -> impl Iterator<Item = Envelope> + '_ {
        self.sends.iter().zip(0..).map(|((to, body), index)| Envelope {
            id: MessageId::Said { by: self.actor, sequence: self.sequence, index },
            from: Address::Actor(self.actor),
            to: *to,
            correlation: self.correlation,
            principal: self.principal.clone(),
            at: self.at,
            body: body.clone(),
        })
    }
}

/// An entry of an actor with messages `M` and events `E`.
///
/// In bytes it is what was [`Heard`] and then what came of it, so that the turn can be taken again before the rest is
/// read, and compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<M, E> {
    /// What every entry has.
    pub head: Head,
    /// What was acknowledged since the entry before, and counts from here on, before the message.
    pub noted: Vec<M>,
    /// The message, whole, so that the turn can be taken again.
    pub input: M,
    /// What was recorded. State is the fold of these.
    pub events: Vec<E>,
}

/// All that a turn rests on beside the actor's state: an entry without what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard<M> {
    /// Whose entry.
    pub actor: ActorId,
    /// Which of its entries.
    pub sequence: u64,
    /// The time of the turn.
    pub at: Timestamp,
    /// The message that caused it.
    pub cause: MessageId,
    /// Who sent that message.
    pub from: Address,
    /// The chain of causes.
    pub correlation: CorrelationId,
    /// On whose authority.
    pub principal: Principal,
    /// What was acknowledged since the entry before.
    pub noted: Vec<M>,
    /// The message.
    pub input: M,
}

/// What came of a turn, as it is written: events, sends, refusal.
pub type Came<'a, E> = (&'a [E], &'a [(Address, Body)], &'a Option<Refusal>);

/// [`Heard`], to be written.
#[derive(Serialize)]
struct Hears<'a, M>(ActorId, u64, Timestamp, MessageId, Address, CorrelationId, &'a Principal, &'a [M], &'a M);

impl<M: Serialize, E: Serialize> Serialize for Record<M, E> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let head = &self.head;
        let Head { actor, sequence, at, cause, from, correlation, ref principal, .. } = *head;
        let heard = Hears(actor, sequence, at, cause, from, correlation, principal, &self.noted, &self.input);
        let came: Came<'_, E> = (&self.events, &head.sends, &head.refusal);
        (heard, came).serialize(out)
    }
}

/// What came of a turn, as it is read.
type CameRead<E> = (Vec<E>, Vec<(Address, Body)>, Option<Refusal>);

impl<'de, M: Deserialize<'de>, E: Deserialize<'de>> Deserialize<'de> for Record<M, E> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (heard, (events, sends, refusal)): (Heard<M>, CameRead<E>) = Deserialize::deserialize(from)?;
        let Heard { actor, sequence, at, cause, from, correlation, principal, noted, input } = heard;
        let head = Head { actor, sequence, at, cause, from, correlation, principal, sends, refusal };
        Ok(Self { head, noted, input, events })
    }
}

/// An entry of any actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Of a job.
    Job(Record<job::Message, job::Event>),
    /// Of a node.
    Node(Record<node::Message, node::Event>),
    /// Of a scheduler.
    Scheduler(Record<scheduler::Message, scheduler::Event>),
    /// Of a route.
    Route(Record<route::Message, route::Event>),
    /// Of a rollout.
    Rollout(Record<rollout::Message, rollout::Event>),
    /// Of a policy.
    Policy(Record<policy::Message, policy::Event>),
}

impl Entry {
    /// What every entry has.
    pub const fn head(&self) -> &Head {
        match self {
            Self::Job(record) => &record.head,
            Self::Node(record) => &record.head,
            Self::Scheduler(record) => &record.head,
            Self::Route(record) => &record.head,
            Self::Rollout(record) => &record.head,
            Self::Policy(record) => &record.head,
        }
    }

    /// The kind of actor.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Job(_) => Kind::Job,
            Self::Node(_) => Kind::Node,
            Self::Scheduler(_) => Kind::Scheduler,
            Self::Route(_) => Kind::Route,
            Self::Rollout(_) => Kind::Rollout,
            Self::Policy(_) => Kind::Policy,
        }
    }
}
