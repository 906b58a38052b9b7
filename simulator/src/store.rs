//! The control plane's journal: the real engine on the simulated disk.

use crate::disk::SimDisk;
use actors::journal::snapshot::Snapshot;
use actors::journal::{Frame, Journal, JournalError};
use actors::ports::Position;
use messages::id::ActorId;

/// The journal of all shards.
#[derive(Clone, Debug)]
pub struct Store {
    journal: Journal<SimDisk>,
}

/// What was found when a journal was opened.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub store: Store,
    /// The snapshot that the frames continue, if they do not begin with the first.
    pub base: Option<Snapshot>,
    /// Whether a torn tail was cut off.
    pub torn: bool,
}

impl Opened {
    /// Shows every frame after the snapshot, in the order of the log.
    ///
    /// # Errors
    /// A sentence, when they cannot be read.
    pub fn frames(&mut self, mut show: impl FnMut(&[u8])) -> Result<(), String> {
        let journal = &mut self.store.journal;
        let from = self.base.as_ref().map_or(journal.first(), |base| Position(base.position.0 + 1));
        let shown = journal.read(from, |_, frame| {
            show(frame);
            true
        });
        shown.map_err(sentence)
    }
}

impl Store {
    /// Opens the journal, or begins one. `latest` starts from the latest snapshot rather than from the oldest.
    ///
    /// # Errors
    /// A sentence, when it cannot be opened. What the attempt did to the disk stays done.
    pub fn open(disk: &mut SimDisk, segment_bytes: u64, latest: bool) -> Result<Opened, String> {
        let mut journal = match Journal::open_with(disk.clone(), segment_bytes) {
            Ok(journal) => journal,
            Err(error) => {
                let again = Journal::open_with(disk, segment_bytes).err();
                return Err(sentence(again.unwrap_or(error)));
            }
        };
        let torn = journal.torn().is_some();
        let base = if latest { journal.snapshot().cloned() } else { journal.base().map_err(sentence)? };
        Ok(Opened { store: Self { journal }, base, torn })
    }

    /// Writes frames as one batch; they are durable after the next sync.
    ///
    /// # Errors
    /// When the disk says so. Then nothing may be assumed of what was written.
    pub fn append(&mut self, frames: &[impl Frame]) -> Result<(), String> {
        self.journal.append(frames).map(|_| ()).map_err(sentence)
    }

    /// Makes durable what was written.
    ///
    /// # Errors
    /// When the disk says so. Then nothing may be assumed of what was written.
    pub fn sync(&mut self) -> Result<(), String> {
        self.journal.sync().map_err(sentence)
    }

    /// Keeps a snapshot of every cell, and lets go of the log before the oldest kept one.
    ///
    /// # Errors
    /// When the disk says so.
    pub fn keep_snapshot(&mut self, cells: Vec<(ActorId, Vec<u8>)>) -> Result<(), String> {
        self.journal.keep_snapshot(Snapshot { cells, ..Snapshot::default() }).map_err(sentence)
    }

    /// The disk under it, for a world that does something to it.
    pub const fn disk_mut(&mut self) -> &mut SimDisk {
        self.journal.disk_mut()
    }

    /// The disk under it.
    pub const fn disk(&self) -> &SimDisk {
        self.journal.disk()
    }

    /// The disk, without the process that used it.
    pub fn into_disk(self) -> SimDisk {
        self.journal.into_disk()
    }
}

fn sentence(error: JournalError) -> String {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}
