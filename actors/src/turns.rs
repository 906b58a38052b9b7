//! Actors turned without a log: every cell, and when each wants to be woken. What a planned world drives, in which all is
//! durable at once.

use crate::cast::{AnyCell, AnyOutcome};
use crate::fold::Fold;
use messages::entry::Entry;
use messages::envelope::Envelope;
use messages::id::ActorId;
use messages::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// A deadline that a turn did not move is tried again after this long, as in every host.
const STUCK_RETRY: Span = Span::seconds(1);

/// Every actor, and when it wants to be woken.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    fold: Fold,
    due: BTreeMap<ActorId, Timestamp>,
}

/// What came of a turn.
#[derive(Debug, Default)]
pub struct Turned {
    /// The entry, if it left one.
    pub entry: Option<Entry>,
    /// What was said.
    pub said: Vec<Envelope>,
    /// When the actor wants to be woken, where that is news.
    pub wake: Option<Timestamp>,
}

impl Turns {
    /// The actors of a fold.
    pub fn new(fold: &Fold) -> Self {
        Self { fold: fold.clone(), due: BTreeMap::new() }
    }

    /// Every actor, with when it wants to be woken: to be arranged once, at the beginning.
    pub fn begin(&mut self) -> Vec<(ActorId, Timestamp)> {
        let actors: Vec<ActorId> = self.fold.cells().map(AnyCell::id).collect();
        actors.into_iter().filter_map(|actor| Some((actor, self.touch(actor)?))).collect()
    }

    /// Hands a message to an actor.
    pub fn handle(&mut self, actor: ActorId, envelope: &Envelope, now: Timestamp) -> Turned {
        let mut turned = turned(self.fold.turn(actor).handle(envelope, now));
        turned.wake = self.touch(actor);
        turned
    }

    /// Wakes an actor that wanted to be woken then. Nothing when it does not any more.
    pub fn wake(&mut self, actor: ActorId, due: Timestamp, now: Timestamp) -> Option<Turned> {
        if self.due.get(&actor) != Some(&due) {
            return None;
        }
        self.due.remove(&actor);
        let cell = self.fold.turn(actor);
        let mut turned = cell.wake(now).map(turned).unwrap_or_default();
        turned.wake = if cell.deadline().is_some_and(|next| next <= now) {
            let again = now.after(STUCK_RETRY);
            self.due.insert(actor, again);
            Some(again)
        } else {
            self.touch(actor)
        };
        Some(turned)
    }

    /// The actors as they are.
    pub const fn fold(&self) -> &Fold {
        &self.fold
    }

    /// After a turn an actor's deadline is known: says it, where that is news.
    fn touch(&mut self, actor: ActorId) -> Option<Timestamp> {
        let cell = self.fold.cell(actor)?;
        let (deadline, blank) = (cell.deadline(), cell.sequence() == 0);
        if blank {
            self.fold.forget(actor);
        }
        match deadline {
            Some(due) if self.due.get(&actor) != Some(&due) => {
                self.due.insert(actor, due);
                Some(due)
            }
            Some(_) => None,
            None => {
                self.due.remove(&actor);
                None
            }
        }
    }
}

fn turned(outcome: AnyOutcome) -> Turned {
    match outcome {
        AnyOutcome::Entry(entry) => {
            let said = entry.head().envelopes().collect();
            Turned { entry: Some(entry), said, wake: None }
        }
        AnyOutcome::Answer(said) => Turned { said, ..Turned::default() },
        AnyOutcome::Misaddressed => Turned::default(),
    }
}
