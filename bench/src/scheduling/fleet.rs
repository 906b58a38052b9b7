//! A made-up fleet and its scheduler: nodes of several shapes, jobs of some tens of shapes that come and go while the
//! fleet stays about as full. What nodes would say is said for them.

use crate::fgd::replay::word;
use crate::rounds::thread_time;
use actors::behavior::{Behavior, Turn};
use actors::cell::{Cell, Outcome};
use actors::scheduler::Scheduler;
use messages::entry::Entry;
use messages::envelope::{Address, Envelope, MessageId, Principal};
use messages::id::{CorrelationId, InstanceId, JobId, NodeId, PolicyId, SchedulerId};
use messages::manifest::{Affinity, JobSpec, Level, Place, Spread, Workload};
use messages::node::{ClaimView, NodeSpec, NodeView, Standing};
use messages::resources::Resources;
use messages::scheduler::{Ask, DEFAULT_SITE, Decision, Event, Message};
use messages::shared::Shared;
use messages::time::{Span, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

const REALM: &str = "bench";
const SEED: u64 = 7;
/// Shapes of requests.
const SHAPES: u64 = 40;
/// Nodes of a rack, and sites that the racks are dealt to.
const RACK_NODES: usize = 40;
const SITES: usize = 5;
/// Instances of a job: from one to this.
const INSTANCES_MAX: u64 = 15;
/// Jobs that others want to be near to, or apart from.
const NEIGHBOURS: u64 = 8;
/// How full the fleet is kept, in thousandths of the fuller of processors and memory.
pub const FILL: std::ops::Range<u64> = 740..760;
/// Time from one message to the next.
const STEP: Span = Span(1_000);

/// What jobs wish beside room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wishes {
    /// Nothing.
    None,
    /// Each is spread over racks, attracted by a job, repelled by another, and has at most one instance on a node.
    All,
}

/// Numbers that are always the same.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `below`, which is not zero.
    pub const fn below(&mut self, below: u64) -> u64 {
        word(&mut self.0) % below
    }
}

/// A job with what it needs and where its instances are.
#[derive(Clone, Debug)]
struct Job {
    id: JobId,
    held: Vec<(InstanceId, usize)>,
}

/// What was done, and the processor time it took.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Instances that were given a place.
    pub placed: usize,
    /// Instances that fitted nowhere.
    pub unplaced: usize,
    /// Seconds in turns that place.
    pub placing: f64,
    /// Seconds of each such turn, in which one instance is placed or more.
    pub turns: Vec<f64>,
    /// Views taken in, and seconds in turns that take one in.
    pub views: usize,
    /// See `views`.
    pub viewing: f64,
}

impl Work {
    /// Decisions a second of those turns alone that decide.
    pub fn rate(&self) -> f64 {
        (self.placed + self.unplaced) as f64 / self.placing.max(f64::MIN_POSITIVE)
    }

    /// Decisions a second, with all that is taken in between them.
    pub fn rate_with_views(&self) -> f64 {
        (self.placed + self.unplaced) as f64 / (self.placing + self.viewing).max(f64::MIN_POSITIVE)
    }
}

/// The scheduler, and a fleet that does as it says.
pub struct Fleet {
    cell: Cell<Scheduler>,
    nodes: Vec<NodeView>,
    indices: BTreeMap<NodeId, usize>,
    jobs: Vec<Job>,
    shapes: Vec<Shared<Workload>>,
    wishes: Wishes,
    dice: Dice,
    capacity: Resources,
    used: Resources,
    named: u64,
    said: u64,
    now: Timestamp,
    /// What was recorded, where somebody keeps it.
    entries: Option<Vec<Entry>>,
}

impl Fleet {
    /// So many nodes with nothing on them.
    pub fn new(nodes: usize, wishes: Wishes) -> Self {
        Self::kept(nodes, wishes, None)
    }

    /// The same, with all that is recorded kept.
    pub fn recorded(nodes: usize, wishes: Wishes) -> Self {
        Self::kept(nodes, wishes, Some(Vec::new()))
    }

    fn kept(nodes: usize, wishes: Wishes, entries: Option<Vec<Entry>>) -> Self {
        let mut dice = Dice::new(SEED);
        let shapes = (0..SHAPES).map(|_| shape(&mut dice)).collect();
        let nodes: Vec<NodeView> = (0..nodes).map(|number| node(number, &mut dice)).collect();
        let indices = nodes.iter().zip(0..).map(|(node, index)| (NodeId::named(&node.spec.name), index)).collect();
        let capacity = nodes.iter().fold(Resources::default(), |sum, node| sum.plus(&node.spec.capacity));
        let mut fleet = Self {
            cell: Cell::new(SchedulerId::of_site(DEFAULT_SITE).into()),
            nodes,
            indices,
            jobs: Vec::new(),
            shapes,
            wishes,
            dice,
            capacity,
            used: Resources::default(),
            named: 0,
            said: 0,
            now: Timestamp(1_700_000_000_000_000),
            entries,
        };
        let mut work = Work::default();
        (0..fleet.nodes.len()).for_each(|index| fleet.view(index, &mut work));
        fleet
    }

    /// Places jobs until the fleet is as full as it is kept.
    pub fn fill(&mut self, work: &mut Work) {
        while self.fullness() < FILL.end {
            let instances = 1 + self.dice.below(INSTANCES_MAX);
            self.start(instances, work);
        }
    }

    /// Lets jobs go and others come until so many instances more were placed. Each comes in one turn of its own when
    /// `singly`, and with all of its job otherwise.
    pub fn churn(&mut self, decisions: usize, singly: bool, work: &mut Work) {
        let enough = work.placed + work.unplaced + decisions;
        while work.placed + work.unplaced < enough {
            if self.fullness() >= FILL.end {
                while self.fullness() >= FILL.start && !self.jobs.is_empty() {
                    self.end_one(work);
                }
            }
            let instances = if singly { 1 } else { 1 + self.dice.below(INSTANCES_MAX) };
            self.start(instances, work);
        }
    }

    /// What was recorded since the last time.
    pub fn take_entries(&mut self) -> Vec<Entry> {
        self.entries.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Asks a scheduler whether a job of each shape would fit.
    pub fn ask_for_all(scheduler: &Scheduler) {
        let me = SchedulerId::of_site(DEFAULT_SITE);
        let mut dice = Dice::new(SEED);
        for number in 0..SHAPES {
            let (realm, name) = (REALM.into(), format!("shape-{number}"));
            let workload = (*shape(&mut dice)).clone();
            let jobs = vec![JobSpec { realm, name, workload, instances: 1, ..JobSpec::default() }];
            let check = Message::Check { policy: PolicyId::of_realm(REALM), ticket: number, jobs };
            let mut turn = Turn::by_hand(me, Address::Host, Timestamp(1));
            let _refused = scheduler.decide(&check, &mut turn);
        }
    }

    /// How many instances have a place.
    pub fn instances(&self) -> usize {
        self.jobs.iter().map(|job| job.held.len()).sum()
    }

    fn fullness(&self) -> u64 {
        let share = |used: u64, of: u64| (u128::from(used) * 1_000 / u128::from(of.max(1))) as u64;
        let cpu = share(self.used.cpu_milli, self.capacity.cpu_milli);
        cpu.max(share(self.used.memory_bytes, self.capacity.memory_bytes))
    }

    /// A new job comes, or one of those that others want to be near to grows.
    fn start(&mut self, instances: u64, work: &mut Work) {
        self.named += 1;
        let name = match self.wishes {
            Wishes::All if self.named <= NEIGHBOURS => neighbour(self.named - 1),
            _ => format!("job-{}", self.named),
        };
        let workload = self.shapes[self.dice.below(SHAPES) as usize].clone();
        let place = match self.wishes {
            Wishes::None => Place::default(),
            Wishes::All => wishes(&name, &mut self.dice),
        };
        let job = JobId::named(REALM, &name);
        let ask = |slot: u64| Ask {
            instance: InstanceId::of(job, slot as u32, 1),
            label: format!("{name}/{slot}"),
            revision: 1,
            avoid: Vec::new(),
        };
        let asks = (0..instances).map(ask).collect();
        let resources = workload.resources.clone();
        let (realm, exclusive) = (REALM.into(), false);
        let message = Message::Place { job, realm, name, exclusive, workload, place, asks };
        let (decisions, took) = self.say(message);
        work.placing += took;
        work.turns.push(took);
        let mut held = Vec::new();
        for decision in decisions {
            let instance = decision.instance;
            match decision.chosen.and_then(|node| self.indices.get(&node).copied()) {
                Some(index) => {
                    held.push((instance, index));
                    self.nodes[index].claims.push(ClaimView {
                        instance,
                        job,
                        resources: resources.clone(),
                        gpus: Vec::new(),
                    });
                    self.used = self.used.plus(&resources);
                    self.view(index, work);
                    work.placed += 1;
                }
                None => {
                    work.unplaced += 1;
                    self.say(Message::Withdraw { instance });
                }
            }
        }
        if !held.is_empty() {
            self.jobs.push(Job { id: job, held });
        }
    }

    /// A job ends: its instances leave their nodes, which say so one by one.
    fn end_one(&mut self, work: &mut Work) {
        let index = self.dice.below(self.jobs.len() as u64) as usize;
        let job = self.jobs.swap_remove(index);
        for (instance, index) in job.held {
            let claims = &mut self.nodes[index].claims;
            let Some(at) = claims.iter().position(|claim| claim.instance == instance && claim.job == job.id) else {
                continue;
            };
            let claim = claims.swap_remove(at);
            self.used = self.used.minus(&claim.resources);
            self.view(index, work);
        }
    }

    /// A node says how it is.
    fn view(&mut self, index: usize, work: &mut Work) {
        self.nodes[index].version += 1;
        let view = self.nodes[index].clone();
        let (_, took) = self.say(Message::View { node: NodeId::named(&view.spec.name), view: view.into() });
        work.views += 1;
        work.viewing += took;
    }

    /// Says something; returns what was decided, and the processor time of the turn, up to its entry.
    fn say(&mut self, message: Message) -> (Vec<Decision>, f64) {
        self.said += 1;
        self.now = self.now.after(STEP);
        let envelope = Envelope {
            id: MessageId::Outside(Uuid::from_u128(self.said.into())),
            from: Address::Host,
            to: self.cell.id().into(),
            correlation: CorrelationId::default(),
            principal: Principal::system(),
            at: self.now,
            body: message.clone().into(),
        };
        let begun = thread_time();
        let outcome = self.cell.handle(&envelope, &message, self.now);
        let took = thread_time() - begun;
        let Outcome::Entry(record) = outcome else { return (Vec::new(), took) };
        if let Some(entries) = &mut self.entries {
            entries.push(Entry::Scheduler(record.clone()));
        }
        let decisions = record.events.into_iter().filter_map(|event| match event {
            Event::Placed { decision, .. } | Event::Unplaced { decision, .. } => Some(decision),
            _ => None,
        });
        (decisions.collect(), took)
    }
}

/// A node like those that are bought: 16 to 128 cores, 2 to 8 GiB of memory a core.
fn node(number: usize, dice: &mut Dice) -> NodeView {
    let cores = [16, 32, 32, 48, 64, 64, 96, 128][dice.below(8) as usize];
    let memory = cores * [2, 4, 4, 8][dice.below(4) as usize];
    let rack = number / RACK_NODES;
    let tags = [("disk", ["ssd", "hdd"][dice.below(2) as usize])].map(|(key, value)| (key.into(), value.into()));
    let spec = NodeSpec {
        name: format!("node-{number:05}"),
        host: format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255),
        rack: format!("rack-{rack}"),
        site: format!("site-{}", rack % SITES),
        region: format!("region-{}", rack % SITES % 2),
        tags: tags.into(),
        capacity: Resources {
            cpu_milli: cores * 1_000,
            memory_bytes: memory << 30,
            disk_bytes: 1 << 40,
            network_bits: 10_000_000_000,
            ports: 1_000,
            ..Resources::default()
        },
        gpu_model: String::new(),
        taints: BTreeMap::new(),
    };
    NodeView { version: 0, spec: spec.into(), standing: Standing::Ready, claims: Vec::new() }
}

/// What an instance needs: a quarter of a core to eight, 1 to 8 GiB a core, and of some a disk, network and ports.
fn shape(dice: &mut Dice) -> Shared<Workload> {
    let cpu_milli = [250, 500, 500, 1_000, 1_000, 2_000, 4_000, 8_000][dice.below(8) as usize];
    let memory_mebibytes = cpu_milli * [1, 2, 2, 4, 4, 8][dice.below(6) as usize] + 64 * dice.below(4);
    let mut resources = Resources { cpu_milli, memory_bytes: memory_mebibytes << 20, ..Resources::default() };
    if dice.below(3) == 0 {
        resources.disk_bytes = (1 + dice.below(20)) << 30;
    }
    if dice.below(3) == 0 {
        resources.network_bits = 10_000_000 * (1 + dice.below(10));
    }
    resources.ports = dice.below(3);
    Workload { run: vec!["./serve".into(), "--listen".into(), "${PORT_HTTP}".into()], resources, ..Workload::default() }
        .into()
}

fn neighbour(number: u64) -> String {
    format!("neighbour-{number}")
}

/// Everything that can be wished for, of one kind or another.
fn wishes(name: &str, dice: &mut Dice) -> Place {
    let near = neighbour(dice.below(NEIGHBOURS));
    let apart = neighbour(dice.below(NEIGHBOURS));
    let within = [Level::Rack, Level::Site][dice.below(2) as usize];
    let skew_max = [None, Some(2), Some(3)][dice.below(3) as usize];
    Place {
        near: vec![Affinity { job: near, within, hard: false }],
        apart: vec![
            Affinity { job: name.into(), within: Level::Node, hard: true },
            Affinity { job: apart, within: Level::Node, hard: dice.below(2) == 0 },
        ],
        spread: vec![Spread { over: Level::Rack, skew_max }],
        ..Place::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_stays_about_as_full_while_jobs_come_and_go() {
        for wishes in [Wishes::None, Wishes::All] {
            let mut fleet = Fleet::new(100, wishes);
            let mut work = Work::default();
            fleet.fill(&mut work);
            fleet.churn(500, false, &mut work);
            fleet.churn(100, true, &mut work);
            assert!((FILL.start - 100..FILL.end + 100).contains(&fleet.fullness()), "{}", fleet.fullness());
            assert!(work.placed > 1_000 && work.unplaced * 20 < work.placed, "{work:?}");
            let counted = fleet.cell.state().cluster().nodes().map(|(_, node)| node.claims().len());
            assert_eq!(counted.sum::<usize>(), fleet.instances());
        }
    }
}
