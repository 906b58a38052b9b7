//! What is checked of a control plane while it runs and at its end: nothing stuck, state and log the fold of each other.

use super::Process;
use crate::store::Store;
use crate::verdict::Invariant;
use crate::world::context::Context;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::ports::Position;
use actors::shard::Shard;
use messages::frame;

impl Process {
    pub(super) fn check_stuck(&self, cx: &mut Context) {
        let stuck: Vec<u16> = self.shards.values().filter(|shard| shard.stuck() > 0).map(Shard::id).collect();
        if !stuck.is_empty() {
            cx.violate(Invariant::Stuck, "a passed deadline is left where it was", format!("in shards {stuck:?}"));
        }
    }

    /// Every cell that rests on durable entries alone equals the fold of them.
    pub(super) fn check_fold(&self, cx: &mut Context) {
        for shard in self.shards.values() {
            let Some(snapshots) = shard.snapshots() else { continue };
            for (actor, bytes) in snapshots {
                let folded = cx.oracle.fold().cell(actor).map(AnyCell::snapshot);
                if folded.as_deref() != Some(&bytes) {
                    let signature = format!("a {} is not the fold of its entries", actor.kind.name());
                    cx.violate(Invariant::FoldIsState, &signature, format!("{actor}"));
                }
            }
        }
    }

    /// The log as it lies on the disk folds to what the oracle saw committed.
    pub(super) fn check_log(&self, cx: &mut Context) {
        let Ok(opened) = Store::open(&mut self.store.disk().clone(), cx.plan.segment_bytes, false) else {
            return cx.violate(Invariant::Recovers, "the journal does not open at the end", String::new());
        };
        let retake = cx.plan.retake;
        let mut fold = Fold::default();
        for (actor, bytes) in opened.base.iter().flat_map(|base| &base.cells) {
            match AnyCell::restore(*actor, bytes) {
                Ok(cell) => fold.insert(cell),
                Err(trouble) => cx.violate(Invariant::Recovers, "a snapshot does not open", trouble.to_string()),
            }
        }
        for (bytes, position) in opened.frames.iter().zip(1..) {
            let Ok((_, entries)) = frame::decode(bytes) else { continue };
            for entry in &entries {
                let folded = if retake {
                    fold.verify(entry, Position(position))
                } else {
                    fold.apply(entry, Position(position)).map(|()| None)
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
        }
        let settled = self.flight.is_empty();
        if settled && !fold.cells().eq(cx.oracle.fold().cells()) {
            cx.violate(Invariant::FoldIsState, "the log on the disk folds to something else", String::new());
        }
    }
}
