//! A hierarchical timing wheel: three levels of slots, each slot of a level as long as the whole level below it.
//!
//! Only the events of the slot that time is in are kept in order, in a small heap; all others just lie in their slot
//! until time comes near. So arranging an event far away costs the same however many there are.

use super::Scheduled;
use std::collections::{BTreeMap, BinaryHeap};

/// Slots of a level, as a power of two.
const LEVEL_BITS: u32 = 9;
/// Slots of a level.
const SLOTS: usize = 1 << LEVEL_BITS;
/// The length of a slot of the lowest level in microseconds, as a power of two.
const SLOT_BITS: u32 = 8;
/// Levels: a slot of the highest is a minute long, and all of them nine hours.
const LEVELS: usize = 3;

/// Events to come.
#[derive(Clone, Debug)]
pub(super) struct Wheel<E> {
    /// The slot of the lowest level that time is in, counted from the beginning of the world.
    slot: u64,
    /// The events of that slot, and of those before it.
    near: BinaryHeap<Scheduled<E>>,
    levels: [Level<E>; LEVELS],
    /// What does not come within a turn of the highest level, by which turn it comes in.
    far: BTreeMap<u64, Vec<Scheduled<E>>>,
}

#[derive(Clone, Debug)]
struct Level<E> {
    slots: Vec<Vec<Scheduled<E>>>,
    taken: [u64; SLOTS / 64],
}

impl<E> Default for Level<E> {
    fn default() -> Self {
        Self { slots: std::iter::repeat_with(Vec::new).take(SLOTS).collect(), taken: [0; SLOTS / 64] }
    }
}

impl<E> Default for Wheel<E> {
    fn default() -> Self {
        let levels = std::array::from_fn(|_| Level::default());
        Self { slot: 0, near: BinaryHeap::new(), levels, far: BTreeMap::new() }
    }
}

impl<E> Level<E> {
    fn push(&mut self, slot: u64, scheduled: Scheduled<E>) {
        let index = (slot % SLOTS as u64) as usize;
        self.slots[index].push(scheduled);
        self.taken[index / 64] |= 1 << (index % 64);
    }

    /// The first slot at or after this one that has events, within the turn.
    fn next(&self, from: usize) -> Option<usize> {
        let first = self.taken.get(from / 64)? & (u64::MAX << (from % 64));
        let rest = self.taken.iter().copied().enumerate().skip(from / 64 + 1);
        let mut words = std::iter::once((from / 64, first)).chain(rest);
        words.find(|(_, word)| *word != 0).map(|(index, word)| index * 64 + word.trailing_zeros() as usize)
    }

    fn take(&mut self, index: usize) -> Vec<Scheduled<E>> {
        self.taken[index / 64] &= !(1 << (index % 64));
        std::mem::take(&mut self.slots[index])
    }
}

impl<E> Wheel<E> {
    pub(super) fn push(&mut self, scheduled: Scheduled<E>) {
        let slot = scheduled.moment.at >> SLOT_BITS;
        if slot <= self.slot {
            return self.near.push(scheduled);
        }
        for (level, number) in self.levels.iter_mut().zip(0..) {
            let turn = LEVEL_BITS * (number + 1);
            if slot >> turn == self.slot >> turn {
                return level.push(slot >> (turn - LEVEL_BITS), scheduled);
            }
        }
        self.far.entry(slot >> (LEVEL_BITS * LEVELS as u32)).or_default().push(scheduled);
    }

    /// The next event, if it comes no later than `until`.
    pub(super) fn next(&mut self, until: u64) -> Option<Scheduled<E>> {
        while self.near.is_empty() {
            self.advance()?;
        }
        if self.near.peek()?.moment.at > until {
            return None;
        }
        self.near.pop()
    }

    /// When the next event comes.
    pub(super) fn next_at(&self) -> Option<u64> {
        let first = |events: &[Scheduled<E>]| events.iter().map(|scheduled| scheduled.moment.at).min();
        if let Some(next) = self.near.peek() {
            return Some(next.moment.at);
        }
        let slots = self.levels.iter().zip(0_u32..).find_map(|(level, number)| {
            let here = ((self.slot >> (LEVEL_BITS * number)) % SLOTS as u64) as usize;
            level.next(here + 1).map(|index| level.slots[index].as_slice())
        });
        slots.or_else(|| self.far.first_key_value().map(|(_, events)| events.as_slice())).and_then(first)
    }

    /// Moves on to the next slot that has events: of the lowest level, or of a higher one, which is then spread out.
    fn advance(&mut self) -> Option<()> {
        for number in 0..LEVELS {
            let shift = LEVEL_BITS * number as u32;
            let here = ((self.slot >> shift) % SLOTS as u64) as usize;
            let Some(index) = self.levels[number].next(here + 1) else { continue };
            let events = self.levels[number].take(index);
            let turn = self.slot >> (shift + LEVEL_BITS) << LEVEL_BITS;
            self.slot = (turn + index as u64) << shift;
            self.spread(events, number);
            return Some(());
        }
        let (turn, events) = self.far.pop_first()?;
        self.slot = turn << (LEVEL_BITS * LEVELS as u32);
        self.spread(events, LEVELS);
        Some(())
    }

    fn spread(&mut self, events: Vec<Scheduled<E>>, level: usize) {
        if level == 0 {
            self.near = events.into();
            return;
        }
        for scheduled in events {
            self.push(scheduled);
        }
    }
}
