//! What is expected of a real system, as of a made-up one: nothing exclusive runs twice, what was acknowledged is wanted,
//! what is wanted runs in the end, and the log comes out the same when it is taken again.

use super::processes::{Process, moves, workloads};
use messages::api::Status;
use messages::node::Standing;
use messages::policy::Request;
use serde::Serialize;
use simulator::plan::Plan;
use simulator::program::Program;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An expectation, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    /// The name of what is held, as the oracle has it.
    pub invariant: &'static str,
    /// What it says.
    pub says: &'static str,
    /// How often it was looked at.
    pub looked: u64,
    /// What was wrong, if anything was.
    pub wrong: Option<String>,
}

/// One who looks for exclusive slots that run twice.
#[derive(Debug, Default)]
pub(super) struct Exclusive {
    jobs: BTreeSet<String>,
    looked: u64,
    wrong: Option<String>,
}

impl Exclusive {
    /// For the jobs of a plan that are exclusive in all its manifests.
    pub fn new(plan: &Plan) -> Self {
        let mut jobs: BTreeMap<&str, bool> = BTreeMap::new();
        for job in manifests(plan).flat_map(|manifest| manifest.jobs.values()) {
            *jobs.entry(&job.name).or_insert(true) &= job.exclusive;
        }
        let exclusive = jobs.into_iter().filter(|(_, exclusive)| *exclusive).map(|(name, _)| name.to_owned());
        Self { jobs: exclusive.collect(), ..Self::default() }
    }

    /// Looks once.
    pub fn look(&mut self, directory: &Path, at: u64) {
        self.looked += 1;
        let all = workloads(directory);
        let mut slots: BTreeMap<&str, Vec<&Process>> = BTreeMap::new();
        for one in all.iter().filter(|one| one.moves) {
            let Some(label) = &one.label else { continue };
            if label.split('/').next().is_some_and(|job| self.jobs.contains(job)) {
                slots.entry(label).or_default().push(one);
            }
        }
        for (label, both) in slots.into_iter().filter(|(_, both)| both.len() > 1) {
            // They were seen one after the other. It counts if the first still runs when the second was seen to.
            if moves(both[1]) && moves(both[0]) && moves(both[1]) {
                let pids: Vec<i32> = both.iter().map(|one| one.pid).collect();
                self.wrong.get_or_insert_with(|| format!("{label} runs as processes {pids:?} at {} ms", at / 1_000));
            }
        }
    }

    /// What came of it.
    pub fn check(self) -> Check {
        let says = "an exclusive slot runs at most once at any moment";
        Check { invariant: "exclusive-slot", says, looked: self.looked, wrong: self.wrong }
    }
}

fn manifests(plan: &Plan) -> impl Iterator<Item = &messages::manifest::Manifest> {
    plan.operations.iter().filter_map(|operation| match &operation.request {
        Request::Apply { manifest } => Some(manifest),
        _ => None,
    })
}

/// Jobs that need not be healthy in the end: one of their programs never stays so.
pub(super) fn doomed(plan: &Plan) -> BTreeSet<String> {
    let jobs = manifests(plan).flat_map(|manifest| manifest.jobs.values());
    jobs.filter(|job| Program::of(&job.workload).bad()).map(|job| job.name.clone()).collect()
}

/// What was acknowledged: how many instances each job is to have.
#[derive(Clone, Debug, Default)]
pub(super) struct Acknowledged(pub BTreeMap<String, u32>);

impl Acknowledged {
    /// A command was done.
    pub fn done(&mut self, request: &Request) {
        match request {
            Request::Apply { manifest } => {
                self.0.extend(manifest.jobs.iter().map(|(name, job)| (name.clone(), job.instances)));
            }
            Request::Scale { job, instances } => drop(self.0.insert(job.clone(), *instances)),
            Request::Stop { job } => drop(self.0.insert(job.clone(), 0)),
            _ => {}
        }
    }

    /// What is wanted and was not acknowledged last.
    pub fn wrong(&self, status: &Status) -> Option<String> {
        let of = |name: &String| status.jobs.iter().find(|job| job.name == *name).map_or(0, |job| job.desired);
        let other = self.0.iter().find(|(name, wanted)| of(name) != **wanted);
        other.map(|(name, wanted)| format!("{name} is to have {wanted} and wants {}", of(name)))
    }
}

/// What is not as it should be now, if anything is. What `doomed` names need not be healthy.
pub(super) fn unsettled(status: &Status, directory: &Path, doomed: &BTreeSet<String>) -> Option<String> {
    if let Some(node) = status.nodes.iter().find(|node| !node_is_back(node.state)) {
        return Some(format!("node {} is {}", node.name, node.state.name()));
    }
    let mut running: BTreeMap<String, u32> = BTreeMap::new();
    for one in workloads(directory) {
        let job = one.label.as_deref().and_then(|label| label.split('/').next()).unwrap_or_default().to_owned();
        *running.entry(job).or_default() += 1;
    }
    for job in status.jobs.iter().filter(|job| !doomed.contains(&job.name)) {
        let runs = running.get(&job.name).copied().unwrap_or(0);
        if (job.healthy, runs) != (job.desired, job.desired) {
            let (name, wanted, healthy) = (&job.name, job.desired, job.healthy);
            return Some(format!("{name}: {wanted} wanted, {healthy} healthy, {runs} processes"));
        }
    }
    None
}

const fn node_is_back(standing: Standing) -> bool {
    matches!(standing, Standing::Ready | Standing::Cordoned | Standing::Draining)
}
