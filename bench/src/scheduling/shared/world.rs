//! Several schedulers over one fleet: the actors themselves, scheduler and node, and a queue of what is on its way.
//!
//! Every scheduler is told every change of a node, but only when it is so old. It decides by what it knows, and the
//! node, which alone knows what it holds, takes the claim or refuses it. Nothing is lost here; losses are the
//! simulator's.

use crate::fgd::replay::draw;
use actors::cast::{AnyCell, AnyOutcome};
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId, InstanceId, JobId, NodeId, SchedulerId};
use messages::job;
use messages::manifest::{Place, Workload};
use messages::node::{self, NodeSpec};
use messages::reason::Reason;
use messages::resources::Resources;
use messages::scheduler::{self, Ask};
use messages::shared::Shared;
use messages::time::{Span, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

const REALM: &str = "bench";
/// Cores of a node.
const CORES: u64 = 32;
/// Cores that an instance needs, one as often as the other.
const SIZES: [u64; 3] = [1, 2, 4];
/// How full the fleet is kept, in per cent.
const FULL: u64 = 85;
/// A message between a scheduler and a node takes so long.
const HOP: Span = Span(1_000);

/// How the world is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Schedulers, to which instances are dealt in turn.
    pub schedulers: usize,
    /// Nodes.
    pub nodes: usize,
    /// Instances that arrive in a second.
    pub rate: u64,
    /// How old a node's view is when schedulers hear it.
    pub age: Span,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Messages handled.
    pub steps: usize,
    /// Claims that came to a node.
    pub claims: usize,
    /// Claims that it refused.
    pub refused: usize,
    /// Moments at which a node held more than it has, or two nodes the same instance.
    pub doubled: usize,
}

/// What is on its way.
enum Due {
    Message(Envelope),
    Arrival,
    End { instance: InstanceId, job: JobId, node: NodeId },
}

/// The actors, and what is on its way between them.
pub struct World {
    plan: Plan,
    cells: BTreeMap<ActorId, AnyCell>,
    schedulers: Vec<ActorId>,
    queue: BTreeMap<(Timestamp, u64), Due>,
    workloads: Vec<Shared<Workload>>,
    held: BTreeMap<InstanceId, NodeId>,
    number: u64,
    random: u64,
    now: Timestamp,
    seen: Seen,
}

impl World {
    /// A fleet with nothing on it, known to every scheduler.
    pub fn new(plan: Plan) -> Self {
        let schedulers =
            (0..plan.schedulers).map(|number| SchedulerId::of_site(&format!("s{number}")).into()).collect();
        let workload = |cores: &u64| {
            let resources = Resources { cpu_milli: cores * 1_000, ..Resources::default() };
            Workload { run: vec!["./serve".into()], resources, ..Workload::default() }.into()
        };
        let mut world = Self {
            plan,
            cells: BTreeMap::new(),
            schedulers,
            queue: BTreeMap::new(),
            workloads: SIZES.iter().map(workload).collect(),
            held: BTreeMap::new(),
            number: 0,
            random: 42,
            now: Timestamp(1_700_000_000_000_000),
            seen: Seen::default(),
        };
        for scheduler in world.schedulers.clone() {
            world.cells.insert(scheduler, AnyCell::new(scheduler));
        }
        for number in 0..plan.nodes {
            world.join(number);
        }
        world.later(Span(0), Due::Arrival);
        world
    }

    /// Runs on until so many messages were handled, and says what was seen.
    pub fn run(&mut self, steps: usize) -> Seen {
        while self.seen.steps < steps {
            let Some(((at, _), due)) = self.queue.pop_first() else { break };
            self.now = at;
            match due {
                Due::Message(envelope) => self.deliver(&envelope),
                Due::Arrival => self.arrive(),
                Due::End { instance, job, node } => {
                    let because = Reason::Stopped;
                    let stop =
                        self.envelope(job.into(), node.into(), node::Message::Stop { instance, job, because }.into());
                    self.deliver(&stop);
                }
            }
        }
        self.seen
    }

    /// A node's agent says hello to it.
    fn join(&mut self, number: usize) {
        let name = format!("n{number:05}");
        let id = NodeId::named(&name);
        self.cells.insert(id.into(), AnyCell::new(id.into()));
        let capacity = Resources { cpu_milli: CORES * 1_000, ..Resources::default() };
        let spec = NodeSpec { name, host: "10.0.0.1".into(), capacity, ..NodeSpec::default() };
        let hello = node::Message::Hello { spec, boot: Uuid::from_u128(1), sent_at: Timestamp(1), seen: Vec::new() };
        let hello = self.envelope(Address::Agent(id), id.into(), hello.into());
        self.deliver(&hello);
    }

    /// An instance of a job of its own is asked for, and the next will be.
    fn arrive(&mut self) {
        let number = self.number;
        let name = format!("job-{number}");
        let job = JobId::named(REALM, &name);
        let workload = self.workloads[draw(&mut self.random, SIZES.len()).unwrap_or(0)].clone();
        let ask = Ask {
            instance: InstanceId::of(job, 0, 1),
            label: format!("{name}/0"),
            revision: 1,
            avoid: Vec::new(),
            gang: false,
        };
        let (realm, exclusive, place, asks) = (REALM.into(), false, Place::default(), vec![ask]);
        let message = scheduler::Message::Place { job, realm, name, exclusive, workload, place, asks };
        let to = self.schedulers[draw(&mut self.random, self.schedulers.len()).unwrap_or(0)];
        let envelope = self.envelope(job.into(), to, message.into());
        self.deliver(&envelope);
        self.later(Span(1_000_000 / self.plan.rate), Due::Arrival);
    }

    /// How long an instance runs: so that the fleet stays as full, more or less by half.
    fn lifetime(&mut self) -> Span {
        let cores = self.plan.nodes as u64 * CORES * FULL / 100;
        let mean = cores * SIZES.len() as u64 * 1_000_000 / SIZES.iter().sum::<u64>() / self.plan.rate;
        Span(mean / 2 + draw(&mut self.random, mean as usize).unwrap_or(0) as u64)
    }

    fn deliver(&mut self, envelope: &Envelope) {
        let Address::Actor(to) = envelope.to else { return };
        let now = self.now;
        let Some(cell) = self.cells.get_mut(&to) else { return };
        self.seen.steps += 1;
        let claim = matches!(envelope.body, Body::Node(node::Message::Claim { .. }));
        self.seen.claims += usize::from(claim);
        let AnyOutcome::Entry(entry) = cell.handle(envelope, now) else { return };
        let said: Vec<Envelope> = entry.head().envelopes().collect();
        for envelope in said {
            self.said(to, envelope);
        }
        if let Some(AnyCell::Node(cell)) = self.cells.get(&to) {
            let view = cell.state().view();
            let used = view.claims.iter().fold(Resources::default(), |sum, claim| sum.plus(&claim.resources));
            self.seen.doubled += usize::from(!view.spec.capacity.fits(&used));
            self.tell_all(NodeId(to.id), view);
        }
    }

    /// What an actor said goes to whom it concerns here: claims and refusals, and to jobs, which are played.
    fn said(&mut self, by: ActorId, envelope: Envelope) {
        match &envelope.body {
            Body::Node(node::Message::Claim { .. }) => self.later(HOP, Due::Message(envelope)),
            Body::Scheduler(scheduler::Message::ClaimRefused { .. }) => {
                self.seen.refused += 1;
                self.later(HOP, Due::Message(envelope));
            }
            Body::Job(job::Message::Assigned { instance, node, .. }) => self.assigned(*instance, *node, &envelope),
            Body::Job(job::Message::Released { instance, version, .. }) => {
                self.held.remove(instance);
                let noted = node::Message::Noted { instance: *instance, version: *version };
                let noted = self.envelope(envelope.to, by, noted.into());
                self.later(HOP, Due::Message(noted));
            }
            _ => {}
        }
    }

    fn assigned(&mut self, instance: InstanceId, node: NodeId, envelope: &Envelope) {
        match self.held.insert(instance, node) {
            None => {
                let Address::Actor(job) = envelope.to else { return };
                let end = Due::End { instance, job: JobId(job.id), node };
                let lifetime = self.lifetime();
                self.later(lifetime, end);
            }
            Some(before) => self.seen.doubled += usize::from(before != node),
        }
    }

    /// Every scheduler hears how a node is now, but later.
    fn tell_all(&mut self, node: NodeId, view: Shared<node::NodeView>) {
        for scheduler in self.schedulers.clone() {
            let message = scheduler::Message::View { node, view: view.clone() };
            let envelope = self.envelope(node.into(), scheduler, message.into());
            self.later(self.plan.age, Due::Message(envelope));
        }
    }

    fn later(&mut self, wait: Span, due: Due) {
        self.number += 1;
        self.queue.insert((self.now.after(wait), self.number), due);
    }

    fn envelope(&mut self, from: Address, to: ActorId, body: Body) -> Envelope {
        self.number += 1;
        let id = MessageId::Outside(Uuid::from_u128(self.number.into()));
        let (correlation, principal) = (CorrelationId::default(), Principal::system());
        Envelope { id, from, to: to.into(), correlation, principal, at: self.now, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedulers_that_know_little_conflict_and_never_give_a_room_twice() {
        let plan = Plan { schedulers: 4, nodes: 4, rate: 2_000, age: Span(200_000) };
        let stale = World::new(plan).run(20_000);
        assert!(stale.refused > 0 && stale.doubled == 0, "{stale:?}");
        let fresh = World::new(Plan { age: Span(2_000), ..plan }).run(20_000);
        assert!(fresh.refused * stale.claims < stale.refused * fresh.claims, "{fresh:?} against {stale:?}");
        assert_eq!(World::new(plan).run(20_000), stale, "the same again");
    }
}
