//! What a world must offer: a disk under the journal, and a log under the shards.

use crate::journal::snapshot::Snapshot;
use messages::shared::Shared;
use std::fmt;
use std::io;
use std::ops::{Deref, Range};

/// A directory of files, as the journal engine needs it: real files, or the simulator's sectors.
///
/// What was appended is durable only after [`Disk::sync`]; what was created, renamed or removed, only after
/// [`Disk::sync_directory`].
pub trait Disk {
    /// Names of all files, sorted.
    ///
    /// # Errors
    /// As the world gives them, here and below.
    fn list(&mut self) -> io::Result<Vec<String>>;
    /// The length of a file in bytes.
    fn length(&mut self, name: &str) -> io::Result<u64>;
    /// Up to `length` bytes from `offset`: fewer at the end of the file, and none behind it.
    fn read(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Piece>;
    /// Makes a new, empty file; an error if it is there.
    fn create(&mut self, name: &str) -> io::Result<()>;
    /// Appends at the end of a file. May write a part of it and then fail.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Writes anew the bytes that a file has from `offset` on, without changing them: the next sync writes them even if
    /// an earlier one failed and dropped them.
    fn rewrite(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file off after `length` bytes.
    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()>;
    /// Makes what was written to a file durable. After an error nothing may be assumed of it.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Renames a file, replacing what was there.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_directory(&mut self) -> io::Result<()>;
}

impl<D: Disk + ?Sized> Disk for &mut D {
    fn list(&mut self) -> io::Result<Vec<String>> {
        (**self).list()
    }

    fn length(&mut self, name: &str) -> io::Result<u64> {
        (**self).length(name)
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Piece> {
        (**self).read(name, offset, length)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        (**self).create(name)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        (**self).append(name, bytes)
    }

    fn rewrite(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        (**self).rewrite(name, offset, bytes)
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        (**self).truncate(name, length)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        (**self).sync(name)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        (**self).rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        (**self).remove(name)
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        (**self).sync_directory()
    }
}

/// Bytes that were read: of their own, or shared with a file in memory.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    bytes: Shared<Vec<u8>>,
    range: Range<usize>,
}

impl Piece {
    /// A part of shared bytes; what of it lies behind their end is left out.
    pub fn of(bytes: &Shared<Vec<u8>>, range: Range<usize>) -> Self {
        let end = range.end.min(bytes.len());
        Self { bytes: bytes.clone(), range: range.start.min(end)..end }
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { bytes: bytes.into(), range }
    }
}

/// Where a frame lies in a journal: grows with every frame of any shard. Opaque beyond its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Why a frame was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another owner has claimed the shard. Drop it.
    #[error("shard {shard} has another owner since position {position}")]
    Fenced {
        /// Which shard.
        shard: u16,
        /// The last frame of the shard.
        position: Position,
    },
    /// Whether it was appended is not known. Drop the shard and read it anew.
    #[error("whether the frame was appended is not known: {0}")]
    Unknown(String),
    /// The journal cannot be written and says so. Nothing more may be decided on it.
    #[error("the journal cannot be written: {0}")]
    Failed(String),
}

/// Why a log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// What was durable is not what it was, or is gone.
    #[error("{0}")]
    Damaged(String),
    /// It does not answer.
    #[error("{0}")]
    Failed(String),
}

/// The log under a host: the frames of all shards in one order, each shard with one owner at a time.
///
/// Local files and a JetStream stream keep it; both hold the same frames and are held to the same behaviour by
/// `tests/tests/ports.rs`.
pub trait Log: Send {
    /// Claims shards, whatever came last in them, and returns their epochs in the same order. Frames of older epochs
    /// are refused from then on, everywhere.
    ///
    /// # Errors
    /// As [`Log::append`].
    fn claim(&mut self, shards: &[u16]) -> Result<Vec<u64>, AppendError>;

    /// Appends frames durably, at most one of each shard, each continuing its shard. Returns what became of each.
    fn append(&mut self, frames: &[Vec<u8>]) -> Vec<Result<Position, AppendError>>;

    /// Shows every frame from a position on, in order, until `show` says stop by returning false.
    ///
    /// # Errors
    /// When something is damaged or missing, or the log does not answer.
    fn read(&mut self, from: Position, show: &mut dyn FnMut(Position, &[u8]) -> bool) -> Result<(), LogError>;

    /// The position of the first frame that is still there.
    fn first(&self) -> Position;

    /// The position of the last frame.
    fn position(&self) -> Position;

    /// The snapshot that the log now begins with, when what was before it was let go.
    ///
    /// # Errors
    /// As [`Log::read`].
    fn base(&mut self) -> Result<Option<Snapshot>, LogError>;

    /// The latest sound snapshot.
    fn snapshot(&self) -> Option<&Snapshot>;

    /// Keeps a snapshot of every cell as of the last frame; its position and marks are filled in.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep_snapshot(&mut self, snapshot: Snapshot) -> Result<(), LogError>;

    /// The longest frame it takes, in bytes.
    fn frame_bytes_max(&self) -> usize;

    /// Looks whether the shards are still owned. Call it now and then while nothing is appended.
    ///
    /// # Errors
    /// When another owner claimed one.
    fn still_owned(&mut self) -> Result<(), AppendError>;

    /// Called when nothing more is appended.
    ///
    /// # Errors
    /// When it cannot be closed tidily. Nothing is lost then.
    fn close(&mut self) -> Result<(), LogError>;
}
