//! The contract every actor keeps.

use messages::envelope::{Address, Body, MessageId, Principal};
use messages::id::{ActorId, Kind};
use messages::policy::Answer;
use messages::reason::Refusal;
use messages::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Debug;

/// What an actor is: state rebuilt from its events, and a pure rule for what happens next.
pub trait Behavior: Default + Clone + Debug + PartialEq + Serialize + DeserializeOwned {
    /// Which kind of actor.
    const KIND: Kind;
    /// What it understands.
    type Message: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    /// What it records.
    type Event: Clone + Debug + PartialEq + Serialize + DeserializeOwned;

    /// Reads state and message; records events and sends through the turn. Pure, synchronous.
    ///
    /// Without an event (and without a refusal to a client) a turn leaves no entry. It may still answer, but only by
    /// repeating what the state already says.
    ///
    /// # Errors
    /// A refusal: then nothing that the turn recorded or sent counts. A client is told, and the entry says so.
    fn decide(&self, message: &Self::Message, turn: &mut Turn<Self>) -> Result<(), Refusal>;

    /// The event that comes of an acknowledgement, when all that it does is to settle what was said only once so far.
    ///
    /// It waits in the cell, and is part of the next entry, at the latest when its debt would be said again. Should it
    /// be lost until then, the debt is said again: an acknowledgement is not worth an entry of its own.
    fn acknowledged(&self, _message: &Self::Message) -> Option<Self::Event> {
        None
    }

    /// The only way state changes. Total: an event that was recorded always applies.
    fn evolve(&mut self, event: &Self::Event, at: Timestamp);

    /// When this actor wants to be woken if nothing arrives before. Timers are state, so they survive.
    ///
    /// A turn at or after the deadline must move it or clear it.
    fn deadline(&self) -> Option<Timestamp>;

    /// The message that tells it its deadline has passed.
    fn wake(due: Timestamp) -> Self::Message;

    /// A message from outside arrived again. What was answered may be answered again; nothing is decided anew.
    fn repeated(&self, _id: MessageId, _turn: &mut Turn<Self>) {}
}

/// One turn of an actor: what it may know, and what it does.
#[derive(Debug)]
pub struct Turn<B: Behavior> {
    pub(crate) me: ActorId,
    pub(crate) sequence: u64,
    pub(crate) now: Timestamp,
    pub(crate) cause: MessageId,
    pub(crate) from: Address,
    pub(crate) principal: Principal,
    pub(crate) events: Vec<B::Event>,
    pub(crate) sends: Vec<(Address, Body)>,
    /// The state as the events make it, where a draft has come to its end.
    pub(crate) after: Option<B>,
}

impl<B: Behavior> Turn<B> {
    /// A turn by hand, for tests of an actor alone.
    pub fn by_hand(me: impl Into<ActorId>, from: Address, now: Timestamp) -> Self {
        Self {
            me: me.into(),
            sequence: 1,
            now,
            cause: MessageId::Outside(uuid::Uuid::nil()),
            from,
            principal: Principal::system(),
            events: Vec::new(),
            sends: Vec::new(),
            after: None,
        }
    }

    /// The time of the turn. It never goes back within an actor.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Who this actor is.
    pub const fn me(&self) -> ActorId {
        self.me
    }

    /// The number of the entry this turn becomes, if it becomes one. Good as a ticket.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The message being handled.
    pub const fn cause(&self) -> MessageId {
        self.cause
    }

    /// Who sent it.
    pub const fn from(&self) -> Address {
        self.from
    }

    /// On whose authority.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Records an event. State changes when the turn is over.
    pub fn record(&mut self, event: B::Event) {
        debug_assert!(self.after.is_none(), "a draft was ended before the turn was over");
        self.events.push(event);
    }

    /// The events recorded so far in this turn.
    pub fn recorded(&self) -> &[B::Event] {
        &self.events
    }

    /// What was said so far in this turn.
    pub fn sent(&self) -> &[(Address, Body)] {
        &self.sends
    }

    /// Says something. It leaves when the entry is durable.
    pub fn send(&mut self, to: impl Into<Address>, body: impl Into<Body>) {
        self.sends.push((to.into(), body.into()));
    }

    /// Says something to whoever sent the message.
    pub fn answer(&mut self, body: impl Into<Body>) {
        self.sends.push((self.from, body.into()));
    }

    /// Answers a client.
    pub fn reply(&mut self, to: Address, outcome: Result<Answer, Refusal>) {
        self.sends.push((to, Body::Reply(outcome)));
    }

    /// The turn is over. What was acknowledged before it comes first. Of a turn that refuses nothing counts, but that
    /// the refusal is told.
    pub(crate) fn conclude(&mut self, refusal: Option<&Refusal>, settled: Option<(Vec<B::Event>, B)>) {
        if let Some(refusal) = refusal {
            (self.events, self.after) = (Vec::new(), None);
            self.sends = vec![(self.from, Body::Reply(Err(refusal.clone())))];
        }
        if let Some((mut events, state)) = settled {
            if self.events.is_empty() {
                self.after = Some(state);
            }
            events.append(&mut self.events);
            self.events = events;
        }
    }

    /// A number from 0 to `bound - 1` that depends on the actor, the entry and the purpose alone, so that no draw
    /// depends on how many others were made.
    pub fn random(&self, purpose: &str, bound: u64) -> u64 {
        let hash = Sha256::new()
            .chain_update(self.me.id.as_bytes())
            .chain_update(self.sequence.to_le_bytes())
            .chain_update(purpose)
            .finalize();
        let word = hash.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        word % bound.max(1)
    }
}

/// A working copy of an actor's state within a turn: what is recorded is applied at once, so that a rule of several
/// steps sees the state as it will be. It becomes a copy only when something is recorded.
#[derive(Debug)]
pub struct Draft<'turn, B: Behavior> {
    /// The state as it will be after the turn.
    pub state: Cow<'turn, B>,
    /// The turn.
    pub turn: &'turn mut Turn<B>,
}

impl<'turn, B: Behavior> Draft<'turn, B> {
    /// A draft that begins with the actor's state.
    pub const fn new(state: &'turn B, turn: &'turn mut Turn<B>) -> Self {
        Self { state: Cow::Borrowed(state), turn }
    }

    /// A whole turn in a draft.
    pub fn within(state: &'turn B, turn: &'turn mut Turn<B>, act: impl FnOnce(&mut Self)) {
        let mut draft = Self::new(state, turn);
        act(&mut draft);
        draft.end();
    }

    /// Records an event and applies it to the draft.
    pub fn record(&mut self, event: B::Event) {
        self.state.to_mut().evolve(&event, self.turn.now);
        self.turn.events.push(event);
    }

    /// The turn is over. All that it recorded was recorded here, so the draft is what its events make of the state, and
    /// they need not be applied again.
    pub fn end(self) {
        if let Cow::Owned(state) = self.state {
            self.turn.after = Some(state);
        }
    }
}
