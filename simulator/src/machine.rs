//! A machine: its power, its clock, its agent (the real reconciler), and a watchdog that does not need the agent.

use crate::oracle::Runs;
use crate::plan::MachinePlan;
use crate::process::{Process, Stage};
use crate::verdict::Invariant;
use crate::world::Event;
use crate::world::clock::Clock;
use crate::world::context::Context;
use crate::world::random::{Domain, key_of_uuid};
use actors::agent::reconciler::Reconciler;
use actors::agent::{Found, Input, Inventory, Output, WorkloadEvent};
use messages::agent::{Ended, Order};
use messages::envelope::{Address, Body, Envelope, Principal};
use messages::id::{ActorId, InstanceId, NodeId};
use messages::node::{LeaseTerms, NodeSpec};
use messages::reason::Reason;
use messages::time::{Span, Timestamp};
use std::collections::BTreeMap;

mod suffer;

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
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Machine {
    index: usize,
    node: NodeId,
    spec: NodeSpec,
    clock: Clock,
    boots: u64,
    booted_at: u64,
    off: u32,
    on: bool,
    agent: Option<Agent>,
    agents: u64,
    agent_down: u32,
    processes: BTreeMap<InstanceId, Process>,
    lease_until: Option<Timestamp>,
    watchdog_at: u64,
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
            clock: plan.clock,
            boots: 0,
            booted_at: 0,
            off: 1,
            on: false,
            agent: None,
            agents: 0,
            agent_down: 0,
            processes: BTreeMap::new(),
            lease_until: None,
            watchdog_at: u64::MAX,
        }
    }

    /// Its number.
    pub const fn index(&self) -> usize {
        self.index
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

    /// The machine's monotonic clock, which begins with its boot.
    fn shows(&self, at: u64) -> Timestamp {
        Timestamp(self.clock.shows(at).since(self.clock.shows(self.booted_at)).0 + 1_000_000)
    }

    fn when(&self, shown: Timestamp) -> u64 {
        let since_boot = Span(shown.0.saturating_sub(1_000_000));
        self.clock.when(self.clock.shows(self.booted_at).after(since_boot))
    }

    /// Something happens on it.
    pub fn happen(&mut self, event: MachineEvent, cx: &mut Context) {
        match event {
            MachineEvent::Boot => self.boot(cx),
            MachineEvent::AgentTick(generation) => {
                if let Some(agent) = self.agent.as_mut().filter(|agent| agent.generation == generation) {
                    agent.tick_at = u64::MAX;
                    self.tell_agent(Input::Tick, cx);
                }
            }
            MachineEvent::Watchdog(boot) if boot == self.boots => self.watch(cx),
            MachineEvent::Process(boot, instance, stage) if boot == self.boots => self.reach(instance, stage, cx),
            MachineEvent::Watchdog(_) | MachineEvent::Process(..) => {}
        }
    }

    /// The control plane says something to its agent.
    pub fn hear(&mut self, envelope: Envelope, cx: &mut Context) {
        if let Body::Agent(order) = envelope.body {
            if matches!(order, Order::Welcome { .. }) && self.processes.values().any(Process::runs) {
                cx.mark("agent-adopted");
            }
            self.tell_agent(Input::Order(order), cx);
        }
    }

    /// The power comes on.
    pub fn boot(&mut self, cx: &mut Context) {
        self.off = self.off.saturating_sub(1);
        if self.on || self.off > 0 {
            return;
        }
        self.on = true;
        self.boots += 1;
        self.booted_at = cx.now();
        self.launch_agent(cx);
    }

    /// The power goes: nothing runs any more, and nothing is remembered.
    pub fn lose_power(&mut self, cx: &mut Context) {
        self.off += 1;
        if !self.on {
            return;
        }
        self.on = false;
        self.agent = None;
        for (instance, process) in std::mem::take(&mut self.processes) {
            if process.runs() {
                cx.oracle.ended(self.index, instance);
            }
        }
        self.lease_until = None;
        self.watchdog_at = u64::MAX;
    }

    /// The agent is killed. What it started goes on.
    pub fn kill_agent(&mut self) {
        self.agent_down += 1;
        self.agent = None;
    }

    /// The agent is started again.
    pub fn start_agent(&mut self, cx: &mut Context) {
        self.agent_down = self.agent_down.saturating_sub(1);
        self.launch_agent(cx);
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
        let boot = cx.random.uuid(Domain::Choice, &[key_of_uuid(self.node.0), self.boots]);
        let reconciler = Reconciler::new(self.spec.clone(), boot, inventory, LeaseTerms::STANDARD, now);
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

    /// The agent goes on, and finds what came in the meantime.
    pub fn resume_agent(&mut self, cx: &mut Context) {
        let Some(agent) = self.agent.as_mut().filter(|agent| agent.paused_until <= cx.now()) else { return };
        let mut held = std::mem::take(&mut agent.held);
        held.push(Input::Tick);
        for input in held {
            self.tell_agent(input, cx);
        }
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

    /// Does what the agent wants done, and arranges its next tick.
    fn act(&mut self, cx: &mut Context) {
        while let Some(output) = self.agent.as_mut().and_then(|agent| agent.reconciler.poll()) {
            match output {
                Output::Say(message) => {
                    let (from, to) = (Address::Agent(self.node), Address::Actor(ActorId::from(self.node)));
                    let principal = Principal::node(&self.spec.name);
                    let envelope = cx.envelope(from, to, principal, Body::Node(message));
                    cx.send(envelope, 0);
                }
                Output::Beat(beat) => cx.send_beat(self.node, beat),
                Output::Start(assignment) => {
                    let instance = assignment.instance;
                    cx.note(&self.spec.name, || format!("starts {} ({instance})", assignment.label));
                    cx.statistics.starts += 1;
                    if self.processes.get(&instance).is_some_and(Process::runs) {
                        cx.oracle.ended(self.index, instance);
                    }
                    let process = Process::new(assignment);
                    if process.runs() {
                        for (invariant, signature, message) in cx.oracle.started(self.index, &process.assignment) {
                            cx.violate(invariant, signature, message);
                        }
                    }
                    process.arrange_start(self.index, self.boots, cx);
                    self.processes.insert(instance, process);
                }
                Output::Stop { instance, grace } => {
                    if let Some(process) = self.processes.get(&instance) {
                        process.arrange_stop(grace, self.index, self.boots, cx);
                    }
                }
                Output::Forget(instance) => {
                    if self.processes.remove(&instance).is_some_and(|process| process.runs()) {
                        cx.oracle.ended(self.index, instance);
                    }
                }
                Output::RenewLease { until } => {
                    if let Some(message) = cx.oracle.check_lease(self.node, self.when(until)) {
                        cx.violate(Invariant::Lease, "a lease outlasts what the control plane waits", message);
                    }
                    self.renew(until, cx);
                }
            }
        }
        let Some(deadline) = self.agent.as_ref().and_then(|agent| agent.reconciler.deadline()) else { return };
        let (at, index) = (self.when(deadline), self.index);
        let Some(agent) = &mut self.agent else { return };
        if at < agent.tick_at {
            agent.tick_at = at;
            cx.queue.at(at, Event::Machine(index, MachineEvent::AgentTick(agent.generation)));
        }
    }

    fn renew(&mut self, until: Timestamp, cx: &mut Context) {
        self.lease_until = Some(until);
        let at = self.when(until);
        let exclusive = self.processes.values().any(|process| process.assignment.exclusive);
        if at < self.watchdog_at && (exclusive || self.watchdog_at == u64::MAX) {
            self.watchdog_at = at;
            cx.queue.at(at, Event::Machine(self.index, MachineEvent::Watchdog(self.boots)));
        }
    }

    /// The lease may be over: what is exclusive is killed, whatever the agent does.
    fn watch(&mut self, cx: &mut Context) {
        self.watchdog_at = u64::MAX;
        let Some(until) = self.lease_until else { return };
        if until > self.shows(cx.now()) {
            return self.renew(until, cx);
        }
        let doomed = self.processes.iter().filter(|(_, process)| process.assignment.exclusive && process.runs());
        let doomed: Vec<InstanceId> = doomed.map(|(instance, _)| *instance).collect();
        for instance in doomed {
            cx.mark("watchdog-killed");
            self.end(instance, Ended::new(Reason::LeaseExpired, "the watchdog killed it"), cx);
        }
    }

    fn reach(&mut self, instance: InstanceId, stage: Stage, cx: &mut Context) {
        let Some(process) = self.processes.get_mut(&instance).filter(|process| !process.has_ended()) else { return };
        let event = match stage {
            Stage::Exits | Stage::Stopped | Stage::CannotStart => {
                let ended = stage.ended();
                return self.end(instance, ended, cx);
            }
            stage => process.reach(stage, self.index, self.boots, cx),
        };
        if let Some(event) = event {
            self.tell_agent(Input::Workload(event), cx);
        }
    }

    fn end(&mut self, instance: InstanceId, ended: Ended, cx: &mut Context) {
        let Some(process) = self.processes.get_mut(&instance).filter(|process| !process.has_ended()) else { return };
        if process.runs() {
            cx.oracle.ended(self.index, instance);
        }
        cx.note(&self.spec.name, || format!("{} ({instance}) ended: {}", process.assignment.label, ended.reason));
        process.end(ended.clone());
        let event = if ended.reason == Reason::CouldNotStart {
            WorkloadEvent::StartFailed { instance, detail: ended.detail }
        } else {
            WorkloadEvent::Ended { instance, ended }
        };
        self.tell_agent(Input::Workload(event), cx);
    }

    fn choose(&self, choice: u64) -> Option<InstanceId> {
        let running: Vec<_> = self.processes.iter().filter(|(_, process)| process.runs()).map(|(id, _)| *id).collect();
        let index = choice.checked_rem(running.len() as u64)?;
        running.get(usize::try_from(index).ok()?).copied()
    }

    /// One of its workloads dies.
    pub fn kill_one(&mut self, choice: u64, cx: &mut Context) {
        if let Some(instance) = self.choose(choice) {
            let ended = Ended { code: Some(9), ..Ended::new(Reason::ExitSignal, "it was killed") };
            self.end(instance, ended, cx);
        }
    }

    /// One of its workloads fails its checks until then.
    pub fn sicken_one(&mut self, choice: u64, until: u64, cx: &mut Context) {
        if let Some(instance) = self.choose(choice) {
            cx.queue.after(0, Event::Machine(self.index, MachineEvent::Process(self.boots, instance, Stage::Sick)));
            let well = MachineEvent::Process(self.boots, instance, Stage::Healthy);
            cx.queue.at(until, Event::Machine(self.index, well));
        }
    }
}
