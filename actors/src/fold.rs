//! The fold of the log: every actor as its entries made it. What reads, checks and forecasts start from.

use crate::cast::AnyCell;
use crate::cell::CellError;
use crate::job::Job;
use crate::node::Node;
use crate::policy::Policy;
use crate::ports::Position;
use crate::rollout::Rollout;
use crate::route::Route;
use crate::scheduler::Scheduler;
use messages::entry::Entry;
use messages::id::{ActorId, JobId, Kind, PolicyId, RolloutId};
use std::collections::BTreeMap;
use uuid::Uuid;

/// All actors, folded up to a position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fold {
    cells: BTreeMap<ActorId, AnyCell>,
    position: Position,
    entries: u64,
}

/// An entry that this build would have made differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Whose entry.
    pub actor: ActorId,
    /// Which of its entries.
    pub sequence: u64,
    /// In which frame.
    pub position: Position,
    /// What was recorded and what this build would record, as text.
    pub recorded: String,
    /// What this build would record.
    pub retaken: String,
}

macro_rules! states {
    ($($(#[$doc:meta])* $method:ident => $kind:ident),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $method(&self) -> impl Iterator<Item = (ActorId, &$kind)> {
            let all = |id| ActorId { kind: Kind::$kind, id };
            self.cells.range(all(Uuid::nil())..=all(Uuid::max())).filter_map(|(id, cell)| match cell {
                AnyCell::$kind(cell) => Some((*id, cell.state())),
                _ => None,
            })
        }
    )*};
}

impl Fold {
    /// Folds an entry that lies at `position`.
    ///
    /// # Errors
    /// When an entry of the actor is missing, or there twice.
    pub fn apply(&mut self, entry: &Entry, position: Position) -> Result<(), CellError> {
        let id = entry.head().actor;
        self.cells.entry(id).or_insert_with(|| AnyCell::new(id)).apply(entry)?;
        self.position = self.position.max(position);
        self.entries += 1;
        Ok(())
    }

    /// Takes the entry's turn again, from the state before it, and then folds it.
    ///
    /// # Errors
    /// As [`Fold::apply`].
    pub fn verify(&mut self, entry: &Entry, position: Position) -> Result<Option<Mismatch>, CellError> {
        let id = entry.head().actor;
        let cell = self.cells.entry(id).or_insert_with(|| AnyCell::new(id));
        let retaken = cell.retake(entry);
        let mismatch = (retaken.as_ref() != Some(entry)).then(|| Mismatch {
            actor: id,
            sequence: entry.head().sequence,
            position,
            recorded: format!("{entry:?}"),
            retaken: format!("{retaken:?}"),
        });
        self.apply(entry, position)?;
        Ok(mismatch)
    }

    /// Takes in a cell as a snapshot held it.
    pub fn insert(&mut self, cell: AnyCell) {
        self.cells.insert(cell.id(), cell);
    }

    /// The cell of an actor, to be turned: one of which nothing is known yet when there is none.
    pub(crate) fn turn(&mut self, id: ActorId) -> &mut AnyCell {
        self.cells.entry(id).or_insert_with(|| AnyCell::new(id))
    }

    /// Forgets an actor of which nothing is known.
    pub(crate) fn forget(&mut self, id: ActorId) {
        self.cells.remove(&id);
    }

    /// The position of the last frame folded.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// How many entries were folded.
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// The cell of an actor.
    pub fn cell(&self, id: impl Into<ActorId>) -> Option<&AnyCell> {
        self.cells.get(&id.into())
    }

    /// A job.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        match self.cell(id)? {
            AnyCell::Job(cell) => Some(cell.state()),
            _ => None,
        }
    }

    /// A realm's policy, and the number of its last entry.
    pub fn policy(&self, id: PolicyId) -> Option<(&Policy, u64)> {
        match self.cell(id)? {
            AnyCell::Policy(cell) => Some((cell.state(), cell.sequence())),
            _ => None,
        }
    }

    /// A rollout.
    pub fn rollout(&self, id: RolloutId) -> Option<&Rollout> {
        match self.cell(id)? {
            AnyCell::Rollout(cell) => Some(cell.state()),
            _ => None,
        }
    }

    /// Every cell, in the order of their ids.
    pub fn cells(&self) -> impl Iterator<Item = &AnyCell> {
        self.cells.values()
    }

    states! {
        /// Every job.
        jobs => Job,
        /// Every node.
        nodes => Node,
        /// Every scheduler.
        schedulers => Scheduler,
        /// Every route.
        routes => Route,
        /// Every rollout.
        rollouts => Rollout,
        /// Every policy.
        policies => Policy,
    }
}
