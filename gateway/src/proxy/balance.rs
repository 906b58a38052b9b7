//! Choosing where a request goes: first the revision, by weight, then one of its endpoints.
//!
//! The revision is chosen by smooth weighted round robin, so over any run of requests a revision
//! gets its weight and at most one request more. When a revision cannot serve, its share falls to
//! older revisions only: a canary never gets more than its weight, even if everything else is down.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::meter::Meter;
use super::upstream::{Upstream, locked};

/// Endpoints compared for the least load in one choice.
const COMPARED_MAX: usize = 8;

/// An endpoint as part of one route or service.
pub(crate) struct Member {
    pub label: String,
    pub revision: u32,
    pub upstream: Arc<Upstream>,
    /// Of this endpoint on this route.
    pub meter: Arc<Meter>,
    /// Of its whole revision on this route.
    pub revision_meter: Arc<Meter>,
}

/// The healthy endpoints that share one weight.
pub(crate) struct Group {
    members: Vec<Arc<Member>>,
    turn: AtomicUsize,
}

impl Group {
    /// The least loaded of the members that `suits`, looking from a place that moves on each time.
    fn choose(&self, suits: impl Fn(&Member) -> bool) -> Option<Arc<Member>> {
        let count = self.members.len();
        if count == 0 {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let from_turn = (0..count).map(|step| &self.members[(turn % count + step) % count]);
        let suitable = from_turn.filter(|member| suits(member)).take(COMPARED_MAX);
        suitable.min_by_key(|member| member.upstream.in_flight()).cloned()
    }
}

/// Smooth weighted round robin over revisions, oldest first.
#[derive(Debug)]
pub(crate) struct Wheel {
    weights: Vec<i64>,
    credits: Vec<i64>,
    total: i64,
}

impl Wheel {
    pub(crate) fn new(weights: Vec<i64>) -> Self {
        let total = weights.iter().sum();
        Self { credits: vec![0; weights.len()], weights, total }
    }

    /// The index whose turn it is. With equal credit the oldest revision goes first.
    fn turn(&mut self) -> Option<usize> {
        for (credit, weight) in self.credits.iter_mut().zip(&self.weights) {
            *credit += weight;
        }
        let most = (0..self.credits.len()).max_by_key(|&at| (self.credits[at], Reverse(at)))?;
        self.credits[most] -= self.total;
        Some(most)
    }
}

/// The wheel of a route, kept from one table to the next while the weights stay.
#[derive(Clone)]
pub(crate) struct SharedWheel {
    weights: BTreeMap<u32, u32>,
    wheel: Arc<Mutex<Wheel>>,
}

impl SharedWheel {
    pub(crate) fn new(weights: &BTreeMap<u32, u32>) -> Self {
        let listed: Vec<i64> = weights.values().map(|&percent| percent.into()).collect();
        let listed = if listed.is_empty() { vec![1] } else { listed };
        Self { weights: weights.clone(), wheel: Arc::new(Mutex::new(Wheel::new(listed))) }
    }

    pub(crate) fn fits(&self, weights: &BTreeMap<u32, u32>) -> bool {
        self.weights == *weights
    }
}

/// Everything behind one route or service.
pub(crate) struct Balance {
    /// Oldest revision first, as the wheel has them; one group for all when there are no weights.
    groups: Vec<Group>,
    shares: Vec<u32>,
    wheel: SharedWheel,
}

/// Whose share of the traffic a request is taken from; a retry stays within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(usize);

impl Balance {
    /// `members` are the healthy ones.
    pub(crate) fn new(members: Vec<Arc<Member>>, wheel: SharedWheel) -> Self {
        let mut groups: Vec<Vec<Arc<Member>>> = Vec::new();
        let shares: Vec<u32> = if wheel.weights.is_empty() {
            groups.push(members);
            vec![1]
        } else {
            for revision in wheel.weights.keys() {
                let of_revision = members.iter().filter(|member| member.revision == *revision);
                groups.push(of_revision.cloned().collect());
            }
            wheel.weights.values().copied().collect()
        };
        let groups = groups.into_iter();
        let groups = groups.map(|members| Group { members, turn: AtomicUsize::new(0) }).collect();
        Self { groups, shares, wheel }
    }

    /// The share the next request belongs to; `None` when no revision has any weight.
    pub(crate) fn next_share(&self) -> Option<Share> {
        if self.groups.len() == 1 {
            return (self.shares[0] > 0).then_some(Share(0));
        }
        let turn = locked(&self.wheel.wheel).turn().map(Share);
        turn.filter(|share| self.shares[share.0] > 0)
    }

    /// An endpoint for a request of `share` that was not tried yet. One that was set aside is taken
    /// only when nothing else is left.
    pub(crate) fn choose(&self, share: Share, tried: &[Arc<Member>]) -> Option<Arc<Member>> {
        let untried = |member: &Member| tried.iter().all(|other| !std::ptr::eq(&**other, member));
        let fresh = |member: &Member| !member.upstream.is_set_aside() && untried(member);
        let own = &self.groups[share.0];
        let choose_older = |suits: &dyn Fn(&Member) -> bool| {
            let older = (0..share.0).filter(|&at| self.shares[at] > 0);
            older.into_iter().find_map(|at| self.groups[at].choose(suits))
        };
        own.choose(fresh)
            .or_else(|| choose_older(&fresh))
            .or_else(|| own.choose(untried))
            .or_else(|| choose_older(&untried))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members(revisions: &[u32]) -> Vec<Arc<Member>> {
        let address = "127.0.0.1:1".parse().expect("an address");
        let member = |(at, &revision): (usize, &u32)| {
            Arc::new(Member {
                label: format!("a/{at}"),
                revision,
                upstream: Arc::new(Upstream::new(address)),
                meter: Arc::default(),
                revision_meter: Arc::default(),
            })
        };
        revisions.iter().enumerate().map(member).collect()
    }

    fn balance(revisions: &[u32], weights: &[(u32, u32)]) -> Balance {
        let weights = weights.iter().copied().collect();
        Balance::new(members(revisions), SharedWheel::new(&weights))
    }

    fn served(balance: &Balance) -> Option<u32> {
        let share = balance.next_share()?;
        balance.choose(share, &[]).map(|member| member.revision)
    }

    #[test]
    fn endpoints_of_a_revision_take_turns() {
        let balance = balance(&[1, 1, 1], &[]);
        let share = balance.next_share().expect("one group");
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..3 {
            seen.push(balance.choose(share, &[]).expect("healthy").label.clone());
        }
        seen.sort();
        assert_eq!(seen, ["a/0", "a/1", "a/2"]);
    }

    #[test]
    fn the_share_of_a_missing_canary_falls_to_the_baseline() {
        let balance = balance(&[1], &[(1, 90), (2, 10)]);
        assert!((0..100).all(|_| served(&balance) == Some(1)));
    }

    #[test]
    fn a_canary_does_not_inherit_from_a_missing_baseline() {
        let balance = balance(&[2], &[(1, 90), (2, 10)]);
        let answers: Vec<_> = (0..100).map(|_| served(&balance)).collect();
        assert_eq!(answers.iter().filter(|answer| **answer == Some(2)).count(), 10);
        assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 90);
    }

    #[test]
    fn a_weightless_revision_gets_nothing() {
        let balance = balance(&[1, 2], &[(1, 0), (2, 100)]);
        assert!((0..100).all(|_| served(&balance) == Some(2)));
        let without_new = super::Balance::new(members(&[1]), balance.wheel.clone());
        assert!((0..100).all(|_| served(&without_new).is_none()));
    }

    #[test]
    fn a_retry_goes_elsewhere_until_nothing_is_left() {
        let balance = balance(&[1, 1], &[(1, 100)]);
        let share = balance.next_share().expect("one revision");
        let first = balance.choose(share, &[]).expect("two endpoints");
        let second = balance.choose(share, std::slice::from_ref(&first)).expect("another");
        assert_ne!(first.label, second.label);
        assert!(balance.choose(share, &[first, second]).is_none());
    }

    proptest! {
        #[test]
        fn a_canary_gets_its_weight_over_any_run_and_at_most_one_more(percent in 0_u32..=100, start in 0_usize..300, length in 1_usize..300) {
            let balance = balance(&[1, 2], &[(1, 100 - percent), (2, percent)]);
            let turns: Vec<_> = (0..start + length).map(|_| served(&balance)).collect();
            let canary = turns[start..].iter().filter(|turn| **turn == Some(2)).count() as u64;
            let fair = length as u64 * u64::from(percent);
            prop_assert!(canary * 100 < fair + 100, "{canary} of {length} at {percent} %");
            prop_assert!(canary * 100 + 100 > fair, "{canary} of {length} at {percent} %");
        }

        #[test]
        fn three_revisions_stay_within_one_of_their_weight(first in 1_u32..60, second in 1_u32..40, length in 1_usize..400) {
            let third = 100 - first - second;
            let weights = [(1, first), (2, second), (3, third)];
            let balance = balance(&[1, 2, 3], &weights);
            let turns: Vec<_> = (0..length).filter_map(|_| served(&balance)).collect();
            for (revision, percent) in weights {
                let count = turns.iter().filter(|turn| **turn == revision).count() as u64;
                let fair = length as u64 * u64::from(percent);
                prop_assert!(count * 100 < fair + 100 && count * 100 + 100 > fair);
            }
        }
    }
}
