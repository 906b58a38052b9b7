//! What truly runs, on which machine.

use super::Finding;
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
    running: BTreeMap<(usize, InstanceId), (JobId, String, Resources)>,
    slots: BTreeMap<(JobId, String), Vec<(usize, InstanceId)>>,
    ever: BTreeSet<InstanceId>,
}

impl Truth {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            capacity: plan.machines.iter().map(|machine| machine.spec.capacity).collect(),
            used: vec![Resources::default(); plan.machines.len()],
            running: BTreeMap::new(),
            slots: BTreeMap::new(),
            ever: BTreeSet::new(),
        }
    }

    /// A workload is started.
    pub(super) fn started(&mut self, machine: usize, assignment: &Assignment) -> Vec<Finding> {
        let mut findings = Vec::new();
        let (instance, label, job) = (assignment.instance, assignment.label.clone(), assignment.job);
        if !self.ever.insert(instance) {
            let message = format!("{label} ({instance}) is started again, on machine {machine}");
            findings.push((Invariant::InstanceOnce, "an instance is started twice", message));
        }
        let need = assignment.workload.resources;
        self.running.insert((machine, instance), (job, label.clone(), need));
        let others = self.slots.entry((job, label.clone())).or_default();
        if assignment.exclusive && !others.is_empty() {
            let message = format!("{label} starts on machine {machine} while it runs on machines {others:?}");
            findings.push((Invariant::ExclusiveSlot, "an exclusive slot runs twice", message));
        }
        others.push((machine, instance));
        self.used[machine] = self.used[machine].plus(&need);
        if let Some((dimension, missing)) = self.capacity[machine].shortage(&self.used[machine]) {
            let message = format!("machine {machine} lacks {} of {}", dimension.amount(missing), dimension.name());
            findings.push((Invariant::Capacity, "more runs on a machine than fits", message));
        }
        findings
    }

    /// It is gone.
    pub(super) fn ended(&mut self, machine: usize, instance: InstanceId) {
        let Some((job, label, need)) = self.running.remove(&(machine, instance)) else { return };
        self.used[machine] = self.used[machine].minus(&need);
        if let Some(others) = self.slots.get_mut(&(job, label)) {
            others.retain(|other| *other != (machine, instance));
        }
    }
}
