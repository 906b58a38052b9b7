//! A log that is only read: the data directory of a control plane, also while it runs, or a file exported from one.
//!
//! An exported file is `ORX1`, its version (u16), the release that wrote it (u16 and UTF-8), the snapshot it begins with
//! (u32 and its bytes; none when zero), then each frame behind its position (u64), and at the end a position of all ones,
//! the number of frames (u64) and the SHA-256 of everything before. All little-endian.

use super::chain;
use super::look::Look;
use actors::cast::AnyCell;
use actors::journal::snapshot::{ShardMark, Snapshot};
use actors::journal::{Journal, SEGMENT_BYTES};
use actors::ports::{Log, Position};
use messages::frame::{ENTRIES_BYTES_MAX, HEADER_BYTES, TRAILER_BYTES, inspect};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 4] = *b"ORX1";
const VERSION: u16 = 1;
const END: u64 = u64::MAX;

/// A log that is only read.
pub struct Recording {
    path: PathBuf,
    base: Option<Snapshot>,
    source: Source,
}

enum Source {
    Journal(Box<Journal<Look>>),
    File(Box<Exported>),
}

/// An exported file in the middle of being read.
struct Exported {
    file: BufReader<File>,
    hash: Sha256,
    shards: BTreeMap<u16, ShardMark>,
    frames: u64,
}

impl Recording {
    /// Opens a data directory, the `journal` in it, or an exported file.
    ///
    /// # Errors
    /// A sentence that says which file, what is wrong, and what to do.
    pub fn open(path: &Path) -> Result<Self, String> {
        let missing = |error: std::io::Error| {
            format!(
                "cannot read {}: {error}; give the data directory of `orrery up`, or a file made with \
                 `orrery log --export`",
                path.display()
            )
        };
        if std::fs::metadata(path).map_err(missing)?.is_dir() {
            return Self::directory(path);
        }
        let file = BufReader::new(File::open(path).map_err(missing)?);
        let mut exported = Exported { file, hash: Sha256::new(), shards: BTreeMap::new(), frames: 0 };
        let wrong = |trouble: String| format!("{}: {trouble}", path.display());
        let base = exported.head().map_err(wrong)?;
        for mark in base.iter().flat_map(|base| &base.shards) {
            exported.shards.insert(mark.shard, *mark);
        }
        Ok(Self { path: path.into(), base, source: Source::File(Box::new(exported)) })
    }

    fn directory(path: &Path) -> Result<Self, String> {
        let directory = if path.join("journal").is_dir() { path.join("journal") } else { path.to_path_buf() };
        let wrong = |trouble: String| format!("{trouble} in {}", directory.display());
        let look = Look::at(&directory).map_err(|error| wrong(error.to_string()))?;
        if !look.has_journal() {
            return Err(format!("there is no journal in {}; give the data directory of `orrery up`", path.display()));
        }
        let mut journal = Journal::open_with(look, SEGMENT_BYTES).map_err(|error| wrong(chain(&error)))?;
        let base = journal.base().map_err(|error| wrong(chain(&error)))?;
        Ok(Self { path: directory, base, source: Source::Journal(Box::new(journal)) })
    }

    /// The log of a site on a NATS server or in files, written to a file that [`Recording::open`] reads.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn export(log: &mut dyn Log, to: &Path) -> Result<u64, String> {
        let base = log.base().map_err(|error| error.to_string())?;
        let mut out = Export::begin(to, base.as_ref())?;
        let first = log.first();
        let mut trouble = None;
        let read = log.read(first, &mut |position, bytes| {
            trouble = out.frame(position, bytes).err();
            trouble.is_none()
        });
        read.map_err(|error| error.to_string())?;
        trouble.map_or(Ok(()), Err)?;
        out.end()
    }

    /// Writes it to a file.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn export_to(mut self, to: &Path) -> Result<u64, String> {
        let mut out = Export::begin(to, self.base.as_ref())?;
        self.each(|position, bytes| out.frame(position, bytes))?;
        out.end()
    }

    /// The cells that the log begins with, when what was before was let go.
    ///
    /// # Errors
    /// When they are of another build.
    pub fn cells(&self) -> Result<Vec<AnyCell>, String> {
        let restored = self.base.iter().flat_map(|base| &base.cells).map(|(id, bytes)| AnyCell::restore(*id, bytes));
        restored.collect::<Result<_, _>>().map_err(|error| {
            format!("{}: {error}; read it with the release that wrote the snapshot it begins with", self.path.display())
        })
    }

    /// Shows every frame in order, until `show` fails.
    ///
    /// # Errors
    /// A sentence that says which file and frame, what is wrong, and what to do.
    pub fn each(&mut self, mut show: impl FnMut(Position, &[u8]) -> Result<(), String>) -> Result<(), String> {
        let path = self.path.display().to_string();
        let wrong = |trouble: String| format!("{path}: {trouble}");
        match &mut self.source {
            Source::File(file) => file.each(show).map_err(wrong),
            Source::Journal(journal) => {
                let first = journal.first();
                let mut trouble = None;
                let read = Journal::read(journal, first, |position, bytes| {
                    trouble = show(position, bytes).err();
                    trouble.is_none()
                });
                read.map_err(|error| wrong(chain(&error)))?;
                trouble.map_or(Ok(()), |trouble| Err(wrong(trouble)))
            }
        }
    }
}

impl Exported {
    fn take(&mut self, length: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(length as u64).read_to_end(&mut bytes);
        read.map_err(|error| format!("cannot be read: {error}"))?;
        if bytes.len() < length {
            return Err(format!("the file is cut short after frame {}; export it again", self.frames));
        }
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut number = [0; N];
        number.copy_from_slice(&self.take(N)?);
        Ok(number)
    }

    fn head(&mut self) -> Result<Option<Snapshot>, String> {
        let strange = "this is no log; give a data directory, or a file made with `orrery log --export`";
        let magic = self.number::<4>().map_err(|_| strange.to_string())?;
        if magic != MAGIC {
            return Err(strange.into());
        }
        let version = u16::from_le_bytes(self.number()?);
        let length = u16::from_le_bytes(self.number()?);
        let release = String::from_utf8_lossy(&self.take(usize::from(length))?).into_owned();
        if version > VERSION {
            return Err(format!(
                "an exported log of version {version}, written by Orrery {release}; this one reads up to version \
                 {VERSION}: use Orrery {release} or newer"
            ));
        }
        let length = u32::from_le_bytes(self.number()?) as usize;
        let bytes = self.take(length)?;
        let base = (length > 0).then(|| Snapshot::decode(&bytes)).transpose();
        base.map_err(|trouble| format!("the snapshot it begins with: {trouble}; it was written by Orrery {release}"))
    }

    fn each(&mut self, mut show: impl FnMut(Position, &[u8]) -> Result<(), String>) -> Result<(), String> {
        loop {
            let position = u64::from_le_bytes(self.number()?);
            if position == END {
                return self.end();
            }
            let wrong = |trouble: String| format!("frame {position}: {trouble}");
            let mut bytes = self.take(HEADER_BYTES)?;
            let length = u32::from_le_bytes([bytes[60], bytes[61], bytes[62], bytes[63]]) as usize;
            if length > ENTRIES_BYTES_MAX {
                return Err(wrong("it is damaged: no frame is so long; export it again".into()));
            }
            bytes.extend(self.take(length + TRAILER_BYTES)?);
            let (head, _) = inspect(&bytes).map_err(|error| wrong(format!("{error}; export it again")))?;
            let mark = self.shards.entry(head.shard).or_insert_with(|| ShardMark::new(head.shard));
            mark.check(&bytes).map_err(wrong)?;
            mark.pass(&head, &bytes);
            self.frames += 1;
            show(Position(position), &bytes)?;
        }
    }

    fn end(&mut self) -> Result<(), String> {
        let frames = u64::from_le_bytes(self.number()?);
        let hash: [u8; 32] = self.hash.clone().finalize().into();
        let told: [u8; 32] = self.number()?;
        if frames == self.frames && hash == told {
            return Ok(());
        }
        Err(format!("the file is damaged: its hash over {} frames does not match; export it again", self.frames))
    }
}

/// A file that a log is being written to.
struct Export {
    path: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
    frames: u64,
}

impl Export {
    fn begin(to: &Path, base: Option<&Snapshot>) -> Result<Self, String> {
        let file = File::create(to).map_err(|error| format!("cannot write {}: {error}", to.display()))?;
        let mut out = Self { path: to.into(), file: BufWriter::new(file), hash: Sha256::new(), frames: 0 };
        let (release, base) = (env!("CARGO_PKG_VERSION"), base.map(Snapshot::encode).unwrap_or_default());
        let too_long = |_| "the snapshot it begins with is too long to be exported".to_string();
        out.put(&MAGIC)?;
        out.put(&VERSION.to_le_bytes())?;
        out.put(&u16::try_from(release.len()).map_err(too_long)?.to_le_bytes())?;
        out.put(release.as_bytes())?;
        out.put(&u32::try_from(base.len()).map_err(too_long)?.to_le_bytes())?;
        out.put(&base)?;
        Ok(out)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }

    fn frame(&mut self, position: Position, bytes: &[u8]) -> Result<(), String> {
        self.frames += 1;
        self.put(&position.0.to_le_bytes())?;
        self.put(bytes)
    }

    fn end(mut self) -> Result<u64, String> {
        self.put(&END.to_le_bytes())?;
        self.put(&self.frames.to_le_bytes())?;
        let hash = self.hash.clone().finalize();
        self.put(&hash)?;
        self.file.flush().map_err(|error| format!("cannot write {}: {error}", self.path.display()))?;
        Ok(self.frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::journal::memory::MemoryDisk;
    use actors::shard::Shard;

    /// A journal of two claims, exported.
    fn exported(directory: &Path) -> PathBuf {
        let mut journal = Journal::open(MemoryDisk::default()).expect("a journal begins");
        journal.append(&[Shard::claim_frame(1, 1), Shard::claim_frame(2, 1)]).expect("it is written");
        journal.sync().expect("it is durable");
        let to = directory.join("log.orx");
        assert_eq!(Recording::export(&mut journal, &to), Ok(2));
        to
    }

    fn read(path: &Path) -> Result<Vec<u64>, String> {
        let mut positions = Vec::new();
        Recording::open(path)?.each(|position, _| {
            positions.push(position.0);
            Ok(())
        })?;
        Ok(positions)
    }

    #[test]
    fn what_was_exported_is_read_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let to = exported(directory.path());
        assert_eq!(read(&to), Ok(vec![1, 2]));
        let again = directory.path().join("again.orx");
        assert_eq!(Recording::open(&to).and_then(|recording| recording.export_to(&again)), Ok(2));
        assert_eq!(std::fs::read(&to).ok(), std::fs::read(&again).ok());
    }

    #[test]
    fn every_bit_and_every_length_of_an_exported_file_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        let to = exported(directory.path());
        let bytes = std::fs::read(&to).expect("it is there");
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            std::fs::write(&to, &damaged).expect("it is written");
            let trouble = read(&to).expect_err("it is damaged");
            assert!(trouble.starts_with(&to.display().to_string()), "byte {at}: {trouble}");
            std::fs::write(&to, &bytes[..at]).expect("it is written");
            read(&to).expect_err("it is cut short");
        }
    }

    #[test]
    fn what_is_no_log_is_said_to_be_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let trouble = read(directory.path()).expect_err("it is empty");
        assert!(trouble.contains("there is no journal in"), "{trouble}");
        let file = directory.path().join("notes.txt");
        std::fs::write(&file, "hello, this is no log").expect("it is written");
        assert!(read(&file).expect_err("it is text").contains("this is no log"));
        assert!(read(&directory.path().join("none")).expect_err("it is not there").contains("orrery log --export"));
    }

    #[test]
    fn a_file_of_a_newer_version_says_which_release_reads_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let to = exported(directory.path());
        let mut bytes = std::fs::read(&to).expect("it is there");
        bytes[4] = 9;
        std::fs::write(&to, &bytes).expect("it is written");
        let trouble = read(&to).expect_err("it is newer");
        assert!(trouble.contains("version 9") && trouble.contains("or newer"), "{trouble}");
    }
}
