//! What is durable: every frame of every shard, so that none is missing or changed after a crash, and the hash of all.

use super::Finding;
use crate::verdict::Invariant;
use messages::frame::{self, Hash};
use messages::id::ActorId;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Every frame that is durable, in short.
#[derive(Clone, Debug, Default)]
pub(super) struct Durable {
    shards: BTreeMap<u16, ShardFrames>,
    frames: u64,
    changed: Option<u16>,
    hash: Sha256,
}

/// The frames of a shard: the checksum of each, and the latest epoch.
#[derive(Clone, Debug, Default)]
struct ShardFrames {
    sums: Vec<[u8; 4]>,
    epoch: u64,
}

fn sum_of(bytes: &[u8]) -> [u8; 4] {
    bytes.last_chunk::<4>().copied().unwrap_or_default()
}

impl Durable {
    /// How many frames are durable.
    pub(super) const fn frames(&self) -> u64 {
        self.frames
    }

    /// A frame is durable. The chain after it is a hash of it and of all before it, so that it stands for them.
    pub(super) fn commit(&mut self, shard: u16, (bytes, chain): (&[u8], Hash)) -> Option<Finding> {
        self.frames += 1;
        self.hash.update(chain);
        let known = self.shards.entry(shard).or_default();
        known.sums.push(sum_of(bytes));
        let epoch = frame::inspect(bytes).map_or(0, |(head, _)| head.epoch);
        let before = std::mem::replace(&mut known.epoch, epoch);
        (epoch < before).then(|| {
            let message = format!("shard {shard}: epoch {epoch} after {before}");
            (Invariant::EpochGrows, "a shard's epoch goes back", message)
        })
    }

    /// Whether the `count`-th frame of a shard was seen before.
    pub(super) fn knows(&mut self, shard: u16, count: u64, bytes: &[u8]) -> bool {
        let sums = self.shards.get(&shard).map_or(&[][..], |known| &known.sums);
        let index = usize::try_from(count).unwrap_or(usize::MAX) - 1;
        let Some(sum) = sums.get(index) else { return false };
        if *sum != sum_of(bytes) {
            self.changed = Some(shard);
        }
        true
    }

    /// What is missing or changed of what was durable.
    pub(super) fn check_reopened(&mut self, found: &BTreeMap<u16, u64>) -> Vec<(&'static str, String)> {
        let changed = self.changed.take().map(|shard| ("a durable frame has changed", format!("of shard {shard}")));
        let missing = self.shards.iter().filter_map(|(shard, known)| {
            let (had, has) = (known.sums.len() as u64, found.get(shard).copied().unwrap_or_default());
            (has < had).then(|| ("durable frames are gone", format!("shard {shard} had {had}, has {has}")))
        });
        changed.into_iter().chain(missing).collect()
    }

    /// A final state becomes part of the hash.
    pub(super) fn sum_up(&mut self, actor: ActorId, bytes: &[u8]) {
        self.hash.update(actor.id.as_bytes());
        self.hash.update(bytes);
    }

    /// The hash of everything.
    pub(super) fn into_hash(self) -> [u8; 32] {
        self.hash.finalize().into()
    }
}
