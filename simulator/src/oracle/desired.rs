//! What was asked for, by the commands that were acknowledged, against what truly runs.

mod healed;

use super::Runs;
use super::rollouts::Rollouts;
use crate::plan::Plan;
use crate::program::Program;
use actors::fold::Fold;
use messages::id::JobId;
use messages::manifest::{Affinity, Level, Workload};
use messages::policy::Request;
use std::collections::{BTreeMap, BTreeSet};

/// The desired state of a realm, as its clients know it.
#[derive(Clone, Debug)]
pub(super) struct Desired {
    realm: String,
    /// Without faults the newest revision must win.
    newest_wins: bool,
    jobs: BTreeMap<String, Expected>,
    empty: BTreeSet<String>,
    racks: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default)]
struct Expected {
    /// When a command was first given, when it was answered, and how many instances it wants.
    counts: Vec<(u64, u64, u32)>,
    workloads: Vec<Workload>,
    near: Vec<Affinity>,
}

impl Desired {
    pub(super) fn new(plan: &Plan) -> Self {
        let machines = plan.machines.iter();
        Self {
            realm: plan.realm.clone(),
            newest_wins: plan.faults.is_empty(),
            jobs: BTreeMap::new(),
            empty: BTreeSet::new(),
            racks: machines.map(|machine| (machine.spec.name.clone(), machine.spec.rack.clone())).collect(),
        }
    }

    /// The plan is another from now on.
    pub(super) const fn goes_on_with(&mut self, plan: &Plan) {
        self.newest_wins &= plan.faults.is_empty();
    }

    /// A command was answered.
    pub(super) fn answered(&mut self, request: &Request, done: bool, given: u64, now: u64) {
        if !done {
            return;
        }
        match request {
            Request::Apply { manifest } => {
                for (name, spec) in &manifest.jobs {
                    let expected = self.jobs.entry(name.clone()).or_default();
                    expected.counts.push((given, now, spec.instances));
                    expected.near = spec.place.near.iter().filter(|near| near.hard).cloned().collect();
                    expected.workloads.retain(|workload| *workload != spec.workload);
                    expected.workloads.push(spec.workload.clone());
                }
            }
            Request::Scale { job, instances } => self.scale(job, (given, now, *instances)),
            Request::Stop { job } => self.scale(job, (given, now, 0)),
            Request::Drain { node } => {
                self.empty.insert(node.clone());
            }
            Request::Uncordon { node } => {
                self.empty.remove(node);
            }
            Request::Abort { .. } | Request::Hold { .. } => self.newest_wins = false,
            _ => {}
        }
    }

    fn scale(&mut self, job: &str, count: (u64, u64, u32)) {
        if let Some(expected) = self.jobs.get_mut(job) {
            expected.counts.push(count);
        }
    }

    /// Jobs that are at a revision that cannot stay healthy, as the rules have it: nothing of them ran when it was
    /// declared, or it passed its gates and fell sick later. There is nothing to go back to, so they start it again and
    /// again.
    pub(super) fn restless(&self, fold: &Fold, rollouts: &Rollouts) -> BTreeSet<JobId> {
        let ids = self.jobs.keys().map(|name| JobId::named(&self.realm, name));
        let restless = ids.filter(|id| {
            let Some(job) = fold.job(*id) else { return false };
            let bad = job.workloads.get(&job.settled).is_some_and(|workload| Program::of(workload).bad());
            bad && job.under_way().is_none() && rollouts.let_in(*id, job.settled)
        });
        restless.collect()
    }

    /// What is otherwise than it should be. Of restless jobs, never more may run than are wanted; what no node can take
    /// is excused.
    pub(super) fn check(
        &self,
        truth: &[Runs],
        fold: &Fold,
        restless: &BTreeSet<JobId>,
        excused: &BTreeMap<JobId, u32>,
    ) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let names: BTreeMap<JobId, &String> =
            self.jobs.keys().map(|name| (JobId::named(&self.realm, name), name)).collect();
        let mut running: BTreeMap<&String, Vec<&Workload>> = BTreeMap::new();
        for runs in truth {
            if self.empty.contains(&runs.machine) && !runs.running.is_empty() {
                wrong.push(("a drained machine is not empty", runs.machine.clone()));
            }
            for (assignment, healthy) in &runs.running {
                match names.get(&assignment.job) {
                    Some(name) if *healthy || restless.contains(&assignment.job) => {
                        running.entry(name).or_default().push(&assignment.workload)
                    }
                    Some(name) => wrong.push(("what runs is not healthy", format!("{name}: {}", assignment.label))),
                    None => wrong.push(("something runs that nobody asked for", assignment.label.clone())),
                }
            }
        }
        for (name, expected) in &self.jobs {
            let runs = running.get(name).map_or(&[][..], Vec::as_slice);
            let (wanted, id) = (expected.wanted(), JobId::named(&self.realm, name));
            let (is_restless, number) = (restless.contains(&id), runs.len() as u64);
            let waits = u64::from(excused.get(&id).copied().unwrap_or(0));
            let right = |count: u32| number + waits == u64::from(count) || (is_restless && number < u64::from(count));
            if !wanted.iter().any(|count| right(*count)) {
                let state = state_of(fold, id);
                let message = format!("{name}: {} run, {wanted:?} are wanted; {state}", runs.len());
                wrong.push(("another number runs than is wanted", message));
            }
            wrong.extend(expected.check_revisions(name, runs, self.newest_wins, is_restless));
        }
        wrong
    }

    /// Who is not where it must be near something. Later its neighbour may have had to move, so this is only asked of
    /// worlds in which nothing goes wrong.
    pub(super) fn check_near(&self, truth: &[Runs]) -> Vec<String> {
        let domain = |machine: &String, level: Level| match level {
            Level::Node => machine.clone(),
            Level::Rack => self.racks.get(machine).cloned().unwrap_or_default(),
            Level::Site | Level::Region => String::new(),
        };
        let on = |name: &str, level: Level| -> BTreeSet<String> {
            let job = JobId::named(&self.realm, name);
            let runs = truth.iter().filter(|runs| runs.running.iter().any(|(assignment, _)| assignment.job == job));
            runs.map(|runs| domain(&runs.machine, level)).collect()
        };
        let near = self.jobs.iter().flat_map(|(name, expected)| expected.near.iter().map(move |near| (name, near)));
        near.filter(|(name, near)| !on(name, near.within).is_subset(&on(&near.job, near.within)))
            .map(|(name, near)| format!("{name} is not within a {:?} of {}", near.within, near.job))
            .collect()
    }
}

impl Expected {
    /// How many may be wanted: commands that were under way at the same time may have taken effect in any order.
    fn wanted(&self) -> BTreeSet<u32> {
        let latest = self.counts.iter().map(|(given, _, _)| *given).max().unwrap_or_default();
        self.counts.iter().filter(|(_, answered, _)| *answered >= latest).map(|(_, _, count)| *count).collect()
    }

    fn check_revisions(
        &self,
        name: &str,
        runs: &[&Workload],
        newest_wins: bool,
        restless: bool,
    ) -> Option<(&'static str, String)> {
        let first = runs.first()?;
        if runs.iter().any(|workload| workload != first) {
            return Some(("two revisions run side by side", name.to_string()));
        }
        if !self.workloads.contains(first) {
            return Some(("a revision runs that was never acknowledged", name.to_string()));
        }
        let good: Vec<_> = self.workloads.iter().filter(|workload| !Program::of(workload).bad()).collect();
        match good.last() {
            Some(newest) if newest_wins && self.workloads.last() == Some(newest) && newest != first => {
                Some(("an old revision runs", name.to_string()))
            }
            Some(_) if !good.contains(first) && !restless => Some(("a bad revision runs", name.to_string())),
            _ => None,
        }
    }
}

/// What a job believes, for the message.
fn state_of(fold: &Fold, job: JobId) -> String {
    fold.job(job).map_or("it does not exist".into(), |job| {
        let states: Vec<_> = job
            .instances
            .values()
            .map(|instance| {
                format!("{} r{} {} on {}", instance.slot, instance.revision, instance.state(), instance.node_name)
            })
            .collect();
        format!("it wants {} at revision {}: {}", job.desired, job.target(), states.join(", "))
    })
}
