//! How workloads lived in a recorded log: when each ran, became healthy or sick, and ended by itself.
//!
//! In a world that differs instances have other ids, so a life belongs to job, slot, revision and ordinal: the
//! how-manieth start of that revision in that slot since the beginning. An instance that was there at the beginning goes
//! by its id, and its moments count from the beginning; those of every other count from when it was allowed to start.

use actors::fold::Fold;
use actors::planner::hands::Life;
use messages::agent::{Goal, Observation};
use messages::entry::{Entry, Record};
use messages::id::{InstanceId, JobId};
use messages::node::{ClaimSpec, Event, Message};
use messages::time::Timestamp;
use std::collections::BTreeMap;

/// When an instance of which nothing is recorded runs, and when it is healthy, in microseconds after its start.
const RUNS_AFTER_US: u64 = 60_000;
const HEALTHY_AFTER_US: u64 = 250_000;

/// Which life: the job, the label `job/slot`, the revision and the ordinal.
type Key = (JobId, u32, String, u32);

/// All lives of a log.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    begun: BTreeMap<Key, Life>,
    /// Those that were there at the beginning.
    there: BTreeMap<InstanceId, Life>,
    watched: BTreeMap<InstanceId, Watched>,
    ordinals: BTreeMap<(JobId, u32, String), u32>,
    from: Timestamp,
}

/// An instance that is being watched.
#[derive(Clone, Debug)]
struct Watched {
    key: Option<Key>,
    claim: ClaimSpec,
    begun_at: Timestamp,
    stop_asked: Option<Timestamp>,
}

impl Lives {
    /// From a moment on, with what there is then.
    pub fn new(fold: &Fold, from: Timestamp) -> Self {
        let mut lives = Self { from, ..Self::default() };
        for (_, node) in fold.nodes() {
            for claim in node.claims() {
                let stop_asked = (claim.goal() == Goal::Stop).then_some(from);
                let watched = Watched { key: None, claim: claim.spec().clone(), begun_at: from, stop_asked };
                lives.watched.insert(claim.spec().instance, watched);
                if claim.goal() != Goal::Hold {
                    lives.there.insert(claim.spec().instance, Life::default());
                }
            }
        }
        lives
    }

    /// Takes in the next entry.
    pub fn see(&mut self, entry: &Entry) {
        let Entry::Node(record) = entry else { return };
        for event in &record.events {
            match event {
                Event::Claimed { claim, .. } => {
                    let begun_at = record.head.at;
                    let watched = Watched { key: None, claim: claim.clone(), begun_at, stop_asked: None };
                    self.watched.insert(claim.instance, watched);
                }
                Event::StartAllowed { instance } => self.begin(*instance, record.head.at),
                Event::StopAsked { instance, .. } => {
                    if let Some(watched) = self.watched.get_mut(instance) {
                        watched.stop_asked = Some(record.head.at);
                    }
                }
                Event::Observed { instance, observation } => self.note(*instance, observation, record.head.at),
                Event::Released { instance, ended, .. } => {
                    if by_its_agent(record, *instance) {
                        self.note(*instance, &Observation::Ended(ended.clone()), record.head.at);
                    }
                    self.watched.remove(instance);
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self, instance: InstanceId, at: Timestamp) {
        let Some(watched) = self.watched.get_mut(&instance) else { return };
        let ClaimSpec { job, revision, label, .. } = &watched.claim;
        let slot = (*job, *revision, label.clone());
        let ordinal = self.ordinals.entry(slot.clone()).or_default();
        let key = (slot.0, slot.1, slot.2, *ordinal);
        *ordinal += 1;
        (watched.key, watched.begun_at) = (Some(key.clone()), at);
        self.begun.insert(key, Life::default());
    }

    fn note(&mut self, instance: InstanceId, observation: &Observation, at: Timestamp) {
        let Some(watched) = self.watched.get(&instance) else { return };
        let life = match &watched.key {
            Some(key) => self.begun.get_mut(key),
            None => self.there.get_mut(&instance),
        };
        let Some(life) = life else { return };
        match (observation, watched.stop_asked) {
            (Observation::Ended(_), Some(asked)) => life.stops_after = Some(at.since(asked).0),
            (observation, None) => life.moments.push((at.since(watched.begun_at).0, observation.clone())),
            (_, Some(_)) => {}
        }
    }

    /// What becomes of an instance that was there at the beginning, in microseconds since then.
    pub fn of_present(&self, instance: InstanceId) -> Option<&Life> {
        self.there.get(&instance)
    }

    /// What becomes of the `ordinal`-th start of a revision in a slot, in microseconds since the start.
    ///
    /// Where nothing is recorded of it, it lives as its revision did in the nearest record, and ends by itself only if
    /// every one of that revision did.
    pub fn of(&self, job: JobId, revision: u32, label: &str, ordinal: u32) -> Life {
        if let Some(life) = self.begun.get(&(job, revision, label.to_string(), ordinal)) {
            return complete(life.clone());
        }
        let first = (job, revision, String::new(), 0);
        let same = || self.begun.range(first.clone()..).take_while(|(key, _)| (key.0, key.1) == (job, revision));
        let nearest = same().filter(|(key, _)| key.2 == label).last().or_else(|| same().next());
        let Some((_, nearest)) = nearest else { return complete(Life::default()) };
        let doomed = same().all(|(_, life)| life.moments.iter().any(|(_, seen)| is_bad(seen)));
        let mut life = nearest.clone();
        if !doomed {
            life.moments.retain(|(_, seen)| !is_bad(seen));
            life.moments.truncate(2);
        }
        complete(life)
    }

    /// How many lives are known, and the moment they count from.
    pub fn known(&self) -> (usize, Timestamp) {
        (self.begun.len() + self.there.len(), self.from)
    }
}

/// Whether an end was told by the agent, rather than concluded from its silence.
fn by_its_agent(record: &Record<Message, Event>, instance: InstanceId) -> bool {
    let seen = match &record.input {
        Message::Hello { seen, .. } => seen,
        Message::Report { observations, .. } => observations,
        _ => return false,
    };
    seen.iter().any(|(seen, observation)| *seen == instance && matches!(observation, Observation::Ended(_)))
}

const fn is_bad(observation: &Observation) -> bool {
    matches!(observation, Observation::Unhealthy { .. } | Observation::Ended(_))
}

/// A life in which it runs at least, unless it ends before.
fn complete(mut life: Life) -> Life {
    if life.moments.is_empty() {
        let (ports, pid) = (Vec::new(), 1);
        life.moments = vec![
            (RUNS_AFTER_US, Observation::Running { ports: ports.clone(), pid }),
            (HEALTHY_AFTER_US, Observation::Healthy { ports, pid }),
        ];
    }
    life
}
