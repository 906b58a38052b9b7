//! The fork: the actors as they are, on a virtual clock, with machines that do as they are told. Nothing of it gets out.
//!
//! Messages take a fixed time and none is lost. What agents would say is taken for granted: an instance that is started
//! runs at once and is well when the grace of its health check is over, and one that is stopped stops.

use super::hands::{Life, Machine, Wish};
use super::seen::Seen;
use crate::fold::Fold;
use crate::node::Node;
use crate::turns::{Turned, Turns};
use messages::agent::{Goal, Observation};
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, ClientId, CorrelationId, InstanceId, NodeId, PolicyId};
use messages::manifest::Workload;
use messages::node;
use messages::policy::{self, Answer};
use messages::reason::Refusal;
use messages::time::{Span, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How long a message takes, in microseconds.
const HOP_US: u64 = 500;
/// How long after it was told to run an instance is seen running, in microseconds.
const RUNS_AFTER_US: u64 = 50_000;
/// Nothing new for so long, and the fork is at rest: longer than anybody waits before asking again.
const REST: Span = Span::seconds(35);
/// The fork goes on for so long at the most, by its own clock.
pub const SPAN_MAX: Span = Span::seconds(3_600);
/// More happenings than this, and it is given up.
pub const EVENTS_MAX: u64 = 5_000_000;
/// The namespace of the ids of what is said in a fork.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f72_7265_7279_4001_8000_0000_0000_0002);

/// A forked set of actors.
#[derive(Clone, Debug)]
pub(super) struct World {
    turns: Turns,
    machines: BTreeMap<NodeId, Machine>,
    queue: BTreeMap<(u64, u64), Event>,
    /// Happenings to come that are no deadlines.
    under_way: u64,
    arranged: u64,
    said: u64,
    events: u64,
    begun: Timestamp,
    now: u64,
    /// When something new happened last.
    news: u64,
    /// What was seen of it.
    pub seen: Seen,
    replies: BTreeMap<ClientId, Result<Answer, Refusal>>,
    hops: Hops,
}

/// How long messages take.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hops {
    /// All the same.
    Even,
    /// Each from one to another another time, by a seed; up to twenty times as long.
    #[cfg(test)]
    Mixed(u64),
}

impl Hops {
    fn length(self, _from: &Address, _to: &Address) -> u64 {
        match self {
            Self::Even => HOP_US,
            #[cfg(test)]
            Self::Mixed(seed) => {
                let hash = Uuid::new_v5(&NAMESPACE, format!("{seed} {_from} {_to}").as_bytes());
                HOP_US + u64::from(hash.as_bytes()[0]) * 19 * HOP_US / 255
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Arrives(Box<Envelope>),
    Wakes(ActorId, Timestamp),
    /// A workload comes to its next moment.
    Lives(NodeId, InstanceId, usize),
    /// A workload ends as it was asked to.
    Stops(NodeId, InstanceId),
}

impl World {
    /// A fork of this state at this moment.
    pub fn fork(fold: &Fold, at: Timestamp) -> Self {
        Self::with_hops(fold, at, Hops::Even)
    }

    /// A fork in which messages take so long.
    pub fn with_hops(fold: &Fold, at: Timestamp, hops: Hops) -> Self {
        let mut world = Self {
            turns: Turns::new(fold),
            machines: BTreeMap::new(),
            queue: BTreeMap::new(),
            under_way: 0,
            arranged: 0,
            said: 0,
            events: 0,
            begun: at,
            now: 0,
            news: 0,
            seen: Seen::default(),
            replies: BTreeMap::new(),
            hops,
        };
        for (id, node) in fold.nodes().filter(|(_, node)| node.epoch() > 0) {
            world.settle(NodeId(id.id), node);
        }
        for (actor, due) in world.turns.begin() {
            world.arrange(due.since(at).0, Event::Wakes(actor, due));
        }
        world
    }

    /// The actors as they are.
    pub const fn fold(&self) -> &Fold {
        self.turns.fold()
    }

    /// The time it is there.
    pub fn time(&self) -> Timestamp {
        self.begun.after(Span(self.now))
    }

    /// A machine as its node actor knows it.
    fn settle(&mut self, id: NodeId, node: &Node) {
        let mut machine = Machine::new(node.spec().clone(), node.boot());
        machine.linked = node.up();
        machine.joined(node.epoch());
        for claim in node.claims() {
            let spec = claim.spec();
            let life = life(&spec.workload, claim.observation());
            if claim.goal() == Goal::Run && node.up() {
                self.arrange_life(id, spec.instance, &life);
            }
            if claim.goal() == Goal::Stop && node.up() {
                let after = life.stopping(spec.workload.stop_grace.0);
                self.arrange(after, Event::Stops(id, spec.instance));
            }
            machine.resume(node.epoch(), claim.assignment(), claim.observation().cloned(), life);
        }
        self.machines.insert(id, machine);
    }

    /// Says a command to a realm's policy. Ask [`World::reply`] for the answer when it is at rest.
    pub fn submit(&mut self, realm: &str, principal: Principal, message: policy::Message) -> ClientId {
        let id = self.fresh();
        let client = ClientId(id);
        let to = ActorId::from(PolicyId::of_realm(realm));
        self.say(id, Address::Client(client), to, principal, Body::Policy(message));
        client
    }

    /// What was answered.
    pub fn reply(&self, client: ClientId) -> Option<&Result<Answer, Refusal>> {
        self.replies.get(&client)
    }

    /// Runs until it rests, or the bound: after how long something new happened last, if it rests.
    pub fn rest(&mut self) -> Option<Span> {
        let begun = self.now;
        self.news = begun;
        while let Some((at, _)) = self.queue.first_key_value().map(|(key, _)| *key) {
            if at > self.news + REST.0 && self.under_way == 0 {
                if !self.waits_for_time() {
                    break;
                }
                self.news = at;
            }
            if at > begun + SPAN_MAX.0 || self.events > EVENTS_MAX {
                return None;
            }
            self.step();
        }
        Some(Span(self.seen.last.max(begun) - begun))
    }

    /// Lets so much time pass.
    pub fn run(&mut self, span: Span) {
        let until = self.now.saturating_add(span.0);
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= until) && self.events <= EVENTS_MAX {
            self.step();
        }
        self.now = until;
    }

    /// Whether something is bound to happen by the clock alone: a step of a rollout, a slot that comes back, a lease that
    /// ends.
    fn waits_for_time(&self) -> bool {
        let fold = self.turns.fold();
        let rolls = fold.rollouts().any(|(_, rollout)| rollout.standing == crate::rollout::Standing::Rolling);
        let back = fold.jobs().any(|(_, job)| job.waiting().any(|(slot, _)| job.in_slot(slot).next().is_none()));
        let lease = fold.nodes().any(|(_, node)| node.given_up_at().is_some());
        rolls || back || lease
    }

    fn step(&mut self) {
        let Some(((at, _), event)) = self.queue.pop_first() else { return };
        self.now = self.now.max(at);
        self.events += 1;
        if !matches!(event, Event::Wakes(..)) {
            self.under_way -= 1;
        }
        match event {
            Event::Arrives(envelope) => self.arrive(*envelope),
            Event::Wakes(actor, due) => {
                let turned = self.turns.wake(actor, due, self.time());
                turned.into_iter().for_each(|turned| self.conclude(turned, actor));
            }
            Event::Lives(node, instance, index) => {
                let process = self.machines.get(&node).and_then(|machine| machine.process(instance));
                let seen = process.and_then(|process| process.life.moments.get(index)).map(|(_, seen)| seen.clone());
                if let Some(seen) = seen {
                    self.with(node, |machine, now, wishes| machine.see(instance, seen, now, wishes));
                }
            }
            Event::Stops(node, instance) => {
                self.with(node, |machine, now, wishes| machine.stopped(instance, now, wishes));
            }
        }
    }

    fn arrive(&mut self, envelope: Envelope) {
        match envelope.to {
            Address::Actor(actor) => {
                let turned = self.turns.handle(actor, &envelope, self.time());
                self.conclude(turned, actor);
            }
            Address::Agent(node) => {
                let Body::Agent(order) = envelope.body else { return };
                if self.machines.get(&node).is_some_and(|machine| machine.linked) {
                    self.with(node, |machine, now, wishes| machine.heed(order, now, wishes));
                }
            }
            Address::Client(client) => {
                if let Body::Reply(outcome) = envelope.body {
                    self.replies.insert(client, outcome);
                }
            }
            Address::Host => {}
        }
    }

    fn conclude(&mut self, turned: Turned, actor: ActorId) {
        let Turned { entry, said, wake } = turned;
        if let Some(entry) = entry
            && self.seen.see(&entry, self.now)
        {
            self.news = self.now;
        }
        for envelope in said {
            let hop = self.hops.length(&envelope.from, &envelope.to);
            self.arrange(self.now + hop, Event::Arrives(Box::new(envelope)));
        }
        if let Some(due) = wake {
            self.arrange(due.since(self.begun).0, Event::Wakes(actor, due));
        }
    }

    /// Lets a machine do something, and does what its agent wants.
    fn with(&mut self, node: NodeId, act: impl FnOnce(&mut Machine, Timestamp, &mut Vec<Wish>)) {
        let now = self.time();
        let Some(machine) = self.machines.get_mut(&node) else { return };
        let mut wishes = Vec::new();
        act(machine, now, &mut wishes);
        let principal = Principal::node(&machine.spec.name);
        for wish in wishes {
            match wish {
                Wish::Say(message) => self.say_as(node, principal.clone(), message),
                Wish::Start(assignment) => {
                    let (instance, life) = (assignment.instance, life(&assignment.workload, None));
                    self.arrange_life(node, instance, &life);
                    if let Some(machine) = self.machines.get_mut(&node) {
                        machine.started(assignment, life);
                    }
                }
                Wish::Stops(instance, after) => self.arrange(self.now + after, Event::Stops(node, instance)),
            }
        }
    }

    fn say_as(&mut self, node: NodeId, principal: Principal, message: node::Message) {
        let id = self.fresh();
        self.say(id, Address::Agent(node), node.into(), principal, Body::Node(message));
    }

    fn say(&mut self, id: Uuid, from: Address, to: ActorId, principal: Principal, body: Body) {
        let (at, correlation) = (self.time(), CorrelationId(id));
        let to = Address::Actor(to);
        let envelope = Envelope { id: MessageId::Outside(id), from, to, correlation, principal, at, body };
        let hop = self.hops.length(&from, &to);
        self.arrange(self.now + hop, Event::Arrives(Box::new(envelope)));
    }

    /// A machine comes.
    #[cfg(test)]
    pub fn join(&mut self, spec: messages::node::NodeSpec) {
        let (node, boot) = (NodeId::named(&spec.name), self.fresh());
        let mut machine = Machine::new(spec.clone(), boot);
        let hello = machine.hello(self.time());
        self.machines.insert(node, machine);
        self.say_as(node, Principal::node(&spec.name), hello);
    }

    fn fresh(&mut self) -> Uuid {
        self.said += 1;
        Uuid::new_v5(&NAMESPACE, &[self.begun.0.to_le_bytes(), self.said.to_le_bytes()].concat())
    }

    /// All that a workload comes to, from now on.
    fn arrange_life(&mut self, node: NodeId, instance: InstanceId, life: &Life) {
        for (index, (after, _)) in life.moments.iter().enumerate() {
            self.arrange(self.now + after, Event::Lives(node, instance, index));
        }
    }

    fn arrange(&mut self, at: u64, event: Event) {
        if !matches!(event, Event::Wakes(..)) {
            self.under_way += 1;
        }
        self.arranged += 1;
        self.queue.insert((at.max(self.now), self.arranged), event);
    }
}

/// What becomes of a workload of which so much was seen: it runs, and is well when the grace of its check is over.
fn life(workload: &Workload, seen: Option<&Observation>) -> Life {
    let (ports, pid) = match seen {
        Some(Observation::Running { ports, pid } | Observation::Healthy { ports, pid }) => (ports.clone(), *pid),
        _ => (Vec::new(), 1),
    };
    let grace = workload.health.as_ref().map_or(0, |health| health.grace.0);
    let running = (RUNS_AFTER_US, Observation::Running { ports: ports.clone(), pid });
    let well = (RUNS_AFTER_US + grace, Observation::Healthy { ports, pid });
    let moments = match seen {
        None => vec![running, well],
        Some(Observation::Running { .. }) => vec![well],
        Some(_) => Vec::new(),
    };
    Life { moments, stops_after: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use messages::manifest::{Check, Health};

    #[test]
    fn what_runs_already_keeps_its_ports_and_is_well_after_its_grace() {
        let second = Span::seconds(1);
        let grace = Span::seconds(2);
        let health = Health { check: Check::Opinion, every: second, timeout: second, failures_max: 3, grace };
        let workload = Workload { health: Some(health), ..Workload::default() };
        let (ports, pid) = (vec![("http".to_string(), 7_000)], 42);
        let running = Observation::Running { ports: ports.clone(), pid };
        let well = Observation::Healthy { ports, pid };
        let after = RUNS_AFTER_US + grace.0;
        assert_eq!(life(&workload, Some(&running)).moments, vec![(after, well.clone())]);
        assert_eq!(life(&workload, Some(&well)).moments, vec![]);
        assert_eq!(life(&workload, None).moments.len(), 2, "first it runs, then it is well");
    }
}
