//! A cell of any kind of actor. The only place where all kinds meet, with one line for each.

use crate::cell::{Cell, CellError, Outcome};
use crate::job::Job;
use crate::node::Node;
use crate::policy::Policy;
use crate::rollout::Rollout;
use crate::route::Route;
use crate::scheduler::Scheduler;
use messages::entry::Entry;
use messages::envelope::{Body, Envelope};
use messages::id::{ActorId, Kind};
use messages::time::Timestamp;

/// A cell, whatever its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyCell {
    /// Of a job.
    Job(Cell<Job>),
    /// Of a node.
    Node(Cell<Node>),
    /// Of a scheduler.
    Scheduler(Cell<Scheduler>),
    /// Of a route.
    Route(Cell<Route>),
    /// Of a rollout.
    Rollout(Cell<Rollout>),
    /// Of a policy.
    Policy(Cell<Policy>),
}

/// What came of a message, whatever the kind.
#[derive(Debug)]
pub enum AnyOutcome {
    /// An entry, already folded.
    Entry(Entry),
    /// Answers without an entry.
    Answer(Vec<Envelope>),
    /// The message is not for this kind of actor.
    Misaddressed,
}

/// Runs `$body` on the cell inside, whatever its kind.
macro_rules! each {
    ($any:expr, $cell:ident => $body:expr) => {
        match $any {
            AnyCell::Job($cell) => $body,
            AnyCell::Node($cell) => $body,
            AnyCell::Scheduler($cell) => $body,
            AnyCell::Route($cell) => $body,
            AnyCell::Rollout($cell) => $body,
            AnyCell::Policy($cell) => $body,
        }
    };
}

/// Runs `$body` on a cell and a value of the same kind, or `$other` when the kinds differ.
macro_rules! pair {
    ($any:expr, $value:ident: $other_type:ident, ($cell:ident, $inner:ident, $wrap:ident) => $body:expr, else $other:expr) => {
        match ($any, $value) {
            (AnyCell::Job($cell), $other_type::Job($inner)) => {
                let $wrap = Entry::Job;
                $body
            }
            (AnyCell::Node($cell), $other_type::Node($inner)) => {
                let $wrap = Entry::Node;
                $body
            }
            (AnyCell::Scheduler($cell), $other_type::Scheduler($inner)) => {
                let $wrap = Entry::Scheduler;
                $body
            }
            (AnyCell::Route($cell), $other_type::Route($inner)) => {
                let $wrap = Entry::Route;
                $body
            }
            (AnyCell::Rollout($cell), $other_type::Rollout($inner)) => {
                let $wrap = Entry::Rollout;
                $body
            }
            (AnyCell::Policy($cell), $other_type::Policy($inner)) => {
                let $wrap = Entry::Policy;
                $body
            }
            _ => $other,
        }
    };
}

impl AnyCell {
    /// An actor of which nothing is known yet.
    pub fn new(id: ActorId) -> Self {
        match id.kind {
            Kind::Job => Self::Job(Cell::new(id)),
            Kind::Node => Self::Node(Cell::new(id)),
            Kind::Scheduler => Self::Scheduler(Cell::new(id)),
            Kind::Route => Self::Route(Cell::new(id)),
            Kind::Rollout => Self::Rollout(Cell::new(id)),
            Kind::Policy => Self::Policy(Cell::new(id)),
        }
    }

    /// Whose cell.
    pub fn id(&self) -> ActorId {
        each!(self, cell => cell.id())
    }

    /// The number of its last entry.
    pub fn sequence(&self) -> u64 {
        each!(self, cell => cell.sequence())
    }

    /// The time of its last entry.
    pub fn at(&self) -> Timestamp {
        each!(self, cell => cell.at())
    }

    /// Whether something was acknowledged that is in no entry yet.
    pub fn awaits_entry(&self) -> bool {
        each!(self, cell => cell.awaits_entry())
    }

    /// When it wants to be woken.
    pub fn deadline(&self) -> Option<Timestamp> {
        each!(self, cell => cell.deadline())
    }

    /// Handles a message: one turn.
    pub fn handle(&mut self, envelope: &Envelope, now: Timestamp) -> AnyOutcome {
        let body = &envelope.body;
        pair!(self, body: Body, (cell, input, wrap) => cell.handle(envelope, input, now).any(wrap),
              else AnyOutcome::Misaddressed)
    }

    /// Handles its own deadline, if it has passed.
    pub fn wake(&mut self, now: Timestamp) -> Option<AnyOutcome> {
        match self {
            Self::Job(cell) => cell.wake(now).map(|outcome| outcome.any(Entry::Job)),
            Self::Node(cell) => cell.wake(now).map(|outcome| outcome.any(Entry::Node)),
            Self::Scheduler(cell) => cell.wake(now).map(|outcome| outcome.any(Entry::Scheduler)),
            Self::Route(cell) => cell.wake(now).map(|outcome| outcome.any(Entry::Route)),
            Self::Rollout(cell) => cell.wake(now).map(|outcome| outcome.any(Entry::Rollout)),
            Self::Policy(cell) => cell.wake(now).map(|outcome| outcome.any(Entry::Policy)),
        }
    }

    /// Folds a recorded entry.
    ///
    /// # Errors
    /// When it is not this cell's next entry.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), CellError> {
        let (actor, last) = (self.id(), self.sequence());
        let found = entry.head().sequence;
        pair!(self, entry: Entry, (cell, record, _wrap) => cell.apply(record),
              else Err(CellError::Gap { actor, last, found }))
    }

    /// Takes the turn of a recorded entry again: what this build would record. `None` when the kinds differ.
    pub fn retake(&self, entry: &Entry) -> Option<Entry> {
        pair!(self, entry: Entry, (cell, record, wrap) => Some(wrap(cell.retake(record))), else None)
    }

    /// Takes the turn of a recorded entry again, and moves on if it comes out the same: how many events it has. As
    /// [`Cell::follow`].
    ///
    /// # Errors
    /// As [`Cell::follow`].
    pub fn follow(&mut self, payload: &[u8]) -> Result<Option<usize>, String> {
        each!(self, cell => cell.follow(payload))
    }

    /// The cell as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        each!(self, cell => cell.snapshot())
    }

    /// The cell that a snapshot holds.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of this build.
    pub fn restore(id: ActorId, bytes: &[u8]) -> Result<Self, CellError> {
        Ok(match id.kind {
            Kind::Job => Self::Job(Cell::restore(id, bytes)?),
            Kind::Node => Self::Node(Cell::restore(id, bytes)?),
            Kind::Scheduler => Self::Scheduler(Cell::restore(id, bytes)?),
            Kind::Route => Self::Route(Cell::restore(id, bytes)?),
            Kind::Rollout => Self::Rollout(Cell::restore(id, bytes)?),
            Kind::Policy => Self::Policy(Cell::restore(id, bytes)?),
        })
    }
}

impl<B: crate::behavior::Behavior> Outcome<B> {
    fn any(self, wrap: impl FnOnce(messages::entry::Record<B::Message, B::Event>) -> Entry) -> AnyOutcome {
        match self {
            Self::Entry(record) => AnyOutcome::Entry(wrap(record)),
            Self::Answer(answers) => AnyOutcome::Answer(answers),
        }
    }
}
