//! The journal engine: an append-only log of frames over any [`Disk`].
//!
//! `append` writes a batch of frames, `sync` makes it durable; a batch is begun only when the one before is synced.
//! Opening checks every byte: a torn tail is cut off, damage in what was synced is refused and never skipped.

pub mod memory;
mod open;
mod port;
pub mod segment;
pub mod snapshot;

#[cfg(test)]
mod tests;

use crate::ports::{Disk, Position};
use crate::shard::Shard;
use messages::frame::{self, Hash};
use snapshot::{ShardMark, Snapshot};
use std::collections::BTreeMap;

/// A segment is closed when it is at least this long, in bytes.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// How many snapshots are kept; the log before the oldest of them may go.
pub const SNAPSHOTS_KEPT: usize = 2;

/// Why the journal cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The world under it failed.
    #[error("journal file {file}: cannot {action}: {cause}; look after the disk, or restore the journal from a backup")]
    Disk {
        /// Which file.
        file: String,
        /// What was tried.
        action: &'static str,
        /// What the world said.
        #[source]
        cause: std::io::Error,
    },
    /// Bytes that were durable are not what they were.
    #[error("journal file {file} is damaged at byte {offset}, in its synced part: {trouble}; restore it from a backup")]
    Damaged {
        /// Which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        trouble: String,
    },
    /// A segment is missing.
    #[error(
        "journal file {file} is missing: a segment should begin with position {expected}, {found} is the next; \
         restore it from a backup"
    )]
    Missing {
        /// The file that would come next.
        file: String,
        /// The position that should come next.
        expected: u64,
        /// The next one there is.
        found: u64,
    },
    /// An earlier failure left the tail in doubt.
    #[error("journal failed before and takes nothing more until it is opened again: {0}")]
    Poisoned(String),
    /// A frame does not continue its shard.
    #[error("frame does not continue shard {shard}: {trouble}")]
    Chain {
        /// Which shard.
        shard: u16,
        /// What is wrong.
        trouble: String,
    },
}

/// The bytes of a frame to append.
pub trait Frame: AsRef<[u8]> {
    /// The chain of its shard after it, where whoever made the frame has hashed it already.
    fn chain(&self) -> Option<Hash> {
        None
    }
}

impl Frame for Vec<u8> {}

impl<F: Frame> Frame for &F {
    fn chain(&self) -> Option<Hash> {
        (**self).chain()
    }
}

/// A torn tail that was cut off when the journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Which file.
    pub file: String,
    /// How many bytes were kept.
    pub kept: u64,
    /// How many bytes were cut off.
    pub cut: u64,
}

/// The journal over a disk.
#[derive(Clone, Debug)]
pub struct Journal<D> {
    disk: D,
    segments: Vec<u64>,
    length: u64,
    next: u64,
    shards: BTreeMap<u16, ShardMark>,
    snapshot: Option<Snapshot>,
    torn: Option<Torn>,
    notes: Vec<String>,
    unsynced: bool,
    /// Whether the last batch is an empty one.
    vouched: bool,
    poison: Option<String>,
    segment_bytes: u64,
}

impl<D: Disk> Journal<D> {
    /// Opens the journal on a disk, or begins one; checks all of it.
    ///
    /// # Errors
    /// When the disk fails, or what was synced is damaged or missing.
    pub fn open(disk: D) -> Result<Self, JournalError> {
        Self::open_with(disk, SEGMENT_BYTES)
    }

    /// As [`Journal::open`], with segments of another length.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_with(disk: D, segment_bytes: u64) -> Result<Self, JournalError> {
        let mut journal = Self {
            disk,
            segments: Vec::new(),
            length: 0,
            next: 1,
            shards: BTreeMap::new(),
            snapshot: None,
            torn: None,
            notes: Vec::new(),
            unsynced: false,
            vouched: false,
            poison: None,
            segment_bytes,
        };
        journal.take_in()?;
        Ok(journal)
    }

    /// Begins a new segment, durably.
    fn roll(&mut self) -> Result<(), JournalError> {
        if !self.segments.is_empty() {
            let last = self.file();
            self.disk.sync(&last).map_err(failed(&last, "sync"))?;
        }
        let file = segment::name(self.next);
        self.disk.create(&file).map_err(failed(&file, "create"))?;
        let header = segment::segment_header(self.next);
        self.disk.append(&file, &header).map_err(failed(&file, "write"))?;
        self.disk.sync(&file).map_err(failed(&file, "sync"))?;
        if !crate::mutant!(RollWithoutDirectorySync) {
            self.disk.sync_directory().map_err(failed("the directory", "sync"))?;
        }
        self.segments.push(self.next);
        self.length = header.len() as u64;
        Ok(())
    }

    /// Appends the claim of a shard, whatever came last, and returns the new epoch. Durable after [`Journal::sync`].
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn claim(&mut self, shard: u16) -> Result<u64, JournalError> {
        Ok(self.claim_all(&[shard])?.first().copied().unwrap_or_default())
    }

    /// Claims several shards in one batch. Their epochs are returned in the same order.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn claim_all(&mut self, shards: &[u16]) -> Result<Vec<u64>, JournalError> {
        let epochs: Vec<u64> = shards.iter().map(|shard| self.mark(*shard).epoch + 1).collect();
        let frames: Vec<_> =
            shards.iter().zip(&epochs).map(|(shard, epoch)| Shard::claim_frame(*shard, *epoch)).collect();
        self.append(&frames)?;
        Ok(epochs)
    }

    /// Appends frames as one batch, and returns the position of each. Durable after [`Journal::sync`], which must be
    /// called before the next batch.
    ///
    /// # Errors
    /// When a frame does not continue its shard, or the disk fails. What was written in part is taken back; where even
    /// that fails, the journal takes nothing more.
    pub fn append<F: Frame>(&mut self, frames: &[F]) -> Result<Vec<Position>, JournalError> {
        if let Some(cause) = &self.poison {
            return Err(JournalError::Poisoned(cause.clone()));
        }
        debug_assert!(!self.unsynced, "a batch is begun only when the one before is synced");
        let mut moved: BTreeMap<u16, ShardMark> = BTreeMap::new();
        for frame in frames {
            let (bytes, chain) = (frame.as_ref(), frame.chain());
            let inspected = frame::inspect(bytes).map_err(|error| (0, error.to_string()));
            let passed = inspected.and_then(|(head, _)| {
                let mark = moved.entry(head.shard).or_insert_with(|| self.mark(head.shard));
                mark.admit(&head).map_err(|trouble| (head.shard, trouble))?;
                mark.pass_to(&head, chain.unwrap_or_else(|| frame::chain(&mark.chain, bytes)));
                Ok(())
            });
            passed.map_err(|(shard, trouble)| JournalError::Chain { shard, trouble })?;
        }
        // A segment that holds no frame yet is never closed: the next would have its name.
        if self.length >= self.segment_bytes
            && self.segments.last() != Some(&self.next)
            && let Err(error) = self.roll()
        {
            self.poison = Some(error.to_string());
            return Err(error);
        }
        let file = self.file();
        let batch = segment::batch(self.next, self.length, frames);
        let written = self.disk.append(&file, &batch);
        if let Err(cause) = written.or_else(|cause| if crate::mutant!(FullDiskIgnored) { Ok(()) } else { Err(cause) }) {
            if let Err(second) = self.disk.truncate(&file, self.length) {
                self.poison = Some(format!("{cause}; then, taking it back: {second}"));
            }
            return Err(failed(&file, "write")(cause));
        }
        let first = self.next;
        self.next += frames.len() as u64;
        self.length += batch.len() as u64;
        self.shards.extend(moved);
        (self.unsynced, self.vouched) = (true, frames.is_empty());
        Ok((first..self.next).map(Position).collect())
    }

    /// Makes what was appended durable.
    ///
    /// # Errors
    /// When the disk fails. Nothing may be assumed of the tail then, so the journal takes nothing more.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if let Some(cause) = &self.poison {
            return Err(JournalError::Poisoned(cause.clone()));
        }
        let file = self.file();
        let synced = if crate::mutant!(SyncForgotten) { Ok(()) } else { self.disk.sync(&file) };
        let synced = if crate::mutant!(SyncTriedAgain) { synced.or_else(|_| self.disk.sync(&file)) } else { synced };
        if let Err(cause) = synced.or_else(|cause| if crate::mutant!(SyncFailureIgnored) { Ok(()) } else { Err(cause) })
        {
            self.poison = Some(cause.to_string());
            return Err(failed(&file, "sync")(cause));
        }
        self.unsynced = false;
        Ok(())
    }

    /// Vouches for all that was appended so far: after it, damage to the tail cannot pass for a torn write. Call it
    /// when the journal is quiet or closed. It is durable before the next batch, which would vouch for it.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn vouch(&mut self) -> Result<(), JournalError> {
        if self.unsynced {
            self.sync()?;
        }
        self.append::<Vec<u8>>(&[])?;
        self.sync()
    }

    /// Shows every frame from a position on, in order, until `show` says stop by returning false.
    ///
    /// # Errors
    /// When the disk fails, or something is damaged.
    pub fn read(&mut self, from: Position, mut show: impl FnMut(Position, &[u8]) -> bool) -> Result<(), JournalError> {
        let begins = self.segments.partition_point(|first| *first <= from.0);
        let begins = begins.saturating_sub(usize::from(!crate::mutant!(ReadStartsLate)));
        let segments = self.segments.clone();
        for first in segments.into_iter().skip(begins) {
            let file = segment::name(first);
            let bytes = self.load(&file)?;
            let mut stopped = false;
            let walked = segment::walk(&bytes, first, |position, frame| {
                stopped = stopped || (position >= from.0 && !show(Position(position), frame));
                if stopped { Err("stopped".into()) } else { Ok(()) }
            });
            if stopped {
                return Ok(());
            }
            if let Some(trouble) = walked.trouble {
                return Err(JournalError::Damaged { file, offset: walked.sound as u64, trouble });
            }
        }
        Ok(())
    }

    /// Keeps a snapshot durably, begins a new segment after it, and lets go of the log before the oldest snapshot that
    /// is kept.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep_snapshot(&mut self, mut snapshot: Snapshot) -> Result<(), JournalError> {
        snapshot.position = if crate::mutant!(SnapshotLabelledLate) { Position(self.next) } else { self.position() };
        snapshot.shards = self.shards.values().copied().collect();
        let name = snapshot.name();
        let part = format!("{name}.part");
        if self.disk.length(&part).is_ok() {
            self.disk.remove(&part).map_err(failed(&part, "remove"))?;
        }
        self.disk.create(&part).map_err(failed(&part, "create"))?;
        self.disk.append(&part, &snapshot.encode()).map_err(failed(&part, "write"))?;
        if !crate::mutant!(SnapshotNotSynced) {
            self.disk.sync(&part).map_err(failed(&part, "sync"))?;
        }
        self.disk.rename(&part, &name).map_err(failed(&part, "rename"))?;
        self.disk.sync_directory().map_err(failed("the directory", "sync"))?;
        self.snapshot = Some(snapshot);
        if self.segments.last() != Some(&self.next) {
            self.vouch()?;
        }
        // Vouching has begun the new segment already when the one before was full.
        if self.segments.last() != Some(&self.next) {
            self.roll()?;
        }
        self.let_go()
    }

    /// The position of the last frame.
    pub const fn position(&self) -> Position {
        Position(self.next - 1)
    }

    /// The position of the first frame that is still there.
    pub fn first(&self) -> Position {
        Position(self.segments.first().copied().unwrap_or(1))
    }

    /// Where a shard is.
    pub fn mark(&self, shard: u16) -> ShardMark {
        self.shards.get(&shard).copied().unwrap_or_else(|| ShardMark::new(shard))
    }

    /// The latest sound snapshot.
    pub const fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// The snapshot that the log now begins with, when older segments were let go.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn base(&mut self) -> Result<Option<Snapshot>, JournalError> {
        let first = self.first().0;
        if first == 1 {
            return Ok(None);
        }
        self.read_snapshot(first - 1).map(Some)
    }

    /// The torn tail that was cut off at opening.
    pub const fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    /// What was noticed at opening and does no harm.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The disk under it.
    pub const fn disk(&self) -> &D {
        &self.disk
    }

    /// The disk under it, for a world that does something to it.
    pub const fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    /// Gives the disk back.
    pub fn into_disk(self) -> D {
        self.disk
    }

    fn file(&self) -> String {
        segment::name(self.segments.last().copied().unwrap_or(1))
    }
}

fn snapshot_name(position: u64) -> String {
    Snapshot { position: Position(position), ..Snapshot::default() }.name()
}

/// Checks that a frame continues its shard, and moves the shard's mark on.
fn continue_shard(shards: &mut BTreeMap<u16, ShardMark>, bytes: &[u8]) -> Result<(), String> {
    let (head, _) = frame::inspect(bytes).map_err(|error| error.to_string())?;
    let mark = shards.entry(head.shard).or_insert_with(|| ShardMark::new(head.shard));
    mark.admit(&head)?;
    mark.pass(&head, bytes);
    Ok(())
}

fn failed(file: &str, action: &'static str) -> impl FnOnce(std::io::Error) -> JournalError + use<> {
    let file = file.to_string();
    move |cause| JournalError::Disk { file, action, cause }
}
