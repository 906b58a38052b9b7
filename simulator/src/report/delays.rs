//! How long decisions take: from an instance being wanted to its place, its claim, its start and its health.

use crate::world::tape::{Record, What};
use messages::agent::Observation;
use messages::entry::Entry;
use messages::id::InstanceId;
use messages::{job, node, scheduler};
use std::collections::BTreeMap;

/// The steps on the way, in their order, and what people call them.
pub(super) const STEPS: [&str; 4] = ["placed", "claimed", "started", "healthy"];

/// When each instance was wanted, and when each step came, in microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Delays {
    begun: BTreeMap<InstanceId, Begun>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Begun {
    wanted: u64,
    steps: [Option<u64>; STEPS.len()],
}

impl Delays {
    pub(super) fn see(&mut self, record: &Record) {
        let at = record.at;
        match &record.what {
            What::Started { instance, .. } => self.reach(*instance, 2, at),
            What::Committed(entry) => self.see_entry(entry, at),
            _ => {}
        }
    }

    fn see_entry(&mut self, entry: &Entry, at: u64) {
        match entry {
            Entry::Job(record) => {
                for event in &record.events {
                    match event {
                        job::Event::Wanted { instance, .. } => {
                            self.begun.insert(*instance, Begun { wanted: at, ..Begun::default() });
                        }
                        job::Event::Observed { instance, observation: Some(Observation::Healthy { .. }), .. } => {
                            self.reach(*instance, 3, at)
                        }
                        _ => {}
                    }
                }
            }
            Entry::Scheduler(record) => {
                for event in &record.events {
                    if let scheduler::Event::Placed { ask, .. } = event {
                        self.reach(ask.instance, 0, at);
                    }
                }
            }
            Entry::Node(record) => {
                for event in &record.events {
                    if let node::Event::Claimed { claim, .. } = event {
                        self.reach(claim.instance, 1, at);
                    }
                }
            }
            _ => {}
        }
    }

    /// The first time counts.
    fn reach(&mut self, instance: InstanceId, step: usize, at: u64) {
        if let Some(begun) = self.begun.get_mut(&instance) {
            begun.steps[step].get_or_insert(at);
        }
    }

    /// How many instances were wanted.
    pub(super) fn wanted(&self) -> usize {
        self.begun.len()
    }

    /// How long each instance took that came so far, from being wanted, in microseconds, the shortest first.
    pub(super) fn until(&self, step: usize) -> Vec<u64> {
        let took = |begun: &Begun| Some(begun.steps[step]?.saturating_sub(begun.wanted));
        let mut all: Vec<u64> = self.begun.values().filter_map(took).collect();
        all.sort_unstable();
        all
    }

    /// When each was wanted, and how long it took until it was healthy, in the order of time.
    pub(super) fn healthy(&self) -> Vec<(u64, u64)> {
        let took = |begun: &Begun| Some((begun.wanted, begun.steps[3]?.saturating_sub(begun.wanted)));
        let mut all: Vec<(u64, u64)> = self.begun.values().filter_map(took).collect();
        all.sort_unstable();
        all
    }
}

/// The one of a sorted list below which so many of a hundred lie.
pub(super) fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last * percent).div_ceil(100)).copied()
}
