//! A directory of real files under the journal, with one owner at a time.

use crate::predecessor;
use actors::ports::{Disk, Piece};
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Files in one directory, locked for as long as this lives.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
    open: Option<(String, File)>,
    /// Held for as long as this lives.
    _lock: File,
}

impl FileDisk {
    /// Opens a directory, made if it is not there, for writing. One process has it at a time.
    ///
    /// # Errors
    /// When it cannot be made or locked; the message says what to do.
    pub fn own(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(directory.join("lock"))?;
        // What a killed predecessor began to start may hold its files for a moment longer.
        for tries in (0..predecessor::TRIES).rev() {
            match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(_) if tries > 0 => std::thread::sleep(predecessor::LOOK_EVERY),
                Err(_) => {
                    let text = format!("{} is in use by another control plane; stop it first", directory.display());
                    return Err(Error::new(ErrorKind::ResourceBusy, text));
                }
            }
        }
        Ok(Self { directory: directory.into(), open: None, _lock: lock })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn file(&mut self, name: &str) -> Result<&mut File> {
        if self.open.as_ref().is_none_or(|(open, _)| open != name) {
            let file = OpenOptions::new().read(true).append(true).open(self.path(name))?;
            self.open = Some((name.into(), file));
        }
        match &mut self.open {
            Some((_, file)) => Ok(file),
            None => Err(Error::new(ErrorKind::NotFound, name.to_string())),
        }
    }
}

impl Disk for FileDisk {
    fn list(&mut self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.directory)?.collect::<Result<Vec<_>>>()?;
        let mut names: Vec<String> =
            entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        Ok(names)
    }

    fn length(&mut self, name: &str) -> Result<u64> {
        fs::metadata(self.path(name)).map(|metadata| metadata.len())
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> Result<Piece> {
        let mut file = File::open(self.path(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(length);
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    fn create(&mut self, name: &str) -> Result<()> {
        OpenOptions::new().write(true).create_new(true).open(self.path(name)).map(|_| ())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.file(name)?.write_all(bytes)
    }

    fn rewrite(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut file = OpenOptions::new().write(true).open(self.path(name))?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<()> {
        self.file(name)?.set_len(length)
    }

    fn sync(&mut self, name: &str) -> Result<()> {
        self.file(name)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.open = None;
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.open = None;
        fs::remove_file(self.path(name))
    }

    fn sync_directory(&mut self) -> Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}
