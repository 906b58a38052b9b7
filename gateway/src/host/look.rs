//! The files of a journal as they are at one moment, also while a control plane writes them. Nothing is changed: what
//! the journal engine would cut off or begin when it opens, it does in memory.

use actors::ports::{Disk, Piece};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Files as they are at one moment.
#[derive(Debug)]
pub struct Look {
    files: BTreeMap<String, Seen>,
}

/// A file up to where it was, and what is thought of behind that.
#[derive(Debug)]
struct Seen {
    file: Option<File>,
    length: u64,
    added: Vec<u8>,
}

impl Look {
    /// Opens every file of a directory, up to how long it is now. What is removed later stays readable.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn at(directory: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A snapshot that is just let go is not missed.
            let file = match File::open(entry.path()) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let metadata = file.metadata()?;
            if metadata.is_file() {
                files.insert(name, Seen { length: metadata.len(), file: Some(file), added: Vec::new() });
            }
        }
        Ok(Self { files })
    }

    /// Whether there is a segment of a journal.
    pub fn has_journal(&self) -> bool {
        self.files.keys().any(|name| actors::journal::segment::first_of(name).is_some())
    }

    fn seen(&mut self, name: &str) -> Result<&mut Seen> {
        self.files.get_mut(name).ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no file {name}")))
    }
}

impl Disk for Look {
    fn list(&mut self) -> Result<Vec<String>> {
        Ok(self.files.keys().cloned().collect())
    }

    fn length(&mut self, name: &str) -> Result<u64> {
        self.seen(name).map(|seen| seen.length + seen.added.len() as u64)
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> Result<Piece> {
        let seen = self.seen(name)?;
        let whole = seen.length + seen.added.len() as u64;
        let length = (length as u64).min(whole.saturating_sub(offset));
        let stored = length.min(seen.length.saturating_sub(offset));
        let mut bytes = vec![0; usize::try_from(stored).unwrap_or(usize::MAX)];
        if let Some(file) = &seen.file {
            file.read_exact_at(&mut bytes, offset)?;
        }
        let from = usize::try_from(offset.saturating_sub(seen.length)).unwrap_or(usize::MAX);
        let rest = usize::try_from(length - stored).unwrap_or(usize::MAX);
        bytes.extend(seen.added.iter().skip(from).take(rest));
        Ok(bytes.into())
    }

    fn create(&mut self, name: &str) -> Result<()> {
        self.files.insert(name.into(), Seen { file: None, length: 0, added: Vec::new() });
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.seen(name).map(|seen| seen.added.extend_from_slice(bytes))
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<()> {
        let seen = self.seen(name)?;
        seen.added.truncate(usize::try_from(length.saturating_sub(seen.length)).unwrap_or(usize::MAX));
        seen.length = seen.length.min(length);
        Ok(())
    }

    fn rewrite(&mut self, name: &str, _offset: u64, _bytes: &[u8]) -> Result<()> {
        // The bytes are there already, and nothing is to become durable.
        self.seen(name).map(|_| ())
    }

    fn sync(&mut self, name: &str) -> Result<()> {
        self.seen(name).map(|_| ())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.seen(from)?;
        if let Some(seen) = self.files.remove(from) {
            self.files.insert(to.into(), seen);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.seen(name)?;
        self.files.remove(name);
        Ok(())
    }

    fn sync_directory(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::journal::Journal;
    use actors::shard::Shard;

    #[test]
    fn a_torn_tail_is_left_out_and_the_file_stays_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = crate::host::FileDisk::own(directory.path()).expect("it can be written");
        let mut journal = Journal::open(disk).expect("a journal begins");
        journal.append(&[Shard::claim_frame(1, 1)]).expect("it is written");
        journal.sync().expect("it is durable");
        let file = directory.path().join(actors::journal::segment::name(1));
        let whole = std::fs::read(&file).expect("it is there");
        let torn = [&whole[..], &whole[24..70]].concat();
        std::fs::write(&file, &torn).expect("it can be torn");
        let mut journal = Journal::open(Look::at(directory.path()).expect("it is there")).expect("it opens");
        assert_eq!((journal.position().0, journal.torn().is_some()), (1, true));
        // What is written meanwhile is not seen.
        std::fs::write(&file, [&torn[..], b"more"].concat()).expect("it is written");
        let mut shown = 0;
        journal
            .read(journal.first(), |_, _| {
                shown += 1;
                true
            })
            .expect("it is read");
        assert_eq!(shown, 1);
        assert_eq!(std::fs::read(&file).ok(), Some([&torn[..], b"more"].concat()));
    }
}
