//! A process on a machine, as it truly is.

use crate::machine::MachineEvent;
use crate::program::{Program, fills_after};
use crate::world::Event;
use crate::world::context::Context;
use crate::world::random::{Domain, key_of_uuid};
use actors::agent::judge::{self, Judge};
use actors::agent::{Verdict, WorkloadEvent};
use messages::agent::{Assignment, Ended, Observation};
use messages::manifest::Health;
use messages::reason::Reason;
use messages::time::Span;
use std::time::Duration;

/// The longest time until a program that says nothing else runs.
const START_MAX: Span = Span::milliseconds(200);
/// The shortest and longest time from running to the first good health check, in microseconds.
const HEALTHY_US: (u64, u64) = (20_000, 300_000);
/// The longest time a kill takes.
const KILL_MAX: Span = Span::milliseconds(5);
/// The longest time a program takes to stop when it is asked to.
const STOP_MAX: Span = Span::milliseconds(400);

/// What a process comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It runs, and the agent knows.
    Started,
    /// The agent hears of the start, after its first health check did.
    Announced,
    /// There is nothing to run.
    CannotStart,
    /// Its check passes.
    Healthy,
    /// Its check fails.
    Sick,
    /// A check is answered, well or not.
    Answered,
    /// It exits by itself.
    Exits,
    /// It has more memory than it may.
    OutOfMemory,
    /// It stopped as it was told to.
    Stopped,
}

impl Stage {
    /// Its name in tapes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "runs",
            Self::Announced => "is known to run",
            Self::CannotStart => "cannot start",
            Self::Healthy => "is healthy",
            Self::Sick => "is sick",
            Self::Answered => "answers",
            Self::Exits => "exits",
            Self::Stopped => "stopped",
            Self::OutOfMemory => "is out of memory",
        }
    }

    /// How a process ended that came to this stage.
    pub fn ended(self) -> Ended {
        match self {
            Self::CannotStart => Ended::new(Reason::CouldNotStart, "there is no such program"),
            Self::OutOfMemory => {
                let ended = Ended::new(Reason::OutOfMemory, "the kernel killed it");
                Ended { code: Some(9), ..ended }
            }
            Self::Exits => Ended { code: Some(1), ..Ended::new(Reason::ExitCode, "it exited by itself") },
            _ => Ended { code: Some(0), ..Ended::new(Reason::ExitCode, "it exited as it was told to") },
        }
    }
}

/// By how many times things take longer on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tempo {
    /// Starts.
    pub start: u64,
    /// Stops and checks.
    pub other: u64,
}

/// How a process answers when it is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stops {
    /// As its program does.
    Normally,
    /// Just in time.
    Late,
    /// Not at all, until it is killed.
    Ignores,
}

/// A process.
#[derive(Clone, Debug)]
pub struct Process {
    /// What it was started for.
    pub assignment: Assignment,
    /// Whether it is sick, though its checks say that it is well.
    pub sick_unseen: bool,
    program: Program,
    fails: Option<&'static str>,
    started: bool,
    since: u64,
    health: Option<bool>,
    checks: u64,
    judge: Option<Judge>,
    ended: Option<Ended>,
    told_to_stop: bool,
}

/// One start in so many is announced only after the first health check was.
const ANNOUNCED_LATE_OF: u64 = 8;

impl Process {
    /// A process that was just started.
    pub fn new(assignment: Assignment) -> Self {
        let program = Program::of(&assignment.workload);
        let judge = |health: &Health| Judge::new(health.failures_max, Duration::from_micros(health.grace.0));
        let judge = assignment.workload.health.as_ref().filter(|_| program.answers.is_some()).map(judge);
        Self {
            assignment,
            sick_unseen: false,
            program,
            fails: None,
            started: false,
            since: 0,
            health: None,
            checks: 0,
            judge,
            ended: None,
            told_to_stop: false,
        }
    }

    /// One that could not be started, and why.
    pub fn failed(assignment: Assignment, because: &'static str) -> Self {
        Self { fails: Some(because), ..Self::new(assignment) }
    }

    /// How its start failed, if it did.
    pub fn failure(&self) -> Ended {
        self.fails.map_or_else(|| Stage::CannotStart.ended(), |detail| Ended::new(Reason::CouldNotStart, detail))
    }

    /// Whether it truly runs.
    pub const fn runs(&self) -> bool {
        self.ended.is_none() && !self.program.cannot_start && self.fails.is_none()
    }

    /// Whether it has ended.
    pub const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether it runs and is well.
    pub fn is_healthy(&self) -> bool {
        self.runs()
            && self.started
            && !self.sick_unseen
            && (self.assignment.workload.health.is_none() || self.health == Some(true))
    }

    /// Whether its health is checked, and it runs long enough for that.
    pub fn is_checked(&self) -> bool {
        self.runs() && self.started && self.assignment.workload.health.is_some()
    }

    /// It was told to stop.
    pub const fn told_to_stop(&mut self) {
        self.told_to_stop = true;
    }

    /// Whether it was told to stop.
    pub const fn is_told_to_stop(&self) -> bool {
        self.told_to_stop
    }

    fn ports(&self) -> Vec<(String, u16)> {
        let key = key_of_uuid(self.assignment.instance.0);
        let port = |index: usize| 20_000 + u16::try_from(key.wrapping_add(index as u64) % 20_000).unwrap_or(0);
        self.assignment.workload.ports.iter().enumerate().map(|(index, name)| (name.clone(), port(index))).collect()
    }

    fn pid(&self) -> u32 {
        u32::try_from(key_of_uuid(self.assignment.instance.0) % 30_000).unwrap_or(0) + 2
    }

    /// What an agent that has just started sees of it.
    pub fn observation(&self) -> Observation {
        let (ports, pid) = (self.ports(), self.pid());
        match (&self.ended, self.health) {
            (Some(ended), _) => Observation::Ended(ended.clone()),
            (None, Some(true)) => Observation::Healthy { ports, pid },
            (None, Some(false)) => Observation::Unhealthy { ports, pid, evidence: "503".into() },
            (None, None) => Observation::Running { ports, pid },
        }
    }

    /// Arranges that it comes to a stage so much later.
    pub fn arrange(&self, after: u64, stage: Stage, machine: usize, boot: u64, cx: &mut Context) {
        let event = MachineEvent::Process(boot, self.assignment.instance, stage);
        cx.queue.after(after, Event::Machine(machine, event));
    }

    fn draw(&self, domain: Domain, low: u64, high: u64, cx: &Context) -> u64 {
        cx.random.between(domain, &[key_of_uuid(self.assignment.instance.0)], low, high)
    }

    /// It was started just now.
    pub fn arrange_start(&self, machine: usize, boot: u64, tempo: Tempo, cx: &mut Context) {
        let longest = self.program.start.unwrap_or(START_MAX).0;
        let takes = self.draw(Domain::Start, longest / 10, longest, cx).saturating_mul(tempo.start);
        let fails = self.program.cannot_start || self.fails.is_some();
        let stage = if fails { Stage::CannotStart } else { Stage::Started };
        self.arrange(takes, stage, machine, boot, cx);
        if let Some((low, high)) = self.program.exit_after {
            let exits = self.draw(Domain::Ends, low.0, high.0, cx);
            self.arrange(takes + exits, Stage::Exits, machine, boot, cx);
        }
        if let Some(rate) = self.program.grow {
            self.grow(takes, rate, machine, boot, cx);
        }
    }

    /// It was told to stop just now.
    pub fn arrange_stop(&self, grace: Span, stops: Stops, machine: usize, boot: u64, tempo: Tempo, cx: &mut Context) {
        let longest = if grace.0 == 0 { KILL_MAX } else { grace.min(STOP_MAX) };
        let takes = self.draw(Domain::Stop, 500.min(longest.0), longest.0, cx);
        let killed = grace.0 + self.draw(Domain::Stop, 500, KILL_MAX.0, cx);
        let takes = match stops {
            Stops::Late if grace.0 > 0 => takes.max(grace.0 / 10 * 9),
            Stops::Ignores => killed,
            Stops::Normally if self.program.ignore_stop => killed,
            _ => takes.saturating_mul(tempo.other).min(killed),
        };
        self.arrange(takes, Stage::Stopped, machine, boot, cx);
    }

    /// From so much later on it takes more and more memory.
    pub fn grow(&self, after: u64, rate: u64, machine: usize, boot: u64, cx: &mut Context) {
        let full = fills_after(self.assignment.workload.resources.memory_bytes, rate);
        self.arrange(after.saturating_add(full), Stage::OutOfMemory, machine, boot, cx);
    }

    /// It comes to a stage in which it still runs. Returns what the driver tells the agent.
    pub fn reach(
        &mut self,
        stage: Stage,
        machine: usize,
        boot: u64,
        tempo: Tempo,
        cx: &mut Context,
    ) -> Option<WorkloadEvent> {
        let instance = self.assignment.instance;
        let checked = self.assignment.workload.health.is_some();
        match stage {
            Stage::Started => {
                (self.started, self.since) = (true, cx.now());
                if checked {
                    let takes = self.draw(Domain::Healthy, HEALTHY_US.0, HEALTHY_US.1, cx).saturating_mul(tempo.other);
                    let first = if self.program.answers.is_some() { Stage::Answered } else { Stage::Healthy };
                    self.arrange(takes, first, machine, boot, cx);
                    if let Some((low, high)) = self.program.sick_after {
                        let sick = self.draw(Domain::Ends, low.0, high.0, cx);
                        self.arrange(takes.max(sick) + 1, Stage::Sick, machine, boot, cx);
                    }
                    if self.draw(Domain::Announce, 0, ANNOUNCED_LATE_OF - 1, cx) == 0 {
                        cx.mark("health-before-start");
                        self.arrange(takes + 2, Stage::Announced, machine, boot, cx);
                        return None;
                    }
                }
                Some(self.announcement())
            }
            Stage::Announced => Some(self.announcement()),
            Stage::Healthy if checked && self.started => {
                self.health = Some(true);
                Some(WorkloadEvent::Health { instance, verdict: Verdict::Healthy })
            }
            Stage::Sick if checked && self.started => {
                self.health = Some(false);
                Some(WorkloadEvent::Health { instance, verdict: Verdict::Unhealthy("503".into()) })
            }
            _ => None,
        }
    }

    /// A check is answered, and the next is asked. Returns what the driver tells the agent, if it judges otherwise now.
    /// Where checks lie, all is well.
    pub fn answer(
        &mut self,
        lies: bool,
        machine: usize,
        boot: u64,
        tempo: Tempo,
        cx: &mut Context,
    ) -> Option<WorkloadEvent> {
        let (instance, answers) = (self.assignment.instance, self.program.answers?);
        let health = self.assignment.workload.health.as_ref()?;
        let key = key_of_uuid(instance.0);
        let answer = |number: u64| answers.answer(health, cx.random, key, number, tempo.other);
        let (now, next) = (answer(self.checks), answer(self.checks + 1));
        let wait = health.every.0.max(now.after) + next.after - now.after;
        self.checks += 1;
        self.arrange(wait, Stage::Answered, machine, boot, cx);
        let outcome = now.wrong.filter(|_| !lies).map_or(Ok(()), |wrong| Err(wrong.to_owned()));
        let verdict = match self.judge.as_mut()?.observe(Duration::from_micros(cx.now() - self.since), outcome)? {
            judge::Health::Starting => return None,
            judge::Health::Healthy => Verdict::Healthy,
            judge::Health::Unhealthy { why, .. } => Verdict::Unhealthy(why),
        };
        self.health = Some(verdict == Verdict::Healthy);
        Some(WorkloadEvent::Health { instance, verdict })
    }

    fn announcement(&self) -> WorkloadEvent {
        WorkloadEvent::Started { instance: self.assignment.instance, pid: self.pid(), ports: self.ports() }
    }

    /// It has ended.
    pub fn end(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
    }
}
