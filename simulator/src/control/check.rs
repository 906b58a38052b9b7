//! What is checked of a control plane while it runs and at its end: nothing stuck, state and log the fold of each other.

use super::Process;
use crate::store::Store;
use crate::verdict::Invariant;
use crate::world::context::Context;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::ports::Position;
use actors::shard::Shard;
use messages::entry::Entry;
use messages::envelope::{Address, Envelope};
use messages::frame;
use messages::id::ActorId;
use messages::time::Span;

/// After so many syncs cells that are not used are put to sleep, and after as many more as machines go into one sync.
const REST_EVERY: u64 = 16;
/// So many machines are worth a sync more: where there are thousands, looking at each takes long and finds little.
const MACHINES_PER_SYNC: u64 = 8;
/// How long a cell is idle before it is put to sleep.
const IDLE: Span = Span::milliseconds(500);
/// After so many syncs, and as many more, a shard is compared with the fold of its entries.
const CHECK_EVERY: u64 = 64;

/// So many syncs more, in a world of so many machines.
fn more(cx: &Context) -> u64 {
    cx.plan.machines.len() as u64 / MACHINES_PER_SYNC
}

fn check_shard(shard: &Shard, cx: &mut Context) {
    let Some(snapshots) = shard.snapshots() else { return };
    let deadlines = snapshots.iter().filter_map(|(actor, _)| cx.oracle.fold().cell(*actor)?.deadline());
    let next = deadlines.min();
    if shard.stuck() == 0 && shard.deadline() != next {
        let message = format!("shard {}: {:?}, not {next:?}", shard.id(), shard.deadline());
        cx.violate(Invariant::Stuck, "a shard does not know its deadline", message);
    }
    for (actor, bytes) in snapshots {
        let folded = cx.oracle.fold().cell(actor).map(AnyCell::snapshot);
        if folded.as_deref() != Some(&bytes) {
            let signature = format!("a {} is not the fold of its entries", actor.kind.name());
            cx.violate(Invariant::FoldIsState, &signature, format!("{actor}"));
        }
    }
}

/// A snapshot, made when all is durable, holds every actor as its entries made it.
pub(super) fn check_snapshot(cells: &[(ActorId, Vec<u8>)], cx: &mut Context) {
    let fold = cx.oracle.fold();
    let same = |(actor, bytes): &&(ActorId, Vec<u8>)| match AnyCell::restore(*actor, bytes) {
        Ok(cell) => fold.cell(*actor) == Some(&cell),
        Err(_) => false,
    };
    let other = cells.iter().find(|cell| !same(cell)).map(|(actor, _)| actor.to_string());
    let all = fold.cells().count() == cells.len();
    if let Some(message) =
        other.or_else(|| (!all).then(|| format!("{} of {} cells", cells.len(), fold.cells().count())))
    {
        cx.violate(Invariant::FoldIsState, "a snapshot is not the fold of the log", message);
    }
}

/// Folds an entry of the log, and where the plan says so takes its turn again.
fn fold_logged(fold: &mut Fold, entry: &Entry, position: Position, cx: &mut Context) {
    let folded = match cx.plan.retake {
        true => fold.verify(entry, position),
        false => fold.apply(entry, position).map(|()| None),
    };
    match folded {
        Ok(None) => {}
        Ok(Some(mismatch)) => {
            let signature = format!("a turn of a {} is taken otherwise", mismatch.actor.kind.name());
            cx.violate(Invariant::Retaken, &signature, format!("{mismatch:?}"));
        }
        Err(gap) => cx.violate(Invariant::FoldIsState, "an entry is missing in the log", gap.to_string()),
    }
}

/// What is wrong with an answer that leaves without waiting for a frame: what its actor knows must be durable.
pub(super) fn check_free(shard: &Shard, envelope: &Envelope, cx: &Context) -> Option<String> {
    let Address::Actor(actor) = envelope.from else { return None };
    let durable = cx.oracle.fold().cell(actor).map_or(0, AnyCell::sequence);
    let known = shard.sequence(actor)?;
    (known > durable).then(|| format!("{actor} answers from entry {known}; entry {durable} is durable"))
}

impl Process {
    /// Now and then puts to sleep what is not used, as every host does.
    pub(super) fn rest(&mut self, cx: &mut Context) {
        if !self.syncs.is_multiple_of(REST_EVERY + more(cx)) {
            return;
        }
        let now = cx.host_now();
        for shard in self.shards.values_mut() {
            shard.passivate(now, IDLE);
        }
    }

    pub(super) fn check_stuck(&self, cx: &mut Context) {
        let stuck: Vec<u16> = self.shards.values().filter(|shard| shard.stuck() > 0).map(Shard::id).collect();
        if !stuck.is_empty() {
            cx.violate(Invariant::Stuck, "a passed deadline is left where it was", format!("in shards {stuck:?}"));
        }
    }

    /// Every cell that rests on durable entries alone equals the fold of them.
    pub(super) fn check_fold(&self, cx: &mut Context) {
        for shard in self.shards.values() {
            check_shard(shard, cx);
        }
    }

    /// Now and then, one shard after the other: its cells equal the fold of their entries.
    pub(super) fn check_some(&self, cx: &mut Context) {
        let every = CHECK_EVERY + more(cx);
        if self.syncs.is_multiple_of(every) && !self.shards.is_empty() {
            let index = (self.syncs / every) % self.shards.len() as u64;
            let shard = self.shards.values().nth(usize::try_from(index).unwrap_or(0));
            shard.into_iter().for_each(|shard| check_shard(shard, cx));
        }
    }

    /// The log as it lies on the disk folds to what the oracle saw committed.
    pub(super) fn check_log(&self, cx: &mut Context) {
        let unopened = |cx: &mut Context, trouble| {
            cx.violate(Invariant::Recovers, "the journal does not open at the end", trouble);
        };
        let mut opened = match Store::open(&mut self.store.disk().clone(), cx.plan.segment_bytes, false) {
            Ok(opened) => opened,
            Err(trouble) => return unopened(cx, trouble),
        };
        let mut fold = Fold::default();
        for (actor, bytes) in opened.base.iter().flat_map(|base| &base.cells) {
            match AnyCell::restore(*actor, bytes) {
                Ok(cell) => fold.insert(cell),
                Err(trouble) => cx.violate(Invariant::Recovers, "a snapshot does not open", trouble.to_string()),
            }
        }
        let mut position = Position(0);
        let read = opened.frames(|bytes| {
            position = Position(position.0 + 1);
            let entries = frame::decode(bytes).map(|(_, entries)| entries).unwrap_or_default();
            entries.iter().for_each(|entry| fold_logged(&mut fold, entry, position, cx));
        });
        if let Err(trouble) = read {
            return unopened(cx, trouble);
        }
        let settled = self.flight.is_empty();
        if settled && !fold.cells().eq(cx.oracle.fold().cells()) {
            cx.violate(Invariant::FoldIsState, "the log on the disk folds to something else", String::new());
        }
    }

    /// Every final state becomes part of the hash.
    pub(super) fn sum_up(&self, cx: &mut Context) {
        for shard in self.shards.values() {
            for (actor, bytes) in shard.snapshots().unwrap_or_default() {
                cx.oracle.sum_up(actor, &bytes);
            }
        }
    }
}
