//! What a world must offer: a disk under the journal, and a journal under the shards.

use std::fmt;
use std::io;

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
    /// Up to `length` bytes from `offset`; fewer at the end of the file.
    fn read(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Makes a new, empty file; an error if it is there.
    fn create(&mut self, name: &str) -> io::Result<()>;
    /// Appends at the end of a file. May write a part of it and then fail.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
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
