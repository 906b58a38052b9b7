//! Through the time of a run, forward and back: the run is taken again from the nearest of the worlds that were kept.

mod stop;

pub use stop::Stop;

use crate::explain::{Names, actor_of};
use crate::plan::{Fault, Plan};
use crate::run::RUN_PANICS;
use crate::verdict::{Invariant, Violation};
use crate::world::World;
use crate::world::tape::{BEAT, DEADLINE, Record, What};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A world is kept after so many events, at first.
const EVERY: u64 = 256;
/// No more worlds than this are kept; then every other one goes.
const KEPT_MAX: usize = 96;
/// Nor more than have so many machines together, but for a few.
const KEPT_MACHINES_MAX: usize = 20_000;
const KEPT_MIN: usize = 6;
/// In a world of more machines than this, signs of life are not listed: there is little else.
const BEATS_MACHINES_MAX: usize = 64;

/// What came of one event of a run.
#[derive(Clone, Debug)]
pub struct Happened {
    /// The how manieth event it was, from 1. The end of the run has the number of its last event.
    pub event: u64,
    /// When, in microseconds.
    pub at: u64,
    /// What came of it; something.
    pub records: Vec<Record>,
}

/// Where in a run one looks, and what is known of the run.
pub struct Travel {
    world: World,
    kept: BTreeMap<u64, World>,
    every: u64,
    known: Vec<Happened>,
    /// How far the run is known, in events.
    frontier: u64,
    /// Whether it is known to its end.
    whole: bool,
    /// Whether the end itself has been reached, after the last event.
    at_end: bool,
    last_words: Vec<Violation>,
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pursuit {
    /// It is found, and one is there.
    Reached,
    /// Not yet: go on.
    Underway,
    /// It does not come: one is at the end, or where one was when looking back.
    Never,
}

impl Travel {
    /// At the first moment of a plan.
    pub fn new(plan: &Plan) -> Self {
        let mut world = World::new(Arc::new(plan.clone()));
        world.record();
        let kept = BTreeMap::from([(0, world.clone())]);
        Self {
            world,
            kept,
            every: EVERY,
            known: Vec::new(),
            frontier: 0,
            whole: false,
            at_end: false,
            last_words: Vec::new(),
        }
    }

    /// The world as it is there.
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// The names of who takes part, as far as they are known there.
    pub fn names(&self) -> Names {
        Names::of(&self.world)
    }

    /// How many events have happened.
    pub const fn event(&self) -> u64 {
        self.world.events()
    }

    /// Everything that is known to have happened, also later than one looks.
    pub fn known(&self) -> &[Happened] {
        &self.known
    }

    /// How many of those have happened by now.
    pub fn position(&self) -> usize {
        let event = self.event();
        let happened = self.known.partition_point(|one| one.event <= event);
        happened - usize::from(self.whole && !self.at_end && event == self.frontier && !self.last_words.is_empty())
    }

    /// Whether one has come to the end.
    pub const fn at_end(&self) -> bool {
        self.at_end
    }

    /// What has been violated by now.
    pub fn violations(&self) -> Vec<Violation> {
        let last = if self.at_end { self.last_words.as_slice() } else { &[] };
        self.world.violations().iter().chain(last).cloned().collect()
    }

    /// The faults that have begun and are not over, each with the machines it hits.
    pub fn faults(&self) -> Vec<(&Fault, Vec<usize>)> {
        let mut active: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for record in self.known[..self.position()].iter().flat_map(|one| &one.records) {
            match &record.what {
                What::Begins { fault, machines } => drop(active.insert(*fault, machines.clone())),
                What::Ends(fault) => drop(active.remove(fault)),
                _ => {}
            }
        }
        let plan = self.world.plan();
        active.into_iter().filter_map(|(fault, machines)| Some((plan.faults.get(fault)?, machines))).collect()
    }

    /// One event further. False at the end.
    pub fn advance(&mut self) -> bool {
        if self.at_end {
            return false;
        }
        let stepped = catch_unwind(AssertUnwindSafe(|| self.world.step()));
        let (at, event) = (self.world.now(), self.world.events());
        let records = self.world.records().to_vec();
        self.world.record();
        if event > self.frontier {
            self.frontier = event;
            if !records.is_empty() && !self.is_dull(&records) {
                self.known.push(Happened { event, at, records });
            }
            self.keep(event);
        }
        match stepped {
            Ok(true) => return true,
            Ok(false) => self.end(None),
            Err(panic) => self.end(Some(said(panic.as_ref()))),
        }
        false
    }

    /// The end: what is left is checked, on a copy, so that one can go back.
    fn end(&mut self, panic: Option<String>) {
        self.at_end = true;
        if self.whole {
            return;
        }
        self.whole = true;
        let before = self.world.violations().len();
        let (at, event) = (self.world.now(), self.world.events());
        if let Some(message) = panic {
            let (invariant, signature) = (Invariant::Panics, RUN_PANICS.to_owned());
            self.last_words = vec![Violation { invariant, signature, message, at, entries: 0 }];
        } else {
            let mut copy = self.world.clone();
            copy.conclude();
            self.last_words = copy.violations()[before..].to_vec();
        }
        let record = |violation: &Violation| Record { at, cause: None, what: What::Violated(violation.clone()) };
        if !self.last_words.is_empty() {
            self.known.push(Happened { event, at, records: self.last_words.iter().map(record).collect() });
        }
    }

    /// Whether it is not worth a line that something happened.
    fn is_dull(&self, records: &[Record]) -> bool {
        let is_beat = |record: &Record| match &record.what {
            What::Sent { name, .. } | What::Arrived { name, .. } => name == BEAT,
            What::Machine { what, .. } => what == DEADLINE,
            _ => false,
        };
        self.world.plan().machines.len() > BEATS_MACHINES_MAX && records.iter().all(is_beat)
    }

    fn keep(&mut self, event: u64) {
        if !event.is_multiple_of(self.every) {
            return;
        }
        self.kept.insert(event, self.world.clone());
        let most = (KEPT_MACHINES_MAX / self.world.plan().machines.len().max(1)).clamp(KEPT_MIN, KEPT_MAX);
        if self.kept.len() > most {
            self.every *= 2;
            let every = self.every;
            self.kept.retain(|event, _| event.is_multiple_of(every));
        }
    }

    /// To right after this event, or to the end if there are fewer.
    pub fn go(&mut self, event: u64) {
        self.restore(event);
        while self.event() < event && self.advance() {}
    }

    /// To the end of all.
    pub fn go_to_end(&mut self) {
        while self.advance() {}
    }

    /// To the last event at or before this moment, in microseconds.
    pub fn go_to_time(&mut self, at: u64) {
        if self.world.now() > at {
            let before = self.kept.iter().rev().find(|(_, world)| world.now() <= at).map(|(event, _)| *event);
            self.go(before.unwrap_or(0));
        }
        while self.world.next_at().is_some_and(|next| next <= at) && self.advance() {}
        // The end is later than every event.
        if at >= self.world.plan().end_at {
            self.go_to_end();
        }
    }

    /// To the next thing that came of an event. False at the end.
    pub fn forward(&mut self) -> bool {
        let position = self.position();
        while self.position() == position {
            if !self.advance() {
                return self.position() > position;
            }
        }
        true
    }

    /// To the thing before this one. False at the beginning.
    pub fn back(&mut self) -> bool {
        match self.position().checked_sub(1) {
            Some(position) => self.go_to_position(position),
            None => return false,
        }
        true
    }

    /// To right after so many of the things that are known.
    pub fn go_to_position(&mut self, position: usize) {
        let position = position.min(self.known.len());
        match position.checked_sub(1) {
            Some(last) if position == self.known.len() && self.whole && !self.last_words.is_empty() => {
                self.go(self.known[last].event);
                self.at_end = true;
            }
            Some(last) => {
                let event = self.known[last].event;
                self.go(event);
                self.at_end = false;
            }
            None => self.restore(0),
        }
    }

    fn restore(&mut self, event: u64) {
        let (from, world) = match self.kept.range(..=event).next_back() {
            Some((from, world)) => (*from, world),
            None => return,
        };
        if self.event() > event || from > self.event() {
            self.world = world.clone();
        }
        self.at_end = false;
    }

    /// Goes on to the next thing that stops here, for so many events at the most.
    pub fn pursue(&mut self, stop: &Stop, events: u64) -> Pursuit {
        let mut names = self.names();
        for _ in 0..events {
            let position = self.position();
            let more = self.advance();
            let now = self.position();
            if now > position {
                let happened = &self.known[now - 1];
                if happened.records.iter().filter_map(actor_of).any(|actor| !names.know(actor)) {
                    names = self.names();
                }
                if stop.is(happened, &names) {
                    return Pursuit::Reached;
                }
            }
            if !more {
                return Pursuit::Never;
            }
        }
        Pursuit::Underway
    }

    /// Goes back to the last thing before this one that stops here.
    pub fn pursue_back(&mut self, stop: &Stop) -> Pursuit {
        let names = self.names();
        let before = self.position().saturating_sub(1);
        match self.known[..before].iter().rposition(|one| stop.is(one, &names)) {
            Some(found) => {
                self.go_to_position(found + 1);
                Pursuit::Reached
            }
            None => Pursuit::Never,
        }
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    said.unwrap_or("without a word").to_owned()
}

#[cfg(test)]
mod tests;
