//! What is written down of a run, recorded or planned, entry by entry: so that two runs can be compared.

use super::cost::Cost;
use super::health::Health;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::job::Job;
use messages::entry::{Entry, Record};
use messages::envelope::MessageId;
use messages::id::{InstanceId, JobId};
use messages::reason::{Reason, Refusal};
use messages::time::Timestamp;
use messages::{job, node, policy, rollout};
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Which instance, in whatever world: its job as `realm/name`, its slot, its revision, and the how-manieth it is of that
/// revision in that slot.
pub type Name = (String, u32, u32, u32);

/// What is written down of a run.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Where each instance was placed that was wanted since the beginning.
    pub placements: BTreeMap<Name, String>,
    /// How long each of them took from being wanted to being healthy, in microseconds.
    pub waits: Vec<u64>,
    /// Instances that were wanted and never became healthy before they were gone or the run ended.
    pub unhealthy: u64,
    /// The outcome of every command.
    pub commands: BTreeMap<Uuid, Outcome>,
    /// Instances that ended unasked or had to go, by job and reason.
    pub departures: BTreeMap<(String, Reason), u64>,
    /// Instances that no node could take, by job and reason: how many, and what was said of the last.
    pub unplaceable: BTreeMap<(String, Reason), (u64, String)>,
    /// Claims that nodes refused, by reason.
    pub refused_claims: BTreeMap<Reason, u64>,
    /// How rollouts ended, by job and revision.
    pub rollouts: BTreeMap<(String, u32), String>,
    /// How healthy each job was.
    pub health: BTreeMap<JobId, Health>,
    /// What it cost.
    pub cost: Cost,
    /// Entries recorded.
    pub entries: u64,
    names: BTreeMap<InstanceId, Name>,
    ordinals: BTreeMap<(String, u32, u32), u32>,
    wanted: BTreeMap<InstanceId, Timestamp>,
    rolling: BTreeMap<Uuid, (String, u32)>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Outcome {
    /// What was asked for.
    pub action: String,
    /// Done, or why not.
    pub outcome: String,
    /// When it was answered.
    #[serde(with = "messages::time::rfc3339")]
    pub at: Timestamp,
}

impl Book {
    /// From a moment on, with what there is then.
    pub fn new(fold: &Fold, at: Timestamp) -> Self {
        let mut book = Self::default();
        for (id, job) in fold.jobs() {
            book.health.insert(JobId(id.id), Health::new(job, at));
            for (instance, known) in &job.instances {
                let name = book.name(job, known.slot, known.revision);
                book.names.insert(*instance, name);
            }
        }
        for (id, rollout) in fold.rollouts() {
            book.rolling.insert(id.id, (rollout.name.clone(), rollout.to));
        }
        book.cost = Cost::new(fold, at);
        book
    }

    fn name(&mut self, job: &Job, slot: u32, revision: u32) -> Name {
        let key = (job.full_name(), slot, revision);
        let ordinal = self.ordinals.entry(key.clone()).or_default();
        *ordinal += 1;
        (key.0, slot, revision, *ordinal - 1)
    }

    /// Takes in the next entry, with its actor as it is after it.
    pub fn see(&mut self, entry: &Entry, cell: &AnyCell) {
        self.entries += 1;
        match (entry, cell) {
            (Entry::Job(record), AnyCell::Job(cell)) => self.job(record, cell.state()),
            (Entry::Node(record), _) => self.node(record),
            (Entry::Policy(record), _) => self.policy(record),
            (Entry::Rollout(record), _) => self.rollout(record),
            _ => {}
        }
    }

    fn job(&mut self, record: &Record<job::Message, job::Event>, job: &Job) {
        let (id, at) = (JobId(record.head.actor.id), record.head.at);
        let full_name = job.full_name();
        for event in &record.events {
            match event {
                job::Event::Wanted { instance, slot, revision, .. } => {
                    let name = self.name(job, *slot, *revision);
                    self.names.insert(*instance, name);
                    self.wanted.insert(*instance, at);
                }
                job::Event::Assigned { instance, node_name, .. } => {
                    if let (Some(name), true) = (self.names.get(instance), self.wanted.contains_key(instance)) {
                        self.placements.insert(name.clone(), node_name.clone());
                    }
                }
                job::Event::Unplaceable { why, .. } => {
                    let told = self.unplaceable.entry((full_name.clone(), why.reason)).or_default();
                    *told = (told.0 + 1, why.message.clone());
                }
                job::Event::Failed { reason, .. } => self.depart(&full_name, *reason),
                job::Event::Retired { because, .. } => self.depart(&full_name, *because),
                job::Event::Gone { instance, ended } => {
                    self.unhealthy += u64::from(self.wanted.remove(instance).is_some());
                    if matches!(ended.reason, Reason::NodeLost | Reason::Vanished) {
                        self.depart(&full_name, ended.reason);
                    }
                }
                _ => {}
            }
        }
        let health = self.health.entry(id).or_insert_with(|| Health::new(&Job::default(), at));
        for instance in health.see(record, job, at) {
            self.waits.extend(self.wanted.remove(&instance).map(|wanted| at.since(wanted).0));
        }
    }

    fn depart(&mut self, job: &str, reason: Reason) {
        *self.departures.entry((job.into(), reason)).or_default() += 1;
    }

    fn node(&mut self, record: &Record<node::Message, node::Event>) {
        for event in &record.events {
            if let node::Event::ClaimRefused { because, .. } = event {
                *self.refused_claims.entry(*because).or_default() += 1;
            }
        }
        self.cost.see(record);
    }

    fn policy(&mut self, record: &Record<policy::Message, policy::Event>) {
        let at = record.head.at;
        let told = |refusal: &Refusal| format!("refused: {}: {}", refusal.reason, refusal.message);
        if let (Some(refusal), policy::Message::Submit { request, .. }, MessageId::Outside(id)) =
            (&record.head.refusal, &record.input, record.head.cause)
        {
            let outcome = Outcome { action: request.action().into(), outcome: told(refusal), at };
            self.commands.insert(id, outcome);
        }
        for event in &record.events {
            match event {
                policy::Event::Accepted { id: MessageId::Outside(id), request, .. } => {
                    let action = request.action().into();
                    self.commands.insert(*id, Outcome { action, outcome: "no answer".into(), at });
                }
                policy::Event::Answered { id: MessageId::Outside(id), outcome, .. } => {
                    // What is denied at once was never accepted.
                    let known = self.commands.entry(*id).or_insert_with(|| {
                        let action = match &record.input {
                            policy::Message::Submit { request, .. } => request.action(),
                            _ => "command",
                        };
                        Outcome { action: action.into(), outcome: String::new(), at }
                    });
                    known.at = at;
                    known.outcome = outcome.as_ref().map_or_else(told, |_| "done".into());
                }
                _ => {}
            }
        }
    }

    fn rollout(&mut self, record: &Record<rollout::Message, rollout::Event>) {
        let id = record.head.actor.id;
        if let rollout::Message::Begin { name, to, .. } = &record.input {
            self.rolling.insert(id, (name.clone(), *to));
            self.rollouts.entry((name.clone(), *to)).or_insert_with(|| "under way".into());
        }
        let Some(which) = self.rolling.get(&id) else { return };
        for event in &record.events {
            let end = match event {
                rollout::Event::Settled => "settled".to_string(),
                rollout::Event::Reverted { reason, .. } => format!("reverted: {reason}"),
                rollout::Event::Superseded { .. } => "superseded".into(),
                _ => continue,
            };
            self.rollouts.insert(which.clone(), end);
        }
    }

    /// The run has come to this moment.
    pub fn pass(&mut self, at: Timestamp) {
        self.cost.pass(at);
        self.health.values_mut().for_each(|health| health.pass(at));
    }

    /// The run is over: what never became healthy is counted.
    pub fn close(&mut self, at: Timestamp) {
        self.pass(at);
        self.unhealthy += self.wanted.len() as u64;
        self.wanted.clear();
        self.health.values_mut().for_each(|health| health.close(at));
        self.waits.sort_unstable();
    }

    /// The wait that so many of a hundred do not exceed, in microseconds.
    pub fn wait(&self, percent: usize) -> Option<u64> {
        let last = self.waits.len().checked_sub(1)?;
        self.waits.get((last * percent).div_ceil(100)).copied()
    }
}
