//! A look at the cluster within one decision or batch of decisions, to which placements just decided are added, so that
//! each sees those before it; the state itself is not copied.

use super::Scheduler;
use super::census::{Counts, Domain, Spot};
use super::nodes::NodeState;
use messages::gpu::Gpus;
use messages::id::{JobId, NodeId};
use messages::manifest::Level;
use messages::resources::Resources;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The cluster as one batch of decisions sees it.
#[derive(Clone, Debug)]
pub struct ClusterView<'a> {
    pub(super) state: &'a Scheduler,
    given: BTreeMap<u32, Given>,
    /// The jobs that were asked about or placed so far, in order.
    jobs: RefCell<Vec<Company>>,
    /// The jobs that were spoken of by name, in order.
    names: RefCell<Vec<(String, String, JobId)>>,
    pub(super) repels: BTreeSet<(JobId, JobId, Level)>,
}

/// What a node was given just now.
#[derive(Clone, Debug, Default)]
struct Given {
    resources: Resources,
    /// Of its GPUs, by what each instance needs of them.
    shares: Vec<u64>,
    /// What is left of each of them, if any was given.
    gpus: Option<Gpus>,
}

/// What is known of a job: the number it is counted by, and what was placed just now.
#[derive(Clone, Debug)]
struct Company {
    job: JobId,
    number: Option<u32>,
    placed: Counts,
}

impl<'a> ClusterView<'a> {
    /// The cluster as the state has it.
    pub const fn new(state: &'a Scheduler) -> Self {
        Self {
            state,
            given: BTreeMap::new(),
            jobs: RefCell::new(Vec::new()),
            names: RefCell::new(Vec::new()),
            repels: BTreeSet::new(),
        }
    }

    /// Every node.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &'a NodeState)> + use<'a> {
        self.state.cluster.nodes()
    }

    /// What a node has left.
    pub fn free(&self, node: &NodeState) -> Resources {
        let free = node.capacity().minus(node.used());
        match self.given.get(&node.slot()) {
            Some(given) => free.minus(&given.resources),
            None => free,
        }
    }

    /// What a node has left of each of its GPUs.
    pub fn gpus<'v>(&'v self, node: &'v NodeState) -> &'v Gpus {
        self.given.get(&node.slot()).and_then(|given| given.gpus.as_ref()).unwrap_or(node.gpus())
    }

    /// What a node would have left of each of its GPUs if it had so many thousandths more of them.
    pub(super) fn gpus_with(&self, node: &NodeState, more: u64) -> Gpus {
        let mut gpus = node.gpus_with(more);
        let shares = self.given.get(&node.slot()).into_iter().flat_map(|given| &given.shares);
        shares.for_each(|share| _ = gpus.give(*share));
        gpus
    }

    /// What is taken on a node, also where that is more than it has.
    pub(super) fn taken(&self, node: &NodeState) -> Resources {
        self.given.get(&node.slot()).map_or_else(|| node.used().clone(), |given| node.used().plus(&given.resources))
    }

    /// The nodes that were given something just now.
    pub(super) fn given(&self) -> impl Iterator<Item = u32> {
        self.given.keys().copied()
    }

    /// The job of this name.
    pub(super) fn job(&self, realm: &str, name: &str) -> JobId {
        let mut names = self.names.borrow_mut();
        match names.binary_search_by(|(in_realm, named, _)| (&**named, &**in_realm).cmp(&(name, realm))) {
            Ok(at) => names[at].2,
            Err(at) => {
                let job = JobId::named(realm, name);
                names.insert(at, (realm.into(), name.into(), job));
                job
            }
        }
    }

    /// What is asked of a job's counts: those of the state, and those of what was placed just now.
    fn ask<T>(&self, job: JobId, ask: impl FnOnce(Option<&Counts>, &Counts) -> T) -> T {
        let mut jobs = self.jobs.borrow_mut();
        let at = Self::entry(self.state, &mut jobs, job);
        let Company { number, placed, .. } = &jobs[at];
        ask(number.and_then(|number| self.state.cluster.census().counts(number)), placed)
    }

    fn entry(state: &Scheduler, jobs: &mut Vec<Company>, job: JobId) -> usize {
        jobs.binary_search_by_key(&job, |company| company.job).unwrap_or_else(|at| {
            let number = state.cluster.census().number(job);
            jobs.insert(at, Company { job, number, placed: Counts::default() });
            at
        })
    }

    /// How many instances of a job there are in the domain of this level.
    pub fn count(&self, job: JobId, level: Level, spot: Spot) -> u32 {
        let domain = spot.at(level);
        self.ask(job, |counts, placed| {
            let placed = if placed.total == 0 { 0 } else { placed.of(domain) };
            counts.map_or(0, |counts| counts.of(domain)) + placed
        })
    }

    /// How many instances of a job there are.
    pub fn total(&self, job: JobId) -> u32 {
        self.ask(job, |counts, placed| counts.map_or(0, |counts| counts.total) + placed.total)
    }

    /// The nodes on which there are instances of a job; some of them more than once.
    pub(super) fn nodes_with(&self, job: JobId, into: &mut Vec<u32>) {
        self.ask(job, |counts, placed| {
            let names = counts.into_iter().flat_map(Counts::at_nodes).chain(placed.at_nodes());
            names.for_each(|name| into.extend_from_slice(self.state.cluster.named(name)));
        });
    }

    /// The domains in which there are instances of a job; some of them more than once.
    pub(super) fn domains_with(&self, job: JobId, into: &mut Vec<Domain>) {
        self.ask(job, |counts, placed| {
            into.extend(counts.into_iter().flat_map(Counts::domains).chain(placed.domains()));
        });
    }

    /// Counts an instance as placed.
    pub fn place(&mut self, job: JobId, resources: &Resources, node: &NodeState) {
        let given = self.given.entry(node.slot()).or_default();
        if !crate::mutant!(ReservationIgnored) {
            given.resources = given.resources.plus(resources);
        }
        if resources.gpu_milli > 0 {
            given.shares.push(resources.gpu_milli);
            given.gpus.get_or_insert_with(|| node.gpus().clone()).give(resources.gpu_milli);
        }
        let at = Self::entry(self.state, self.jobs.get_mut(), job);
        self.jobs.get_mut()[at].placed.change(node.spot(), true);
    }

    /// Jobs that must be apart from this one, other than by its own wish, and at which level.
    pub fn repelled_by(&self, job: JobId) -> impl Iterator<Item = (JobId, Level)> {
        let range = (job, JobId::default(), Level::Node)..;
        let of = move |(target, _, _): &&(JobId, JobId, Level)| *target == job;
        let known = self.state.repels.range(range.clone()).take_while(of);
        known.chain(self.repels.range(range).take_while(of)).map(|(_, by, level)| (*by, *level))
    }
}
