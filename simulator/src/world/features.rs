//! What is new about a run: combinations of what an actor recorded, on what, after what, and while what was wrong.

use crate::world::random::fold;
use crate::world::tape::names_of;
use messages::entry::Entry;
use messages::id::ActorId;
use std::collections::BTreeMap;
use std::mem::take;

/// No more features than this are kept.
const FEATURES_MAX: usize = 1 << 16;

/// Features by how often they were seen, and what of them is new.
#[derive(Clone, Debug, Default)]
pub struct Features {
    seen: BTreeMap<u64, u64>,
    new: Vec<u64>,
    /// The last thing that each actor recorded.
    last: BTreeMap<ActorId, u64>,
    /// What is wrong at the moment, as one word; the same whatever the order in which it began.
    wrong: u64,
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0x6665_6174, |hash, byte| fold(hash, u64::from(byte)))
}

impl Features {
    /// A fault begins.
    pub(crate) fn begin(&mut self, fault: &str) {
        self.wrong = self.wrong.wrapping_add(hash(fault));
    }

    /// A fault is over.
    pub(crate) fn end(&mut self, fault: &str) {
        self.wrong = self.wrong.wrapping_sub(hash(fault));
    }

    /// An actor recorded something.
    pub(crate) fn see(&mut self, entry: &Entry) {
        let (heard, recorded) = names_of(entry);
        let actor = entry.head().actor;
        let what = recorded.iter().fold(fold(actor.kind as u64, hash(&heard)), |word, name| fold(word, hash(name)));
        let what = if entry.head().refusal.is_some() { !what } else { what };
        let before = self.last.insert(actor, what).unwrap_or_default();
        self.note(fold(what, self.wrong));
        self.note(fold(what, before));
    }

    /// Something worth reaching was reached.
    pub(crate) fn reach(&mut self, mark: &str) {
        self.note(fold(hash(mark), self.wrong));
    }

    fn note(&mut self, feature: u64) {
        if let Some(count) = self.seen.get_mut(&feature) {
            *count += 1;
        } else if self.seen.len() < FEATURES_MAX {
            self.seen.insert(feature, 1);
            self.new.push(feature);
        }
    }

    /// What is new since the last time.
    pub fn take_new(&mut self) -> Vec<u64> {
        take(&mut self.new)
    }

    /// How often a feature was seen.
    pub fn count(&self, feature: u64) -> u64 {
        self.seen.get(&feature).copied().unwrap_or_default()
    }

    /// Every feature.
    pub fn all(&self) -> impl Iterator<Item = u64> + '_ {
        self.seen.keys().copied()
    }

    /// How many there are.
    pub fn count_all(&self) -> usize {
        self.seen.len()
    }

    /// Adds what others have seen.
    pub fn learn(&mut self, other: &Self) {
        for (feature, count) in &other.seen {
            if self.seen.len() < FEATURES_MAX || self.seen.contains_key(feature) {
                let known = self.seen.entry(*feature).or_default();
                *known = (*known).max(*count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_the_same_in_any_order_and_is_over_when_it_ends() {
        let mut one = Features::default();
        let mut other = Features::default();
        one.begin("loss");
        one.begin("slow");
        other.begin("slow");
        other.begin("loss");
        assert_eq!(one.wrong, other.wrong);
        other.end("slow");
        other.end("loss");
        assert_eq!(other.wrong, 0);
    }

    #[test]
    fn a_mark_is_new_once_for_each_thing_that_is_wrong() {
        let mut features = Features::default();
        features.reach("node-lost");
        features.reach("node-lost");
        assert_eq!(features.take_new().len(), 1);
        features.begin("loss");
        features.reach("node-lost");
        let new = features.take_new();
        assert_eq!(new.len(), 1);
        assert_eq!(features.count(new[0]), 1);
    }
}
