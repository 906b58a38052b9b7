//! What truly runs, on which machine.

use super::Finding;
use super::gpus::Parts;
use crate::plan::Plan;
use crate::verdict::Invariant;
use messages::agent::Assignment;
use messages::id::{InstanceId, JobId};
use messages::resources::Resources;
use std::collections::{BTreeMap, BTreeSet};

/// What runs on a machine at a moment.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The machine's name.
    pub machine: String,
    /// What runs: the assignment, and whether it is healthy.
    pub running: Vec<(Assignment, bool)>,
}

/// What truly runs.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    capacity: Vec<Resources>,
    used: Vec<Resources>,
    /// Which GPUs of each machine are used by what runs there.
    gpus: BTreeMap<usize, Parts>,
    running: BTreeMap<(usize, InstanceId), (JobId, String, Resources, bool)>,
    slots: BTreeMap<(JobId, String), Vec<(usize, InstanceId)>>,
    ever: BTreeSet<InstanceId>,
    beside: Beside,
}

/// What runs and cannot be held against the product.
#[derive(Clone, Debug, Default)]
struct Beside {
    /// Machines that stand still: what is on them does nothing.
    frozen: BTreeSet<usize>,
    /// Instances that run though the machine said that they have ended.
    zombies: BTreeSet<(usize, InstanceId)>,
    /// Instances that are stuck in the kernel and do nothing until they end.
    stuck: BTreeSet<(usize, InstanceId)>,
    /// Machines of whose leases nothing can be promised, and until when.
    excused: BTreeMap<usize, u64>,
}

impl Beside {
    /// Why something that runs does not count, if so.
    fn why(&self, machine: usize, instance: InstanceId, now: u64) -> Option<&'static str> {
        let excused = self.excused.get(&machine).is_some_and(|until| now < *until);
        let reasons = [
            (self.frozen.contains(&machine), "exclusive-beside-frozen"),
            (self.zombies.contains(&(machine, instance)), "exclusive-beside-zombie"),
            (self.stuck.contains(&(machine, instance)), "exclusive-beside-stuck"),
            (excused, "exclusive-beyond-the-bound"),
        ];
        reasons.into_iter().find_map(|(holds, mark)| holds.then_some(mark))
    }
}

impl Truth {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            capacity: plan.machines.iter().map(|machine| machine.spec.capacity.clone()).collect(),
            used: vec![Resources::default(); plan.machines.len()],
            gpus: BTreeMap::new(),
            running: BTreeMap::new(),
            slots: BTreeMap::new(),
            ever: BTreeSet::new(),
            beside: Beside::default(),
        }
    }

    /// A machine boots, and has so much.
    pub(super) fn booted(&mut self, machine: usize, capacity: Resources) {
        if self.capacity.len() <= machine {
            self.capacity.resize(machine + 1, Resources::default());
            self.used.resize(machine + 1, Resources::default());
        }
        self.capacity[machine] = capacity;
        self.beside.frozen.remove(&machine);
    }

    /// A machine stands still.
    pub(super) fn frozen(&mut self, machine: usize) {
        self.beside.frozen.insert(machine);
    }

    /// It goes on, and what runs on it counts again.
    pub(super) fn thawed(&mut self, machine: usize, now: u64) -> Vec<Finding> {
        self.beside.frozen.remove(&machine);
        let here = self.running.iter().filter(|((on, _), (.., exclusive))| *on == machine && *exclusive);
        let twice = here.filter(|((_, instance), (job, label, ..))| {
            let others = self.slots.get(&(*job, label.clone())).map_or(&[][..], Vec::as_slice);
            let counts = |(on, other): &&(usize, InstanceId)| self.beside.why(*on, *other, now).is_none();
            self.beside.why(machine, *instance, now).is_none() && others.iter().filter(counts).count() > 1
        });
        let message = |label: &String| format!("{label} goes on on machine {machine}, and runs elsewhere");
        twice
            .map(|(_, (_, label, ..))| (Invariant::ExclusiveSlot, "an exclusive slot runs twice", message(label)))
            .collect()
    }

    /// It is said to have ended, and runs on. Its room is somebody else's now.
    pub(super) fn zombie(&mut self, machine: usize, instance: InstanceId) {
        let Some((_, _, need, _)) = self.running.get(&(machine, instance)) else { return };
        self.used[machine] = self.used[machine].minus(need);
        self.gpus.entry(machine).or_default().take_back(instance);
        self.beside.zombies.insert((machine, instance));
    }

    /// It is stuck in the kernel until it ends.
    pub(super) fn stuck(&mut self, machine: usize, instance: InstanceId) {
        self.beside.stuck.insert((machine, instance));
    }

    /// Nothing can be promised of a machine's leases until then.
    pub(super) fn excuse(&mut self, machine: usize, until: u64) {
        let excused = self.beside.excused.entry(machine).or_default();
        *excused = until.max(*excused);
    }

    /// Whether nothing can be promised of a machine's leases.
    pub(super) fn excuses(&self, machine: usize, now: u64) -> bool {
        self.beside.excused.get(&machine).is_some_and(|until| now < *until)
    }

    /// A workload is started.
    pub(super) fn started(
        &mut self,
        machine: usize,
        assignment: &Assignment,
        now: u64,
        marks: &mut Vec<&'static str>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let (instance, label, job) = (assignment.instance, assignment.label.clone(), assignment.job);
        if !self.ever.insert(instance) {
            let message = format!("{label} ({instance}) is started again, on machine {machine}");
            findings.push((Invariant::InstanceOnce, "an instance is started twice", message));
        }
        let need = assignment.workload.resources.clone();
        self.running.insert((machine, instance), (job, label.clone(), need.clone(), assignment.exclusive));
        let others = self.slots.entry((job, label.clone())).or_default();
        if assignment.exclusive && !others.is_empty() {
            let here = self.beside.why(machine, instance, now);
            let excuses = others.iter().map(|(on, other)| here.or_else(|| self.beside.why(*on, *other, now)));
            let excuses: Option<Vec<&'static str>> = excuses.collect();
            if let Some(excuses) = excuses {
                marks.extend(excuses);
            } else {
                let message = format!("{label} starts on machine {machine} while it runs on machines {others:?}");
                findings.push((Invariant::ExclusiveSlot, "an exclusive slot runs twice", message));
            }
        }
        others.push((machine, instance));
        self.used[machine] = self.used[machine].plus(&need);
        if let Some((dimension, missing)) = self.capacity[machine].shortage(&self.used[machine]) {
            let message = format!("machine {machine} lacks {} of {}", dimension.amount(missing), dimension.name());
            findings.push((Invariant::Capacity, "more runs on a machine than fits", message));
        }
        let (all, gpus) = (self.capacity[machine].gpu_milli, self.gpus.entry(machine).or_default());
        if let Some(wrong) = gpus.give(all, instance, need.gpu_milli, &assignment.gpus) {
            let message = format!("{label} runs with GPUs {:?} of machine {machine}", assignment.gpus);
            findings.push((Invariant::Capacity, wrong, message));
        }
        findings
    }

    /// Another log may have had anything started, ended and forgotten: the right one may have it started once more.
    pub(super) fn forget_starts(&mut self) {
        self.ever.clear();
    }

    /// It is gone.
    pub(super) fn ended(&mut self, machine: usize, instance: InstanceId) {
        let Some((job, label, need, _)) = self.running.remove(&(machine, instance)) else { return };
        self.beside.stuck.remove(&(machine, instance));
        self.gpus.entry(machine).or_default().take_back(instance);
        if !self.beside.zombies.remove(&(machine, instance)) {
            self.used[machine] = self.used[machine].minus(&need);
        }
        if let Some(others) = self.slots.get_mut(&(job, label)) {
            others.retain(|other| *other != (machine, instance));
        }
    }
}
