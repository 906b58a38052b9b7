//! Clusters, manifests and rivals to plan among, fixed and random.

use crate::fold::Fold;
use crate::planner::world::{Hops, World};
use messages::envelope::Principal;
use messages::manifest::{Affinity, JobSpec, Level, Manifest, Spread, Tag};
use messages::node::NodeSpec;
use messages::policy::{Message, Request};
use messages::resources::Resources;
use messages::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Nodes, what was applied before, what is wanted, and what somebody else commands meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub nodes: Vec<NodeSpec>,
    pub before: Vec<Manifest>,
    pub wanted: Manifest,
    pub rival: (String, Request),
}

pub(super) fn operator() -> Principal {
    Principal { name: "user:operator".into(), groups: Vec::new() }
}

pub(super) fn node(name: &str, rack: &str, cpu_milli: u64) -> NodeSpec {
    let capacity = Resources { cpu_milli, memory_bytes: 8 << 30, ports: 100, ..Resources::default() };
    let (host, site, region) = ("127.0.0.1".into(), "here".into(), "eu".into());
    NodeSpec { name: name.into(), host, rack: rack.into(), site, region, capacity, ..NodeSpec::default() }
}

pub(super) fn job(name: &str, instances: u32, cpu_milli: u64) -> JobSpec {
    let mut spec = JobSpec { realm: "shop".into(), name: name.into(), instances, ..JobSpec::default() };
    spec.workload.run = vec!["serve".into()];
    spec.workload.resources = Resources { cpu_milli, memory_bytes: 1 << 20, ..Resources::default() };
    spec
}

pub(super) fn manifest(realm: &str, jobs: Vec<JobSpec>) -> Manifest {
    let jobs = jobs.into_iter().map(|spec| (spec.name.clone(), JobSpec { realm: realm.into(), ..spec })).collect();
    Manifest { realm: realm.into(), jobs, ..Manifest::default() }
}

/// A world at rest, with these nodes, after these manifests.
pub(super) fn quiet(at: Timestamp, nodes: &[NodeSpec], before: &[Manifest]) -> World {
    let mut world = World::fork(&Fold::default(), at);
    nodes.iter().for_each(|spec| world.join(spec.clone()));
    world.rest();
    for manifest in before {
        let request = Request::Apply { manifest: manifest.clone() };
        world.submit(&manifest.realm, operator(), Message::Submit { realm: manifest.realm.clone(), request });
        world.rest();
    }
    World::fork(world.fold(), world.time())
}

impl World {
    /// The same, in which messages take other times.
    pub fn with_hops_of(&self, seed: u64) -> Self {
        Self::with_hops(self.fold(), self.time(), Hops::Mixed(seed))
    }
}

/// What is where: of each slot, the revision and the node.
pub(super) fn present(fold: &Fold) -> BTreeMap<(String, u32), (u32, String)> {
    let mut present = BTreeMap::new();
    for (_, job) in fold.jobs() {
        for one in job.instances.values().filter(|one| one.live() && one.placed()) {
            present.insert((job.full_name(), one.slot), (one.revision, one.node_name.clone()));
        }
    }
    present
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Node), Just(Level::Rack)]
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn affinity() -> impl Strategy<Value = Affinity> {
    (prop::sample::select(NAMES.to_vec()), level(), any::<bool>()).prop_map(|(job, within, hard)| Affinity {
        job: job.into(),
        within,
        hard,
    })
}

/// Whole GPUs: how many are left follows from how many were given, whichever they were.
fn gpus() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 1 => Just(1_000), 1 => Just(2_000)]
}

fn wanted_job(name: &'static str) -> impl Strategy<Value = JobSpec> {
    let spread = (level(), prop::option::of(1..3_u32)).prop_map(|(over, skew_max)| Spread { over, skew_max });
    let tag = Tag { key: "rack".into(), value: Some("r0".into()), negated: true };
    (
        (0..5_u32, 100..900_u64, any::<bool>(), 0..3_u8, gpus()),
        prop::collection::vec(affinity(), 0..2),
        prop::collection::vec(affinity(), 0..2),
        prop::collection::vec(spread, 0..2),
        prop::option::of(1..3_u32),
    )
        .prop_map(move |((instances, cpu, require, version, gpus), near, apart, spread, per_node_max)| {
            let mut spec = job(name, instances, cpu);
            spec.workload.resources.gpu_milli = gpus;
            spec.workload.run.push(format!("--version={version}"));
            spec.place.require = if require { vec![tag.clone()] } else { Vec::new() };
            let near: Vec<Affinity> = near.into_iter().filter(|near| near.job < spec.name).collect();
            let company = |apart: &Affinity| near.iter().all(|near| near.job != apart.job);
            spec.place.apart = apart.into_iter().filter(company).collect();
            (spec.place.near, spec.place.spread, spec.place.per_node_max) = (near, spread, per_node_max);
            spec
        })
}

fn jobs() -> impl Strategy<Value = Vec<JobSpec>> {
    (wanted_job("a"), wanted_job("b"), wanted_job("c")).prop_map(|(a, b, c)| vec![a, b, c])
}

fn nodes() -> impl Strategy<Value = Vec<NodeSpec>> {
    prop::collection::vec((0..3_u32, 400..3_000_u64, 0..4_u64), 1..6).prop_map(|nodes| {
        let of = |((rack, cpu, gpus), number): ((u32, u64, u64), u32)| {
            let mut spec = node(&format!("n{number}"), &format!("r{rack}"), cpu);
            spec.capacity.gpu_milli = gpus * 1_000;
            spec
        };
        nodes.into_iter().zip(0..).map(of).collect()
    })
}

fn rival() -> impl Strategy<Value = (String, Request)> {
    let system = |request| ("system".to_string(), request);
    prop_oneof![
        (1..6_u32, 100..900_u64, prop_oneof![Just("shop"), Just("other")]).prop_map(|(instances, cpu, realm)| {
            let manifest = manifest(realm, vec![job("rival", instances, cpu)]);
            (realm.to_string(), Request::Apply { manifest })
        }),
        Just(system(Request::Cordon { node: "n0".into() })),
        Just(system(Request::Drain { node: "n1".into() })),
        Just(("shop".to_string(), Request::Stop { job: "a".into() })),
    ]
}

pub(super) fn scene() -> impl Strategy<Value = Scene> {
    (nodes(), prop::collection::vec(jobs(), 0..2), jobs(), rival()).prop_map(|(nodes, before, wanted, rival)| {
        let before = before.into_iter().map(|jobs| manifest("shop", jobs)).collect();
        Scene { nodes, before, wanted: manifest("shop", wanted), rival }
    })
}
