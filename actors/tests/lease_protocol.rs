//! A node actor, a detector and an agent over a wire that loses, delays, repeats and cuts: once the actor has given a claim up,
//! nothing of it runs, and when the wire heals, what is claimed runs.

use actors::agent::detector::Detector;
use actors::agent::reconciler::Reconciler;
use actors::agent::{Beat, Found, Input, Inventory, Output, WorkloadEvent};
use actors::cell::{Cell, Outcome};
use actors::node::{Node, TERMS};
use messages::agent::{Ended, Goal, Observation, Order};
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId, InstanceId, JobId, NodeId};
use messages::manifest::Workload;
use messages::node::{ClaimSpec, Message, NodeSpec};
use messages::reason::Reason;
use messages::resources::Resources;
use messages::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One step of the world.
const STEP: Span = Span::milliseconds(10);
/// How many worlds are tried.
const SEEDS: u64 = 200;

/// What travels.
#[derive(Clone)]
enum Parcel {
    ToActor(MessageId, Message),
    ToAgent(Order),
    Beat(Beat),
}

struct World {
    random: u64,
    now: Timestamp,
    /// By due time and a running number, so that each direction keeps its order.
    wire: BTreeMap<(Timestamp, u64), Parcel>,
    sent: u64,
    last_due: [Timestamp; 2],
    cut: bool,
    loss_percent: u64,
    actor: Cell<Node>,
    detector: Detector,
    agent: Option<Reconciler>,
    agent_back_at: Timestamp,
    boot: u128,
    alive: BTreeSet<InstanceId>,
    ended: BTreeSet<InstanceId>,
    ran: BTreeSet<InstanceId>,
    released: BTreeSet<InstanceId>,
    lease_until: Option<Timestamp>,
    claimed: u64,
}

fn me() -> NodeId {
    NodeId::named("n1")
}

fn job() -> JobId {
    JobId::named("shop", "a")
}

fn instance(number: u64) -> InstanceId {
    InstanceId::of(job(), 0, number)
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            random: seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            now: Timestamp(1_000_000_000),
            wire: BTreeMap::new(),
            sent: 0,
            last_due: [Timestamp::default(); 2],
            cut: false,
            loss_percent: 5,
            actor: Cell::new(ActorId::from(me())),
            detector: Detector::new(TERMS),
            agent: None,
            agent_back_at: Timestamp::default(),
            boot: 1,
            alive: BTreeSet::new(),
            ended: BTreeSet::new(),
            ran: BTreeSet::new(),
            released: BTreeSet::new(),
            lease_until: None,
            claimed: 0,
        }
    }

    fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % bound
    }

    fn send(&mut self, parcel: Parcel) {
        if self.cut || self.draw(100) < self.loss_percent {
            return;
        }
        let side = usize::from(matches!(parcel, Parcel::ToAgent(_)));
        let delay = if self.draw(20) == 0 { self.draw(1_500) } else { self.draw(30) };
        let due = self.now.after(Span::milliseconds(delay)).max(self.last_due[side]);
        self.last_due[side] = due;
        self.sent += 2;
        if self.draw(40) == 0 {
            let late = due.after(Span::milliseconds(self.draw(4_000)));
            self.wire.insert((late, self.sent - 1), parcel.clone());
        }
        self.wire.insert((due, self.sent), parcel);
    }

    fn message_id(&mut self) -> MessageId {
        self.sent += 1;
        MessageId::Outside(Uuid::from_u128(u128::from(self.sent)))
    }

    fn tell(&mut self, from: Address, message: &Message) {
        let id = self.message_id();
        self.tell_as(id, from, message);
    }

    fn tell_as(&mut self, id: MessageId, from: Address, message: &Message) {
        let (principal, correlation) = (Principal::system(), CorrelationId::default());
        let body = message.clone().into();
        let envelope = Envelope { id, from, to: me().into(), correlation, principal, at: self.now, body };
        let outcome = self.actor.handle(&envelope, message, self.now);
        self.pass_on(outcome);
    }

    fn pass_on(&mut self, outcome: Outcome<Node>) {
        let said: Vec<_> = match outcome {
            Outcome::Entry(record) => record.head.sends,
            Outcome::Answer(answers) => answers.into_iter().map(|said| (said.to, said.body)).collect(),
        };
        for (_, body) in said {
            match body {
                Body::Agent(order) => {
                    self.detector.passing(me(), &order, self.now);
                    self.send(Parcel::ToAgent(order));
                }
                Body::Job(messages::job::Message::Assigned { instance, .. }) if self.draw(2) == 0 => {
                    self.tell(job().into(), &Message::Start { instance });
                }
                Body::Job(messages::job::Message::Released { instance, version, .. }) => {
                    assert!(!self.alive.contains(&instance), "{}: released while it runs", self.now);
                    self.released.insert(instance);
                    self.tell(job().into(), &Message::Noted { instance, version });
                }
                _ => {}
            }
        }
    }

    fn deliver(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::ToActor(id, message) => self.tell_as(id, Address::Agent(me()), &message),
            Parcel::ToAgent(order) => self.drive(Input::Order(order)),
            Parcel::Beat(beat) => {
                let answer = self.detector.beat(me(), beat, self.now);
                self.send(Parcel::ToAgent(answer));
            }
        }
    }

    fn drive(&mut self, input: Input) {
        let Some(mut agent) = self.agent.take() else { return };
        agent.handle(input, self.now);
        let mut events = self.carry_out(&mut agent);
        while let Some(event) = events.pop() {
            agent.handle(Input::Workload(event), self.now);
            events.extend(self.carry_out(&mut agent));
        }
        assert!(agent.deadline().is_some_and(|due| due > self.now));
        self.agent = Some(agent);
    }

    fn carry_out(&mut self, agent: &mut Reconciler) -> Vec<WorkloadEvent> {
        let mut events = Vec::new();
        while let Some(output) = agent.poll() {
            match output {
                Output::Say(message) => {
                    let id = self.message_id();
                    self.send(Parcel::ToActor(id, message));
                }
                Output::Beat(beat) => self.send(Parcel::Beat(beat)),
                Output::Start(started) => {
                    let instance = started.instance;
                    assert!(self.ran.insert(instance), "{}: started twice", self.now);
                    self.alive.insert(instance);
                    events.push(WorkloadEvent::Started { instance, pid: 1, ports: Vec::new() });
                }
                Output::Stop { instance, .. } => {
                    if self.alive.remove(&instance) {
                        self.ended.insert(instance);
                        events.push(WorkloadEvent::Ended { instance, ended: Ended::new(Reason::ExitSignal, "") });
                    }
                }
                Output::Forget(instance) => {
                    self.ended.remove(&instance);
                }
                Output::RenewLease { until } => self.lease_until = Some(until),
            }
        }
        events
    }

    /// The watchdog does not depend on a live agent.
    fn watch(&mut self) {
        if self.agent.is_none() && self.lease_until.is_none_or(|until| until <= self.now) {
            self.ended.append(&mut self.alive);
        }
    }

    fn start_agent(&mut self) {
        let found = |instance: &InstanceId, observation| Found {
            instance: *instance,
            exclusive: true,
            stop_grace: Span::seconds(1),
            observation,
        };
        let running = |instance| found(instance, Observation::Running { ports: Vec::new(), pid: 1 });
        let gone = |instance| found(instance, Observation::Ended(Ended::new(Reason::Vanished, "")));
        let there = self.alive.iter().map(running).chain(self.ended.iter().map(gone)).collect();
        let inventory = Inventory { found: there, lease_until: self.lease_until };
        let capacity = Resources { cpu_milli: 1_000, ..Resources::default() };
        let spec = NodeSpec { name: "n1".into(), capacity, ..NodeSpec::default() };
        self.agent = Some(Reconciler::new(spec, Uuid::from_u128(self.boot), inventory, TERMS, self.now));
        self.drive(Input::Tick);
    }

    fn mishap(&mut self) {
        match self.draw(900) {
            0 => self.cut = !self.cut,
            1 => self.lose_agent(),
            2 if self.draw(3) == 0 => {
                self.boot += 1;
                self.lease_until = None;
                self.alive.clear();
                self.ended.clear();
                self.lose_agent();
            }
            3 => self.loss_percent = [0, 5, 40, 90][usize::try_from(self.draw(4)).unwrap_or(0)],
            4 => self.restart_host(),
            5 => {
                let instance = instance(self.claimed.saturating_sub(self.draw(3)));
                self.tell(job().into(), &Message::Stop { instance, job: job(), because: Reason::Operator });
            }
            6 => {
                let side = usize::from(self.draw(2) == 0);
                self.last_due[side] = self.now.after(Span::milliseconds(self.draw(8_000)));
            }
            7 => {
                self.claimed += 1;
                self.claim(self.claimed);
            }
            8 => {
                let number = self.claimed.saturating_sub(self.draw(6));
                self.claim(number);
            }
            _ => {}
        }
    }

    fn lose_agent(&mut self) {
        self.agent = None;
        self.agent_back_at = self.now.after(Span::milliseconds(self.draw(8_000)));
    }

    fn restart_host(&mut self) {
        self.detector = Detector::new(TERMS);
        let state = self.actor.state();
        if state.up() {
            self.detector.expect(me(), state.session(), state.epoch(), self.now);
        }
    }

    fn step(&mut self) {
        self.now = self.now.after(STEP);
        self.watch();
        if self.agent.is_none() && self.agent_back_at <= self.now {
            self.start_agent();
        }
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let parcel = entry.remove();
            self.deliver(parcel);
        }
        if self.agent.as_ref().and_then(Reconciler::deadline).is_some_and(|due| due <= self.now) {
            self.drive(Input::Tick);
        }
        for (_, silent) in self.detector.poll(self.now) {
            self.tell(Address::Host, &silent);
        }
        if let Some(outcome) = self.actor.wake(self.now) {
            self.pass_on(outcome);
        }
        if self.actor.state().up() && self.actor.state().claims().count() < 2 {
            self.claimed += 1;
            self.claim(self.claimed);
        }
        let state = self.actor.state();
        assert!(state.spec().capacity.fits(&state.used()), "{}: more is claimed than there is", self.now);
        let back = state.claims().any(|claim| self.released.contains(&claim.spec().instance));
        assert!(!back, "{}: a claim came back that was released", self.now);
    }

    fn claim(&mut self, number: u64) {
        let resources = Resources { cpu_milli: 400, ..Resources::default() };
        let claim = ClaimSpec {
            instance: instance(number),
            label: "a/0".into(),
            job: job(),
            realm: "shop".into(),
            revision: 1,
            exclusive: true,
            workload: Workload { resources, ..Workload::default() }.into(),
        };
        self.tell(job().into(), &Message::Claim { claim });
    }
}

#[test]
fn nothing_runs_that_was_given_up_and_all_that_is_claimed_runs_in_the_end() {
    let mut lost = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..6_000 {
            world.mishap();
            world.step();
        }
        lost += world.actor.state().epoch().saturating_sub(1);
        (world.cut, world.loss_percent) = (false, 0);
        for _ in 0..4_000 {
            world.step();
        }
        let state = world.actor.state();
        assert!(state.up(), "seed {seed}: the node did not come back");
        let wanted = state.claims().filter(|claim| claim.goal() == Goal::Run);
        let claimed: BTreeSet<_> = wanted.map(|claim| claim.spec().instance).collect();
        assert_eq!(claimed, world.alive, "seed {seed}: what is claimed is not what runs");
    }
    assert!(lost > SEEDS / 10, "nodes are lost in some of the worlds, but it was only {lost} times");
}
