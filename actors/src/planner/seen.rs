//! What is kept of what happens in a fork: how places were decided, why instances were wanted, and when something new
//! happened last.

use messages::entry::Entry;
use messages::id::{InstanceId, JobId, NodeId};
use messages::reason::Reason;
use messages::scheduler::{Ask, Decision};
use messages::{job, node, policy, rollout, route, scheduler};
use std::collections::BTreeMap;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// How each place was decided, the last time.
    pub decisions: BTreeMap<InstanceId, Decision>,
    /// What was asked, of which job, and where it went, in the order in which it was decided first.
    pub asks: Vec<(JobId, Ask, Option<NodeId>)>,
    /// Why each instance was wanted.
    pub wanted: BTreeMap<InstanceId, Reason>,
    /// Why each instance was to go.
    pub retired: BTreeMap<InstanceId, Reason>,
    /// When something new happened last.
    pub last: u64,
}

impl Seen {
    /// Takes an entry in. Says whether it is news, rather than something said again.
    pub fn see(&mut self, entry: &Entry, now: u64) -> bool {
        match entry {
            Entry::Scheduler(record) => record.events.iter().for_each(|event| self.decided(event)),
            Entry::Job(record) => record.events.iter().for_each(|event| self.lived(event)),
            _ => {}
        }
        let news = is_news(entry);
        if news {
            self.last = now;
        }
        news
    }

    fn decided(&mut self, event: &scheduler::Event) {
        if let scheduler::Event::Placed { job, ask, decision, .. } | scheduler::Event::Unplaced { job, ask, decision } =
            event
        {
            if !self.decisions.contains_key(&ask.instance) {
                self.asks.push((*job, ask.clone(), decision.chosen));
            }
            self.decisions.insert(ask.instance, decision.clone());
        }
    }

    fn lived(&mut self, event: &job::Event) {
        match event {
            job::Event::Wanted { instance, because, .. } => drop(self.wanted.insert(*instance, *because)),
            job::Event::Retired { instance, because } => drop(self.retired.insert(*instance, *because)),
            job::Event::Failed { instance, reason, .. } => drop(self.retired.insert(*instance, *reason)),
            _ => {}
        }
    }
}

/// Whether an entry is more than something that was said again.
fn is_news(entry: &Entry) -> bool {
    match entry {
        Entry::Job(record) => record.events.iter().any(|event| {
            use job::Event as E;
            !matches!(
                event,
                E::Sought { .. }
                    | E::Pressed { .. }
                    | E::EndpointsRepeated { .. }
                    | E::RolloutPressed
                    | E::DismissalRepeated { .. }
            )
        }),
        Entry::Node(record) => record.events.iter().any(|event| !matches!(event, node::Event::Reminded)),
        Entry::Scheduler(record) => {
            record.events.iter().any(|event| !matches!(event, scheduler::Event::Retried { .. }))
        }
        Entry::Route(record) => record.events.iter().any(|event| !matches!(event, route::Event::SubscriptionRepeated)),
        Entry::Rollout(record) => record.events.iter().any(|event| !matches!(event, rollout::Event::TargetsRepeated)),
        Entry::Policy(record) => record
            .events
            .iter()
            .any(|event| !matches!(event, policy::Event::AskedAgain { .. } | policy::Event::RulesSent)),
    }
}
