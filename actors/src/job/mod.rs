//! The job actor: one declared program, and the life of its instances.
//!
//! # Rules
//! * A job is at a revision (`settled`). The next one comes in by a rollout, which says how many instances of each
//!   revision there should be; a job without anything that runs takes the next revision at once.
//! * Each instance runs for a slot, under an id derived from job, slot and incarnation. Starting has two phases: a node
//!   takes a claim and waits, and the job, which wants it, tells it to start.
//! * **A slot never has two instances.** The next incarnation is only asked for when the last was released by its node,
//!   which after the loss of a node happens when its lease has run out, whether the job is exclusive or not. What
//!   exclusive adds: the old stops before the new starts, and there are never more slots than instances wanted.
//! * What is to go (less wanted, moved away, restarted, rolled out) goes only while the others suffice: as long as fewer
//!   than wanted are healthy, a healthy one stays. It is withdrawn from the routes first, and stopped when they know.
//! * What ends unasked comes back in its slot after a wait that doubles. What is lost with its node comes back at once.
//! * A gang starts together: nobody is told to start before all have a place, and when one finds none, the places of
//!   the others are given up.
//! * Everything owed by others is asked for again, at growing intervals, until they answer.

mod declare;
mod evolve;
mod gang;
mod life;
mod settle;
pub mod state;
mod tell;
#[cfg(test)]
mod tests;

pub use state::{Dismissal, Engagement, Instance, Past, Phase, Slot, Subscriber, Waiting};

use crate::behavior::{Behavior, Draft, Turn};
use messages::id::{InstanceId, Kind, RolloutId, RouteId};
use messages::job::{Event, Message};
use messages::manifest::{JobSpec, Workload};
use messages::policy::Change;
use messages::reason::{Reason, Refusal};
use messages::shared::Shared;
use messages::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The most instances one job may want.
pub const INSTANCES_MAX: u32 = 10_000;
/// How many instances that are gone a job remembers.
pub const PAST_MAX: usize = 20;
/// How many answers to commands a job remembers.
pub const ANSWERS_MAX: usize = 32;
/// How long routes get to take in that an instance is going.
pub const WITHDRAW_WAIT_MAX: Span = Span::seconds(1);

/// What the job actor knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// As declared last; none before the first time.
    pub spec: Option<Shared<JobSpec>>,
    /// The newest revision; zero before the first.
    pub revision: u32,
    /// The revision it is at; zero before the first.
    pub settled: u32,
    /// The workload of each revision that is still of interest. Shared, as are instances: a turn copies the state, and
    /// a leaf of a map has room for eleven, while most jobs have few.
    pub workloads: BTreeMap<u32, Shared<Workload>>,
    /// How many instances are wanted.
    pub desired: u32,
    /// How many of each revision there should be.
    pub counts: BTreeMap<u32, u32>,
    /// Revision and percentage of traffic.
    pub weights: Vec<(u32, u32)>,
    /// The present or last rollout.
    pub rollout: Option<Engagement>,
    /// Rollouts that are to hear that they are not needed.
    pub dismissed: BTreeMap<RolloutId, Dismissal>,
    /// Its instances.
    pub instances: BTreeMap<InstanceId, Shared<Instance>>,
    /// What is known of slots that failed.
    pub slots: BTreeMap<u32, Slot>,
    /// How many instances there ever were.
    pub incarnations: u64,
    /// Instances that are to be replaced one after the other.
    pub restarts: VecDeque<InstanceId>,
    /// Routes that want to know the endpoints.
    pub subscribers: BTreeMap<RouteId, Subscriber>,
    /// The version of the endpoints.
    pub endpoints_version: u64,
    /// Whether its instances, which start together, have started once.
    pub mustered: bool,
    /// The latest instances that are gone, oldest first.
    pub past: Shared<VecDeque<Past>>,
    answers: Shared<VecDeque<(u64, Result<Change, Refusal>)>>,
}

impl Behavior for Job {
    const KIND: Kind = Kind::Job;
    type Message = Message;
    type Event = Event;

    fn decide(&self, message: &Message, turn: &mut Turn<Self>) -> Result<(), Refusal> {
        let mut draft = Draft::new(self, turn);
        let because = draft.hear(message);
        if !draft.turn.recorded().is_empty() || matches!(message, Message::Wake { .. }) {
            settle::settle(self, &mut draft, because);
        }
        draft.end();
        Ok(())
    }

    fn evolve(&mut self, event: &Event, at: Timestamp) {
        evolve::evolve(self, event, at);
    }

    fn deadline(&self) -> Option<Timestamp> {
        settle::deadline(self)
    }

    fn wake(due: Timestamp) -> Message {
        Message::Wake { due }
    }
}

impl Draft<'_, Job> {
    /// One line for each message. Returns the reason for what is started or stopped because of it.
    fn hear(&mut self, message: &Message) -> Reason {
        use Message as M;
        match message {
            M::Apply { ticket, spec } => declare::apply(self, *ticket, spec),
            M::Scale { ticket, instances } => declare::scale(self, *ticket, *instances),
            M::Restart { ticket, slot } => declare::restart(self, *ticket, *slot),
            M::Stop { ticket } => declare::stop(self, *ticket),
            M::Unplaceable { instance, why } => life::unplaceable(self, *instance, why),
            M::Assigned { instance, node, node_name, host, epoch: _ } => {
                life::assigned(self, *instance, *node, node_name, host)
            }
            M::Observed { instance, node, version, observation } => {
                life::observed(self, *instance, *node, *version, observation.as_ref())
            }
            M::Released { instance, node, version, ended } => life::released(self, *instance, *node, *version, ended),
            M::MoveAway { instance, node } => life::move_away(self, *instance, *node),
            M::Targets { rollout, version, counts, weights, settled } => {
                declare::targets(self, *rollout, *version, counts, weights, *settled)
            }
            M::Subscribe { route } => tell::subscribe(self, *route),
            M::Unsubscribe { route } => tell::unsubscribe(self, *route),
            M::EndpointsNoted { route, version } => tell::endpoints_noted(self, *route, *version),
            M::ProgressNoted { rollout, version } => tell::progress_noted(self, *rollout, *version),
            M::Wake { due: _ } => tell::wake(self),
            M::RolloutOver { rollout } => declare::rollout_over(self, *rollout),
            M::Stay { instance, node } => life::stay(self, *instance, *node),
        }
    }
}

impl Job {
    /// Its name in its realm; empty before it was declared.
    pub fn name(&self) -> &str {
        self.spec.as_ref().map_or("", |spec| &spec.name)
    }

    /// The name of its realm.
    pub fn realm(&self) -> &str {
        self.spec.as_ref().map_or("", |spec| &spec.realm)
    }

    /// Realm and name, `realm/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.realm(), self.name())
    }

    /// Whether a slot of it may never run twice.
    pub fn exclusive(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.exclusive)
    }

    /// The label of a slot, `job/slot`.
    pub fn label(&self, slot: u32) -> String {
        format!("{}/{slot}", self.name())
    }

    /// How many instances may be given traffic.
    pub fn healthy(&self) -> u32 {
        count(self.instances.values().filter(|instance| instance.healthy()))
    }

    /// The rollout that is under way.
    pub fn under_way(&self) -> Option<&Engagement> {
        self.rollout.as_ref().filter(|rollout| !rollout.over)
    }

    /// The revision that it is at or that is coming in.
    pub fn target(&self) -> u32 {
        self.under_way().map_or(self.settled, |rollout| rollout.to)
    }

    /// How many instances of a revision there are, in whatever state.
    pub fn present(&self, revision: u32) -> u32 {
        count(self.instances.values().filter(|instance| instance.revision == revision))
    }

    /// Slots that wait to come back, with when and why.
    pub fn waiting(&self) -> impl Iterator<Item = (u32, &Waiting)> {
        self.slots.iter().filter_map(|(slot, known)| Some((*slot, known.waiting.as_ref()?)))
    }

    /// The instances in a slot: at most one.
    pub fn in_slot(&self, slot: u32) -> impl Iterator<Item = (InstanceId, &Instance)> {
        self.instances
            .iter()
            .filter(move |(_, instance)| instance.slot == slot)
            .map(|(id, instance)| (*id, &**instance))
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
