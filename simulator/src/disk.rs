//! A disk that keeps what was synced, and of the rest what a crash happens to leave.

use crate::world::random::{Domain, Random};
use actors::ports::Disk;
use std::collections::BTreeMap;
use std::io;

/// The unit that the cache writes back, in bytes.
const PAGE_BYTES: usize = 4_096;
/// The unit that the device writes whole, in bytes.
const SECTOR_BYTES: usize = 512;

/// Files, what of them is durable, and what is wrong with the device.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    changes: Vec<Change>,
    crashes: u64,
    syncs_to_fail: u32,
    full: bool,
}

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    /// How many of the first bytes are durable.
    synced: usize,
    /// The durable bytes, when they are no prefix of `bytes` any more.
    before_cut: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Change {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

/// What a crash did to what was not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Bytes that were not synced.
    pub unsynced: usize,
    /// Bytes of them that are gone or damaged.
    pub lost: usize,
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Create(name, file) => {
            names.insert(name.clone(), *file);
        }
        Change::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Change::Remove(name) => {
            names.remove(name);
        }
    }
}

impl SimDisk {
    /// The next `count` syncs fail, and what they should have made durable is not.
    pub const fn fail_syncs(&mut self, count: u32) {
        self.syncs_to_fail += count;
    }

    /// No more syncs fail.
    pub const fn mend_syncs(&mut self) {
        self.syncs_to_fail = 0;
    }

    /// Whether something is wrong with the device now.
    pub const fn is_faulty(&self) -> bool {
        self.full || self.syncs_to_fail > 0
    }

    /// Whether there is no room left.
    pub const fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// Whether bytes wait for a sync.
    pub fn is_dirty(&self) -> bool {
        !self.changes.is_empty() || self.files.iter().any(|file| file.bytes.len() > file.synced)
    }

    /// The power goes. Of the changed names a first part stays; of the un-synced bytes some pages stay, some read as
    /// zeros, and some are torn in the middle.
    pub fn crash(&mut self, random: Random) -> Losses {
        self.crashes += 1;
        self.syncs_to_fail = 0;
        let keep = random.between(Domain::CrashDirectory, &[self.crashes], 0, self.changes.len() as u64);
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        for change in self.changes.drain(..).take(keep) {
            apply(&mut self.durable_names, &change);
        }
        self.names = self.durable_names.clone();
        let mut losses = Losses::default();
        for (number, file) in self.files.iter_mut().enumerate() {
            file.crash(random, [self.crashes, number as u64], &mut losses);
        }
        losses
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        let number = self.names.get(name).ok_or_else(|| missing(name))?;
        self.files.get_mut(*number).ok_or_else(|| missing(name))
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.changes.push(change);
    }
}

impl File {
    fn crash(&mut self, random: Random, key: [u64; 2], losses: &mut Losses) {
        if let Some(durable) = self.before_cut.take()
            && random.chance(Domain::CrashData, &[key[0], key[1], u64::MAX], 500)
        {
            self.synced = durable.len();
            self.bytes = durable;
        }
        let unsynced = self.bytes.len().saturating_sub(self.synced);
        losses.unsynced += unsynced;
        if unsynced > 0 {
            let kept = random.between(Domain::CrashData, &[key[0], key[1], u64::MAX - 1], 0, unsynced as u64);
            let end = self.synced + usize::try_from(kept).unwrap_or(unsynced);
            losses.lost += self.bytes.len() - end;
            self.bytes.truncate(end);
            self.lose_pages(random, key, losses);
        }
        self.synced = self.bytes.len();
    }

    fn lose_pages(&mut self, random: Random, key: [u64; 2], losses: &mut Losses) {
        let mut at = self.synced;
        while at < self.bytes.len() {
            let page = at / PAGE_BYTES;
            let end = ((page + 1) * PAGE_BYTES).min(self.bytes.len());
            let fate = random.word(Domain::CrashData, &[key[0], key[1], page as u64]);
            let lost_from = match fate % 8 {
                0 => at,
                1 => (at + (fate >> 8) as usize % (end - at)) / SECTOR_BYTES * SECTOR_BYTES,
                _ => end,
            };
            let lost_from = lost_from.clamp(at, end);
            self.bytes[lost_from..end].fill(0);
            losses.lost += end - lost_from;
            at = end;
        }
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no file {name}"))
}

impl Disk for SimDisk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        Ok(self.names.keys().cloned().collect())
    }

    fn length(&mut self, name: &str) -> io::Result<u64> {
        Ok(self.file(name)?.bytes.len() as u64)
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let bytes = &self.file(name)?.bytes;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        Ok(bytes[start..end].to_vec())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        if self.names.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("file {name} is there already")));
        }
        self.files.push(File::default());
        self.change(Change::Create(name.into(), self.files.len() - 1));
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let full = self.full;
        let file = self.file(name)?;
        let part = if full { bytes.len() / 2 } else { bytes.len() };
        file.bytes.extend_from_slice(&bytes[..part]);
        if full {
            return Err(io::Error::new(io::ErrorKind::StorageFull, format!("no room left for {name}")));
        }
        Ok(())
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let file = self.file(name)?;
        if length < file.synced {
            let durable = file.bytes[..file.synced].to_vec();
            file.before_cut.get_or_insert(durable);
            file.synced = length;
        }
        file.bytes.truncate(length);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        if self.syncs_to_fail > 0 {
            self.syncs_to_fail -= 1;
            return Err(io::Error::other(format!("sync of {name} failed")));
        }
        let file = self.file(name)?;
        file.synced = file.bytes.len();
        file.before_cut = None;
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        if !self.names.contains_key(from) {
            return Err(missing(from));
        }
        self.change(Change::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        if !self.names.contains_key(name) {
            return Err(missing(name));
        }
        self.change(Change::Remove(name.into()));
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.changes.clear();
        self.durable_names = self.names.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> SimDisk {
        let mut disk = SimDisk::default();
        disk.create("log").expect("a new file");
        disk.sync_directory().expect("a sync");
        disk.append("log", &[7; 10_000]).expect("room");
        disk.sync("log").expect("a sync");
        disk.append("log", &[9; 10_000]).expect("room");
        disk
    }

    #[test]
    fn a_crash_keeps_every_synced_byte_and_some_of_the_rest() {
        let mut lost = 0;
        for seed in 0..200 {
            let mut disk = written();
            disk.create("new").expect("a new file");
            lost += disk.crash(Random::new(seed)).lost;
            let bytes = disk.read("log", 0, 20_000).expect("it was synced");
            assert!(bytes.len() >= 10_000);
            assert!(bytes[..10_000].iter().all(|byte| *byte == 7));
            assert!(bytes[10_000..].iter().all(|byte| *byte == 9 || *byte == 0));
        }
        assert!(lost > 200 * 1_000, "only {lost} bytes were lost in 200 crashes");
    }

    #[test]
    fn a_name_that_was_not_synced_may_vanish() {
        let vanished = (0..100).filter(|seed| {
            let mut disk = written();
            disk.create("new").expect("a new file");
            disk.crash(Random::new(*seed));
            !disk.list().expect("a list").contains(&"new".to_string())
        });
        assert!((20..80).contains(&vanished.count()));
    }

    #[test]
    fn a_failed_sync_makes_nothing_durable() {
        let mut disk = written();
        disk.fail_syncs(1);
        assert!(disk.sync("log").is_err());
        assert!(disk.is_dirty());
        disk.sync("log").expect("the error came once");
        assert!(!disk.is_dirty());
    }
}
