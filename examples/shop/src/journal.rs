//! A file of lines that only grows: how each service keeps what it must not forget.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// An open journal. A line that was appended is on disk when `append` returns.
#[derive(Debug)]
pub struct Journal {
    file: File,
    length: u64,
}

impl Journal {
    /// Opens or creates the file and returns its whole lines. A line cut short by a crash was never acknowledged;
    /// it is dropped.
    pub fn open(path: &Path) -> io::Result<(Journal, Vec<String>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let length = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        bytes.truncate(length);
        let text = String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{} is not text", path.display())))?;
        let mut journal = Journal { file, length: length as u64 };
        journal.cut_back()?;
        Ok((journal, text.lines().map(str::to_owned).collect()))
    }

    /// Appends one line and waits until it is on disk. After a failure the journal is as it was before.
    pub fn append(&mut self, line: &str) -> io::Result<()> {
        if line.contains('\n') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a line of a journal has no line ends in it"));
        }
        let bytes = format!("{line}\n").into_bytes();
        if let Err(problem) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            self.cut_back()?;
            return Err(problem);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length)).map(|_| ())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::PathBuf;

    /// An empty directory of its own for the test of this name.
    pub(crate) fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("shop-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a temporary directory can be made");
        path
    }

    #[test]
    fn lines_are_found_again() {
        let path = directory("lines_are_found_again").join("journal");
        let (mut journal, lines) = Journal::open(&path).expect("a new file");
        assert!(lines.is_empty());
        journal.append("one").expect("written");
        journal.append("two").expect("written");
        assert!(journal.append("th\nree").is_err());
        let (_, lines) = Journal::open(&path).expect("the same file");
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_line_cut_short_is_dropped_and_written_over() {
        let path = directory("a_line_cut_short").join("journal");
        std::fs::write(&path, "one\ntw").expect("written");
        let (mut journal, lines) = Journal::open(&path).expect("opened");
        assert_eq!(lines, ["one"]);
        journal.append("three").expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "one\nthree\n");
    }
}
