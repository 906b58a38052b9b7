//! Snapshots: every cell as of a position, with the chain of each shard there. Disposable, unless the log before them
//! was let go.
//!
//! Bytes: `ORS1`, the SHA-256 of the rest, then the snapshot in the bare codec.

use crate::ports::Position;
use messages::codec;
use messages::frame::{self, FrameHead, Hash};
use messages::id::ActorId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const MAGIC: [u8; 4] = *b"ORS1";
const HEADER_BYTES: usize = 36;

/// Every cell, folded up to a position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last frame folded.
    pub position: Position,
    /// Each shard that has frames.
    pub shards: Vec<ShardMark>,
    /// Each cell's bytes.
    pub cells: Vec<(ActorId, Vec<u8>)>,
}

/// Where a shard was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardMark {
    /// Which shard.
    pub shard: u16,
    /// How many frames it had.
    pub frames: u64,
    /// The chain after them.
    pub chain: Hash,
    /// The epoch of the last.
    pub epoch: u64,
}

impl ShardMark {
    /// The beginning of a shard.
    pub fn new(shard: u16) -> Self {
        Self { shard, ..Self::default() }
    }

    /// Checks that a frame continues the shard: a claim with a later epoch, or the owner's next frame.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub fn check(&self, bytes: &[u8]) -> Result<FrameHead, String> {
        let (head, _) = frame::inspect(bytes).map_err(|error| error.to_string())?;
        self.admit(&head)?;
        Ok(head)
    }

    /// As [`ShardMark::check`], of a frame whose checksum was checked.
    ///
    /// # Errors
    /// As [`ShardMark::check`].
    pub fn admit(&self, head: &FrameHead) -> Result<(), String> {
        if head.shard != self.shard {
            return Err(format!("a frame of shard {} among those of shard {}", head.shard, self.shard));
        }
        if head.claim {
            if head.epoch <= self.epoch {
                return Err(format!("a claim with epoch {} after epoch {}", head.epoch, self.epoch));
            }
        } else if head.epoch != self.epoch {
            return Err(format!("a frame of epoch {} while the owner has epoch {}", head.epoch, self.epoch));
        } else if head.sequence != self.frames + 1 || head.previous != self.chain {
            return Err(format!("frame {} does not continue the chain of {} frames", head.sequence, self.frames));
        }
        Ok(())
    }

    /// Moves on over a frame. An epoch never goes back.
    pub fn pass(&mut self, head: &FrameHead, bytes: &[u8]) {
        self.pass_to(head, frame::chain(&self.chain, bytes));
    }

    /// Moves on over a frame after which the chain is this.
    pub fn pass_to(&mut self, head: &FrameHead, chain: Hash) {
        self.frames += 1;
        self.chain = chain;
        self.epoch = self.epoch.max(head.epoch);
    }
}

impl Snapshot {
    /// The name of its file.
    pub fn name(&self) -> String {
        format!("snapshot-{:016x}.orrery", self.position.0)
    }

    /// The position of the snapshot of this file name, if it is one.
    pub fn position_of(name: &str) -> Option<u64> {
        u64::from_str_radix(name.strip_prefix("snapshot-")?.strip_suffix(".orrery")?, 16).ok()
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let body = codec::encode_bare(self);
        let mut out = Vec::with_capacity(HEADER_BYTES + body.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&Sha256::digest(&body));
        out.extend_from_slice(&body);
        out
    }

    /// The snapshot that bytes are.
    ///
    /// # Errors
    /// A sentence, when they are damaged or of another build.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or("it is cut short")?;
        if header[..4] != MAGIC || header[4..] != *Sha256::digest(body) {
            return Err("it is damaged: its hash does not match".into());
        }
        codec::decode_bare_long(body)
    }
}
