//! A machine in a planned world: its agent does what it is told and reports what becomes of it. Nothing between it and
//! the control plane is lost or late, so it need not repeat itself; what a machine suffers is done to it from outside.

use messages::agent::{Assignment, Ended, Goal, Observation, Order};
use messages::id::InstanceId;
use messages::node::{Message, NodeSpec};
use messages::reason::Reason;
use messages::time::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What it says it is.
    pub spec: NodeSpec,
    /// Its boot.
    pub boot: Uuid,
    /// Whether it has power.
    pub on: bool,
    /// Whether the control plane and it can hear each other.
    pub linked: bool,
    /// Grows whenever it is cut off, so that what was arranged for an earlier silence is known to be over.
    pub cuts: u64,
    epoch: u64,
    version: u64,
    stamp: u64,
    desired: Option<BTreeMap<InstanceId, Assignment>>,
    processes: BTreeMap<InstanceId, Process>,
}

/// A workload on it.
#[derive(Clone, Debug)]
pub struct Process {
    /// What it was started for.
    pub assignment: Assignment,
    /// What becomes of it.
    pub life: Life,
    seen: Option<Observation>,
    stopping: bool,
}

/// How long an instance takes to stop of which nothing else is known, in microseconds.
const STOPS_AFTER_US: u64 = 50_000;

/// What a workload comes to, and when, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// What is seen of it, in the order of time.
    pub moments: Vec<(u64, Observation)>,
    /// How long it takes to stop when it is asked to.
    pub stops_after: Option<u64>,
}

impl Life {
    /// How long it takes to stop when it is asked to, within its grace.
    pub fn stopping(&self, grace_us: u64) -> u64 {
        self.stops_after.unwrap_or(STOPS_AFTER_US).min(grace_us.max(1))
    }
}

/// How something ended that was asked to.
pub fn stopped() -> Ended {
    Ended { code: Some(0), ..Ended::new(Reason::Stopped, "it stopped as it was asked to") }
}

/// What an agent wants.
#[derive(Debug)]
pub enum Wish {
    /// Say this to the node actor.
    Say(Message),
    /// Start this; then [`Machine::started`] is told how it lives.
    Start(Assignment),
    /// It ends so many microseconds from now, as it was asked to.
    Stops(InstanceId, u64),
}

impl Machine {
    /// A machine that has just been switched on and knows of nothing.
    pub const fn new(spec: NodeSpec, boot: Uuid) -> Self {
        Self {
            spec,
            boot,
            on: true,
            linked: true,
            cuts: 0,
            epoch: 0,
            version: 0,
            stamp: 0,
            desired: None,
            processes: BTreeMap::new(),
        }
    }

    /// It is in the middle of its work: welcomed with this epoch, and something runs already.
    pub fn resume(&mut self, epoch: u64, assignment: Assignment, seen: Option<Observation>, life: Life) {
        self.epoch = epoch;
        let stopping = assignment.goal == Goal::Stop;
        let desired = self.desired.get_or_insert_default();
        desired.insert(assignment.instance, assignment.clone());
        if assignment.goal != Goal::Hold {
            self.processes.insert(assignment.instance, Process { assignment, life, seen, stopping });
        }
    }

    /// It was welcomed with this epoch before.
    pub fn joined(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.desired.get_or_insert_default();
    }

    /// What runs on it.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values().filter(|process| process.runs())
    }

    /// What becomes of one of its workloads.
    pub fn process(&self, instance: InstanceId) -> Option<&Process> {
        self.processes.get(&instance)
    }

    /// The hello of its agent.
    pub fn hello(&mut self, now: Timestamp) -> Message {
        let sent_at = Timestamp(self.next_stamp(now));
        let seen = self.processes.iter().filter_map(|(id, process)| Some((*id, process.seen.clone()?))).collect();
        Message::Hello { spec: self.spec.clone(), boot: self.boot, sent_at, seen }
    }

    fn next_stamp(&mut self, now: Timestamp) -> u64 {
        self.stamp = now.0.max(self.stamp + 1);
        self.stamp
    }

    /// The control plane says something to its agent.
    pub fn heed(&mut self, order: Order, now: Timestamp, wishes: &mut Vec<Wish>) {
        match order {
            Order::Welcome { epoch, desired, boot, .. } if boot == self.boot => {
                (self.epoch, self.version, self.desired) = (epoch, desired, None);
            }
            Order::Desired { epoch, version, assignments } if epoch == self.epoch && version >= self.version => {
                self.version = version;
                self.desired = Some(assignments.into_iter().map(|each| (each.instance, each)).collect());
                wishes.push(Wish::Say(Message::Reconciled { epoch, version }));
                self.reconcile(now, wishes);
            }
            Order::Changed { epoch, since, version, changed, gone } if (epoch, since) == (self.epoch, self.version) => {
                let Some(desired) = &mut self.desired else { return };
                desired.retain(|instance, _| !gone.contains(instance));
                desired.extend(changed.into_iter().map(|each| (each.instance, each)));
                self.version = version;
                wishes.push(Wish::Say(Message::Reconciled { epoch, version }));
                self.reconcile(now, wishes);
            }
            Order::SayHello => wishes.push(Wish::Say(self.hello(now))),
            _ => {}
        }
    }

    /// Makes what runs what is desired.
    fn reconcile(&mut self, now: Timestamp, wishes: &mut Vec<Wish>) {
        let Some(desired) = &self.desired else { return };
        let mut never = Vec::new();
        let cleared = !self.processes.iter().any(|(id, process)| process.live() && !desired.contains_key(id));
        for (instance, assignment) in desired {
            match (assignment.goal, self.processes.get_mut(instance)) {
                (Goal::Run, None) if cleared => wishes.push(Wish::Start(assignment.clone())),
                (Goal::Stop, None) => never.push(*instance),
                (Goal::Stop, Some(process)) => wishes.extend(process.stop()),
                _ => {}
            }
        }
        self.processes.retain(|instance, process| {
            let keep = desired.contains_key(instance) || process.live();
            if keep && !desired.contains_key(instance) {
                wishes.extend(process.stop());
            }
            keep
        });
        for instance in never {
            let ended = Ended::new(Reason::Stopped, "it was stopped before it was started");
            wishes.extend(self.report(instance, Observation::Ended(ended), now).map(Wish::Say));
        }
    }

    /// A workload was started, and lives like this.
    pub fn started(&mut self, assignment: Assignment, life: Life) {
        let instance = assignment.instance;
        self.processes.insert(instance, Process { assignment, life, seen: None, stopping: false });
    }

    /// Something else is seen of a workload. Its end is final; what is no better than before is no news.
    pub fn see(&mut self, instance: InstanceId, seen: Observation, now: Timestamp, wishes: &mut Vec<Wish>) {
        let Some(process) = self.processes.get_mut(&instance).filter(|process| process.live()) else { return };
        if process.seen.as_ref() == Some(&seen) {
            return;
        }
        process.seen = Some(seen.clone());
        let over = matches!(seen, Observation::Ended(_));
        wishes.extend(self.report(instance, seen, now).map(Wish::Say));
        if over {
            self.reconcile(now, wishes);
        }
    }

    /// It ended as it was asked to.
    pub fn stopped(&mut self, instance: InstanceId, now: Timestamp, wishes: &mut Vec<Wish>) {
        self.see(instance, Observation::Ended(stopped()), now, wishes);
    }

    /// The lease is over: what must never run twice ends.
    pub fn end_exclusive(&mut self) {
        for process in self.processes.values_mut().filter(|process| process.assignment.exclusive && process.live()) {
            process.seen = Some(Observation::Ended(Ended::new(Reason::LeaseExpired, "its lease ran out")));
        }
    }

    /// The power goes: nothing runs any more, and nothing is remembered.
    pub fn lose_power(&mut self) {
        self.on = false;
        self.processes.clear();
        self.desired = None;
    }

    fn report(&mut self, instance: InstanceId, seen: Observation, now: Timestamp) -> Option<Message> {
        let report = self.next_stamp(now);
        let told = self.linked && self.desired.is_some();
        told.then(|| Message::Report { epoch: self.epoch, report, observations: vec![(instance, seen)] })
    }
}

impl Process {
    /// Whether it starts or runs.
    const fn live(&self) -> bool {
        !matches!(self.seen, Some(Observation::Ended(_)))
    }

    /// Whether it has been seen running, and has not ended.
    pub const fn runs(&self) -> bool {
        self.live() && self.seen.is_some()
    }

    fn stop(&mut self) -> Option<Wish> {
        if !self.live() || std::mem::replace(&mut self.stopping, true) {
            return None;
        }
        let grace = self.assignment.workload.stop_grace.0;
        Some(Wish::Stops(self.assignment.instance, self.life.stopping(grace)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_heeded_by_who_took_in_the_version_before_and_by_nobody_else() {
        let mut machine = Machine::new(NodeSpec::default(), Uuid::nil());
        machine.joined(3);
        let changed = |since| Order::Changed { epoch: 3, since, version: 6, changed: Vec::new(), gone: Vec::new() };
        let told = |machine: &mut Machine, order| {
            let mut wishes = Vec::new();
            machine.heed(order, Timestamp(1), &mut wishes);
            wishes.into_iter().any(|wish| matches!(wish, Wish::Say(Message::Reconciled { epoch: 3, version: 6 })))
        };
        assert!(!told(&mut machine, changed(5)), "it has not taken in the fifth");
        machine.heed(Order::Desired { epoch: 3, version: 5, assignments: Vec::new() }, Timestamp(1), &mut Vec::new());
        assert!(!told(&mut machine, changed(4)));
        assert!(told(&mut machine, changed(5)));
    }
}
