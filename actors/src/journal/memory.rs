//! A disk in memory, for tests and for a control plane that keeps nothing.

use crate::ports::{Disk, Piece};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};

/// Files in memory. Everything is durable at once, for as long as the process lives.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryDisk {
    fn file(&mut self, name: &str) -> Result<&mut Vec<u8>> {
        self.files.get_mut(name).ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no file {name}")))
    }

    /// The bytes of a file, to be damaged at will.
    pub fn bytes(&mut self, name: &str) -> Option<&mut Vec<u8>> {
        self.files.get_mut(name)
    }
}

impl Disk for MemoryDisk {
    fn list(&mut self) -> Result<Vec<String>> {
        Ok(self.files.keys().cloned().collect())
    }

    fn length(&mut self, name: &str) -> Result<u64> {
        self.file(name).map(|bytes| bytes.len() as u64)
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> Result<Piece> {
        let bytes = self.file(name)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        Ok(bytes[start..end].to_vec().into())
    }

    fn create(&mut self, name: &str) -> Result<()> {
        if self.files.contains_key(name) {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("{name} is there already")));
        }
        self.files.insert(name.into(), Vec::new());
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.file(name).map(|file| file.extend_from_slice(bytes))
    }

    fn rewrite(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = self.file(name)?.get(start..).and_then(|rest| rest.get(..bytes.len()));
        if there == Some(bytes) { Ok(()) } else { Err(Error::new(ErrorKind::InvalidInput, "other bytes are there")) }
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<()> {
        self.file(name).map(|file| file.truncate(usize::try_from(length).unwrap_or(usize::MAX)))
    }

    fn sync(&mut self, name: &str) -> Result<()> {
        self.file(name).map(|_| ())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let bytes = std::mem::take(self.file(from)?);
        self.files.remove(from);
        self.files.insert(to.into(), bytes);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.file(name)?;
        self.files.remove(name);
        Ok(())
    }

    fn sync_directory(&mut self) -> Result<()> {
        Ok(())
    }
}
