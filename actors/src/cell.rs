//! The cell runs one actor: recognises repetitions, takes turns, folds entries, makes snapshots. The same in every host.

use crate::behavior::{Behavior, Turn};
use messages::codec;
use messages::entry::{Head, Record};
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId};
use messages::reason::Refusal;
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// How many messages from outside a cell remembers to have handled.
const OUTSIDE_REMEMBERED_MAX: usize = 64;

/// An actor's state, its place in its log, and what it has heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Cell<B: Behavior> {
    id: ActorId,
    sequence: u64,
    at: Timestamp,
    correlation: CorrelationId,
    inbox: Inbox,
    state: B,
}

/// What a cell has handled already: for each actor the last message it said, and the latest messages from outside.
///
/// Messages of one actor to another keep their order, so a message at or before the last is a repetition, or was
/// overtaken; in both cases its sender will ask again by itself if it is still owed something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Inbox {
    said: BTreeMap<ActorId, (u64, u32)>,
    outside: VecDeque<Uuid>,
}

impl Inbox {
    fn knows(&self, id: MessageId) -> bool {
        if crate::mutant!(ForgetInbox) {
            return false;
        }
        match id {
            MessageId::Said { by, sequence, index } => {
                let again = |last: &(u64, u32)| match crate::mutant!(OvertakenTaken) {
                    true => (sequence, index) == *last,
                    false => (sequence, index) <= *last,
                };
                self.said.get(&by).is_some_and(again)
            }
            MessageId::Outside(id) => self.outside.contains(&id),
            MessageId::Deadline { .. } => false,
        }
    }

    fn note(&mut self, id: MessageId) {
        match id {
            MessageId::Said { by, sequence, index } => {
                let last = self.said.entry(by).or_default();
                *last = (*last).max((sequence, index));
            }
            MessageId::Outside(_) if crate::mutant!(OutsideForgotten) => {}
            MessageId::Outside(id) => {
                if self.outside.len() == OUTSIDE_REMEMBERED_MAX {
                    self.outside.pop_front();
                }
                self.outside.push_back(id);
            }
            MessageId::Deadline { .. } => {}
        }
    }
}

/// What came of a message.
#[derive(Debug)]
pub enum Outcome<B: Behavior> {
    /// An entry, already folded into the cell. Its sends may leave once it is durable.
    Entry(Record<B::Message, B::Event>),
    /// No entry: only answers that repeat what the state says. They may leave once what the state rests on is durable.
    Answer(Vec<Envelope>),
}

/// Why bytes are not a snapshot, or an entry is not the next of a cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// The snapshot does not decode with this build; it is disposable, so fold the log instead.
    #[error("snapshot of {actor} does not decode: {cause}")]
    Snapshot {
        /// Whose.
        actor: ActorId,
        /// What the decoder said.
        cause: String,
    },
    /// An entry is missing or there twice.
    #[error("{actor}: entry {found} follows entry {last}")]
    Gap {
        /// Whose.
        actor: ActorId,
        /// The last entry folded.
        last: u64,
        /// The entry found.
        found: u64,
    },
}

impl<B: Behavior> Cell<B> {
    /// An actor of which nothing is known yet.
    pub fn new(id: ActorId) -> Self {
        Self {
            id,
            sequence: 0,
            at: Timestamp::default(),
            correlation: CorrelationId::default(),
            inbox: Inbox::default(),
            state: B::default(),
        }
    }

    /// Whose cell.
    pub const fn id(&self) -> ActorId {
        self.id
    }

    /// The number of its last entry.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The time of its last entry.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The actor's state.
    pub const fn state(&self) -> &B {
        &self.state
    }

    /// When it wants to be woken.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.state.deadline()
    }

    /// Handles a message: one turn.
    pub fn handle(&mut self, envelope: &Envelope, input: &B::Message, now: Timestamp) -> Outcome<B> {
        let principal = if crate::mutant!(PrincipalDropped) { Principal::system() } else { envelope.principal.clone() };
        let correlation = if crate::mutant!(CorrelationLost) { self.correlation } else { envelope.correlation };
        let mut turn = self.turn(envelope.id, envelope.from, principal, now);
        if self.inbox.knows(envelope.id) {
            self.state.repeated(envelope.id, &mut turn);
            return self.answered(turn, correlation);
        }
        let outcome = self.state.decide(input, &mut turn);
        self.conclude(turn, outcome, correlation, input)
    }

    /// Handles the actor's own deadline, if it has passed: one turn.
    pub fn wake(&mut self, now: Timestamp) -> Option<Outcome<B>> {
        let due = self.state.deadline().filter(|due| *due <= now)?;
        let next = self.sequence + u64::from(!crate::mutant!(WakeNamesLastEntry));
        let cause = MessageId::Deadline { of: self.id, sequence: next };
        let mut turn = self.turn(cause, Address::Host, Principal::system(), now);
        let input = B::wake(due);
        let outcome = self.state.decide(&input, &mut turn);
        Some(self.conclude(turn, outcome, self.correlation, &input))
    }

    /// Folds an entry that was recorded earlier.
    ///
    /// # Errors
    /// When it is not the next entry of this cell.
    pub fn apply(&mut self, record: &Record<B::Message, B::Event>) -> Result<(), CellError> {
        if record.head.sequence != self.sequence + 1 {
            return Err(CellError::Gap { actor: self.id, last: self.sequence, found: record.head.sequence });
        }
        self.fold(record);
        Ok(())
    }

    /// Takes the turn of a recorded entry again, from the state before it: what this build would record.
    pub fn retake(&self, record: &Record<B::Message, B::Event>) -> Record<B::Message, B::Event> {
        let head = &record.head;
        let mut turn = self.turn(head.cause, head.from, head.principal.clone(), head.at);
        let outcome = self.state.decide(&record.input, &mut turn);
        self.record(turn, outcome.err(), head.correlation, &record.input)
    }

    /// The cell as bytes. Disposable: the log can always make it anew.
    pub fn snapshot(&self) -> Vec<u8> {
        if crate::mutant!(SnapshotForgetsInbox) {
            return codec::encode_bare(&Self { inbox: Inbox::default(), ..self.clone() });
        }
        codec::encode_bare(self)
    }

    /// The cell that a snapshot holds.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of this build.
    pub fn restore(actor: ActorId, bytes: &[u8]) -> Result<Self, CellError> {
        codec::decode_bare(bytes).map_err(|cause| CellError::Snapshot { actor, cause })
    }

    fn turn(&self, cause: MessageId, from: Address, principal: Principal, now: Timestamp) -> Turn<B> {
        Turn {
            me: self.id,
            sequence: self.sequence + 1,
            now: now.max(self.at),
            cause,
            from,
            principal,
            events: Vec::new(),
            sends: Vec::new(),
        }
    }

    fn conclude(
        &mut self,
        turn: Turn<B>,
        outcome: Result<(), Refusal>,
        correlation: CorrelationId,
        input: &B::Message,
    ) -> Outcome<B> {
        let refusal = outcome.err();
        let told = refusal.is_some() && matches!(turn.from, Address::Client(_));
        if (turn.events.is_empty() || refusal.is_some()) && !told {
            return match refusal {
                Some(_) => Outcome::Answer(Vec::new()),
                None => self.answered(turn, correlation),
            };
        }
        let record = self.record(turn, refusal, correlation, input);
        self.fold(&record);
        Outcome::Entry(record)
    }

    fn record(
        &self,
        mut turn: Turn<B>,
        refusal: Option<Refusal>,
        correlation: CorrelationId,
        input: &B::Message,
    ) -> Record<B::Message, B::Event> {
        if let Some(refusal) = &refusal {
            turn.events.clear();
            turn.sends = vec![(turn.from, Body::Reply(Err(refusal.clone())))];
        }
        Record {
            head: Head {
                actor: self.id,
                sequence: turn.sequence,
                at: turn.now,
                cause: turn.cause,
                from: turn.from,
                correlation,
                principal: turn.principal,
                sends: turn.sends,
                refusal,
            },
            input: input.clone(),
            events: turn.events,
        }
    }

    fn fold(&mut self, record: &Record<B::Message, B::Event>) {
        for event in &record.events {
            self.state.evolve(event, record.head.at);
        }
        self.sequence = record.head.sequence;
        self.at = record.head.at;
        self.correlation = record.head.correlation;
        self.inbox.note(record.head.cause);
    }

    /// Answers without an entry have ids derived from their cause, apart from those of entries.
    fn answered(&self, turn: Turn<B>, correlation: CorrelationId) -> Outcome<B> {
        let cause = codec::encode_bare(&(self.id, self.sequence, turn.cause, turn.now));
        let base = Uuid::new_v5(&self.id.id, &cause);
        let answers = turn.sends.into_iter().zip(0u32..).map(|((to, body), index)| Envelope {
            id: MessageId::Outside(Uuid::new_v5(&base, &index.to_le_bytes())),
            from: Address::Actor(self.id),
            to,
            correlation,
            principal: turn.principal.clone(),
            at: turn.now,
            body,
        });
        Outcome::Answer(answers.collect())
    }
}
