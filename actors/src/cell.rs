//! The cell runs one actor: recognises repetitions, takes turns, folds entries, makes snapshots. The same in every host.

#[cfg(test)]
mod tests;

use crate::behavior::{Behavior, Turn};
use messages::codec;
use messages::entry::{Came, Head, Heard, Record};
use messages::envelope::{Address, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId};
use messages::reason::Refusal;
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// How many messages from outside a cell remembers to have handled.
const OUTSIDE_REMEMBERED_MAX: usize = 64;
/// The most acknowledgements that wait for an entry; the next one gets an entry of its own.
const NOTED_MAX: usize = 16;

/// An actor's state, its place in its log, and what it has heard.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Cell<B: Behavior> {
    id: ActorId,
    sequence: u64,
    at: Timestamp,
    correlation: CorrelationId,
    inbox: Inbox,
    state: B,
    /// What was acknowledged since the last entry. It is in no entry yet, and so no part of what the cell is.
    #[serde(skip)]
    noted: Vec<B::Message>,
}

/// Cells are equal when the same entries made them.
impl<B: Behavior> PartialEq for Cell<B> {
    fn eq(&self, other: &Self) -> bool {
        let place = |cell: &Self| (cell.id, cell.sequence, cell.at, cell.correlation);
        place(self) == place(other) && self.inbox == other.inbox && self.state == other.state
    }
}

/// What acknowledgements come to: events, and the state after them.
type Settled<B> = (Vec<<B as Behavior>::Event>, B);

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
            noted: Vec::new(),
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

    /// Whether something was acknowledged that is in no entry yet.
    pub const fn awaits_entry(&self) -> bool {
        !self.noted.is_empty()
    }

    /// Handles a message: one turn, or none where it only acknowledges something.
    pub fn handle(&mut self, envelope: &Envelope, input: &B::Message, now: Timestamp) -> Outcome<B> {
        let principal = if crate::mutant!(PrincipalDropped) { Principal::system() } else { envelope.principal.clone() };
        let correlation = if crate::mutant!(CorrelationLost) { self.correlation } else { envelope.correlation };
        let mut turn = self.turn(envelope.id, envelope.from, principal, now);
        if self.inbox.knows(envelope.id) {
            self.state.repeated(envelope.id, &mut turn);
            return self.answered(turn, correlation);
        }
        if self.noted.len() < NOTED_MAX && self.state.acknowledged(input).is_some() {
            if !self.noted.contains(input) {
                self.noted.push(input.clone());
            }
            return Outcome::Answer(Vec::new());
        }
        let settled = self.settled(&self.noted, turn.now);
        let outcome = self.before(settled.as_ref()).decide(input, &mut turn);
        let told = outcome.is_err() && matches!(turn.from, Address::Client(_));
        if (turn.events.is_empty() || outcome.is_err()) && !told {
            return match outcome {
                Err(_) => Outcome::Answer(Vec::new()),
                Ok(()) => self.answered(turn, correlation),
            };
        }
        self.enter(turn, outcome.err(), correlation, input, settled)
    }

    /// Handles the actor's own deadline, if it has passed: one turn.
    pub fn wake(&mut self, now: Timestamp) -> Option<Outcome<B>> {
        let due = self.state.deadline().filter(|due| *due <= now)?;
        let next = self.sequence + u64::from(!crate::mutant!(WakeNamesLastEntry));
        let cause = MessageId::Deadline { of: self.id, sequence: next };
        let mut turn = self.turn(cause, Address::Host, Principal::system(), now);
        let input = B::wake(due);
        let settled = self.settled(&self.noted, turn.now);
        let outcome = self.before(settled.as_ref()).decide(&input, &mut turn);
        let nothing = turn.events.is_empty() && settled.is_none();
        Some(match outcome {
            Err(_) => Outcome::Answer(Vec::new()),
            Ok(()) if nothing => self.answered(turn, self.correlation),
            Ok(()) => self.enter(turn, None, self.correlation, &input, settled),
        })
    }

    /// Folds an entry that was recorded earlier.
    ///
    /// # Errors
    /// When it is not the next entry of this cell.
    pub fn apply(&mut self, record: &Record<B::Message, B::Event>) -> Result<(), CellError> {
        if record.head.sequence != self.sequence + 1 {
            return Err(CellError::Gap { actor: self.id, last: self.sequence, found: record.head.sequence });
        }
        self.fold(record, None);
        Ok(())
    }

    /// Takes the turn of a recorded entry again, from the state before it: what this build would record.
    pub fn retake(&self, record: &Record<B::Message, B::Event>) -> Record<B::Message, B::Event> {
        let head = &record.head;
        let mut turn = self.turn(head.cause, head.from, head.principal.clone(), head.at);
        let settled = self.settled(&record.noted, turn.now);
        let outcome = self.before(settled.as_ref()).decide(&record.input, &mut turn);
        let refusal = outcome.err();
        turn.conclude(refusal.as_ref(), settled);
        self.record(turn, refusal, head.correlation, record.noted.clone(), &record.input).0
    }

    /// Supposes that something about the state is otherwise than its entries made it. For forks alone.
    pub(crate) fn suppose(&mut self, otherwise: impl FnOnce(&mut B)) {
        otherwise(&mut self.state);
    }

    /// Takes the turn of a recorded entry again, reading no more of its bytes than what was heard, and compares what
    /// comes of it with the rest, byte for byte. When that is the same, moves on to after the entry and returns the
    /// number of its events; else everything stays as it is.
    ///
    /// # Errors
    /// A sentence, when the bytes do not begin with what an actor of this kind hears.
    pub fn follow(&mut self, payload: &[u8]) -> Result<Option<usize>, String> {
        let (heard, came) = codec::decode_first::<Heard<B::Message>>(payload)?;
        if (heard.actor, heard.sequence) != (self.id, self.sequence + 1) || heard.at < self.at {
            return Ok(None);
        }
        let Heard { cause, from, correlation, principal, noted, input, .. } = heard;
        let mut turn = self.turn(cause, from, principal, heard.at);
        let settled = self.settled(&noted, turn.now);
        let refusal = self.before(settled.as_ref()).decide(&input, &mut turn).err();
        turn.conclude(refusal.as_ref(), settled);
        let made: Came<'_, B::Event> = (&turn.events, &turn.sends, &refusal);
        if !codec::is_encoded(&made, came) {
            return Ok(None);
        }
        self.move_on(&turn.events, turn.after, (turn.sequence, turn.now, correlation, cause));
        Ok(Some(turn.events.len()))
    }

    /// The cell as bytes. Disposable: the log can always make it anew.
    pub fn snapshot(&self) -> Vec<u8> {
        if crate::mutant!(SnapshotForgetsInbox) {
            return codec::encode_bare(&Self { inbox: Inbox::default(), ..self.clone() });
        }
        codec::encode_bare(self)
    }

    /// The cell that a snapshot holds. It may be longer than a record: a scheduler's grows with the nodes it knows.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of this build.
    pub fn restore(actor: ActorId, bytes: &[u8]) -> Result<Self, CellError> {
        codec::decode_bare_long(bytes).map_err(|cause| CellError::Snapshot { actor, cause })
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
            after: None,
        }
    }

    /// What acknowledgements come to, where they come to anything.
    fn settled(&self, noted: &[B::Message], now: Timestamp) -> Option<Settled<B>> {
        let mut settled: Option<Settled<B>> = None;
        for message in noted {
            let Some(event) = self.before(settled.as_ref()).acknowledged(message) else { continue };
            let (events, state) = settled.get_or_insert_with(|| (Vec::new(), self.state.clone()));
            state.evolve(&event, now);
            events.push(event);
        }
        settled
    }

    /// The state in which a message is heard: what was acknowledged before it counts already.
    fn before<'a>(&'a self, settled: Option<&'a Settled<B>>) -> &'a B {
        settled.map_or(&self.state, |(_, state)| state)
    }

    /// The entry of a turn, folded. What was acknowledged before is in it, also where the turn refuses: that was decided
    /// with it.
    fn enter(
        &mut self,
        mut turn: Turn<B>,
        refusal: Option<Refusal>,
        correlation: CorrelationId,
        input: &B::Message,
        settled: Option<Settled<B>>,
    ) -> Outcome<B> {
        let mut noted = std::mem::take(&mut self.noted);
        if crate::mutant!(NotedLeftOut) {
            noted.clear();
        }
        turn.conclude(refusal.as_ref(), settled);
        let (record, after) = self.record(turn, refusal, correlation, noted, input);
        self.fold(&record, after);
        Outcome::Entry(record)
    }

    /// The entry of a turn, and the state after it where the turn says it.
    fn record(
        &self,
        turn: Turn<B>,
        refusal: Option<Refusal>,
        correlation: CorrelationId,
        noted: Vec<B::Message>,
        input: &B::Message,
    ) -> (Record<B::Message, B::Event>, Option<B>) {
        let head = Head {
            actor: self.id,
            sequence: turn.sequence,
            at: turn.now,
            cause: turn.cause,
            from: turn.from,
            correlation,
            principal: turn.principal,
            sends: turn.sends,
            refusal,
        };
        (Record { head, noted, input: input.clone(), events: turn.events }, turn.after)
    }

    fn fold(&mut self, record: &Record<B::Message, B::Event>, after: Option<B>) {
        let head = &record.head;
        self.move_on(&record.events, after, (head.sequence, head.at, head.correlation, head.cause));
    }

    /// Goes on to after an entry: by its events, unless the state that they make is known.
    fn move_on(
        &mut self,
        events: &[B::Event],
        after: Option<B>,
        (sequence, at, correlation, cause): (u64, Timestamp, CorrelationId, MessageId),
    ) {
        match after {
            Some(state) => self.state = state,
            None => events.iter().for_each(|event| self.state.evolve(event, at)),
        }
        (self.sequence, self.at, self.correlation) = (sequence, at, correlation);
        self.inbox.note(cause);
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
