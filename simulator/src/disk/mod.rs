//! A disk that keeps what was synced, and of the rest what a crash happens to leave.

mod damage;
mod file;
#[cfg(test)]
mod tests;

pub use damage::{Damage, Place};
pub use file::Losses;

use crate::world::random::{Domain, Random};
use actors::ports::{Disk, Piece};
use damage::Copy;
use file::File;
use std::collections::BTreeMap;
use std::io;

/// Files, what of them is durable, and what is wrong with the device.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    changes: Vec<Change>,
    crashes: u64,
    /// How often something was asked of it.
    asked: u64,
    ills: Ills,
    /// What has come of its ills since the last look.
    bites: Vec<&'static str>,
    unreadable: Vec<Place>,
    copy: Option<Copy>,
    /// How it was some time ago.
    older: Option<Copy>,
}

/// What is wrong with the device now. Several troubles of one kind may overlap.
#[derive(Clone, Debug, Default)]
struct Ills {
    /// The next so many syncs fail.
    syncs_to_fail: u32,
    /// Whether a sync that fails leaves the cache believing that all was written.
    drops_pages: bool,
    syncs_fail: u32,
    full: u32,
    read_only: u32,
    short_writes: u32,
    short_reads: u32,
    power: Option<PowerCut>,
    /// The power is gone: nothing answers.
    dark: bool,
}

/// An ill that lasts for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ill {
    /// Every sync fails.
    SyncsFail,
    /// There is no room left.
    Full,
    /// Nothing can be changed.
    ReadOnly,
    /// Reads give less than was asked for.
    ShortReads,
}

/// The power will go in the middle of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCut {
    /// Of which one.
    pub during: During,
    /// What becomes of what was not synced.
    pub fates: Fates,
}

/// In the middle of what the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    /// Writing to a file.
    Write,
    /// Syncing a file.
    Sync,
    /// Making names durable.
    SyncNames,
}

/// What becomes of pages that were not synced when the power goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fates {
    /// Some stay, some are gone, some torn, some hold something else.
    #[default]
    Mixed,
    /// They are torn.
    Torn,
    /// They are lost one by one.
    PagesLost,
    /// They hold something else.
    PagesGarbled,
    /// Changed names are lost one by one.
    NamesLost,
}

#[derive(Clone, Debug)]
enum Change {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
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
    /// The next `count` syncs fail, and what they should have made durable is not. With `drops_pages` the cache holds
    /// it for written all the same, and the next sync says that all is well.
    pub const fn fail_syncs(&mut self, count: u32, drops_pages: bool) {
        self.ills.syncs_to_fail += count;
        self.ills.drops_pages |= drops_pages;
    }

    /// No more syncs fail.
    pub const fn mend_syncs(&mut self) {
        self.ills.syncs_to_fail = 0;
        self.ills.drops_pages = false;
    }

    /// An ill begins.
    pub const fn fall_ill(&mut self, ill: Ill) {
        *self.ill(ill) += 1;
    }

    /// It is over, unless another of its kind goes on.
    pub const fn recover(&mut self, ill: Ill) {
        let count = self.ill(ill);
        *count = count.saturating_sub(1);
    }

    const fn ill(&mut self, ill: Ill) -> &mut u32 {
        match ill {
            Ill::SyncsFail => &mut self.ills.syncs_fail,
            Ill::Full => &mut self.ills.full,
            Ill::ReadOnly => &mut self.ills.read_only,
            Ill::ShortReads => &mut self.ills.short_reads,
        }
    }

    /// The next write is cut short.
    pub const fn cut_a_write(&mut self) {
        self.ills.short_writes += 1;
    }

    /// No more writes are cut short.
    pub const fn mend_writes(&mut self) {
        self.ills.short_writes = 0;
    }

    /// The power will go in the middle of the next such operation; never, when `None`.
    pub const fn arm(&mut self, cut: Option<PowerCut>) {
        self.ills.power = cut;
    }

    /// Whether the power is gone.
    pub const fn is_dark(&self) -> bool {
        self.ills.dark
    }

    /// Whether something is wrong with the device now, for which a journal may not open.
    pub fn is_faulty(&self) -> bool {
        let ills = &self.ills;
        let any = ills.full + ills.syncs_to_fail + ills.syncs_fail + ills.read_only + ills.short_writes > 0;
        any || self.copy.is_some() || ills.power.is_some()
    }

    /// Whether bytes wait for a sync.
    pub fn is_dirty(&self) -> bool {
        !self.changes.is_empty() || self.files.iter().any(File::dirty)
    }

    /// What has come of its ills since the last look.
    pub fn take_bites(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.bites)
    }

    /// Whether two disks hold the same names and the same bytes.
    pub fn holds_the_same(&self, other: &Self) -> bool {
        let bytes = |disk: &Self, name: &String| disk.files[disk.names[name]].bytes.clone();
        self.names.keys().eq(other.names.keys())
            && self.names.keys().all(|name| bytes(self, name) == bytes(other, name))
    }

    /// The power goes. Of the changed names a first part stays; of the un-synced bytes some pages stay, some are gone or
    /// hold something else, and some are torn in the middle.
    pub fn crash(&mut self, random: Random) -> Losses {
        self.crashes += 1;
        let fates = self.ills.power.take_if(|_| self.ills.dark).map(|cut| cut.fates).unwrap_or_default();
        self.ills.dark = false;
        self.mend_syncs();
        let mut losses = Losses { names: self.lose_names(random, fates), ..Losses::default() };
        let stale = self
            .files
            .iter()
            .enumerate()
            .rev()
            .find(|(number, file)| !file.bytes.is_empty() && !self.names.values().any(|named| named == number));
        let stale = stale.map(|(_, file)| file.bytes.clone()).unwrap_or_default();
        for (number, file) in self.files.iter_mut().enumerate() {
            file.crash(random, [self.crashes, number as u64], fates, &stale, &mut losses);
        }
        losses
    }

    fn lose_names(&mut self, random: Random, fates: Fates) -> u64 {
        let changes = std::mem::take(&mut self.changes);
        let first = random.between(Domain::CrashDirectory, &[self.crashes], 0, changes.len() as u64);
        let mut lost = 0;
        for (change, index) in changes.iter().zip(0..) {
            let alone = || random.chance(Domain::CrashDirectory, &[self.crashes, index], 500);
            if if fates == Fates::NamesLost { alone() } else { index < first } {
                apply(&mut self.durable_names, change);
            } else {
                lost += 1;
            }
        }
        self.names = self.durable_names.clone();
        lost
    }

    /// Something is asked of it that changes nothing.
    fn answer(&mut self) -> io::Result<()> {
        self.asked += 1;
        if self.ills.dark { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    /// Something is asked of it that changes something.
    fn admit(&mut self) -> io::Result<()> {
        self.answer()?;
        if self.ills.read_only > 0 {
            self.bites.push("read-only-disk");
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the file system is read-only"));
        }
        Ok(())
    }

    /// The power goes now, if it was to go in the middle of this.
    fn goes_dark(&mut self, during: During) -> bool {
        self.ills.dark = self.ills.power.is_some_and(|cut| cut.during == during);
        self.ills.dark
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        let number = self.names.get(name).ok_or_else(|| missing(name))?;
        self.files.get_mut(*number).ok_or_else(|| missing(name))
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.changes.push(change);
    }

    /// Of the files that are gone for good, only the last stays where it was, until something is written over it.
    fn forget_removed(&mut self) {
        let named: Vec<usize> = self.names.values().copied().collect();
        let gone = (0..self.files.len()).rev().filter(|number| !named.contains(number));
        let mut gone = gone.filter(|number| !self.files[*number].bytes.is_empty()).collect::<Vec<_>>();
        if !gone.is_empty() {
            gone.remove(0);
        }
        gone.into_iter().for_each(|number| self.files[number].forget());
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no file {name}"))
}

/// A part of `length`, by a word of chance; at least one.
const fn part(length: usize, word: u64) -> usize {
    if length == 0 { 0 } else { 1 + (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % length }
}

impl Disk for SimDisk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        self.answer()?;
        Ok(self.names.keys().cloned().collect())
    }

    fn length(&mut self, name: &str) -> io::Result<u64> {
        self.answer()?;
        Ok(self.file(name)?.bytes.len() as u64)
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Piece> {
        self.answer()?;
        let (short, word) = (self.ills.short_reads > 0, self.asked);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let (start, end) = {
            let bytes = &self.file(name)?.bytes;
            (start.min(bytes.len()), start.saturating_add(length).min(bytes.len()))
        };
        if let Some(place) =
            self.unreadable.iter().find(|place| place.file == name && place.from < end && start < place.to)
        {
            let text = format!("input/output error (EIO) at byte {}", place.from);
            return Err(io::Error::other(text));
        }
        let end = if short { start + part(end - start, word) } else { end };
        if short && end > start {
            self.bites.push("short-read");
        }
        Ok(Piece::of(&self.file(name)?.bytes, start..end))
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.admit()?;
        if self.names.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("file {name} is there already")));
        }
        self.files.push(File::default());
        self.change(Change::Create(name.into(), self.files.len() - 1));
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.admit()?;
        let (dark, full, word) = (self.goes_dark(During::Write), self.ills.full > 0, self.asked);
        let cut = self.ills.short_writes > 0 && bytes.len() > 1;
        let written = match (dark || cut, full) {
            (true, _) => part(bytes.len() - 1, word),
            (false, true) => bytes.len() / 2,
            (false, false) => bytes.len(),
        };
        self.file(name)?.bytes.extend_from_slice(&bytes[..written]);
        if dark {
            return Err(io::Error::other("the power went"));
        }
        if cut {
            self.ills.short_writes -= 1;
            self.bites.push("short-write");
            let text = format!("only {written} of {} bytes were written to {name}", bytes.len());
            return Err(io::Error::new(io::ErrorKind::WriteZero, text));
        }
        if full {
            self.bites.push("disk-full");
            return Err(io::Error::new(io::ErrorKind::StorageFull, format!("no room left for {name}")));
        }
        Ok(())
    }

    fn rewrite(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.admit()?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let file = self.file(name)?;
        if file.bytes.get(start..).and_then(|rest| rest.get(..bytes.len())) != Some(bytes) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "other bytes are there"));
        }
        file.rewrite(start, start + bytes.len());
        Ok(())
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.admit()?;
        self.file(name)?.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.answer()?;
        if self.goes_dark(During::Sync) {
            return Err(io::Error::other("the power went"));
        }
        let failed = || io::Error::other(format!("sync of {name} failed"));
        if self.ills.syncs_fail > 0 {
            self.bites.push("syncs-fail");
            return Err(failed());
        }
        if self.ills.syncs_to_fail > 0 {
            self.ills.syncs_to_fail -= 1;
            if self.ills.drops_pages {
                self.file(name)?.drop_unsynced();
                self.bites.push("fsync-gate");
            } else {
                self.bites.push("sync-fails");
            }
            return Err(failed());
        }
        self.file(name)?.sync();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.admit()?;
        if !self.names.contains_key(from) {
            return Err(missing(from));
        }
        self.change(Change::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.admit()?;
        if !self.names.contains_key(name) {
            return Err(missing(name));
        }
        self.change(Change::Remove(name.into()));
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.answer()?;
        if self.goes_dark(During::SyncNames) {
            return Err(io::Error::other("the power went"));
        }
        self.changes.clear();
        self.durable_names = self.names.clone();
        self.forget_removed();
        Ok(())
    }
}
