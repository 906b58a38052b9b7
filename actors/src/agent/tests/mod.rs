//! The reconciler, told as stories: an agent is welcomed, starts and stops, loses its lease, restarts.

mod lease;
mod random;
mod workloads;

use super::reconciler::Reconciler;
use super::{Beat, Found, Input, Inventory, Output, Verdict, WorkloadEvent};
use messages::agent::{Assignment, Ended, Goal, Observation, Order};
use messages::id::{InstanceId, JobId};
use messages::manifest::{Check, Health, Workload};
use messages::node::{LeaseTerms, Message, NodeSpec};
use messages::reason::Reason;
use messages::time::{Span, Timestamp};
use uuid::Uuid;

pub(super) const TERMS: LeaseTerms = LeaseTerms::STANDARD;
pub(super) const BOOT: Uuid = Uuid::from_u128(1);
/// When the machine's clock stands as the agent starts.
pub(super) const BORN_MS: u64 = 100_000;
pub(super) const GRACE: Span = Span::seconds(10);

/// An agent with a clock, and what it wanted done since the last look.
pub(super) struct Story {
    pub agent: Reconciler,
    pub now: Timestamp,
    pub done: Vec<Output>,
    version: u64,
}

pub(super) fn instance(number: u64) -> InstanceId {
    InstanceId::of(JobId::named("shop", "a"), 0, number)
}

pub(super) fn shared(number: u64, goal: Goal) -> Assignment {
    Assignment {
        instance: instance(number),
        label: "a/0".into(),
        job: JobId::named("shop", "a"),
        realm: "shop".into(),
        revision: 1,
        gpus: Vec::new(),
        exclusive: false,
        goal,
        workload: Workload { stop_grace: GRACE, health: Some(check()), ..Workload::default() }.into(),
    }
}

fn check() -> Health {
    let every = Span::seconds(1);
    let check = Check::Http { port: None, path: "/".into() };
    Health { check, every, timeout: every, failures_max: 3, grace: Span::default() }
}

pub(super) fn exclusive(number: u64, goal: Goal) -> Assignment {
    Assignment { exclusive: true, ..shared(number, goal) }
}

pub(super) fn running() -> Observation {
    Observation::Running { ports: Vec::new(), pid: 7 }
}

pub(super) fn found(number: u64, exclusive: bool, observation: Observation) -> Found {
    Found { instance: instance(number), exclusive, stop_grace: GRACE, observation }
}

pub(super) fn stop(number: u64, grace: Span) -> Output {
    Output::Stop { instance: instance(number), grace }
}

impl Story {
    pub fn begin(inventory: Inventory) -> Self {
        let now = Timestamp(BORN_MS * 1_000);
        let spec = NodeSpec { name: "n1".into(), ..NodeSpec::default() };
        let agent = Reconciler::new(spec, BOOT, inventory, TERMS, now);
        let mut story = Self { agent, now, done: Vec::new(), version: 0 };
        story.gather();
        story
    }

    /// An agent of an empty machine that was welcomed and has a lease.
    pub fn leased() -> Self {
        let mut story = Self::begin(Inventory::default());
        story.welcome(1, 1);
        story.answer_beat();
        story.done.clear();
        story
    }

    pub fn gather(&mut self) {
        while let Some(output) = self.agent.poll() {
            self.done.push(output);
        }
        assert!(self.agent.deadline().is_some_and(|due| due > self.now), "a passed deadline is left behind");
    }

    pub fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.done)
    }

    pub fn hear(&mut self, order: Order) {
        self.agent.handle(Input::Order(order), self.now);
        self.gather();
    }

    pub fn see(&mut self, event: WorkloadEvent) {
        self.agent.handle(Input::Workload(event), self.now);
        self.gather();
    }

    /// Lets time pass, with every deadline on the way.
    pub fn pass(&mut self, milliseconds: u64) {
        let end = Timestamp(self.now.0 + milliseconds * 1_000);
        while let Some(due) = self.agent.deadline().filter(|due| *due <= end) {
            self.now = due;
            self.agent.handle(Input::Tick, due);
            self.gather();
        }
        self.now = end;
    }

    pub fn welcome(&mut self, epoch: u64, session: u64) {
        let (lease, desired) = (TERMS.lease, self.version);
        self.hear(Order::Welcome { epoch, session, lease, boot: BOOT, hello_at: self.now, desired });
    }

    pub fn desire(&mut self, assignments: &[Assignment]) {
        self.version += 1;
        let (epoch, _) = self.agent.session();
        self.hear(Order::Desired { epoch, version: self.version, assignments: assignments.to_vec() });
    }

    /// Answers the last beat that left.
    pub fn answer_beat(&mut self) {
        let beats = self.done.iter().rev().filter_map(|output| match output {
            Output::Beat(beat) => Some(*beat),
            _ => None,
        });
        let Beat { epoch, session, sent_at } = beats.into_iter().next().expect("a beat has left");
        self.hear(Order::BeatHeard { epoch, session, sent_at });
    }

    /// Lets time pass with every beat answered at once.
    pub fn pass_in_touch(&mut self, beats: u64) {
        for _ in 0..beats {
            self.pass(TERMS.beat_every.as_milliseconds());
            self.answer_beat();
        }
    }

    pub fn started(&mut self, number: u64) {
        self.see(WorkloadEvent::Started { instance: instance(number), pid: 7, ports: Vec::new() });
    }

    pub fn ended(&mut self, number: u64, reason: Reason) {
        self.see(WorkloadEvent::Ended { instance: instance(number), ended: Ended::new(reason, "") });
    }

    /// What was started and stopped, without what was said.
    pub fn acts(&mut self) -> Vec<Output> {
        let mut acts = self.take();
        acts.retain(|output| !matches!(output, Output::Say(_) | Output::Beat(_) | Output::RenewLease { .. }));
        acts
    }

    /// The last report that was said: its number and what it says.
    pub fn reported(&mut self) -> Option<(u64, Vec<(InstanceId, Observation)>)> {
        self.take().into_iter().rev().find_map(|output| match output {
            Output::Say(Message::Report { report, observations, .. }) => Some((report, observations)),
            _ => None,
        })
    }

    /// The last report is heard.
    pub fn hear_report(&mut self) {
        if let Some((report, _)) = self.reported() {
            self.hear(Order::ReportHeard { report });
        }
    }

    pub fn hellos(&self) -> usize {
        self.done.iter().filter(|output| matches!(output, Output::Say(Message::Hello { .. }))).count()
    }
}
