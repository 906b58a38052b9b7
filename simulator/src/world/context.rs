//! What every part of the world uses: time, draws, the bus, the oracle, and the book that is kept.

use crate::bus::{Bus, Link, Said, What, key_of};
use crate::oracle::{Oracle, Runs};
use crate::plan::{Plan, hexadecimal};
use crate::verdict::{Invariant, Statistics, Verdict};
use crate::world::clock::HostClock;
use crate::world::features::Features;
use crate::world::queue::Queue;
use crate::world::quiet::Quiet;
use crate::world::random::{Domain, Random, key_of_message, key_of_uuid};
use crate::world::tape::{self, Tape};
use crate::world::trigger::Watch;
use crate::world::{Event, Knobs};
use actors::agent::Beat;
use messages::agent::Order;
use messages::entry::Entry;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::frame::Hash;
use messages::id::{CorrelationId, NodeId};
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something on its way.
#[derive(Clone, Debug)]
pub enum Parcel {
    /// A message.
    Envelope(Box<Envelope>),
    /// A sign of life of a machine.
    Beat(usize, Beat),
    /// The answer to it.
    Heard(usize, Order),
}

/// Something that happened, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLine {
    /// When, in microseconds since the world began.
    pub at: u64,
    /// To whom.
    pub actor: String,
    /// What.
    pub what: String,
}

/// What every part of the world uses.
#[derive(Clone, Debug)]
pub struct Context {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The draws.
    pub random: Random,
    /// What will happen.
    pub queue: Queue<Event>,
    /// The control plane's clocks.
    pub host: HostClock,
    /// The bus.
    pub bus: Bus,
    /// The one who knows the truth.
    pub oracle: Oracle,
    /// The faults that wait for their trigger.
    pub watch: Watch,
    /// What is counted.
    pub statistics: Statistics,
    /// Who rests.
    pub quiet: Quiet,
    /// How often the control plane looked at its clock for nothing.
    pub idle: u64,
    /// Whether lines are written.
    pub tracing: bool,
    /// The lines.
    pub trace: Vec<TraceLine>,
    /// From when till when a control plane ran over another log, by its own clock. What it said counts for nothing.
    pub void: Vec<(Timestamp, Timestamp)>,
    /// What happened and what led to it, when that is wanted.
    pub tape: Option<Tape>,
    /// What is new about what happens, when that is wanted.
    pub features: Option<Features>,
    marks: BTreeMap<&'static str, u64>,
    bites: BTreeMap<&'static str, u64>,
    machines: BTreeMap<NodeId, usize>,
    /// How many messages of its own each sender has said to each receiver.
    outside: BTreeMap<(u64, u64), u64>,
}

impl Context {
    /// At the first moment of a plan.
    pub fn new(plan: Arc<Plan>, knobs: Knobs) -> Self {
        let machines = plan.machines.iter().enumerate();
        Self {
            random: Random::new(plan.seed),
            queue: Queue::new(knobs.store),
            host: HostClock::new(plan.clock),
            bus: Bus::new(&plan),
            oracle: Oracle::new(&plan),
            watch: Watch::new(&plan),
            statistics: Statistics::default(),
            quiet: Quiet::new(&plan, knobs.rest),
            idle: 0,
            tracing: false,
            trace: Vec::new(),
            void: Vec::new(),
            tape: None,
            features: None,
            marks: BTreeMap::new(),
            bites: BTreeMap::new(),
            machines: machines.map(|(index, machine)| (NodeId::named(&machine.spec.name), index)).collect(),
            outside: BTreeMap::new(),
            plan,
        }
    }

    /// The time of the world in microseconds.
    pub const fn now(&self) -> u64 {
        self.queue.now()
    }

    /// What the control plane's clock shows.
    pub fn host_now(&self) -> Timestamp {
        self.host.shows(self.now())
    }

    /// The first moment of the world at which the control plane's clock shows `shown` or more.
    pub fn when(&self, shown: Timestamp) -> u64 {
        self.host.when(shown)
    }

    /// Counts that something worth reaching was reached.
    pub fn mark(&mut self, name: &'static str) {
        *self.marks.entry(name).or_default() += 1;
        self.features.iter_mut().for_each(|features| features.reach(name));
    }

    /// Counts that a kind of trouble had an effect, and did not merely begin. The mark is "kind bites".
    pub fn bite(&mut self, kind: &'static str) {
        *self.bites.entry(kind).or_default() += 1;
    }

    /// Writes a line, when lines are written.
    pub fn note(&mut self, actor: &str, what: impl FnOnce() -> String) {
        if self.tracing {
            self.trace.push(TraceLine { at: self.now(), actor: actor.into(), what: what() });
        }
    }

    /// Writes down what happened, when that is wanted.
    pub fn tape(&mut self, what: impl FnOnce() -> tape::What) {
        let now = self.now();
        if let Some(tape) = &mut self.tape {
            tape.write(now, what());
        }
    }

    /// Reports that something was that must never be.
    pub fn violate(&mut self, invariant: Invariant, signature: &str, message: String) {
        let at = self.now();
        self.note("oracle", || format!("VIOLATION {signature}: {message}"));
        if let Some(violation) = self.oracle.violate(invariant, signature, message, at) {
            self.tape(|| tape::What::Violated(violation));
        }
    }

    /// A message from outside the actors, with an id of its own.
    pub fn envelope(&mut self, from: Address, to: Address, principal: Principal, body: Body) -> Envelope {
        let link = (key_of(from), key_of(to));
        let said = self.outside.entry(link).or_default();
        *said += 1;
        let id = self.random.uuid(Domain::Choice, &[link.0, link.1, self.queue.now(), *said]);
        Envelope {
            id: MessageId::Outside(id),
            from,
            to,
            correlation: CorrelationId(id),
            principal,
            at: self.host_now(),
            body,
        }
    }

    /// Sends a message. `occurrence` says how often it was sent before.
    pub fn send(&mut self, envelope: Envelope, occurrence: u64) {
        let link = self.link(envelope.from, envelope.to);
        let message = key_of_message(envelope.id);
        let now = self.now();
        let said = Said { link, message, occurrence, what: What::Envelope(&envelope) };
        let arrivals = self.bus.arrivals(self.random, &self.plan.pace, now, &said);
        self.see_bus();
        self.tape(|| tape::What::sent(&envelope, arrivals));
        self.dispatch(arrivals, Parcel::Envelope(Box::new(envelope)));
    }

    /// A machine sends a sign of life.
    pub fn send_beat(&mut self, machine: usize, node: NodeId, beat: Beat) {
        let link = self.beats(machine, Address::Agent(node), Address::Host, true);
        let message = key_of_uuid(node.0) ^ beat.sent_at.0;
        let now = self.now();
        let said = Said { link, message, occurrence: beat.session, what: What::Beat(&beat) };
        let arrivals = self.bus.arrivals(self.random, &self.plan.pace, now, &said);
        self.see_bus();
        self.tape(|| tape::What::beat_sent(node, beat, arrivals));
        self.dispatch(arrivals, Parcel::Beat(machine, beat));
    }

    /// The control plane answers a sign of life.
    pub fn answer_beat(&mut self, machine: usize, node: NodeId, beat: Beat, order: Order) {
        let link = self.beats(machine, Address::Host, Address::Agent(node), false);
        let message = key_of_uuid(node.0) ^ beat.sent_at.0;
        let now = self.now();
        let said = Said { link, message, occurrence: now, what: What::Beat(&beat) };
        let arrivals = self.bus.arrivals(self.random, &self.plan.pace, now, &said);
        self.see_bus();
        self.dispatch(arrivals, Parcel::Heard(machine, order));
    }

    /// The link of a machine's beats, or of their answers.
    fn beats(&self, machine: usize, from: Address, to: Address, from_machine: bool) -> Link {
        let twin = |node| if machine < self.plan.machines.len() { None } else { self.machine_of(node) };
        let original = match (from, to) {
            (Address::Agent(node), _) | (_, Address::Agent(node)) => twin(node),
            _ => None,
        };
        let machine = original.unwrap_or(machine);
        let lane = Some(machine * 2 + usize::from(from_machine));
        Link { from: key_of(from), to: key_of(to), machine: Some(machine), from_machine, inside: false, lane }
    }

    /// What the bus did.
    pub fn see_bus(&mut self) {
        for kind in self.bus.take_bites() {
            self.bite(kind);
        }
        if let Some(mistaken) = self.bus.take_mistaken() {
            self.violate(Invariant::Intact, "a damaged message is taken for a sound one", mistaken);
        }
    }

    fn dispatch(&mut self, arrivals: [Option<u64>; 2], parcel: Parcel) {
        let ([first, copy], accepted) = (arrivals, self.now());
        if let Some(at) = copy {
            self.queue.at(at, Event::Arrives { accepted, parcel: Box::new(parcel.clone()) });
        }
        match first {
            Some(at) => self.queue.at(at, Event::Arrives { accepted, parcel: Box::new(parcel) }),
            None => self.mark("message-lost"),
        }
    }

    /// The number of the machine that is this node.
    pub fn machine_of(&self, node: NodeId) -> Option<usize> {
        self.machines.get(&node).copied()
    }

    fn link(&self, from: Address, to: Address) -> Link {
        let machine = |address| match address {
            Address::Agent(node) => self.machines.get(&node).copied(),
            _ => None,
        };
        let client = matches!(from, Address::Client(_)) || matches!(to, Address::Client(_));
        let from_machine = machine(from);
        let machine = from_machine.or_else(|| machine(to));
        Link {
            from: key_of(from),
            to: key_of(to),
            machine,
            from_machine: from_machine.is_some(),
            inside: machine.is_none() && !client,
            lane: None,
        }
    }

    /// Entries are durable now, in the order of the log: in this frame, after which the chain of its shard is this.
    pub fn committed(&mut self, shard: u16, frame: (&[u8], Hash), entries: &[Entry]) {
        let now = self.now();
        self.statistics.frames += 1;
        self.statistics.entries += entries.len() as u64;
        for entry in entries {
            if self.tracing {
                self.trace.push(TraceLine { at: now, actor: entry.head().actor.to_string(), what: line(entry) });
            }
            self.tape(|| tape::What::Committed(Box::new(entry.clone())));
            self.features.iter_mut().for_each(|features| features.see(entry));
        }
        for (number, after) in entries.iter().flat_map(|entry| self.watch.see(entry, now)).collect::<Vec<_>>() {
            self.queue.after(after, Event::Begins(number));
        }
        for found in self.oracle.committed(shard, frame, entries, now) {
            self.violate(found.0, found.1, found.2);
        }
        for mark in self.oracle.take_marks() {
            self.mark(mark);
        }
    }

    /// Whether what runs is what was asked for.
    pub fn check_converged(&mut self, truth: &[Runs]) {
        if !self.plan.core.is_empty() {
            let core = self.plan.core.iter().map(|machine| self.plan.machines[*machine].spec.name.clone()).collect();
            for (signature, message) in self.oracle.check_core(truth, &core) {
                self.violate(Invariant::Converges, signature, message);
            }
            return;
        }
        for (signature, message) in self.oracle.check_converged(truth) {
            self.violate(Invariant::Converges, signature, message);
        }
        if self.plan.faults.is_empty() {
            for message in self.oracle.check_near(truth) {
                self.violate(Invariant::Near, "something is far from what it must be near", message);
            }
        }
    }

    /// Whether nothing was recorded at the end.
    pub fn check_quiet(&mut self) {
        // What is never healed goes on to be noticed.
        if !self.plan.core.is_empty() {
            return;
        }
        let since = self.plan.end_at.saturating_sub(self.plan.quiet_for);
        if let Some(message) = self.oracle.check_quiet(since) {
            self.violate(Invariant::Quiet, "entries are recorded though nothing happens", message);
        }
        for (invariant, signature, message) in self.oracle.check_settled() {
            self.violate(invariant, signature, message);
        }
    }

    /// Sums up.
    pub fn into_verdict(mut self, events: u64) -> Verdict {
        self.statistics.simulated_ms = self.now() / 1_000;
        let marks = self.marks.into_iter().map(|(name, count)| (name.into(), count));
        let bites = self.bites.into_iter().map(|(kind, count)| (format!("{kind} bites"), count));
        let (log_hash, violations) = self.oracle.into_results();
        Verdict {
            scenario: self.plan.scenario.clone(),
            seed: self.plan.seed,
            plan_hash: self.plan.hash(),
            events: events.saturating_sub(self.idle),
            log_hash: hexadecimal(&log_hash),
            violations,
            statistics: self.statistics,
            marks: marks.chain(bites).collect(),
        }
    }
}

/// An entry as a line: what was heard, and what was recorded.
fn line(entry: &Entry) -> String {
    match entry {
        Entry::Job(record) => told(&record.input, &record.events),
        Entry::Node(record) => told(&record.input, &record.events),
        Entry::Scheduler(record) => told(&record.input, &record.events),
        Entry::Route(record) => told(&record.input, &record.events),
        Entry::Rollout(record) => told(&record.input, &record.events),
        Entry::Policy(record) => told(&record.input, &record.events),
    }
}

fn told<M: std::fmt::Debug, E: std::fmt::Debug>(input: &M, events: &[E]) -> String {
    const LENGTH_MAX: usize = 160;
    let short = |text: String| text.chars().take(LENGTH_MAX).collect::<String>();
    let events: Vec<String> = events.iter().map(|event| short(format!("{event:?}"))).collect();
    format!("{} => {}", short(format!("{input:?}")), events.join("; "))
}
