//! A file on the simulated disk: what of it is durable, and what a power cut leaves of the rest.

use super::Fates;
use crate::world::random::{Domain, Random};
use messages::shared::Shared;

/// The unit that the cache writes back, in bytes.
pub(super) const PAGE_BYTES: usize = 4_096;
/// The unit that the device writes whole, in bytes.
const SECTOR_BYTES: usize = 512;

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    pub(super) bytes: Shared<Vec<u8>>,
    /// How many of the first bytes are durable.
    pub(super) synced: usize,
    /// The durable bytes, when they are no prefix of `bytes` any more.
    before_cut: Option<Vec<u8>>,
    /// Bytes that the cache shows and holds for written, and that are not.
    dropped: Vec<(usize, usize)>,
}

/// What a crash did to what was not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Bytes that were not synced.
    pub unsynced: usize,
    /// Bytes of them that are gone or damaged.
    pub lost: usize,
    /// Pages that are there in part.
    pub torn: u64,
    /// Pages that are gone, while something behind them is there.
    pub holes: u64,
    /// Pages that hold something else.
    pub garbled: u64,
    /// Bytes that a failed sync dropped, and that are gone now.
    pub dropped: usize,
    /// Changes of names that are gone.
    pub names: u64,
}

/// What becomes of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    Gone,
    Torn,
    Garbled,
}

impl File {
    /// The power goes.
    pub(super) fn crash(&mut self, random: Random, key: [u64; 2], fates: Fates, stale: &[u8], losses: &mut Losses) {
        self.lose_dropped(random, key, losses);
        if let Some(durable) = self.before_cut.take()
            && random.chance(Domain::CrashData, &[key[0], key[1], u64::MAX], 500)
        {
            self.synced = durable.len();
            self.bytes = durable.into();
        }
        let unsynced = self.bytes.len().saturating_sub(self.synced);
        losses.unsynced += unsynced;
        if unsynced > 0 {
            let whole = matches!(fates, Fates::PagesLost | Fates::PagesGarbled);
            let least = if whole { unsynced as u64 } else { 0 };
            let kept = random.between(Domain::CrashData, &[key[0], key[1], u64::MAX - 1], least, unsynced as u64);
            let end = self.synced + usize::try_from(kept).unwrap_or(unsynced);
            losses.lost += self.bytes.len() - end;
            losses.torn += u64::from(!end.is_multiple_of(PAGE_BYTES) && end > self.synced && end < self.bytes.len());
            self.bytes.truncate(end);
            self.lose_pages(random, key, fates, stale, losses);
        }
        self.synced = self.bytes.len();
    }

    fn lose_pages(&mut self, random: Random, key: [u64; 2], fates: Fates, stale: &[u8], losses: &mut Losses) {
        let mut at = self.synced;
        let mut gone = 0;
        while at < self.bytes.len() {
            let page = at / PAGE_BYTES;
            let end = ((page + 1) * PAGE_BYTES).min(self.bytes.len());
            let word = random.word(Domain::CrashData, &[key[0], key[1], page as u64]);
            let fate = fate_of(word % 8, fates);
            let from = match fate {
                Fate::Kept => end,
                Fate::Gone | Fate::Garbled => at,
                Fate::Torn => (at + (word >> 8) as usize % (end - at)) / SECTOR_BYTES * SECTOR_BYTES,
            };
            let from = from.clamp(at, end);
            losses.lost += end - from;
            match fate {
                Fate::Kept => losses.holes += std::mem::take(&mut gone),
                Fate::Gone => gone += 1,
                Fate::Torn => losses.torn += u64::from(from > at),
                Fate::Garbled => losses.garbled += 1,
            }
            self.bytes[from..end].fill(0);
            if fate == Fate::Garbled {
                garble(&mut self.bytes[from..end], from, stale, random, word);
            }
            at = end;
        }
    }

    /// What a failed sync dropped was never written.
    fn lose_dropped(&mut self, random: Random, key: [u64; 2], losses: &mut Losses) {
        for (from, to) in std::mem::take(&mut self.dropped) {
            let to = to.min(self.bytes.len());
            if from >= to {
                continue;
            }
            losses.dropped += to - from;
            self.bytes[from..to].fill(0);
            if to == self.bytes.len() && random.chance(Domain::CrashData, &[key[0], key[1], from as u64], 500) {
                self.bytes.truncate(from);
                self.synced = self.synced.min(from);
            }
        }
    }

    pub(super) fn truncate(&mut self, length: usize) {
        if length < self.synced {
            let durable = self.bytes[..self.synced].to_vec();
            self.before_cut.get_or_insert(durable);
            self.synced = length;
        }
        self.bytes.truncate(length);
        for range in &mut self.dropped {
            range.1 = range.1.min(length);
        }
        self.dropped.retain(|(from, to)| from < to);
    }

    /// What was dropped of this part waits for a sync again.
    pub(super) fn rewrite(&mut self, from: usize, to: usize) {
        let covered = |range: &(usize, usize)| from <= range.0 && range.1 <= to;
        let first = self.dropped.iter().filter(|range| covered(range)).map(|range| range.0).min();
        self.dropped.retain(|range| !covered(range));
        self.synced = first.map_or(self.synced, |first| self.synced.min(first));
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.bytes.len();
        self.before_cut = None;
    }

    /// A sync fails, and the cache holds the pages for written all the same.
    pub(super) fn drop_unsynced(&mut self) {
        if self.bytes.len() > self.synced {
            self.dropped.push((self.synced, self.bytes.len()));
            self.synced = self.bytes.len();
        }
    }

    pub(super) fn dirty(&self) -> bool {
        self.bytes.len() > self.synced
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

const fn fate_of(word: u64, fates: Fates) -> Fate {
    match (fates, word) {
        (Fates::Mixed, 0) | (Fates::PagesLost, 0..=3) => Fate::Gone,
        (Fates::Mixed, 1) | (Fates::Torn, 0..=5) => Fate::Torn,
        (Fates::Mixed, 2) | (Fates::PagesGarbled, 0..=4) => Fate::Garbled,
        _ => Fate::Kept,
    }
}

/// A page that was never written shows what was there before: of another file, or anything.
fn garble(bytes: &mut [u8], at: usize, stale: &[u8], random: Random, word: u64) {
    match stale.get(at..at + bytes.len()) {
        Some(stale) if word & 0x100 == 0 => bytes.copy_from_slice(stale),
        _ => {
            for (index, chunk) in bytes.chunks_mut(8).enumerate() {
                let noise = random.word(Domain::CrashData, &[word, index as u64]).to_le_bytes();
                chunk.copy_from_slice(&noise[..chunk.len()]);
            }
        }
    }
}
