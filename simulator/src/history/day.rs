//! A day that never was: the log of a made-up cluster, to measure and to try with. As its actors would have written it.

use super::lives::Lives;
use super::outside::{Command, Happening};
use super::planner::{Beginning, Deed, Planner};
use crate::world::random::{Domain, Random};
use actors::fold::Fold;
use actors::ports::Position;
use messages::agent::{Ended, Observation};
use messages::entry::Entry;
use messages::envelope::Principal;
use messages::frame::{self, FrameHead, Hash};
use messages::id::{ClientId, JobId, NodeId};
use messages::manifest::{JobSpec, Manifest, Restart, RolloutSpec, Workload};
use messages::node::NodeSpec;
use messages::policy::Request;
use messages::reason::Reason;
use messages::resources::Resources;
use messages::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The realm of its jobs.
pub const REALM: &str = "shop";
/// Its first moment.
pub const BEGINS: Timestamp = Timestamp(1_700_000_000_000_000);
/// Nodes in a rack.
const RACK_NODES: u64 = 20;
/// Racks in a site.
const SITE_RACKS: u64 = 25;

/// What kind of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Machines.
    pub nodes: u64,
    /// Jobs.
    pub jobs: u64,
    /// Instances of each job at first.
    pub instances: u32,
    /// How long it is.
    pub length: Span,
    /// How often a job's count is changed.
    pub scalings: u64,
    /// How often a workload dies.
    pub deaths: u64,
    /// How often a machine loses power for some minutes.
    pub crashes: u64,
    /// The seed.
    pub seed: u64,
}

impl Day {
    /// Everything that is recorded of it, in frames of one entry each.
    pub fn frames(&self) -> Vec<(Position, Vec<u8>)> {
        let mut log = Writer::default();
        let mut world = self.world();
        world.record();
        let until = BEGINS.after(self.length);
        let mut at = BEGINS;
        while at < until {
            at = at.after(Span::seconds(60)).min(until);
            world.run(at);
            world.take_recorded().iter().for_each(|entry| log.write(entry));
        }
        log.frames
    }

    fn world(&self) -> Planner {
        let beginning = Beginning {
            fold: Fold::default(),
            flying: Vec::new(),
            lives: Arc::new(Lives::default()),
            away: Arc::new(Vec::new()),
            at: BEGINS,
            hop: 500,
            seed: self.seed,
        };
        let mut world = Planner::new(&beginning);
        for number in 0..self.nodes {
            world.arrange(BEGINS.after(Span(number * 100)), Deed::Become(node(number)));
        }
        for number in 0..self.jobs {
            let request = Request::Apply { manifest: self.manifest(number) };
            world.arrange(BEGINS.after(Span::seconds(10)).after(Span(number * 20_000)), self.command(number, request));
        }
        self.trouble(&mut world);
        world
    }

    fn trouble(&self, world: &mut Planner) {
        let random = Random::new(self.seed);
        let draw = |what: u64, number: u64, below: u64| random.word(Domain::Plan, &[what, number]) % below.max(1);
        let moment =
            |what: u64, number: u64| BEGINS.after(Span::seconds(60)).after(Span(draw(what, number, self.length.0)));
        for number in 0..self.scalings {
            let (job, times) = (job_name(draw(1, number, self.jobs)), draw(2, number, 3));
            let instances = self.instances / 2 + u32::try_from(times).unwrap_or(0) * self.instances / 2;
            let request = Request::Scale { job, instances };
            world.arrange(moment(3, number), self.command(self.jobs + number, request));
        }
        for number in 0..self.deaths {
            let job = job_name(draw(4, number, self.jobs));
            let label = format!("{job}/{}", draw(5, number, u64::from(self.instances)));
            let ended = Ended { code: Some(9), ..Ended::new(Reason::ExitSignal, "it was killed") };
            let end = Deed::End(JobId::named(REALM, &job), label, Observation::Ended(ended));
            world.arrange(moment(6, number), end);
        }
        for number in 0..self.crashes {
            let node = NodeId::named(&node_name(draw(7, number, self.nodes)));
            let at = moment(8, number);
            world.arrange(at, Deed::Lose(node));
            world.arrange(at.after(Span::seconds(60 + draw(9, number, 600))), Deed::Boot(node));
        }
    }

    fn command(&self, number: u64, request: Request) -> Deed {
        let id = Random::new(self.seed).uuid(Domain::Choice, &[0xc0, number]);
        let principal = Principal { name: "user:ann".into(), groups: Vec::new() };
        Deed::Happens(Happening::Command(Command { id, client: ClientId(id), principal, realm: REALM.into(), request }))
    }

    fn manifest(&self, number: u64) -> Manifest {
        let name = job_name(number);
        let resources = Resources { cpu_milli: 250, memory_bytes: 256 << 20, ports: 1, ..Resources::default() };
        let workload = Workload {
            run: vec!["./serve".into(), "--listen".into(), "${PORT_HTTP}".into()],
            ports: vec!["http".into()],
            resources,
            stop_grace: Span::seconds(10),
            ..Workload::default()
        };
        let spec = JobSpec {
            realm: REALM.into(),
            name: name.clone(),
            workload,
            instances: self.instances,
            restart: Restart::default(),
            rollout: RolloutSpec::default(),
            ..JobSpec::default()
        };
        Manifest { realm: REALM.into(), jobs: [(name, spec)].into(), ..Manifest::default() }
    }
}

fn node_name(number: u64) -> String {
    format!("node-{number}")
}

fn job_name(number: u64) -> String {
    format!("job-{number}")
}

fn node(number: u64) -> NodeSpec {
    let rack = number / RACK_NODES;
    NodeSpec {
        name: node_name(number),
        host: "10.0.0.1".into(),
        rack: format!("rack-{rack}"),
        site: format!("site-{}", rack / SITE_RACKS),
        region: "local".into(),
        tags: BTreeMap::new(),
        capacity: Resources {
            cpu_milli: 16_000,
            memory_bytes: 64 << 30,
            disk_bytes: 1 << 40,
            network_bits: 10_000_000_000,
            ports: 1_000,
            ..Resources::default()
        },
        gpu_model: String::new(),
        taints: BTreeMap::new(),
    }
}

/// Frames as one control plane would have written them.
#[derive(Debug, Default)]
struct Writer {
    frames: Vec<(Position, Vec<u8>)>,
    shards: BTreeMap<u16, (u64, Hash)>,
}

impl Writer {
    fn write(&mut self, entry: &Entry) {
        let shard = entry.head().actor.shard();
        if !self.shards.contains_key(&shard) {
            let claim = actors::shard::Shard::claim_frame(shard, 1);
            self.push(shard, claim);
        }
        let (sequence, previous) = self.shards.get(&shard).copied().unwrap_or_default();
        let head = FrameHead { shard, claim: false, epoch: 1, sequence: sequence + 1, previous, count: 1 };
        self.push(shard, frame::encode(&head, std::slice::from_ref(entry)));
    }

    fn push(&mut self, shard: u16, bytes: Vec<u8>) {
        let mark = self.shards.entry(shard).or_default();
        *mark = (mark.0 + 1, frame::chain(&mark.1, &bytes));
        self.frames.push((Position(self.frames.len() as u64 + 1), bytes));
    }
}
