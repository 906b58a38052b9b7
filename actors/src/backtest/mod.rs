//! Backtests: a realm's policy held against what was recorded. Every decision in which a policy had a say is judged anew
//! under another policy, enforced, in the very state in which it was taken; what would come out otherwise is told.
//!
//! Each decision is judged by itself: what would have followed from an earlier one that comes out otherwise is a question
//! for `orrery sim whatif`.

mod commands;
mod placements;
#[cfg(test)]
mod tests;

use crate::cast::AnyCell;
use crate::cedar::Policies;
use crate::cell::{Cell, CellError};
use crate::policy::Policy;
use crate::ports::Position;
use crate::scheduler::Scheduler;
use messages::api;
use messages::api::{Becomes, Flip, Flips};
use messages::entry::{Entry, Head, Record};
use messages::id::{ActorId, PolicyId};
use messages::reason::Refusal;
use messages::scheduler;
use messages::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A policy in the middle of being held against a log, entry by entry.
#[derive(Clone, Debug)]
pub struct Backtest {
    realm: String,
    text: String,
    policies: Policies,
    from: Timestamp,
    /// The realm's policy as it was.
    policy: Cell<Policy>,
    schedulers: BTreeMap<ActorId, Twins>,
    /// Commands of which it is told already that they would come out otherwise, by ticket.
    flipped: BTreeSet<u64>,
    span: Option<(Timestamp, Timestamp)>,
    position: Position,
    counts: Counts,
    flips: BTreeMap<(Becomes, String, &'static str), Flips>,
}

/// A scheduler as it was, and the same one under the other policy.
#[derive(Clone, Debug)]
struct Twins {
    was: Cell<Scheduler>,
    under: Cell<Scheduler>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    commands: u64,
    placements: u64,
    to_forbidden: u64,
    to_allowed: u64,
}

impl Counts {
    fn flip(&mut self, becomes: Becomes) {
        match becomes {
            Becomes::Forbidden => self.to_forbidden += 1,
            Becomes::Allowed => self.to_allowed += 1,
        }
    }
}

impl Backtest {
    /// A backtest of a realm's policy, over decisions from then on.
    ///
    /// # Errors
    /// A refusal that says where, when the policy is not valid.
    pub fn new(realm: &str, text: &str, from: Timestamp) -> Result<Self, Refusal> {
        Ok(Self {
            realm: realm.to_string(),
            text: text.to_string(),
            policies: Policies::admit(text)?,
            from,
            policy: Cell::new(PolicyId::of_realm(realm).into()),
            schedulers: BTreeMap::new(),
            flipped: BTreeSet::new(),
            span: None,
            position: Position::default(),
            counts: Counts::default(),
            flips: BTreeMap::new(),
        })
    }

    /// Takes in a cell that the log begins with.
    pub fn insert(&mut self, cell: AnyCell) {
        match cell {
            AnyCell::Policy(cell) if cell.id() == self.policy.id() => self.policy = cell,
            AnyCell::Scheduler(cell) => {
                let twins = Twins::new(cell, &self.realm, &self.text);
                self.schedulers.insert(twins.was.id(), twins);
            }
            _ => {}
        }
    }

    /// Takes in the next entry.
    ///
    /// # Errors
    /// When an entry of an actor is missing, or there twice.
    pub fn take(&mut self, position: Position, entry: &Entry) -> Result<(), CellError> {
        let at = entry.head().at;
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
        self.position = position;
        match entry {
            Entry::Policy(record) if record.head.actor == self.policy.id() => {
                if at >= self.from {
                    self.judge_command(record);
                }
                self.policy.apply(record)
            }
            Entry::Scheduler(record) => self.turn_scheduler(record),
            _ => Ok(()),
        }
    }

    fn turn_scheduler(&mut self, record: &Record<scheduler::Message, scheduler::Event>) -> Result<(), CellError> {
        let id = record.head.actor;
        let mut twins = match self.schedulers.remove(&id) {
            Some(twins) => twins,
            None => Twins::new(Cell::new(id), &self.realm, &self.text),
        };
        let judged = record.head.at >= self.from && placements::decides(record);
        let anew = judged.then(|| twins.under.retake(record));
        twins.was.apply(record)?;
        twins.under.apply(record)?;
        let replaced = |event: &scheduler::Event| matches!(event, scheduler::Event::RulesSet { realm, .. } if *realm == self.realm);
        if record.events.iter().any(replaced) {
            twins.suppose(&self.realm, &self.text);
        }
        if let Some(anew) = anew {
            self.judge_placements(&twins, record, &anew);
        }
        self.schedulers.insert(id, twins);
        Ok(())
    }

    /// Notes a decision that would come out otherwise. It was counted already.
    fn note(&mut self, becomes: Becomes, what: &str, action: &'static str, flip: Flip) {
        let blank =
            || Flips { becomes, what: what.to_string(), action: action.to_string(), count: 0, first: Vec::new() };
        let flips = self.flips.entry((becomes, what.to_string(), action)).or_insert_with(blank);
        flips.count += 1;
        if flips.first.len() < Flips::TOLD_MAX {
            flips.first.push(flip);
        }
    }

    /// A decision of this entry.
    fn flip(&self, head: &Head, was: String, now: String, ask: String) -> Flip {
        let (position, at, principal) = (self.position.0, head.at, head.principal.to_string());
        Flip { position, at, principal, instance: None, node: None, was, now, instead: None, ask }
    }

    /// The log is read.
    pub fn finish(self) -> api::Backtest {
        let Counts { commands, placements, to_forbidden, to_allowed } = self.counts;
        let (begins, until) = self.span.unwrap_or((self.from, self.from));
        let mut flips: Vec<Flips> = self.flips.into_values().collect();
        flips.sort_by(|one, other| (one.becomes, other.count).cmp(&(other.becomes, one.count)));
        api::Backtest {
            realm: self.realm,
            from: self.from,
            until,
            position: self.position.0,
            begins,
            commands,
            placements,
            to_forbidden,
            to_allowed,
            flips,
        }
    }
}

impl Twins {
    fn new(was: Cell<Scheduler>, realm: &str, text: &str) -> Self {
        let mut twins = Self { under: was.clone(), was };
        twins.suppose(realm, text);
        twins
    }

    fn suppose(&mut self, realm: &str, text: &str) {
        self.under.suppose(|state| state.suppose(realm, text));
    }
}
