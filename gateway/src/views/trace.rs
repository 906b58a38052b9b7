//! `trace`: the entries of a chain of causes, and the way from one entry back to its first cause.

use super::names::{actor, spoken};
use actors::fold::Fold;
use actors::ports::Position;
use messages::api::{CauseEntry, LogEntry, Trace};
use messages::entry::Entry;
use messages::envelope::MessageId;
use messages::id::{ActorId, CorrelationId};
use messages::job;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The most entries of one chain that are shown; a chain may go on for as long as a workload fails.
pub const ENTRIES_MAX: usize = 10_000;

/// The chain that an entry belongs to, if the id is that of the chain, of the message that began it, or of an instance
/// that the entry called for.
pub fn chain_of(entry: &Entry, id: Uuid) -> Option<CorrelationId> {
    let head = entry.head();
    let called_for = |record: &messages::entry::Record<job::Message, job::Event>| {
        let wanted = |event: &job::Event| matches!(event, job::Event::Wanted { instance, .. } if instance.0 == id);
        record.events.iter().any(wanted)
    };
    let instance = matches!(entry, Entry::Job(record) if called_for(record));
    let begun = head.correlation.0 == id || head.cause == MessageId::Outside(id);
    (begun || instance).then_some(head.correlation)
}

/// Gathers a chain from the entries of the log, which are shown to it in order.
#[derive(Clone, Debug)]
pub struct Gather {
    correlation: CorrelationId,
    until: Position,
    entries: BTreeMap<(ActorId, u64), (Position, Entry)>,
    order: Vec<(ActorId, u64)>,
}

impl Gather {
    /// Of this chain, up to and with this position.
    pub fn new(correlation: CorrelationId, until: Position) -> Self {
        Self { correlation, until, entries: BTreeMap::new(), order: Vec::new() }
    }

    /// Looks at an entry.
    pub fn take(&mut self, position: Position, entry: &Entry) {
        let head = entry.head();
        if head.correlation == self.correlation && position <= self.until && self.order.len() < ENTRIES_MAX {
            let key = (head.actor, head.sequence);
            if self.entries.insert(key, (position, entry.clone())).is_none() {
                self.order.push(key);
            }
        }
    }

    /// All of the chain.
    pub fn trace(&self, fold: &Fold) -> Trace {
        let mut depths: BTreeMap<(ActorId, u64), u32> = BTreeMap::new();
        let mut entries = Vec::new();
        for key in &self.order {
            let Some((position, entry)) = self.entries.get(key) else { continue };
            let cause = cause(entry).and_then(|cause| depths.get(&cause)).map_or(0, |depth| depth + 1);
            depths.insert(*key, cause);
            entries.push(cause_entry(fold, *position, entry, cause));
        }
        Trace { correlation: self.correlation.to_string(), entries }
    }

    /// The way from an entry back to its first cause, that cause first.
    pub fn causes(&self, fold: &Fold, of: (ActorId, u64)) -> Vec<CauseEntry> {
        let mut way = Vec::new();
        let mut next = Some(of);
        while let Some((position, entry)) = next.and_then(|key| self.entries.get(&key)) {
            way.push((*position, entry));
            next = cause(entry).filter(|_| way.len() < ENTRIES_MAX);
        }
        way.into_iter().rev().zip(0..).map(|((at, entry), depth)| cause_entry(fold, at, entry, depth)).collect()
    }
}

/// The entry that said the message which caused this one.
fn cause(entry: &Entry) -> Option<(ActorId, u64)> {
    match entry.head().cause {
        MessageId::Said { by, sequence, .. } => Some((by, sequence)),
        MessageId::Outside(_) | MessageId::Deadline { .. } => None,
    }
}

fn cause_entry(fold: &Fold, position: Position, entry: &Entry, depth: u32) -> CauseEntry {
    let entry = LogEntry::of(entry, position.0, actor(fold, entry.head().actor));
    CauseEntry { depth, summary: summary(&entry), entry }
}

/// An entry in one line: who heard what, and what came of it.
pub fn summary(entry: &LogEntry) -> String {
    let who = entry.name.as_deref().unwrap_or(&entry.actor);
    let mut outcome: Vec<(String, u32)> = Vec::new();
    for event in &entry.events {
        let name = spoken(event);
        match outcome.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => outcome.push((name, 1)),
        }
    }
    let times = |(name, count): &(String, u32)| if *count == 1 { name.clone() } else { format!("{name} x{count}") };
    let outcome: Vec<String> = outcome.iter().map(times).collect();
    let outcome = match &entry.refusal {
        Some(refusal) => format!("refused, {}", refusal.message),
        None if outcome.is_empty() => "nothing to record".to_owned(),
        None => outcome.join(", "),
    };
    format!("{who}: {} -> {outcome}", spoken(&entry.input))
}
