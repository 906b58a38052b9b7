//! Real actors and what they are told: a job with healthy instances, a node with claims, each brought up by messages.

use messages::agent::Observation;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId, InstanceId, JobId, NodeId, PolicyId, SchedulerId};
use messages::manifest::{JobSpec, Workload};
use messages::node::{ClaimSpec, NodeSpec};
use messages::resources::Resources;
use messages::scheduler::DEFAULT_SITE;
use messages::time::Timestamp;
use messages::{job, node};
use uuid::Uuid;

/// The time of every turn: nothing here waits for a deadline.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
const REALM: &str = "bench";
/// The sequence of what a node says while a job comes up; later turns number on from here.
const BRING_UP: u64 = 1_000_000;

/// A job of so many instances, all on one node.
#[derive(Clone, Debug)]
pub struct JobLife {
    id: JobId,
    name: String,
    instances: u32,
}

/// A node that holds so many claims of one job.
#[derive(Clone, Debug)]
pub struct NodeLife {
    id: NodeId,
    instances: u32,
}

fn envelope(id: MessageId, from: Address, to: ActorId, body: Body) -> Envelope {
    let correlation = CorrelationId(Uuid::from_u128(7));
    Envelope { id, from, to: to.into(), correlation, principal: Principal::node("n1"), at: NOW, body }
}

fn said(by: ActorId, sequence: u64, to: ActorId, body: Body) -> Envelope {
    envelope(MessageId::Said { by, sequence, index: 0 }, by.into(), to, body)
}

fn workload() -> Workload {
    Workload {
        run: vec!["./serve".into(), "--listen".into(), "${PORT_HTTP}".into()],
        base_directory: "/srv/bench".into(),
        ports: vec!["http".into()],
        resources: Resources { cpu_milli: 100, ..Resources::default() },
        ..Workload::default()
    }
}

/// Healthy, with a process id that makes the observation differ from the one before.
fn healthy(pid: u64) -> Observation {
    let pid = u32::try_from(pid % 1_000_000).unwrap_or(1);
    Observation::Healthy { ports: vec![("http".into(), 20_000)], pid }
}

impl JobLife {
    /// The job of this number.
    pub fn new(number: u64, instances: u32) -> Self {
        let name = format!("job-{number}");
        Self { id: JobId::named(REALM, &name), name, instances }
    }

    /// Whose life.
    pub fn id(&self) -> ActorId {
        self.id.into()
    }

    fn instance(&self, slot: u32) -> InstanceId {
        InstanceId::of(self.id, slot, u64::from(slot) + 1)
    }

    fn node() -> NodeId {
        NodeId::named("n1")
    }

    /// Declares it, and lets a node take and see each of its instances.
    pub fn bring_up(&self) -> Vec<Envelope> {
        let (name, instances) = (self.name.clone(), self.instances);
        let spec = JobSpec { realm: REALM.into(), name, workload: workload(), instances, ..JobSpec::default() };
        let policy = ActorId::from(PolicyId::of_realm(REALM));
        let mut said_all = vec![said(policy, 1, self.id(), job::Message::Apply { ticket: 1, spec }.into())];
        for slot in 0..self.instances {
            let (instance, node) = (self.instance(slot), Self::node());
            let (node_name, host) = ("n1".into(), "10.0.0.1".into());
            let assigned = job::Message::Assigned { instance, node, node_name, host, epoch: 1 };
            let sequence = u64::from(slot) * 2 + 1;
            said_all.push(said(node.into(), sequence, self.id(), assigned.into()));
            said_all.push(self.observed(slot, sequence + 1));
        }
        said_all
    }

    fn observed(&self, slot: u32, sequence: u64) -> Envelope {
        let (instance, node) = (self.instance(slot), Self::node());
        let observation = Some(healthy(sequence));
        let observed = job::Message::Observed { instance, node, version: sequence, observation };
        said(node.into(), sequence, self.id(), observed.into())
    }

    /// The message of one more turn: a node has seen something new of an instance. Numbers must grow.
    pub fn turn(&self, number: u64) -> Envelope {
        let slot = u32::try_from(number % u64::from(self.instances.max(1))).unwrap_or(0);
        self.observed(slot, BRING_UP + number)
    }
}

impl NodeLife {
    /// A node with so many instances.
    pub fn new(instances: u32) -> Self {
        Self { id: NodeId::named("n1"), instances }
    }

    /// Whose life.
    pub fn id(&self) -> ActorId {
        self.id.into()
    }

    fn job() -> JobId {
        JobId::named(REALM, "of-node")
    }

    fn instance(number: u32) -> InstanceId {
        InstanceId::of(Self::job(), number, 1)
    }

    fn tell(&self, number: u64, from: Address, message: node::Message) -> Envelope {
        let id = MessageId::Outside(Uuid::from_u128(u128::from(number)));
        envelope(id, from, self.id(), message.into())
    }

    /// Its agent says hello, a scheduler claims room on it, and the job lets its instances start.
    pub fn bring_up(&self) -> Vec<Envelope> {
        let capacity = Resources { cpu_milli: 1_000_000, ..Resources::default() };
        let spec = NodeSpec { name: "n1".into(), host: "10.0.0.1".into(), capacity, ..NodeSpec::default() };
        let (boot, sent_at) = (Uuid::from_u128(1), Timestamp(1));
        let hello = node::Message::Hello { spec, boot, sent_at, seen: Vec::new() };
        let mut told = vec![self.tell(1, Address::Agent(self.id), hello)];
        let scheduler = SchedulerId::of_site(DEFAULT_SITE);
        for number in 0..self.instances {
            let (instance, ticket) = (Self::instance(number), u64::from(number) * 2 + 2);
            let claim = ClaimSpec {
                instance,
                label: format!("of-node/{number}"),
                job: Self::job(),
                realm: REALM.into(),
                revision: 1,
                exclusive: false,
                workload: workload().into(),
            };
            told.push(self.tell(ticket, scheduler.into(), node::Message::Claim { claim }));
            told.push(self.tell(ticket + 1, Self::job().into(), node::Message::Start { instance }));
        }
        told
    }

    /// The message of one more turn: its agent reports something new of an instance. Numbers must grow.
    pub fn turn(&self, number: u64) -> Envelope {
        let which = u32::try_from(number % u64::from(self.instances.max(1))).unwrap_or(0);
        let observations = vec![(Self::instance(which), healthy(number))];
        let report = node::Message::Report { epoch: 1, report: BRING_UP + number, observations };
        self.tell(BRING_UP + number, Address::Agent(self.id), report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::cast::{AnyCell, AnyOutcome};

    fn raised(id: ActorId, told: &[Envelope]) -> AnyCell {
        let mut cell = AnyCell::new(id);
        for envelope in told {
            assert!(matches!(cell.handle(envelope, NOW), AnyOutcome::Entry(_)), "{envelope:?}");
        }
        cell
    }

    #[test]
    fn a_job_is_wholly_healthy_and_every_further_turn_is_an_entry() {
        let life = JobLife::new(1, 4);
        let mut cell = raised(life.id(), &life.bring_up());
        assert!(matches!(&cell, AnyCell::Job(cell) if cell.state().healthy() == 4));
        assert!((0..100).all(|number| matches!(cell.handle(&life.turn(number), NOW), AnyOutcome::Entry(_))));
        assert_eq!(cell.deadline(), None, "it rests");
    }

    #[test]
    fn a_node_is_up_and_every_further_turn_is_an_entry_that_tells_the_job() {
        let life = NodeLife::new(20);
        let mut cell = raised(life.id(), &life.bring_up());
        for number in 0..100 {
            let AnyOutcome::Entry(entry) = cell.handle(&life.turn(number), NOW) else { panic!("turn {number}") };
            assert!(entry.head().sends.iter().any(|(_, body)| matches!(body, Body::Job(_))), "{entry:?}");
        }
    }
}
