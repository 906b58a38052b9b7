//! Reading a workload's output back: the last lines, what comes next, across rotations and without losing a line.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::launch::Stream;
use super::records::StateDirectory;

/// Read at once from one file.
const CHUNK_BYTES: usize = 64 * 1024;
/// A line is cut here if it does not end before.
const LINE_BYTES_MAX: usize = 256 * 1024;
/// Numbered files looked for; no launch keeps more.
const FILES_MAX: u32 = 1_000;
/// How often a followed log is looked at.
const FOLLOW_PAUSE: Duration = Duration::from_millis(50);

/// One line of output, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it was written.
    pub stream: Stream,
    /// What was written, whatever its encoding.
    pub text: Vec<u8>,
}

/// Reads an instance's streams side by side: lines keep their order within a stream.
#[derive(Debug)]
pub struct LogReader {
    streams: Vec<StreamReader>,
}

impl LogReader {
    /// Begins at the first line that is still kept, or at the last few of each stream.
    pub(super) fn open(directory: &StateDirectory, streams: &[Stream], last: Option<usize>) -> io::Result<LogReader> {
        let open = |stream: &Stream| StreamReader::open(*stream, directory.log(*stream), last);
        Ok(LogReader { streams: streams.iter().map(open).collect::<io::Result<_>>()? })
    }

    /// Whole lines that have come since the last call, a bounded number of them; empty if there is nothing new.
    pub fn read(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        for stream in &mut self.streams {
            stream.read(&mut lines)?;
        }
        Ok(lines)
    }

    /// What is left of lines without an end; for when no more will come.
    pub fn rest(&mut self) -> Vec<Line> {
        let rest =
            |stream: &mut StreamReader| Line { stream: stream.stream, text: std::mem::take(&mut stream.partial) };
        self.streams.iter_mut().map(rest).filter(|line| !line.text.is_empty()).collect()
    }

    /// Sends lines as they come, until the instance is over and all is read, or nobody listens.
    pub async fn follow(mut self, over: impl Fn() -> bool, lines: mpsc::Sender<Line>) -> io::Result<()> {
        loop {
            // Asked before reading: what was written before the end is read after it.
            let is_over = over();
            let mut new = self.read()?;
            let done = is_over && new.is_empty();
            if done {
                new = self.rest();
            }
            let nothing = new.is_empty();
            for line in new {
                if lines.send(line).await.is_err() {
                    return Ok(());
                }
            }
            if done {
                return Ok(());
            }
            if nothing {
                tokio::select! {
                    () = lines.closed() => return Ok(()),
                    () = tokio::time::sleep(FOLLOW_PAUSE) => {}
                }
            }
        }
    }
}

#[derive(Debug)]
struct StreamReader {
    stream: Stream,
    path: PathBuf,
    file: Option<File>,
    partial: Vec<u8>,
}

impl StreamReader {
    fn open(stream: Stream, path: PathBuf, last: Option<usize>) -> io::Result<StreamReader> {
        let mut reader = StreamReader { stream, path, file: None, partial: Vec::new() };
        match last {
            None => reader.file = reader.oldest()?,
            Some(lines) => reader.seek_last(lines)?,
        }
        Ok(reader)
    }

    fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    fn oldest(&self) -> io::Result<Option<File>> {
        let mut oldest = open_if_there(&self.path)?;
        for number in 1..FILES_MAX {
            match open_if_there(&self.numbered(number))? {
                Some(file) => oldest = Some(file),
                None => break,
            }
        }
        Ok(oldest)
    }

    /// Walks back from the newest file until enough line ends are passed.
    fn seek_last(&mut self, lines: usize) -> io::Result<()> {
        let mut wanted = lines;
        for number in 0..FILES_MAX {
            let Some(mut file) = open_if_there(&self.numbered(number))? else { break };
            let place = place_of_last(&mut file, &mut wanted, number == 0)?;
            file.seek(SeekFrom::Start(place.unwrap_or(0)))?;
            self.file = Some(file);
            if place.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn read(&mut self, lines: &mut Vec<Line>) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut count = self.read_chunk(&mut chunk)?;
        while count == 0 && self.advance()? {
            count = self.read_chunk(&mut chunk)?;
        }
        let mut rest = &chunk[..count];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(&rest[..end]);
            lines.push(Line { stream: self.stream, text: std::mem::take(&mut self.partial) });
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() >= LINE_BYTES_MAX {
            lines.push(Line { stream: self.stream, text: std::mem::take(&mut self.partial) });
        }
        Ok(())
    }

    fn read_chunk(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        self.file.as_mut().map_or(Ok(0), |file| file.read(chunk))
    }

    /// At the end of a file: goes on to the next newer one, if this one was rotated. `true` if there is more to read.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(file) = &mut self.file else {
            self.file = open_if_there(&self.path)?;
            return Ok(self.file.is_some());
        };
        let own = inode(&file.metadata()?);
        let is_own = |path: &Path| std::fs::metadata(path).is_ok_and(|metadata| inode(&metadata) == own);
        let position = file.stream_position()?;
        let number = (0..FILES_MAX)
            .take_while(|number| *number == 0 || self.numbered(*number).exists())
            .find(|number| is_own(&self.numbered(*number)));
        match number {
            Some(0) => Ok(false),
            // It may have grown between our reading and its rotation.
            _ if self
                .file
                .as_ref()
                .is_some_and(|file| file.metadata().is_ok_and(|metadata| metadata.len() > position)) =>
            {
                Ok(true)
            }
            Some(number) => {
                let newer = open_if_there(&self.numbered(number - 1))?;
                // Rotated again meanwhile, the number would lead past a file: then the next look finds it.
                if newer.is_none() || !is_own(&self.numbered(number)) {
                    return Ok(false);
                }
                self.file = newer;
                Ok(true)
            }
            None => {
                let oldest = self.oldest()?;
                let moved = oldest.is_some();
                self.file = oldest.or(self.file.take());
                Ok(moved)
            }
        }
    }
}

/// Where the last `wanted` lines begin, or `None` if they begin before this file; `wanted` counts down.
fn place_of_last(file: &mut File, wanted: &mut usize, newest: bool) -> io::Result<Option<u64>> {
    let length = file.metadata()?.len();
    if *wanted == 0 {
        return Ok(Some(length));
    }
    let mut end = length;
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    while end > 0 {
        let start = end.saturating_sub(CHUNK_BYTES as u64);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        file.by_ref().take(end - start).read_to_end(&mut chunk)?;
        let places: VecDeque<u64> =
            (start..end).zip(&chunk).filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place).collect();
        for place in places.into_iter().rev() {
            // The end of the very last line begins no other.
            if newest && place + 1 == length {
                continue;
            }
            *wanted -= 1;
            if *wanted == 0 {
                return Ok(Some(place + 1));
            }
        }
        end = start;
    }
    Ok(None)
}

fn inode(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| String::from_utf8(line.text).expect("plain text")).collect()
    }

    fn log(files: &[(&str, &str)]) -> (tempfile::TempDir, StateDirectory) {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("written");
        }
        let state = StateDirectory::new(directory.path().to_owned());
        (directory, state)
    }

    fn drain(reader: &mut LogReader) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let lines = texts(reader.read().expect("readable"));
            if lines.is_empty() {
                return all;
            }
            all.extend(lines);
        }
    }

    #[test]
    fn the_last_lines_may_lie_in_older_files() {
        let (_directory, state) = log(&[("stdout.log", "d\ne\n"), ("stdout.log.1", "b\nc\n"), ("stdout.log.2", "a\n")]);
        for (last, expected) in [
            (Some(1), "e"),
            (Some(2), "d e"),
            (Some(3), "c d e"),
            (Some(9), "a b c d e"),
            (None, "a b c d e"),
            (Some(0), ""),
        ] {
            let mut reader = LogReader::open(&state, &[Stream::Out], last).expect("readable");
            assert_eq!(drain(&mut reader).join(" "), expected, "{last:?}");
        }
    }

    #[test]
    fn a_line_goes_on_across_a_rotation() {
        let (directory, state) = log(&[("stdout.log", "one\ntw")]);
        let path = |name: &str| directory.path().join(name);
        let mut reader = LogReader::open(&state, &[Stream::Out, Stream::Err], None).expect("readable");
        assert_eq!(drain(&mut reader), ["one"]);
        fs::rename(path("stdout.log"), path("stdout.log.2")).expect("rotated twice");
        fs::write(path("stdout.log.1"), "o\nthree\n").expect("written");
        fs::write(path("stdout.log"), "four\nfi").expect("written");
        assert_eq!(drain(&mut reader), ["two", "three", "four"]);
        assert_eq!(texts(reader.rest()), ["fi"]);
    }

    #[test]
    fn a_reader_left_behind_goes_on_with_the_oldest_that_is_kept() {
        let (directory, state) = log(&[("stdout.log", "one\n")]);
        let mut reader = LogReader::open(&state, &[Stream::Out], None).expect("readable");
        assert_eq!(drain(&mut reader), ["one"]);
        fs::remove_file(directory.path().join("stdout.log")).expect("rotated out");
        fs::write(directory.path().join("stdout.log.1"), "five\n").expect("written");
        fs::write(directory.path().join("stdout.log"), "six\n").expect("written");
        assert_eq!(drain(&mut reader), ["five", "six"]);
    }
}
