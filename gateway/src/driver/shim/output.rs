//! Keeping a workload's output: one pipe and one set of rotating files for each stream.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::super::launch::{LogLimits, Stream};
use super::super::records::StateDirectory;

/// Read at once; as much as a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// The files of both streams.
pub struct Logs {
    files: [RotatingFile; 2],
}

/// A stream: its pipe, until that ends, and its files.
pub struct Output {
    pipe: Option<PipeReader>,
    file: RotatingFile,
}

impl Logs {
    /// Opens the files of both streams.
    pub fn open(directory: &StateDirectory, limits: &LogLimits) -> io::Result<Logs> {
        let open = |stream| RotatingFile::open(directory.log(stream), limits);
        Ok(Logs { files: [open(Stream::Out)?, open(Stream::Err)?] })
    }

    /// Ties each file to its pipe.
    pub fn attach(self, pipes: [PipeReader; 2]) -> [Output; 2] {
        let [out, err] = self.files;
        let [out_pipe, err_pipe] = pipes;
        [Output::new(out_pipe, out), Output::new(err_pipe, err)]
    }
}

impl Output {
    fn new(pipe: PipeReader, file: RotatingFile) -> Output {
        let nonblocking = fcntl_getfl(&pipe).and_then(|flags| fcntl_setfl(&pipe, flags | OFlags::NONBLOCK));
        // A pipe that cannot be set so would block the supervisor: better without its output than without its care.
        Output { pipe: nonblocking.is_ok().then_some(pipe), file }
    }

    /// What to poll for; `None` once the stream has ended.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Moves one chunk from the pipe to the file; `false` if there is nothing now.
    pub fn pump(&mut self) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        let mut chunk = [0_u8; CHUNK_BYTES];
        match pipe.read(&mut chunk) {
            Ok(0) => {
                self.pipe = None;
                false
            }
            Ok(count) => {
                self.file.append(&chunk[..count]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(_) => {
                self.pipe = None;
                false
            }
        }
    }

    /// Bytes that could not be kept.
    pub fn lost_bytes(&self) -> u64 {
        self.file.lost_bytes
    }
}

/// `path`, `path.1`, `path.2` …, the newest first, each below a size.
struct RotatingFile {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    limits: LogLimits,
    lost_bytes: u64,
}

impl RotatingFile {
    fn open(path: PathBuf, limits: &LogLimits) -> io::Result<RotatingFile> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(RotatingFile { path, file: Some(file), bytes, limits: *limits, lost_bytes: 0 })
    }

    /// Writes what it can: a full disk costs output, never the workload.
    fn append(&mut self, bytes: &[u8]) {
        let length = bytes.len() as u64;
        if self.bytes > 0 && self.bytes + length > self.limits.max_bytes {
            self.rotate();
        }
        if self.file.is_none() {
            self.file = OpenOptions::new().create(true).append(true).open(&self.path).ok();
        }
        match self.file.as_mut().map(|file| file.write_all(bytes)) {
            Some(Ok(())) => self.bytes += length,
            _ => self.lost_bytes += length,
        }
    }

    fn rotate(&mut self) {
        self.file = None;
        let numbered = |number: u32| match number {
            0 => self.path.clone(),
            number => {
                let mut name = self.path.as_os_str().to_owned();
                name.push(format!(".{number}"));
                PathBuf::from(name)
            }
        };
        let oldest = self.limits.files.saturating_sub(1);
        if oldest == 0 {
            let _not_there = fs::remove_file(&self.path);
        }
        for number in (0..oldest).rev() {
            let _not_there = fs::rename(numbered(number), numbered(number + 1));
        }
        self.bytes = 0;
    }
}
