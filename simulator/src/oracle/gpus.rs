//! The GPUs of a machine, and who has which: a model of its own, against which what is handed out is held.

use messages::id::InstanceId;
use std::collections::{BTreeMap, BTreeSet};

/// A whole GPU.
const WHOLE: u64 = 1_000;
/// After so many tries of who could have which, there is thought to be a way.
const TRIES_MAX: u32 = 10_000;

/// Who has which GPUs of a machine, and how much of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    held: BTreeMap<InstanceId, (u64, Vec<u16>)>,
}

impl Parts {
    /// An instance that needs so much is given these of the GPUs. Returns what is wrong with that.
    pub(super) fn give(&mut self, all: u64, instance: InstanceId, need: u64, gpus: &[u16]) -> Option<&'static str> {
        self.held.insert(instance, (need, gpus.to_vec()));
        let distinct: BTreeSet<&u16> = gpus.iter().collect();
        let count = if need < WHOLE { u64::from(need > 0) } else { need / WHOLE };
        let there = gpus.iter().all(|gpu| u64::from(*gpu) < all / WHOLE);
        if distinct.len() as u64 != count || gpus.len() != distinct.len() || !there {
            return Some("an instance is not given the GPUs it needs");
        }
        let full = gpus.iter().any(|gpu| self.on(*gpu) > WHOLE);
        full.then_some("a GPU is given to more than it can serve")
    }

    /// It has none any more.
    pub(super) fn take_back(&mut self, instance: InstanceId) {
        self.held.remove(&instance);
    }

    fn on(&self, gpu: u16) -> u64 {
        self.held.values().filter(|(_, gpus)| gpus.contains(&gpu)).map(|(need, _)| (*need).min(WHOLE)).sum()
    }
}

/// Whether there is any way to give these what they need, beside those whose GPUs are known.
pub(super) fn can_be_had<'g>(all: u64, known: impl Iterator<Item = (u64, &'g [u16])>, needs: &[u64]) -> bool {
    let mut left = vec![WHOLE; usize::try_from(all / WHOLE).unwrap_or(0)];
    for (need, gpus) in known {
        for gpu in gpus {
            if let Some(left) = left.get_mut(usize::from(*gpu)) {
                *left = left.saturating_sub(need.min(WHOLE));
            }
        }
    }
    let mut parts: Vec<u64> = Vec::new();
    for need in needs.iter().copied().filter(|need| *need > 0) {
        if need < WHOLE {
            parts.push(need);
        } else {
            parts.extend(std::iter::repeat_n(WHOLE, usize::try_from(need / WHOLE).unwrap_or(usize::MAX)));
        }
    }
    parts.sort_unstable();
    find(&mut left, &parts, &mut 0)
}

/// Tries to place the largest part on each of the GPUs that differ, and then the rest.
fn find(left: &mut [u64], parts: &[u64], tries: &mut u32) -> bool {
    let Some((part, rest)) = parts.split_last() else { return true };
    *tries += 1;
    if *tries > TRIES_MAX {
        return true;
    }
    let mut tried = BTreeSet::new();
    for index in 0..left.len() {
        if left[index] < *part || !tried.insert(left[index]) {
            continue;
        }
        left[index] -= part;
        let found = find(left, rest, tries);
        left[index] += part;
        if found {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_found_where_there_is_one() {
        let known = |held: &'static [(u64, &'static [u16])]| held.iter().map(|(need, gpus)| (*need, *gpus));
        assert!(can_be_had(2_000, known(&[(600, &[0])]), &[400, 500, 500]));
        assert!(!can_be_had(2_000, known(&[(600, &[0])]), &[500, 500, 500]), "no one has 500 left beside the first");
        assert!(!can_be_had(2_000, known(&[(100, &[1])]), &[2_000]));
        assert!(can_be_had(3_000, known(&[(100, &[1])]), &[2_000, 900]));
        assert!(!can_be_had(0, known(&[]), &[1]));
    }

    #[test]
    fn what_is_given_is_held_against_what_there_is() {
        let mut parts = Parts::default();
        let id = |number: u8| InstanceId(uuid::Uuid::from_u128(number.into()));
        assert_eq!(parts.give(2_000, id(1), 600, &[0]), None);
        assert_eq!(parts.give(2_000, id(2), 1_000, &[1]), None);
        let full = Some("a GPU is given to more than it can serve");
        assert_eq!(parts.give(2_000, id(3), 600, &[0]), full);
        parts.take_back(id(3));
        assert_eq!(parts.give(2_000, id(3), 400, &[0]), None);
        let other = Some("an instance is not given the GPUs it needs");
        for (need, gpus) in [(0, &[0_u16][..]), (2_000, &[1]), (2_000, &[1, 1]), (500, &[]), (500, &[2])] {
            assert_eq!(parts.give(2_000, id(4), need, gpus), other, "{need} {gpus:?}");
        }
    }
}
