//! What a world is like through its run: how full, and who is healthy, in samples and at every change.

use crate::plan::Plan;
use crate::world::World;
use crate::world::tape::{Record, What};
use actors::fold::Fold;
use messages::entry::Entry;
use messages::id::{ActorId, NodeId};
use messages::node::Standing;
use messages::resources::{Dimension, Resources};
use std::collections::BTreeMap;

/// So many samples are taken of a run.
pub(super) const SAMPLES: u64 = 240;
/// A machine has a row of its own up to so many; more of them share rows.
pub(super) const ROWS_MAX: usize = 32;

/// What a world was like.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    every: u64,
    next: u64,
    /// How full the world was, in the order of time.
    pub fill: Vec<Fill>,
    /// Every change of a job's health, by job.
    pub jobs: BTreeMap<ActorId, Job>,
    /// All jobs together.
    pub all: Job,
    /// Each machine's row.
    rows: Vec<usize>,
    /// What each row is called.
    pub row_names: Vec<String>,
    nodes: Vec<NodeId>,
}

/// How full the world was at a moment.
#[derive(Clone, Debug)]
pub(super) struct Fill {
    /// When, in microseconds.
    pub at: u64,
    /// What the nodes have that are up, as the control plane sees it.
    pub capacity: Resources,
    /// What is claimed on them.
    pub claimed: Resources,
    /// What runs in truth.
    pub runs: Resources,
    /// The state of each row.
    pub rows: Vec<Row>,
}

/// The machines of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// How full they truly are in what is scarcest, of a hundred.
    pub percent: u64,
    /// The worst standing among them.
    pub standing: Standing,
}

/// A job through the run.
#[derive(Clone, Debug, Default)]
pub(super) struct Job {
    /// Its name.
    pub name: String,
    /// When, how many were wanted, and how many were healthy, at every change.
    pub points: Vec<(u64, u32, u32)>,
}

impl Samples {
    pub(super) fn new(plan: &Plan) -> Self {
        let count = plan.machines.len();
        let share = count.div_ceil(ROWS_MAX).max(1);
        let names: Vec<&str> = plan.machines.iter().map(|machine| machine.spec.name.as_str()).collect();
        let named = |names: &[&str]| match names {
            [one] => (*one).to_owned(),
            [first, rest @ ..] => format!("{first} +{}", rest.len()),
            [] => String::new(),
        };
        Self {
            every: plan.end_at.div_ceil(SAMPLES).max(1),
            next: 0,
            fill: Vec::new(),
            jobs: BTreeMap::new(),
            all: Job { name: "all jobs".into(), points: Vec::new() },
            rows: (0..count).map(|machine| machine / share).collect(),
            row_names: names.chunks(share).map(named).collect(),
            nodes: names.iter().map(|name| NodeId::named(name)).collect(),
        }
    }

    /// Takes note of a job that may have changed.
    pub(super) fn see(&mut self, record: &Record, fold: &Fold) {
        let What::Committed(entry) = &record.what else { return };
        let Entry::Job(committed) = &**entry else { return };
        let actor = committed.head.actor;
        let Some(actors::cast::AnyCell::Job(cell)) = fold.cell(actor) else { return };
        let job = cell.state();
        let known = self.jobs.entry(actor).or_default();
        if job.spec.is_some() {
            known.name = job.full_name();
        }
        let (wanted, healthy) = (job.desired, job.healthy());
        let last = known.points.last().map(|last| (last.1, last.2));
        if last != Some((wanted, healthy)) {
            known.points.push((record.at, wanted, healthy));
            let (before, sum) = (last.unwrap_or_default(), self.all.points.last().copied().unwrap_or_default());
            let (wanted, healthy) = (sum.1 + wanted - before.0, sum.2 + healthy - before.1);
            self.all.points.push((record.at, wanted, healthy));
        }
    }

    /// Takes a sample, when it is time to.
    pub(super) fn pass(&mut self, world: &World) {
        if world.now() >= self.next {
            self.take(world);
            self.next = (world.now() / self.every + 1) * self.every;
        }
    }

    /// The last sample.
    pub(super) fn close(&mut self, world: &World) {
        self.take(world);
        for job in self.jobs.values_mut().chain([&mut self.all]) {
            if let Some((_, wanted, healthy)) = job.points.last().copied() {
                job.points.push((world.now(), wanted, healthy));
            }
        }
    }

    fn take(&mut self, world: &World) {
        let (plan, fold) = (world.plan(), world.fold());
        let mut fill = Fill {
            at: world.now(),
            capacity: Resources::default(),
            claimed: Resources::default(),
            runs: Resources::default(),
            rows: vec![Row::default(); self.row_names.len()],
        };
        let mut rows = vec![(Resources::default(), Resources::default()); fill.rows.len()];
        for (machine, runs) in world.truth().iter().enumerate().take(self.rows.len()) {
            let needs = runs.running.iter().map(|(assignment, _)| &assignment.workload.resources);
            let used = needs.fold(Resources::default(), |sum, need| sum.plus(need));
            fill.runs = fill.runs.plus(&used);
            let row = self.rows[machine];
            rows[row].0 = rows[row].0.plus(&used);
            rows[row].1 = rows[row].1.plus(&plan.machines[machine].spec.capacity);
            let Some(actors::cast::AnyCell::Node(cell)) = fold.cell(self.nodes[machine]) else { continue };
            let node = cell.state();
            fill.rows[row].standing = worse(fill.rows[row].standing, node.standing());
            fill.claimed = fill.claimed.plus(&node.used());
            if node.up() {
                fill.capacity = fill.capacity.plus(&node.spec().capacity);
            }
        }
        for (row, (used, capacity)) in fill.rows.iter_mut().zip(rows) {
            row.percent = scarcest(&used, &capacity);
        }
        self.fill.push(fill);
    }
}

/// How much of the scarcest resource is used, of a hundred.
fn scarcest(used: &Resources, capacity: &Resources) -> u64 {
    let of = |dimension: Dimension<'_>| (used.get(dimension).saturating_mul(100)).checked_div(capacity.get(dimension));
    capacity.dimensions().filter_map(of).max().unwrap_or(0)
}

/// The one that people must see of two: standings grow worse as they are listed.
fn worse(one: Standing, other: Standing) -> Standing {
    one.max(other)
}
