//! The control plane's process starts: it takes in the snapshot that its log begins with, and every frame after it.

use crate::store::{Opened, Store};
use crate::verdict::Invariant;
use crate::world::context::Context;
use actors::cast::AnyCell;
use actors::journal::snapshot::Snapshot;
use actors::shard::Shard;
use messages::frame;
use std::collections::BTreeMap;

/// A log that was read.
pub(super) struct Replayed {
    /// The journal.
    pub(super) store: Store,
    /// Every shard in it.
    pub(super) shards: BTreeMap<u16, Shard>,
    /// How many frames of each there are.
    pub(super) known: BTreeMap<u16, u64>,
    /// The latest epoch in it.
    pub(super) epoch: u64,
}

impl Replayed {
    /// Reads a log that was opened.
    ///
    /// # Errors
    /// A sentence, when it cannot be read.
    pub(super) fn read(mut opened: Opened, cx: &mut Context) -> Result<Self, String> {
        let mut read = Reading::default();
        if let Some(base) = &opened.base {
            read.restore(base, cx);
        }
        opened.frames(|bytes| read.frame(bytes, cx))?;
        if opened.torn {
            cx.mark("torn-tail-cut");
        }
        if opened.base.is_some() {
            cx.mark("opened-from-snapshot");
        }
        let Reading { shards, known, epoch } = read;
        Ok(Self { store: opened.store, shards, known, epoch })
    }
}

#[derive(Default)]
struct Reading {
    shards: BTreeMap<u16, Shard>,
    known: BTreeMap<u16, u64>,
    epoch: u64,
}

impl Reading {
    /// Takes in what a snapshot holds.
    fn restore(&mut self, base: &Snapshot, cx: &mut Context) {
        for mark in &base.shards {
            let shard = self.shards.entry(mark.shard).or_insert_with(|| Shard::new(mark.shard));
            shard.resume(mark.frames, mark.chain, mark.epoch);
            self.known.insert(mark.shard, mark.frames);
            self.epoch = self.epoch.max(mark.epoch);
        }
        for (actor, bytes) in &base.cells {
            match AnyCell::restore(*actor, bytes) {
                Ok(cell) => {
                    let id = actor.shard();
                    self.shards.entry(id).or_insert_with(|| Shard::new(id)).insert(cell);
                }
                Err(trouble) => cx.violate(Invariant::Recovers, "a snapshot does not open", trouble.to_string()),
            }
        }
    }

    /// Folds the next frame. What was not seen committed before the crash is now.
    fn frame(&mut self, bytes: &[u8], cx: &mut Context) {
        let Ok((head, _)) = frame::inspect(bytes) else { return };
        self.epoch = self.epoch.max(head.epoch);
        let shard = self.shards.entry(head.shard).or_insert_with(|| Shard::new(head.shard));
        match shard.replay(bytes) {
            Ok(entries) => {
                let count = self.known.entry(head.shard).or_default();
                *count += 1;
                if !cx.oracle.knows(head.shard, *count, bytes) {
                    let (_, chain) = shard.head();
                    cx.committed(head.shard, (bytes, chain), &entries);
                }
            }
            Err(trouble) => {
                cx.violate(Invariant::Recovers, "a shard does not open after a crash", trouble.to_string());
            }
        }
    }
}
