//! The control plane's journal on the simulated disk.

use crate::disk::SimDisk;
use actors::ports::Disk;
use messages::frame;

const LOG: &str = "log";

/// The journal of all shards.
#[derive(Clone, Debug)]
pub struct Store {
    disk: SimDisk,
}

/// What was found when a journal was opened.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub store: Store,
    /// Every frame, in the order of the log.
    pub frames: Vec<Vec<u8>>,
    /// Whether a torn tail was cut off.
    pub torn: bool,
}

impl Store {
    /// Opens the journal, or begins one.
    ///
    /// # Errors
    /// The disk and a sentence, when it cannot be opened.
    pub fn open(mut disk: SimDisk) -> Result<Opened, (SimDisk, String)> {
        match scan(&mut disk) {
            Ok((frames, torn)) =>
                Ok(Opened { store: Self { disk }, frames, torn }),
            Err(error) => Err((disk, error.to_string())),
        }
    }

    /// Writes frames; they are durable after the next sync.
    ///
    /// # Errors
    /// When the disk says so. Then nothing may be assumed of what was written.
    pub fn append(&mut self, frames: &[Vec<u8>]) -> Result<(), String> {
        self.disk.append(LOG, &frames.concat()).map_err(|error| error.to_string())
    }

    /// Makes durable what was written.
    ///
    /// # Errors
    /// When the disk says so. Then nothing may be assumed of what was written.
    pub fn sync(&mut self) -> Result<(), String> {
        self.disk.sync(LOG).map_err(|error| error.to_string())
    }

    /// The disk under it.
    pub const fn disk_mut(&mut self) -> &mut SimDisk {
        &mut self.disk
    }

    /// The disk, without the process that used it.
    pub fn into_disk(self) -> SimDisk {
        self.disk
    }
}

fn scan(disk: &mut SimDisk) -> std::io::Result<(Vec<Vec<u8>>, bool)> {
    if disk.list()?.is_empty() {
        disk.create(LOG)?;
        disk.sync_directory()?;
    }
    let length = disk.length(LOG)?;
    let bytes = disk.read(LOG, 0, usize::try_from(length).unwrap_or(usize::MAX))?;
    let mut rest = bytes.as_slice();
    let mut frames = Vec::new();
    while let Ok((_, length)) = frame::inspect(rest) {
        frames.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    if !rest.is_empty() {
        disk.truncate(LOG, (bytes.len() - rest.len()) as u64)?;
    }
    disk.sync(LOG)?;
    Ok((frames, !rest.is_empty()))
}
