//! A planned world: the actors of a recorded log as they were at a moment, and what happens to them from then on.
//!
//! The actors are the very same; what is around them is the simplest that they can live in. Messages arrive after a
//! fixed time, everything is durable at once, and machines do as they are told ([`actors::planner::hands`]). Beats are not sent one
//! by one: a machine that can be heard is heard, and one that cannot is declared silent when its time is up. So a planned
//! world costs as much as what is decided in it, and can be cloned and run on.

mod deeds;

use super::book::Book;
use super::lives::Lives;
use super::outside::Happening;
use crate::world::queue::Queue;
use crate::world::random::{Domain, Random, key_of_uuid};
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::planner::hands::{Machine, Wish};
use actors::turns::{Turned, Turns};
use messages::agent::{Assignment, Goal, Observation};
use messages::entry::Entry;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId, InstanceId, JobId, NodeId};
use messages::node::{self, NodeSpec};
use messages::resources::Resources;
use messages::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// More happenings than this are a storm, and end the run.
pub const EVENTS_MAX: u64 = 200_000_000;

/// Something done to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// As it was recorded.
    Happens(Happening),
    /// A machine loses power.
    Lose(NodeId),
    /// A machine boots.
    Boot(NodeId),
    /// A machine and the control plane are cut off from each other.
    Cut(NodeId),
    /// They hear each other again.
    Link(NodeId),
    /// A machine loses power for good, whatever was recorded of it.
    Remove(NodeId),
    /// A machine is there from now on, or has other resources from now on, whatever was recorded of it.
    Become(NodeSpec),
    /// A workload ends.
    End(JobId, String, Observation),
    /// Something is seen of a workload, unless it has ended.
    See(JobId, String, bool),
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    /// A message arrives.
    Arrives(Box<Envelope>),
    /// An actor's deadline.
    Wakes(ActorId, Timestamp),
    /// Something is done to the world.
    Done(Box<Deed>),
    /// A workload of this boot comes to its next moment.
    Lives(NodeId, Uuid, InstanceId, usize),
    /// A workload of this boot ends as it was asked to.
    Stops(NodeId, Uuid, InstanceId),
    /// A machine was not heard for so long that it is declared silent.
    Declared(NodeId, u64),
    /// The lease of a machine is over.
    Leaseless(NodeId, u64),
}

/// A planned world.
#[derive(Clone, Debug)]
pub struct Planner {
    queue: Queue<Event>,
    origin: Timestamp,
    hop: u64,
    turns: Turns,
    machines: BTreeMap<NodeId, Machine>,
    /// Machines of which nothing recorded counts any more, and what they have instead; nothing when they are gone.
    changed: BTreeMap<NodeId, Option<Resources>>,
    lives: Arc<Lives>,
    ordinals: BTreeMap<(JobId, u32, String), u32>,
    away: Arc<Vec<(Timestamp, Timestamp)>>,
    random: Random,
    said: u64,
    events: u64,
    recorded: Option<Vec<Entry>>,
    /// What is written down of it.
    pub book: Book,
}

/// What a planned world begins with.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The actors.
    pub fold: Fold,
    /// Messages on their way.
    pub flying: Vec<Envelope>,
    /// How workloads live.
    pub lives: Arc<Lives>,
    /// When there was no control plane.
    pub away: Arc<Vec<(Timestamp, Timestamp)>>,
    /// The moment.
    pub at: Timestamp,
    /// How long a message between actors takes, in microseconds.
    pub hop: u64,
    /// The seed of ids that nothing recorded gives.
    pub seed: u64,
}

impl Planner {
    /// The world at its beginning.
    pub fn new(beginning: &Beginning) -> Self {
        let Beginning { fold, flying, lives, away, at, hop, seed } = beginning;
        let mut planner = Self {
            queue: Queue::default(),
            origin: *at,
            hop: *hop,
            turns: Turns::new(fold),
            machines: BTreeMap::new(),
            changed: BTreeMap::new(),
            lives: Arc::clone(lives),
            ordinals: BTreeMap::new(),
            away: Arc::clone(away),
            random: Random::new(*seed),
            said: 0,
            events: 0,
            recorded: None,
            book: Book::new(fold, *at),
        };
        for (id, node) in fold.nodes().filter(|(_, node)| node.epoch() > 0) {
            planner.settle(NodeId(id.id), node);
        }
        for envelope in flying {
            planner.queue.after(*hop, Event::Arrives(Box::new(envelope.clone())));
        }
        for (actor, due) in planner.turns.begin() {
            planner.queue.at(due.since(planner.origin).0, Event::Wakes(actor, due));
        }
        planner
    }

    /// A machine as its node actor knows it.
    fn settle(&mut self, id: NodeId, node: &actors::node::Node) {
        let mut machine = Machine::new(node.spec().clone(), node.boot());
        machine.linked = node.up();
        machine.joined(node.epoch());
        for claim in node.claims() {
            let spec = claim.spec();
            let life = self.lives.of_present(spec.instance).cloned().unwrap_or_default();
            for index in 0..life.moments.len() {
                let event = Event::Lives(id, machine.boot, spec.instance, index);
                self.queue.at(life.moments[index].0.saturating_sub(self.hop), event);
            }
            if claim.goal() == Goal::Stop {
                let stops = life.stopping(spec.workload.stop_grace.0);
                self.queue.at(stops, Event::Stops(id, machine.boot, spec.instance));
            }
            machine.resume(node.epoch(), claim.assignment(), claim.observation().cloned(), life);
        }
        if !node.up() {
            machine.end_exclusive();
        }
        self.machines.insert(id, machine);
    }

    /// Arranges that something is done, at a moment.
    pub fn arrange(&mut self, at: Timestamp, deed: Deed) {
        self.queue.at(at.since(self.origin).0, Event::Done(Box::new(deed)));
    }

    /// The time it is.
    pub fn now(&self) -> Timestamp {
        self.origin.after(Span(self.queue.now()))
    }

    /// Begins to write down anew what happens from now on.
    pub fn rebook(&mut self) {
        self.book = Book::new(self.turns.fold(), self.now());
    }

    /// Keeps every entry from now on, for [`Planner::take_recorded`].
    pub fn record(&mut self) {
        self.recorded.get_or_insert_default();
    }

    /// The entries since the last time.
    pub fn take_recorded(&mut self) -> Vec<Entry> {
        self.recorded.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How many things have happened.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The machines, by their nodes.
    pub fn machines(&self) -> impl Iterator<Item = (NodeId, &NodeSpec, bool)> {
        self.machines.iter().map(|(id, machine)| (*id, &machine.spec, machine.on && machine.linked))
    }

    /// An actor's cell.
    pub fn cell(&self, id: impl Into<ActorId>) -> Option<&AnyCell> {
        self.turns.fold().cell(id)
    }

    /// Runs on up to a moment. False when so much happened that it was given up.
    pub fn run(&mut self, until: Timestamp) -> bool {
        let until = until.since(self.origin).0;
        while let Some((_, event)) = self.queue.next(until) {
            self.events += 1;
            if self.events > EVENTS_MAX {
                return false;
            }
            match self.back_at().filter(|_| !matches!(event, Event::Done(_) | Event::Lives(..) | Event::Stops(..))) {
                Some(back) => self.queue.at(back, event),
                None => self.happen(event),
            }
        }
        self.book.pass(self.origin.after(Span(until)));
        true
    }

    /// While there is no control plane: when there is one again.
    fn back_at(&self) -> Option<u64> {
        let now = self.now();
        let index = self.away.partition_point(|(_, until)| *until <= now);
        let (from, until) = self.away.get(index)?;
        (*from < now && now < *until).then(|| until.since(self.origin).0)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives(envelope) => self.arrive(*envelope),
            Event::Wakes(actor, due) => {
                let turned = self.turns.wake(actor, due, self.now());
                turned.into_iter().for_each(|turned| self.conclude(actor, turned));
            }
            Event::Done(deed) => self.do_deed(*deed),
            Event::Lives(node, boot, instance, index) => {
                let machine = self.machines.get(&node).filter(|machine| machine.boot == boot);
                let process = machine.and_then(|machine| machine.process(instance));
                let seen = process.and_then(|process| process.life.moments.get(index)).map(|(_, seen)| seen.clone());
                if let Some(seen) = seen {
                    self.with(node, |machine, now, wishes| machine.see(instance, seen, now, wishes));
                }
            }
            Event::Stops(node, boot, instance) => {
                if self.machines.get(&node).is_some_and(|machine| machine.boot == boot) {
                    self.with(node, |machine, now, wishes| machine.stopped(instance, now, wishes));
                }
            }
            Event::Declared(node, cuts) => self.declare(node, cuts),
            Event::Leaseless(node, cuts) => {
                if let Some(machine) = self.machines.get_mut(&node).filter(|machine| machine.cuts == cuts) {
                    machine.end_exclusive();
                }
            }
        }
    }

    fn arrive(&mut self, envelope: Envelope) {
        match envelope.to {
            Address::Actor(actor) => {
                let turned = self.turns.handle(actor, &envelope, self.now());
                self.conclude(actor, turned);
            }
            Address::Agent(node) => {
                let Body::Agent(order) = envelope.body else { return };
                if self.machines.get(&node).is_some_and(|machine| machine.on && machine.linked) {
                    self.with(node, |machine, now, wishes| machine.heed(order, now, wishes));
                }
            }
            Address::Client(_) | Address::Host => {}
        }
    }

    fn conclude(&mut self, actor: ActorId, turned: Turned) {
        let Turned { entry, said, wake } = turned;
        if let Some(entry) = entry {
            if let Some(cell) = self.turns.fold().cell(actor) {
                self.book.see(&entry, cell);
            }
            if let Some(recorded) = &mut self.recorded {
                recorded.push(entry);
            }
        }
        for envelope in said {
            self.queue.after(self.hop, Event::Arrives(Box::new(envelope)));
        }
        if let Some(due) = wake {
            self.queue.at(due.since(self.origin).0, Event::Wakes(actor, due));
        }
    }

    /// Lets a machine do something, and does what its agent wants.
    fn with(&mut self, node: NodeId, act: impl FnOnce(&mut Machine, Timestamp, &mut Vec<Wish>)) {
        let now = self.now();
        let Some(machine) = self.machines.get_mut(&node) else { return };
        let mut wishes = Vec::new();
        act(machine, now, &mut wishes);
        let boot = machine.boot;
        for wish in wishes {
            match wish {
                Wish::Say(message) => self.say_as(node, message),
                Wish::Start(assignment) => self.start(node, boot, assignment),
                Wish::Stops(instance, after) => self.queue.after(after, Event::Stops(node, boot, instance)),
            }
        }
    }

    fn start(&mut self, node: NodeId, boot: Uuid, assignment: Assignment) {
        let (job, revision, label) = (assignment.job, assignment.revision, assignment.label.clone());
        let ordinal = self.ordinals.entry((job, revision, label.clone())).or_default();
        let life = self.lives.of(job, revision, &label, *ordinal);
        *ordinal += 1;
        for (index, (after, _)) in life.moments.iter().enumerate() {
            // The moments count from the actor's word to the actor's hearing of it: a hop to here, and one back.
            let event = Event::Lives(node, boot, assignment.instance, index);
            self.queue.after(after.saturating_sub(2 * self.hop), event);
        }
        if let Some(machine) = self.machines.get_mut(&node) {
            machine.started(assignment, life);
        }
    }

    fn say_as(&mut self, node: NodeId, message: node::Message) {
        let Some(machine) = self.machines.get(&node) else { return };
        let principal = Principal::node(&machine.spec.name);
        self.say(Address::Agent(node), node.into(), principal, Body::Node(message));
    }

    fn say(&mut self, from: Address, to: ActorId, principal: Principal, body: Body) {
        self.said += 1;
        let id = self.random.uuid(Domain::Choice, &[key_of_uuid(to.id), self.queue.now(), self.said]);
        self.tell(Envelope {
            id: MessageId::Outside(id),
            from,
            to: to.into(),
            correlation: CorrelationId(id),
            principal,
            at: self.now(),
            body,
        });
    }

    fn tell(&mut self, envelope: Envelope) {
        self.queue.after(self.hop, Event::Arrives(Box::new(envelope)));
    }
}
