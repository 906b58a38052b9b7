//! A machine: its power, its clocks, its agent (the real reconciler), and a watchdog that does not need the agent.

use crate::oracle::Runs;
use crate::plan::MachinePlan;
use crate::process::{Process, Stage};
use crate::world::Event;
use crate::world::clock::Timepiece;
use crate::world::context::Context;
use crate::world::random::{Domain, key_of_uuid};
use actors::agent::reconciler::Reconciler;
use actors::agent::{Found, Input, Inventory};
use ills::Ills;
use messages::agent::Order;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{CorrelationId, InstanceId, NodeId};
use messages::node::{LeaseTerms, NodeSpec};
use messages::time::{Span, Timestamp};
use std::collections::BTreeMap;

mod act;
mod checks;
mod clock;
mod described;
mod ills;
mod processes;
mod rest;
mod suffer;
mod watchdog;

/// Something that happens on a machine.
#[derive(Clone, Copy, Debug)]
pub enum MachineEvent {
    /// It is switched on.
    Boot,
    /// The agent of this generation has something to do.
    AgentTick(u64),
    /// The watchdog of this boot looks at the lease.
    Watchdog(u64),
    /// A process of this boot reaches a stage.
    Process(u64, InstanceId, Stage),
    /// The fault of this identity strikes again, if it goes on.
    Again(u64),
}

/// What a monotonic clock shows when a machine boots.
const FIRST_US: u64 = 1_000_000;

/// A machine.
#[derive(Clone, Debug)]
pub struct Machine {
    index: usize,
    node: NodeId,
    spec: NodeSpec,
    /// What it says it has, in thousandths of what it has.
    says_per_mille: u64,
    monotonic: Timepiece,
    wall: Timepiece,
    boots: u64,
    /// What the clock behind the monotonic one showed at the boot.
    booted_at: Timestamp,
    off: u32,
    on: bool,
    agent: Option<Agent>,
    agents: u64,
    agent_down: u32,
    processes: BTreeMap<InstanceId, Process>,
    lease_until: Option<Timestamp>,
    /// Until when the last answered beat gave a lease, whether or not that was written down.
    granted_until: Option<Timestamp>,
    /// The epoch of the node in which it was granted.
    granted_in: u64,
    watchdog_at: u64,
    ills: Ills,
}

#[derive(Clone, Debug)]
struct Agent {
    generation: u64,
    reconciler: Reconciler,
    tick_at: u64,
    paused_until: u64,
    held: Vec<Input>,
}

impl Machine {
    /// A machine that is switched off.
    pub fn new(index: usize, plan: &MachinePlan) -> Self {
        Self {
            index,
            node: NodeId::named(&plan.spec.name),
            spec: plan.spec.clone(),
            says_per_mille: 1_000,
            monotonic: Timepiece::new(plan.clock),
            wall: Timepiece::new(plan.clock),
            boots: 0,
            booted_at: Timestamp::default(),
            off: 1,
            on: false,
            agent: None,
            agents: 0,
            agent_down: 0,
            processes: BTreeMap::new(),
            lease_until: None,
            granted_until: None,
            granted_in: 0,
            watchdog_at: u64::MAX,
            ills: Ills::default(),
        }
    }

    /// A copy of a machine, with its name and nothing that runs.
    pub fn twin(index: usize, plan: &MachinePlan) -> Self {
        Self { boots: (index as u64) << 32, ..Self::new(index, plan) }
    }

    /// Its number.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Whether its agent is there, and says hello or was welcomed.
    pub const fn speaks(&self) -> bool {
        self.agent.is_some()
    }

    /// The node it is.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// What truly runs on it.
    pub fn truth(&self) -> Runs {
        let running = self.processes.values().filter(|process| process.runs());
        Runs {
            machine: self.spec.name.clone(),
            running: running.map(|process| (process.assignment.clone(), process.is_healthy())).collect(),
        }
    }

    /// The id of its present boot.
    pub fn boot_id(&self, cx: &Context) -> uuid::Uuid {
        cx.random.uuid(Domain::Choice, &[key_of_uuid(self.node.0), self.boots])
    }

    /// The machine's monotonic clock, which begins with its boot.
    fn shows(&self, at: u64) -> Timestamp {
        Timestamp(self.monotonic.shows(at).since(self.booted_at).0 + FIRST_US)
    }

    fn when(&self, shown: Timestamp) -> u64 {
        self.monotonic.when(self.booted_at.after(Span(shown.0.saturating_sub(FIRST_US))))
    }

    /// Something happens on it.
    pub fn happen(&mut self, event: MachineEvent, cx: &mut Context) {
        let Some(event) = self.ills.unless_frozen(event) else { return };
        match event {
            MachineEvent::Boot => self.boot(cx),
            MachineEvent::AgentTick(generation) => {
                let now = cx.now();
                let due = |agent: &&mut Agent| agent.generation == generation && agent.tick_at <= now;
                if let Some(agent) = self.agent.as_mut().filter(due) {
                    agent.tick_at = u64::MAX;
                    self.tell_agent(Input::Tick, cx);
                }
            }
            MachineEvent::Watchdog(boot) if boot == self.boots && self.watchdog_at <= cx.now() => self.watch(cx),
            MachineEvent::Process(boot, instance, stage) if boot == self.boots => self.reach(instance, stage, cx),
            MachineEvent::Watchdog(_) | MachineEvent::Process(..) => {}
            MachineEvent::Again(fault) => self.strike_again(fault, cx),
        }
    }

    /// The control plane says something to its agent.
    pub fn hear(&mut self, envelope: Envelope, cx: &mut Context) {
        if self.loses(crate::world::random::key_of_message(envelope.id), cx) {
            return;
        }
        let Some(envelope) = self.ills.unless_deaf(envelope) else { return };
        if let Body::Agent(order) = envelope.body {
            if matches!(order, Order::Welcome { .. }) && self.processes.values().any(Process::runs) {
                cx.mark("agent-adopted");
            }
            self.heed(order, cx);
        }
    }

    /// The control plane answers its agent's sign of life.
    pub fn hear_answer(&mut self, order: Order, cx: &mut Context) {
        if !self.ills.any_under_way() {
            return self.heed(order, cx);
        }
        let id = cx.random.uuid(Domain::Choice, &[key_of_uuid(self.node.0), cx.now()]);
        let (from, to) = (Address::Host, Address::Agent(self.node));
        let (principal, at, body) = (Principal::system(), cx.host_now(), Body::Agent(order));
        let correlation = CorrelationId(id);
        self.hear(Envelope { id: MessageId::Outside(id), from, to, correlation, principal, at, body }, cx);
    }

    /// The power comes on.
    pub fn boot(&mut self, cx: &mut Context) {
        self.off = self.off.saturating_sub(1);
        if self.on || self.off > 0 {
            return;
        }
        self.on = true;
        self.boots += 1;
        self.booted_at = self.monotonic.shows(cx.now());
        cx.oracle.booted(self.index, self.has());
        self.launch_agent(cx);
    }

    /// The power goes: nothing runs any more, and nothing is remembered. Returns whether it was on.
    pub fn lose_power(&mut self, cx: &mut Context) -> bool {
        self.off += 1;
        if !self.on {
            return false;
        }
        self.on = false;
        self.agent = None;
        self.bury_zombies(cx);
        for (instance, process) in std::mem::take(&mut self.processes) {
            if process.runs() {
                cx.oracle.ended(self.index, instance);
            }
        }
        self.lease_until = None;
        self.granted_until = None;
        self.watchdog_at = u64::MAX;
        self.ills.forget_held();
        true
    }

    /// The agent is killed. What it started goes on. Returns whether it was there.
    pub fn kill_agent(&mut self) -> bool {
        self.agent_down += 1;
        self.agent.take().is_some()
    }

    /// The agent is started again.
    pub fn start_agent(&mut self, cx: &mut Context) {
        self.agent_down = self.agent_down.saturating_sub(1);
        self.launch_agent(cx);
    }

    /// The agent is killed, if it is there, and started again at once.
    pub fn restart_agent(&mut self, cx: &mut Context) {
        self.kill_agent();
        self.start_agent(cx);
    }

    fn launch_agent(&mut self, cx: &mut Context) {
        if !self.on || self.agent_down > 0 || self.agent.is_some() {
            return;
        }
        self.agents += 1;
        let now = self.shows(cx.now());
        let found = self.processes.iter().map(|(instance, process)| Found {
            instance: *instance,
            exclusive: process.assignment.exclusive,
            stop_grace: process.assignment.workload.stop_grace,
            observation: process.observation(),
        });
        let inventory = Inventory { found: found.collect(), lease_until: self.lease_until };
        let boot = self.boot_id(cx);
        let spec = NodeSpec { capacity: self.says(), ..self.spec.clone() };
        let reconciler = Reconciler::new(spec, boot, inventory, LeaseTerms::STANDARD, now);
        let (generation, held) = (self.agents, Vec::new());
        self.agent = Some(Agent { generation, reconciler, tick_at: u64::MAX, paused_until: 0, held });
        self.act(cx);
    }

    /// The agent stands still.
    pub fn pause_agent(&mut self, until: u64) {
        if let Some(agent) = &mut self.agent {
            agent.paused_until = agent.paused_until.max(until);
        }
    }

    /// The agent goes on, and finds what came in the meantime. Returns whether anything had.
    pub fn resume_agent(&mut self, cx: &mut Context) -> bool {
        let Some(agent) = self.agent.as_mut().filter(|agent| agent.paused_until <= cx.now()) else { return false };
        let mut held = std::mem::take(&mut agent.held);
        let missed = !held.is_empty();
        held.push(Input::Tick);
        for input in held {
            self.tell_agent(input, cx);
        }
        missed
    }

    fn tell_agent(&mut self, input: Input, cx: &mut Context) {
        let now = self.shows(cx.now());
        let Some(agent) = &mut self.agent else { return };
        if agent.paused_until > cx.now() {
            agent.held.push(input);
            return;
        }
        agent.reconciler.handle(input, now);
        self.act(cx);
    }

    /// Arranges the agent's next tick.
    fn arrange_tick(&mut self, cx: &mut Context) {
        let Some(deadline) = self.agent.as_ref().and_then(|agent| agent.reconciler.deadline()) else { return };
        let (at, index) = (self.when(deadline).max(cx.now()), self.index);
        let Some(agent) = &mut self.agent else { return };
        if at < agent.tick_at {
            agent.tick_at = at;
            cx.queue.at(at, Event::Machine(index, MachineEvent::AgentTick(agent.generation)));
        }
    }
}
