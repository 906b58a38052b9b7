//! The journal engine: an append-only log of frames over any [`Disk`].
//!
//! `append` writes a batch of frames, `sync` makes it durable; a batch is begun only when the one before is synced.
//! Opening checks every byte: a torn tail is cut off, damage in what was synced is refused and never skipped.

pub mod memory;
mod port;
pub mod segment;
pub mod snapshot;

#[cfg(test)]
mod tests;

use crate::ports::{Disk, Position};
use crate::shard::Shard;
use messages::frame;
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
    #[error("journal file {file}: cannot {action}: {cause}")]
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
    #[error("journal is incomplete: a segment that begins with position {expected} is missing, {found} is there")]
    Missing {
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
            poison: None,
            segment_bytes,
        };
        let names = journal.disk.list().map_err(failed("the directory", "list"))?;
        let firsts: Vec<u64> = names.iter().filter_map(|name| segment::first_of(name)).collect();
        journal.begin_from(&names, firsts.first().copied().unwrap_or(1))?;
        for (index, first) in firsts.iter().enumerate() {
            journal.scan(*first, index + 1 == firsts.len())?;
        }
        if journal.segments.is_empty() {
            journal.roll()?;
        }
        Ok(journal)
    }

    /// Where the log begins: with its first frame, or with the snapshot it was cut at when older segments were let go.
    fn begin_from(&mut self, names: &[String], first: u64) -> Result<(), JournalError> {
        let mut positions: Vec<u64> = names.iter().filter_map(|name| Snapshot::position_of(name)).collect();
        positions.sort_unstable();
        let mut base = None;
        for position in positions {
            let name = snapshot_name(position);
            match self.read_snapshot(&name) {
                Ok(snapshot) => {
                    base = base.or_else(|| (position + 1 == first).then(|| snapshot.shards.clone()));
                    self.snapshot = Some(snapshot);
                }
                Err(trouble) => self.notes.push(format!("snapshot {name} is not used: {trouble}")),
            }
        }
        self.next = first;
        if first > 1 {
            let marks = base.ok_or(JournalError::Missing { expected: 1, found: first })?;
            self.shards = marks.into_iter().map(|mark| (mark.shard, mark)).collect();
        }
        Ok(())
    }

    fn read_snapshot(&mut self, name: &str) -> Result<Snapshot, String> {
        let length = self.disk.length(name).map_err(|error| error.to_string())?;
        let length = usize::try_from(length).map_err(|error| error.to_string())?;
        let bytes = self.disk.read(name, 0, length).map_err(|error| error.to_string())?;
        Snapshot::decode(&bytes)
    }

    fn scan(&mut self, first: u64, last: bool) -> Result<(), JournalError> {
        let file = segment::name(first);
        let length = self.disk.length(&file).map_err(failed(&file, "measure"))?;
        let bytes = self.disk.read(&file, 0, bounded(length)).map_err(failed(&file, "read"))?;
        if first != self.next {
            return Err(JournalError::Missing { expected: self.next, found: first });
        }
        let mut shards = self.shards.clone();
        let walked = segment::walk(&bytes, first, |_, frame| continue_shard(&mut shards, frame));
        if let Some(trouble) = walked.trouble {
            let vouched = segment::vouched(&bytes, walked.sound).is_some();
            if !last || vouched {
                let offset = walked.sound as u64;
                return Err(JournalError::Damaged { file, offset, trouble });
            }
            self.cut(first, walked.whole as u64, length)?;
            return if walked.whole < segment::SEGMENT_HEADER_BYTES { Ok(()) } else { self.scan(first, true) };
        }
        self.next += walked.frames;
        self.shards = shards;
        self.segments.push(first);
        self.length = length;
        Ok(())
    }

    /// Cuts a torn tail off; a segment that never got its header is removed.
    fn cut(&mut self, first: u64, kept: u64, length: u64) -> Result<(), JournalError> {
        let file = segment::name(first);
        self.torn = Some(Torn { file: file.clone(), kept, cut: length - kept });
        if kept < segment::SEGMENT_HEADER_BYTES as u64 {
            self.disk.remove(&file).map_err(failed(&file, "remove"))?;
            return self.disk.sync_directory().map_err(failed("the directory", "sync"));
        }
        self.disk.truncate(&file, kept).map_err(failed(&file, "truncate"))?;
        self.disk.sync(&file).map_err(failed(&file, "sync"))
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
        self.disk.sync_directory().map_err(failed("the directory", "sync"))?;
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
    pub fn append(&mut self, frames: &[Vec<u8>]) -> Result<Vec<Position>, JournalError> {
        if let Some(cause) = &self.poison {
            return Err(JournalError::Poisoned(cause.clone()));
        }
        debug_assert!(!self.unsynced, "a batch is begun only when the one before is synced");
        let mut shards = self.shards.clone();
        for frame in frames {
            let shard = frame::inspect(frame).map_or(0, |(head, _)| head.shard);
            continue_shard(&mut shards, frame).map_err(|trouble| JournalError::Chain { shard, trouble })?;
        }
        if self.length >= self.segment_bytes {
            self.roll()?;
        }
        let file = self.file();
        let batch = segment::batch(self.next, self.length, frames);
        if let Err(cause) = self.disk.append(&file, &batch) {
            if let Err(second) = self.disk.truncate(&file, self.length) {
                self.poison = Some(format!("{cause}; then, taking it back: {second}"));
            }
            return Err(failed(&file, "write")(cause));
        }
        let first = self.next;
        self.next += frames.len() as u64;
        self.length += batch.len() as u64;
        self.shards = shards;
        self.unsynced = true;
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
        if let Err(cause) = self.disk.sync(&file) {
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
        self.append(&[])?;
        self.sync()
    }

    /// Shows every frame from a position on, in order, until `show` says stop by returning false.
    ///
    /// # Errors
    /// When the disk fails, or something is damaged.
    pub fn read(&mut self, from: Position, mut show: impl FnMut(Position, &[u8]) -> bool) -> Result<(), JournalError> {
        let begins = self.segments.partition_point(|first| *first <= from.0).saturating_sub(1);
        let segments = self.segments.clone();
        for first in segments.into_iter().skip(begins) {
            let file = segment::name(first);
            let length = self.disk.length(&file).map_err(failed(&file, "measure"))?;
            let bytes = self.disk.read(&file, 0, bounded(length)).map_err(failed(&file, "read"))?;
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
        snapshot.position = self.position();
        snapshot.shards = self.shards.values().copied().collect();
        let name = snapshot.name();
        let part = format!("{name}.part");
        if self.disk.length(&part).is_ok() {
            self.disk.remove(&part).map_err(failed(&part, "remove"))?;
        }
        self.disk.create(&part).map_err(failed(&part, "create"))?;
        self.disk.append(&part, &snapshot.encode()).map_err(failed(&part, "write"))?;
        self.disk.sync(&part).map_err(failed(&part, "sync"))?;
        self.disk.rename(&part, &name).map_err(failed(&part, "rename"))?;
        self.disk.sync_directory().map_err(failed("the directory", "sync"))?;
        self.snapshot = Some(snapshot);
        if self.segments.last() != Some(&self.next) {
            self.vouch()?;
            self.roll()?;
        }
        self.let_go()
    }

    fn let_go(&mut self) -> Result<(), JournalError> {
        let names = self.disk.list().map_err(failed("the directory", "list"))?;
        let mut positions: Vec<u64> = names.iter().filter_map(|name| Snapshot::position_of(name)).collect();
        positions.sort_unstable();
        let Some(drop) = positions.len().checked_sub(SNAPSHOTS_KEPT).filter(|drop| *drop > 0) else { return Ok(()) };
        let oldest_kept = positions[drop];
        for position in &positions[..drop] {
            let name = snapshot_name(*position);
            self.disk.remove(&name).map_err(failed(&name, "remove"))?;
        }
        let keep = self.segments.partition_point(|first| *first <= oldest_kept);
        for first in self.segments.drain(..keep).collect::<Vec<_>>() {
            let name = segment::name(first);
            self.disk.remove(&name).map_err(failed(&name, "remove"))?;
        }
        self.disk.sync_directory().map_err(failed("the directory", "sync"))
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
        let file = snapshot_name(first - 1);
        let damaged = |trouble| JournalError::Damaged { file: file.clone(), offset: 0, trouble };
        self.read_snapshot(&file).map(Some).map_err(damaged)
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

fn bounded(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Checks that a frame continues its shard, and moves the shard's mark on.
fn continue_shard(shards: &mut BTreeMap<u16, ShardMark>, bytes: &[u8]) -> Result<(), String> {
    let (head, _) = frame::inspect(bytes).map_err(|error| error.to_string())?;
    let mark = shards.entry(head.shard).or_insert_with(|| ShardMark::new(head.shard));
    let head = mark.check(bytes)?;
    mark.pass(&head, bytes);
    Ok(())
}

fn failed(file: &str, action: &'static str) -> impl FnOnce(std::io::Error) -> JournalError + use<> {
    let file = file.to_string();
    move |cause| JournalError::Disk { file, action, cause }
}
