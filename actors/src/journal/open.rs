//! Opening a journal: everything is read and checked; a torn tail is cut off, and what is damaged or missing is refused
//! before anything is changed. And letting go of the log before a snapshot, which a crash may interrupt anywhere.

use super::snapshot::Snapshot;
use super::{Journal, JournalError, SNAPSHOTS_KEPT, Torn, continue_shard, failed, segment, snapshot_name};
use crate::ports::{Disk, Piece};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};

impl<D: Disk> Journal<D> {
    /// Takes in what is on the disk, or begins anew.
    pub(super) fn take_in(&mut self) -> Result<(), JournalError> {
        let names = self.disk.list().map_err(failed("the directory", "list"))?;
        let firsts: Vec<u64> = names.iter().filter_map(|name| segment::first_of(name)).collect();
        let mut positions: Vec<u64> = names.iter().filter_map(|name| Snapshot::position_of(name)).collect();
        positions.sort_unstable();
        match self.scan_all(&positions, &firsts) {
            Err(JournalError::Missing { found, .. }) if letting_go(&positions) >= Some(found.saturating_sub(1)) => {
                self.go_on_letting_go(&positions, &firsts)?;
            }
            scanned => scanned?,
        }
        if self.segments.is_empty() {
            self.roll()?;
        }
        Ok(())
    }

    fn scan_all(&mut self, positions: &[u64], firsts: &[u64]) -> Result<(), JournalError> {
        self.begin_from(positions, firsts.first().copied().unwrap_or(1))?;
        for (index, first) in firsts.iter().enumerate() {
            self.scan(*first, index + 1 == firsts.len())?;
        }
        Ok(())
    }

    /// A crash interrupted the removal of the log before a snapshot, and left it in pieces. The log begins with that
    /// snapshot; the pieces are removed.
    fn go_on_letting_go(&mut self, positions: &[u64], firsts: &[u64]) -> Result<(), JournalError> {
        let base = letting_go(positions).unwrap_or_default();
        let (pieces, kept): (Vec<u64>, Vec<u64>) = firsts.iter().partition(|first| **first <= base);
        self.segments.clear();
        self.scan_all(positions, &kept)?;
        self.notes.push(format!("{} pieces of the log before snapshot {base} are removed", pieces.len()));
        for first in pieces {
            let name = segment::name(first);
            self.disk.remove(&name).map_err(failed(&name, "remove"))?;
        }
        self.disk.sync_directory().map_err(failed("the directory", "sync"))
    }

    /// Where the log begins: with its first frame, or with the snapshot it was cut at when older segments were let go.
    fn begin_from(&mut self, positions: &[u64], first: u64) -> Result<(), JournalError> {
        self.shards.clear();
        self.notes.clear();
        self.next = first;
        if first > 1 {
            if !positions.contains(&(first - 1)) {
                return Err(JournalError::Missing { file: segment::name(1), expected: 1, found: first });
            }
            let base = self.read_snapshot(first - 1)?;
            self.shards = base.shards.into_iter().map(|mark| (mark.shard, mark)).collect();
        }
        for position in positions {
            match self.read_snapshot(*position) {
                Ok(snapshot) => self.snapshot = Some(snapshot),
                Err(error) => self.notes.push(format!("a snapshot is not used: {error}")),
            }
        }
        Ok(())
    }

    pub(super) fn read_snapshot(&mut self, position: u64) -> Result<Snapshot, JournalError> {
        let file = snapshot_name(position);
        let bytes = self.load(&file)?;
        Snapshot::decode(&bytes).map_err(|trouble| JournalError::Damaged { file, offset: 0, trouble })
    }

    /// All of a file. A read that gives less than there is, is continued.
    pub(super) fn load(&mut self, file: &str) -> Result<Piece, JournalError> {
        let length = self.disk.length(file).map_err(failed(file, "measure"))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length == 0 {
            return Ok(Piece::default());
        }
        let first = self.disk.read(file, 0, length).map_err(failed(file, "read"))?;
        if first.len() >= length {
            return Ok(first);
        }
        let mut bytes = first.to_vec();
        while bytes.len() < length {
            let more = self.disk.read(file, bytes.len() as u64, length - bytes.len()).map_err(failed(file, "read"))?;
            if more.is_empty() {
                let text = format!("it ends after {} of {length} bytes", bytes.len());
                return Err(failed(file, "read")(Error::new(ErrorKind::UnexpectedEof, text)));
            }
            bytes.extend_from_slice(&more);
        }
        Ok(bytes.into())
    }

    fn scan(&mut self, first: u64, last: bool) -> Result<(), JournalError> {
        let file = segment::name(first);
        let bytes = self.load(&file)?;
        let length = bytes.len() as u64;
        if first != self.next {
            return Err(JournalError::Missing { file: segment::name(self.next), expected: self.next, found: first });
        }
        let mut shards = if crate::mutant!(MarksOfLastSegmentOnly) { BTreeMap::new() } else { self.shards.clone() };
        let walked = segment::walk(&bytes, first, |_, frame| continue_shard(&mut shards, frame));
        let kept = last && crate::mutant!(TornTailKept) && walked.whole >= segment::SEGMENT_HEADER_BYTES;
        if let Some(trouble) = walked.trouble.filter(|_| !kept) {
            let vouched = segment::vouched(&bytes, walked.sound, first).is_some() && !crate::mutant!(DamageCutOff);
            if !last || vouched {
                let offset = walked.sound as u64;
                return Err(JournalError::Damaged { file, offset, trouble });
            }
            self.cut(first, walked.whole as u64, length)?;
            return if walked.whole < segment::SEGMENT_HEADER_BYTES { Ok(()) } else { self.scan(first, true) };
        }
        if last && !crate::mutant!(LastBatchBelieved) {
            self.secure(&file, walked.last, &bytes)?;
        }
        self.next += walked.frames;
        self.shards = shards;
        self.segments.push(first);
        self.length = length;
        Ok(())
    }

    /// What is found may lie in the cache alone: it was written by a process that was killed, or a sync that failed has
    /// dropped it. So the last batch is written anew and synced before it is believed.
    fn secure(&mut self, file: &str, from: usize, bytes: &[u8]) -> Result<(), JournalError> {
        self.disk.rewrite(file, from as u64, &bytes[from..]).map_err(failed(file, "rewrite"))?;
        self.disk.sync(file).map_err(failed(file, "sync"))
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

    /// Lets go of what lies before the oldest snapshot that is kept, if that can still be read.
    pub(super) fn let_go(&mut self) -> Result<(), JournalError> {
        let names = self.disk.list().map_err(failed("the directory", "list"))?;
        let mut positions: Vec<u64> = names.iter().filter_map(|name| Snapshot::position_of(name)).collect();
        positions.sort_unstable();
        let Some(drop) = positions.len().checked_sub(SNAPSHOTS_KEPT).filter(|drop| *drop > 0) else { return Ok(()) };
        let oldest_kept = positions[drop];
        if let Err(error) = self.read_snapshot(oldest_kept) {
            self.notes.push(format!("the log before a snapshot stays: {error}"));
            return Ok(());
        }
        for position in &positions[..drop + usize::from(crate::mutant!(BaseLetGo))] {
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
}

/// The snapshot before which the log may have been let go.
fn letting_go(positions: &[u64]) -> Option<u64> {
    positions.len().checked_sub(SNAPSHOTS_KEPT).and_then(|oldest| positions.get(oldest).copied())
}
