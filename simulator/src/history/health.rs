//! How many instances of a job were healthy, and when that was fewer than there must be.

use actors::job::Job;
use messages::entry::Record;
use messages::id::InstanceId;
use messages::job::{Event, Message};
use messages::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

/// A job's health through a run.
#[derive(Clone, Debug)]
pub struct Health {
    /// The job, `realm/name`.
    pub name: String,
    /// When fewer were healthy than must be, in the order of time.
    pub dips: Vec<Dip>,
    healthy: BTreeSet<InstanceId>,
    minimum: u32,
    open: Option<Dip>,
}

/// A while in which fewer instances were healthy than must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dip {
    /// Since when.
    #[serde(with = "messages::time::rfc3339")]
    pub from: Timestamp,
    /// For how long, in milliseconds.
    pub milliseconds: u64,
    /// The fewest there were.
    pub fewest: u32,
    /// How many there must be.
    pub minimum: u32,
    /// Whether it was over when the run ended.
    pub over: bool,
}

impl Health {
    /// A job at a moment.
    pub fn new(job: &Job, at: Timestamp) -> Self {
        let healthy = job.instances.iter().filter(|(_, instance)| instance.healthy()).map(|(id, _)| *id).collect();
        let mut health = Self { name: String::new(), dips: Vec::new(), healthy, minimum: 0, open: None };
        health.judge(job, at);
        health
    }

    /// Takes in what became of the job's instances in an entry. Returns those that became healthy.
    pub fn see(&mut self, record: &Record<Message, Event>, job: &Job, at: Timestamp) -> Vec<InstanceId> {
        let mut risen = Vec::new();
        for instance in record.events.iter().filter_map(concerned) {
            let healthy = job.instances.get(&instance).is_some_and(|known| known.healthy());
            if !healthy {
                self.healthy.remove(&instance);
            } else if self.healthy.insert(instance) {
                risen.push(instance);
            }
        }
        self.judge(job, at);
        risen
    }

    fn judge(&mut self, job: &Job, at: Timestamp) {
        if job.spec.is_some() {
            self.name = job.full_name();
        }
        let least = job.spec.as_ref().and_then(|spec| spec.rollout.min_healthy);
        self.minimum = least.map_or(job.desired, |least| least.min(job.desired));
        let now = u32::try_from(self.healthy.len()).unwrap_or(u32::MAX);
        if now >= self.minimum {
            self.rise(at, true);
            return;
        }
        let minimum = self.minimum;
        let open = self.open.get_or_insert(Dip { from: at, milliseconds: 0, fewest: now, minimum, over: false });
        open.fewest = open.fewest.min(now);
        open.minimum = open.minimum.max(minimum);
    }

    fn rise(&mut self, at: Timestamp, over: bool) {
        if let Some(open) = self.open.take() {
            let milliseconds = at.since(open.from).as_milliseconds();
            self.dips.push(Dip { milliseconds, over, ..open });
        }
    }

    /// Time passes.
    pub const fn pass(&mut self, at: Timestamp) {
        if let Some(open) = &mut self.open {
            open.milliseconds = at.since(open.from).as_milliseconds();
        }
    }

    /// The run is over.
    pub fn close(&mut self, at: Timestamp) {
        self.rise(at, false);
    }

    /// Every dip, also one that is not over.
    pub fn all(&self) -> impl Iterator<Item = &Dip> {
        self.dips.iter().chain(&self.open)
    }

    /// How many instances are healthy, and how many must be.
    pub fn now(&self) -> (u32, u32) {
        (u32::try_from(self.healthy.len()).unwrap_or(u32::MAX), self.minimum)
    }

    /// How long there were fewer than must be, in milliseconds.
    pub fn below(&self) -> u64 {
        self.all().map(|dip| dip.milliseconds).sum()
    }

    /// The deepest dip: how many were missing.
    pub fn deepest(&self) -> u32 {
        self.all().map(|dip| dip.minimum - dip.fewest.min(dip.minimum)).max().unwrap_or(0)
    }
}

const fn concerned(event: &Event) -> Option<InstanceId> {
    match event {
        Event::Observed { instance, .. }
        | Event::Failed { instance, .. }
        | Event::Withdrawn { instance }
        | Event::Stopping { instance }
        | Event::Gone { instance, .. } => Some(*instance),
        _ => None,
    }
}
