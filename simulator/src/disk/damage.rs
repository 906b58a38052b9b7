//! Damage to what was durable, as devices do it in silence. The engine must refuse to open over it.

use super::file::PAGE_BYTES;
use super::{File, SimDisk};
use crate::world::random::{Domain, Random};
use actors::journal::segment;
use actors::journal::snapshot::Snapshot;
use actors::ports::Position;
use std::collections::BTreeMap;

/// How durable bytes are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A sector cannot be read.
    Unreadable,
    /// A bit is not what it was.
    Flip,
    /// A page holds what was meant for another place.
    Misdirected,
    /// A page was acknowledged and never written.
    Phantom,
}

/// Where damage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The first damaged byte.
    pub from: usize,
    /// Behind the last.
    pub to: usize,
}

/// Names and files, to be put back.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
}

impl SimDisk {
    /// Keeps a copy of all that is durable, for the end of the damage. Call it when the power is off.
    pub fn keep_copy(&mut self) {
        self.copy.get_or_insert_with(|| Copy { files: self.files.clone(), names: self.names.clone() });
    }

    /// Keeps how it is now, for [`SimDisk::go_back`].
    pub fn remember(&mut self) {
        self.older = Some(Copy { files: self.files.clone(), names: self.names.clone() });
    }

    /// It is as it was when it was last asked to remember; empty, if it never was.
    pub fn go_back(&mut self) {
        let older = self.older.clone().unwrap_or_else(|| Copy { files: Vec::new(), names: BTreeMap::new() });
        self.set(older);
    }

    /// Nothing is left on it.
    pub fn wipe(&mut self) {
        self.set(Copy { files: Vec::new(), names: BTreeMap::new() });
    }

    fn set(&mut self, copy: Copy) {
        self.files = copy.files;
        self.durable_names = copy.names.clone();
        self.names = copy.names;
        self.changes.clear();
    }

    /// Puts the copy back. Returns whether there was one.
    pub fn restore_copy(&mut self) -> bool {
        let Some(copy) = self.copy.take() else { return false };
        self.set(copy);
        self.unreadable.clear();
        true
    }

    /// Damages what the journal vouches for, at a place of chance. Nothing when there is no such place.
    pub fn damage(&mut self, damage: Damage, random: Random, key: u64) -> Option<Place> {
        let vouched = self.vouched();
        let width = match damage {
            Damage::Flip => 1,
            Damage::Unreadable => 512,
            Damage::Misdirected | Damage::Phantom => PAGE_BYTES,
        };
        let choose = |what: u64, most: usize| random.between(Domain::Damage, &[key, what], 0, most as u64) as usize;
        let (name, end) = vouched.get(choose(0, vouched.len().checked_sub(1)?))?.clone();
        let number = *self.names.get(&name)?;
        let at = choose(1, end.checked_sub(1)?) / width * width;
        let to = (at + width).min(end);
        let before = self.files[number].bytes[at..to].to_vec();
        match damage {
            Damage::Flip => self.files[number].bytes[at] ^= 1 << choose(2, 7),
            Damage::Unreadable => self.unreadable.push(Place { file: name.clone(), from: at, to }),
            Damage::Phantom => self.files[number].bytes[at..to].fill(0),
            Damage::Misdirected => {
                let (other, length) = vouched.get(choose(3, vouched.len() - 1))?.clone();
                let from = choose(4, length.saturating_sub(1)) / width * width;
                let other = &self.files[*self.names.get(&other)?].bytes;
                let mut page = other[from..(from + (to - at)).min(length)].to_vec();
                page.resize(to - at, 0);
                self.files[number].bytes[at..to].copy_from_slice(&page);
            }
        }
        let same = self.files[number].bytes[at..to] == before && damage != Damage::Unreadable;
        (!same).then_some(Place { file: name, from: at, to })
    }

    /// The journal's segments, each with the end of what a later batch or segment vouches for. Damage behind it passes
    /// for a torn write: no engine can tell them apart.
    fn vouched(&self) -> Vec<(String, usize)> {
        let segments: Vec<(&String, u64)> =
            self.names.keys().filter_map(|name| Some((name, segment::first_of(name)?))).collect();
        let count = segments.len();
        let ends = segments.into_iter().enumerate().map(|(index, (name, first))| {
            let bytes = &self.files[self.names[name]].bytes;
            let end = if index + 1 < count { bytes.len() } else { last_batch(bytes, first) };
            (name.clone(), end)
        });
        let mut ends: Vec<(String, usize)> = ends.filter(|(_, end)| *end > 0).collect();
        ends.extend(self.base());
        ends
    }

    /// The snapshot without which the log has no beginning, when what was before it was let go.
    fn base(&self) -> Option<(String, usize)> {
        let first = self.names.keys().find_map(|name| segment::first_of(name))?;
        let position = Position(first.checked_sub(1).filter(|position| *position > 0)?);
        let name = Snapshot { position, ..Snapshot::default() }.name();
        let length = self.files[*self.names.get(&name)?].bytes.len();
        Some((name, length))
    }
}

/// Where the last whole batch header is.
fn last_batch(bytes: &[u8], first: u64) -> usize {
    let mut last = 0;
    while let Some(next) = segment::vouched(bytes, last + 1, first) {
        last = next;
    }
    last
}
