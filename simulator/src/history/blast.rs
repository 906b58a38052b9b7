//! One node, rack or site after another is lost for good, at one time of a recorded log after another: what suffers.

use super::book::Book;
use super::change::Change;
use super::moment::Moment;
use super::planner::{Deed, Planner};
use super::whatif;
use messages::id::{JobId, NodeId};
use messages::manifest::Level;
use messages::node::NodeSpec;
use messages::time::{Span, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// At so many times at the most something is lost.
const TIMES_MAX: u64 = 10_000;

/// What is lost: a name, and the nodes that go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The node, rack or site.
    pub name: String,
    /// Its nodes.
    pub nodes: Vec<NodeId>,
}

/// The world as it was at a time, to lose things in.
#[derive(Clone, Debug)]
pub struct Hour {
    /// The time.
    pub at: Timestamp,
    world: Planner,
    /// What comes of the same while when nothing is lost.
    calm: Book,
    until: Timestamp,
}

/// What came of a loss.
#[derive(Clone, Debug, Serialize)]
pub struct Struck {
    /// When it was lost.
    #[serde(with = "messages::time::rfc3339")]
    pub at: Timestamp,
    /// What was lost.
    pub target: String,
    /// How many nodes that are.
    pub nodes: u64,
    /// The jobs that were below their minimum because of it, the longest first.
    pub jobs: Vec<Hurt>,
    /// What could not be placed because of it: how many instances, by job and reason, and what was said.
    pub unplaceable: Vec<Homeless>,
    /// Whether the run came to its end.
    pub whole: bool,
}

/// A job that suffered from a loss.
#[derive(Clone, Debug, Serialize)]
pub struct Hurt {
    /// The job.
    pub job: String,
    /// For how long it was below its minimum, beyond what it would have been anyway, in milliseconds.
    pub milliseconds: u64,
    /// How many were missing at the worst.
    pub missing: u32,
    /// Whether it was well again when the run ended.
    pub over: bool,
}

/// Instances that found no place.
#[derive(Clone, Debug, Serialize)]
pub struct Homeless {
    /// The job and the reason.
    pub what: String,
    /// How many instances.
    pub instances: u64,
    /// What was said.
    pub said: String,
}

/// The control run, from which every hour is taken.
#[derive(Clone, Debug)]
pub struct Blast {
    world: Planner,
    /// The times at which something is lost.
    pub times: Vec<Timestamp>,
    watched: Span,
}

impl Blast {
    /// Times from the moment to its end, so far apart; after each loss the world is watched for so long.
    ///
    /// # Errors
    /// As [`whatif::prepare`].
    pub fn new(moment: &Moment, every: Span, watched: Span) -> Result<Self, Vec<(usize, String)>> {
        let run = whatif::prepare(moment, &Change::default())?;
        let every = Span(every.0.max(1));
        let length = moment.until.since(moment.beginning.at);
        let count = length.0 / every.0;
        if count > TIMES_MAX {
            let longer = Span(length.0.div_ceil(TIMES_MAX));
            let message = format!("{count} times are more than {TIMES_MAX}; lose something every {longer} or more");
            return Err(vec![(0, message)]);
        }
        let times = (0..=count).map(|number| moment.beginning.at.after(every.times(number)));
        Ok(Self { world: run.world, times: times.filter(|at| *at < moment.until).collect(), watched })
    }

    /// The world at a time. Times must grow from call to call.
    pub fn hour(&mut self, at: Timestamp) -> Hour {
        self.world.run(at);
        let mut world = self.world.clone();
        world.rebook();
        let until = at.after(self.watched);
        let mut calm = world.clone();
        calm.run(until);
        calm.book.close(until);
        Hour { at, world, calm: calm.book, until }
    }
}

impl Hour {
    /// Everything that can be lost at this time.
    pub fn targets(&self, level: Level) -> Vec<Target> {
        let name = |spec: &NodeSpec| match level {
            Level::Node => spec.name.clone(),
            Level::Rack => spec.rack.clone(),
            Level::Site => spec.site.clone(),
            Level::Region => spec.region.clone(),
        };
        let mut targets: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
        for (node, spec, _) in self.world.machines().filter(|(_, _, heard)| *heard) {
            targets.entry(name(spec)).or_default().push(node);
        }
        targets.into_iter().map(|(name, nodes)| Target { name, nodes }).collect()
    }

    /// Loses something, and says what came of it.
    pub fn lose(&self, target: &Target) -> Struck {
        let mut world = self.world.clone();
        for node in &target.nodes {
            world.arrange(self.at, Deed::Remove(*node));
        }
        let whole = world.run(self.until);
        world.book.close(self.until);
        Struck {
            at: self.at,
            target: target.name.clone(),
            nodes: target.nodes.len() as u64,
            jobs: self.hurt(&world.book),
            unplaceable: self.homeless(&world.book),
            whole,
        }
    }

    fn hurt(&self, struck: &Book) -> Vec<Hurt> {
        let calm = |id: &JobId| self.calm.health.get(id);
        let hurt = struck.health.iter().filter_map(|(id, health)| {
            let (below, missing) = calm(id).map_or((0, 0), |calm| (calm.below(), calm.deepest()));
            let milliseconds = health.below().saturating_sub(below);
            let worse = milliseconds > 0 || health.deepest() > missing;
            worse.then(|| Hurt {
                job: health.name.clone(),
                milliseconds,
                missing: health.deepest(),
                over: health.all().all(|dip| dip.over),
            })
        });
        let mut hurt: Vec<Hurt> = hurt.collect();
        hurt.sort_by(|one, other| (other.milliseconds, &one.job).cmp(&(one.milliseconds, &other.job)));
        hurt
    }

    fn homeless(&self, struck: &Book) -> Vec<Homeless> {
        let more = struck.unplaceable.iter().filter_map(|(which, (count, said))| {
            let calm = self.calm.unplaceable.get(which).map_or(0, |told| told.0);
            let instances = count.checked_sub(calm).filter(|more| *more > 0)?;
            Some(Homeless { what: format!("{} {}", which.0, which.1), instances, said: said.clone() })
        });
        more.collect()
    }
}

impl Struck {
    /// The longest that a job was below its minimum, in milliseconds.
    pub fn worst(&self) -> u64 {
        self.jobs.iter().map(|hurt| hurt.milliseconds).max().unwrap_or(0)
    }

    /// Whether every job was well again when the run ended.
    pub fn over(&self) -> bool {
        self.jobs.iter().all(|hurt| hurt.over)
    }

    /// The worse, the greater.
    pub fn rank(&self) -> (bool, u64, u64) {
        let homeless = self.unplaceable.iter().map(|homeless| homeless.instances).sum();
        (!self.over(), self.worst(), homeless)
    }
}
