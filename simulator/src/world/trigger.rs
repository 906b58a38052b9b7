//! Waits for what faults are triggered by, among what is committed.

use crate::plan::{Fault, Pattern, Plan, Trigger, When};
use messages::entry::Entry;
use messages::id::{ActorId, InstanceId, JobId, Kind, NodeId};
use messages::{job, node, scheduler};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// The faults that wait for their trigger, and what the triggers of the others were about.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    waiting: Vec<Waiting>,
    slots: BTreeMap<InstanceId, (ActorId, u32)>,
    /// The job of each rollout.
    rollouts: BTreeMap<ActorId, ActorId>,
    found: BTreeMap<usize, InstanceId>,
}

#[derive(Clone, Debug)]
struct Waiting {
    number: usize,
    trigger: Trigger,
    job: Option<ActorId>,
    node: Option<ActorId>,
    left: u64,
}

/// What an event is about.
struct About {
    kind: Kind,
    name: String,
    instance: Option<InstanceId>,
    job: Option<ActorId>,
    slot: Option<u32>,
    node: Option<ActorId>,
}

impl Watch {
    /// Waits for every trigger of a plan.
    pub fn new(plan: &Plan) -> Self {
        let waiting = |(number, fault): (usize, &Fault)| {
            let When::On(trigger) = &fault.when else { return None };
            let Pattern { job, node, .. } = &trigger.pattern;
            Some(Waiting {
                number,
                job: job.as_ref().map(|job| JobId::named(&plan.realm, job).into()),
                node: node.as_ref().map(|node| NodeId::named(node).into()),
                left: trigger.nth,
                trigger: trigger.clone(),
            })
        };
        Self { waiting: plan.faults.iter().enumerate().filter_map(waiting).collect(), ..Self::default() }
    }

    /// The instance that the trigger of fault `number` was about.
    pub fn found(&self, number: usize) -> Option<InstanceId> {
        self.found.get(&number).copied()
    }

    /// An entry was committed. Returns the faults that it triggers, and how long after it each begins.
    pub fn see(&mut self, entry: &Entry, now: u64) -> Vec<(usize, u64)> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let mut due = Vec::new();
        for about in self.about(entry) {
            let found = &mut self.found;
            self.waiting.retain_mut(|waiting| {
                if now < waiting.trigger.from || !waiting.matches(&about) {
                    return true;
                }
                waiting.left = waiting.left.saturating_sub(1);
                if waiting.left == 0 {
                    due.push((waiting.number, waiting.trigger.after));
                    about.instance.map(|instance| found.insert(waiting.number, instance));
                }
                waiting.left > 0
            });
        }
        due
    }

    fn about(&mut self, entry: &Entry) -> Vec<About> {
        let actor = entry.head().actor;
        match entry {
            Entry::Job(record) => record.events.iter().map(|event| self.of_job(actor, event)).collect(),
            Entry::Node(record) => record.events.iter().map(|event| self.of_node(actor, event)).collect(),
            Entry::Scheduler(record) => record.events.iter().map(|event| self.of_scheduler(event)).collect(),
            Entry::Route(record) => record.events.iter().map(|event| about(Kind::Route, event)).collect(),
            Entry::Rollout(record) => {
                let job = self.rollouts.get(&actor).copied();
                record.events.iter().map(|event| About { job, ..about(Kind::Rollout, event) }).collect()
            }
            Entry::Policy(record) => record.events.iter().map(|event| about(Kind::Policy, event)).collect(),
        }
    }

    fn of_job(&mut self, actor: ActorId, event: &job::Event) -> About {
        use job::Event as E;
        let mut node = None;
        let instance = match event {
            E::Wanted { instance, slot, .. } => {
                self.slots.insert(*instance, (actor, *slot));
                Some(*instance)
            }
            E::RolloutBegun { rollout, .. } => {
                self.rollouts.insert(ActorId::from(*rollout), actor);
                None
            }
            E::Assigned { instance, node: on, .. } => {
                node = Some(ActorId::from(*on));
                Some(*instance)
            }
            E::Unplaceable { instance, .. }
            | E::Observed { instance, .. }
            | E::Failed { instance, .. }
            | E::Retired { instance, .. }
            | E::Kept { instance }
            | E::Withdrawn { instance }
            | E::Stopping { instance }
            | E::Pressed { instance }
            | E::Gone { instance, .. }
            | E::RestartDue { instance } => Some(*instance),
            _ => None,
        };
        About { job: Some(actor), node, ..self.of_instance(about(Kind::Job, event), instance) }
    }

    fn of_node(&self, actor: ActorId, event: &node::Event) -> About {
        use node::Event as E;
        let instance = match event {
            E::Claimed { claim, .. } => Some(claim.instance),
            E::ClaimRefused { instance, .. }
            | E::StartAllowed { instance }
            | E::StopAsked { instance, .. }
            | E::Observed { instance, .. }
            | E::Released { instance, .. }
            | E::Noted { instance, .. } => Some(*instance),
            _ => None,
        };
        About { node: Some(actor), ..self.of_instance(about(Kind::Node, event), instance) }
    }

    fn of_scheduler(&self, event: &scheduler::Event) -> About {
        use scheduler::Event as E;
        let (instance, node) = match event {
            E::Placed { ask, decision, .. } => (Some(ask.instance), decision.chosen),
            E::Unplaced { ask, .. } => (Some(ask.instance), None),
            E::Withdrawn { instance } => (Some(*instance), None),
            E::ClaimRefused { instance, node, .. } => (Some(*instance), Some(*node)),
            E::Viewed { node, .. } => (None, Some(*node)),
            _ => (None, None),
        };
        About { node: node.map(ActorId::from), ..self.of_instance(about(Kind::Scheduler, event), instance) }
    }

    fn of_instance(&self, about: About, instance: Option<InstanceId>) -> About {
        let known = instance.and_then(|instance| self.slots.get(&instance));
        About { instance, job: known.map(|(job, _)| *job), slot: known.map(|(_, slot)| *slot), ..about }
    }
}

fn about(kind: Kind, event: &impl fmt::Debug) -> About {
    About { kind, name: name_of(event), instance: None, job: None, slot: None, node: None }
}

impl Waiting {
    fn matches(&self, about: &About) -> bool {
        let pattern = &self.trigger.pattern;
        pattern.event == about.name
            && pattern.kind.is_none_or(|kind| kind == about.kind)
            && (self.job.is_none() || self.job == about.job)
            && (pattern.slot.is_none() || pattern.slot == about.slot)
            && (self.node.is_none() || self.node == about.node)
    }
}

/// Takes what is written first, and refuses the rest: the name of a variant comes before its fields.
struct First(String);

impl Write for First {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.is_empty() {
            self.0.push_str(text);
            return Ok(());
        }
        Err(fmt::Error)
    }
}

/// The name of the variant of an event or a message.
pub(crate) fn name_of(event: &impl fmt::Debug) -> String {
    let mut first = First(String::new());
    // The refusal of what follows the name is no failure.
    let _stopped = write!(first, "{event:?}");
    first.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_event_is_that_of_its_variant() {
        assert_eq!(name_of(&node::Event::GivenUp), "GivenUp");
        assert_eq!(name_of(&node::Event::ReportTaken { report: 3 }), "ReportTaken");
    }
}
