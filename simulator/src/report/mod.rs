//! A run for people to look at: what is drawn of it, and the page it is drawn on.

mod charts;
mod checks;
mod delays;
mod lanes;
mod moments;
mod page;
mod sample;
mod style;

pub use page::{Told, page};

use crate::explain::Names;
use crate::plan::Plan;
use crate::run::caught;
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::tape::{Record, What};
use checks::Counts;
use delays::Delays;
use moments::Moment;
use sample::Samples;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A tape longer than this is begun anew, so that a long run does not fill the memory.
const TAPE_MAX: usize = 100_000;

/// What is drawn of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What came of it.
    pub verdict: Verdict,
    drawn: Drawn,
}

/// What was seen while it ran.
#[derive(Clone, Debug)]
struct Drawn {
    /// What went wrong, and from when to when it truly did.
    faults: Vec<Span>,
    /// When the control plane's process did not run.
    down: Vec<Span>,
    samples: Samples,
    delays: Delays,
    counts: Counts,
    moments: Vec<Moment>,
    /// Moments that were too many to be kept.
    left_out: u64,
    names: Names,
}

/// From when to when something lasted, in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    name: String,
    whom: String,
    from: u64,
    to: u64,
}

/// Runs a plan, and writes down what is drawn of it. The run is the one that [`crate::run()`] makes.
pub fn report(plan: &Plan) -> Report {
    let plan = Arc::new(plan.clone());
    let mut watcher = Watcher::new(Arc::clone(&plan));
    let verdict = caught(&plan, || {
        let mut world = World::new(Arc::clone(&plan));
        world.record();
        while world.step() {
            watcher.see(&mut world);
        }
        watcher.end(&world);
        world.finish()
    });
    watcher.report(verdict)
}

/// One who looks at a world while it runs.
struct Watcher {
    plan: Arc<Plan>,
    seen: usize,
    begun: BTreeMap<usize, (u64, Vec<usize>)>,
    died: Option<u64>,
    now: u64,
    drawn: Drawn,
}

impl Watcher {
    fn new(plan: Arc<Plan>) -> Self {
        let drawn = Drawn {
            faults: Vec::new(),
            down: Vec::new(),
            samples: Samples::new(&plan),
            delays: Delays::default(),
            counts: Counts::default(),
            moments: Vec::new(),
            left_out: 0,
            names: Names::default(),
        };
        Self { plan, seen: 0, begun: BTreeMap::new(), died: None, now: 0, drawn }
    }

    fn see(&mut self, world: &mut World) {
        self.now = world.now();
        let records = world.records();
        for record in &records[self.seen..] {
            self.drawn.samples.see(record, world.fold());
            self.note(record);
        }
        self.seen = records.len();
        if self.seen > TAPE_MAX {
            world.record();
            self.seen = 0;
        }
        self.drawn.samples.pass(world);
    }

    fn note(&mut self, record: &Record) {
        self.drawn.counts.see(record);
        self.drawn.delays.see(record);
        match &record.what {
            What::Begins { fault, machines } => drop(self.begun.insert(*fault, (record.at, machines.clone()))),
            What::Ends(fault) => self.over(*fault, record.at),
            What::Control(what) if what == "dies" => self.died = Some(record.at),
            What::Control(_) => self.back(record.at),
            _ => {}
        }
        let moment = moments::of(record, &self.plan);
        if self.drawn.moments.len() < moments::MOMENTS_MAX {
            self.drawn.moments.extend(moment);
        } else {
            self.drawn.left_out += u64::from(moment.is_some());
        }
    }

    fn over(&mut self, fault: usize, to: u64) {
        let Some((from, machines)) = self.begun.remove(&fault) else { return };
        let name = self.plan.faults.get(fault).map_or("", |fault| fault.trouble.name()).to_owned();
        let named = machines.iter().filter_map(|machine| self.plan.machines.get(*machine));
        let named: Vec<&str> = named.map(|machine| machine.spec.name.as_str()).collect();
        let whom = if named.len() > 6 { format!("{} machines", named.len()) } else { named.join(", ") };
        self.drawn.faults.push(Span { name, whom, from, to });
    }

    fn back(&mut self, to: u64) {
        if let Some(from) = self.died.take() {
            self.drawn.down.push(Span { name: "down".into(), whom: "control plane".into(), from, to });
        }
    }

    /// The last moment.
    fn end(&mut self, world: &World) {
        self.drawn.samples.close(world);
        self.drawn.names = Names::of(world);
    }

    fn report(mut self, verdict: Verdict) -> Report {
        for fault in self.begun.keys().copied().collect::<Vec<_>>() {
            self.over(fault, self.now);
        }
        self.back(self.now);
        self.drawn.faults.sort_by(|one, other| (one.from, one.to, &one.name).cmp(&(other.from, other.to, &other.name)));
        moments::add_violations(&mut self.drawn.moments, &verdict);
        Report { plan: self.plan, verdict, drawn: self.drawn }
    }
}

impl Report {
    /// The last moment that is drawn, in microseconds.
    fn end(&self) -> u64 {
        self.plan.end_at.max(1)
    }
}

#[cfg(test)]
mod tests;
