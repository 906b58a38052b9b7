//! The node actor, told as stories: a machine says hello, holds claims, falls silent, comes back, is emptied.

mod claims;
mod gpus;
mod leases;
mod operators;
mod random;

use super::Node;
use crate::cell::{Cell, Outcome};
use messages::agent::{Ended, Goal, Observation, Order};
use messages::codec::encode_bare;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId, InstanceId, JobId, NodeId, PolicyId, SchedulerId};
use messages::manifest::Workload;
use messages::node::{ClaimSpec, Event, Message, NodeSpec, Standing};
use messages::policy::SYSTEM_REALM;
use messages::reason::Reason;
use messages::resources::Resources;
use messages::scheduler::DEFAULT_SITE;
use messages::time::Timestamp;
use messages::{job, scheduler};
use uuid::Uuid;

pub(super) const FIRST_BOOT: Uuid = Uuid::from_u128(1);
pub(super) const SECOND_BOOT: Uuid = Uuid::from_u128(2);

/// A node with a clock, and all that it said in the last turn.
pub(super) struct Story {
    pub cell: Cell<Node>,
    /// The same node, made of its entries.
    followed: Cell<Node>,
    pub now: Timestamp,
    pub said: Vec<(Address, Body)>,
    pub events: Vec<Event>,
    messages: u128,
}

pub(super) fn me() -> NodeId {
    NodeId::named("n1")
}

pub(super) fn job() -> JobId {
    JobId::named("shop", "a")
}

pub(super) fn instance(number: u64) -> InstanceId {
    InstanceId::of(job(), 0, number)
}

pub(super) fn running() -> Observation {
    Observation::Running { ports: vec![("http".into(), 8_000)], pid: 7 }
}

pub(super) fn healthy() -> Observation {
    Observation::Healthy { ports: vec![("http".into(), 8_000)], pid: 7 }
}

pub(super) fn exited() -> Observation {
    Observation::Ended(Ended { reason: Reason::ExitCode, code: Some(1), detail: "exited with code 1".into() })
}

pub(super) fn claim_of(instance: InstanceId, cpu_milli: u64) -> ClaimSpec {
    let resources = Resources { cpu_milli, ..Resources::default() };
    ClaimSpec {
        instance,
        label: "a/0".into(),
        job: job(),
        realm: "shop".into(),
        revision: 1,
        exclusive: true,
        workload: Workload { resources, ..Workload::default() }.into(),
    }
}

impl Story {
    /// A node of which nobody has heard.
    pub fn blank() -> Self {
        let cell = Cell::new(ActorId::from(me()));
        Self {
            followed: cell.clone(),
            cell,
            now: Timestamp(1_000_000_000),
            said: Vec::new(),
            events: Vec::new(),
            messages: 0,
        }
    }

    /// A node that said hello and has a whole core.
    pub fn ready() -> Self {
        let mut story = Self::blank();
        story.hello(FIRST_BOOT, 10, &[]);
        story
    }

    /// A node where instance 1 runs.
    pub fn with_running() -> Self {
        let mut story = Self::ready();
        story.claim(instance(1), 400);
        story.start(instance(1));
        story.report(11, &[(instance(1), running())]);
        story
    }

    pub fn state(&self) -> &Node {
        self.cell.state()
    }

    pub fn tell(&mut self, from: Address, message: Message) {
        self.messages += 1;
        let envelope = Envelope {
            id: MessageId::Outside(Uuid::from_u128(self.messages)),
            from,
            to: me().into(),
            correlation: CorrelationId::default(),
            principal: Principal::system(),
            at: self.now,
            body: message.clone().into(),
        };
        let outcome = self.cell.handle(&envelope, &message, self.now);
        self.take(outcome);
        assert!(self.cell.deadline().is_none_or(|due| due > self.now || matches!(message, Message::Wake { .. })));
    }

    fn take(&mut self, outcome: Outcome<Node>) {
        if let Outcome::Entry(record) = &outcome {
            assert_eq!(&self.followed.retake(record), record, "the turn can be taken again");
            let followed = self.followed.follow(&encode_bare(record));
            assert_eq!(followed, Ok(Some(record.events.len())), "and from its bytes");
        }
        assert_eq!(self.followed, self.cell, "the entries make the node");
        (self.said, self.events) = match outcome {
            Outcome::Entry(record) => (record.head.sends, record.events),
            Outcome::Answer(answers) => (answers.into_iter().map(|said| (said.to, said.body)).collect(), Vec::new()),
        };
    }

    /// Lets time pass, with every deadline on the way, and gathers what was said.
    pub fn pass(&mut self, milliseconds: u64) {
        let end = Timestamp(self.now.0 + milliseconds * 1_000);
        let (mut said, mut events) = (Vec::new(), Vec::new());
        while let Some(due) = self.cell.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let outcome = self.cell.wake(self.now).expect("the deadline has passed");
            assert!(self.cell.deadline().is_none_or(|due| due > self.now), "a passed deadline is left behind");
            self.take(outcome);
            said.append(&mut self.said);
            events.append(&mut self.events);
        }
        (self.now, self.said, self.events) = (end, said, events);
    }

    pub fn hello(&mut self, boot: Uuid, sent_at: u64, seen: &[(InstanceId, Observation)]) {
        self.hello_with(1_000, boot, sent_at, seen);
    }

    /// A hello of a machine that has so much.
    pub fn hello_with(&mut self, cpu_milli: u64, boot: Uuid, sent_at: u64, seen: &[(InstanceId, Observation)]) {
        let capacity = Resources { cpu_milli, ..Resources::default() };
        let spec = NodeSpec { name: "n1".into(), host: "10.0.0.1".into(), capacity, ..NodeSpec::default() };
        let hello = Message::Hello { spec, boot, sent_at: Timestamp(sent_at), seen: seen.to_vec() };
        self.tell(Address::Agent(me()), hello);
    }

    pub fn report(&mut self, report: u64, observations: &[(InstanceId, Observation)]) {
        let epoch = self.state().epoch();
        let report = Message::Report { epoch, report, observations: observations.to_vec() };
        self.tell(Address::Agent(me()), report);
    }

    pub fn silent(&mut self) {
        let silent = Message::Silent { session: self.state().session(), heard: self.now };
        self.tell(Address::Host, silent);
    }

    pub fn claim(&mut self, instance: InstanceId, cpu_milli: u64) {
        let from = SchedulerId::of_site(DEFAULT_SITE);
        self.tell(from.into(), Message::Claim { claim: claim_of(instance, cpu_milli) });
    }

    pub fn start(&mut self, instance: InstanceId) {
        self.tell(job().into(), Message::Start { instance });
    }

    pub fn stop(&mut self, instance: InstanceId) {
        self.tell(job().into(), Message::Stop { instance, job: job(), because: Reason::ScaledDown });
    }

    pub fn command(&mut self, message: Message) {
        self.tell(PolicyId::of_realm(SYSTEM_REALM).into(), message);
    }

    pub fn orders(&self) -> Vec<&Order> {
        let orders = self.said.iter().filter_map(|(_, body)| match body {
            Body::Agent(order) => Some(order),
            _ => None,
        });
        orders.collect()
    }

    pub fn to_job(&self) -> Vec<&job::Message> {
        let told = self.said.iter().filter_map(|(_, body)| match body {
            Body::Job(message) => Some(message),
            _ => None,
        });
        told.collect()
    }

    pub fn to_scheduler(&self) -> Vec<&scheduler::Message> {
        let told = self.said.iter().filter_map(|(_, body)| match body {
            Body::Scheduler(message) => Some(message),
            _ => None,
        });
        told.collect()
    }

    /// The goals in the last desired state that was said.
    pub fn desired(&self) -> Option<Vec<(InstanceId, Goal)>> {
        self.orders().into_iter().rev().find_map(|order| match order {
            Order::Desired { assignments, .. } | Order::Changed { changed: assignments, .. } => {
                Some(assignments.iter().map(|each| (each.instance, each.goal)).collect())
            }
            _ => None,
        })
    }

    /// The reason of the first release that was said.
    pub fn released(&self) -> Option<Reason> {
        self.to_job().into_iter().find_map(|told| match told {
            job::Message::Released { ended, .. } => Some(ended.reason),
            _ => None,
        })
    }

    /// The reason of the first refusal of a claim that was said.
    pub fn refused(&self) -> Option<Reason> {
        self.to_scheduler().into_iter().find_map(|told| match told {
            scheduler::Message::ClaimRefused { because, .. } => Some(*because),
            _ => None,
        })
    }

    pub fn standing(&self) -> Standing {
        self.state().standing()
    }
}
