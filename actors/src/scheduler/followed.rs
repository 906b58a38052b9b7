//! Suggestions followed: whatever an instance waits for, what is suggested is done, and it is placed.

use super::filter::{self, Survey};
use super::remedy::{self, Place, Step};
use super::tests::{Machine, Story, job};
use super::*;
use messages::manifest::{Affinity, JobSpec, Place as Wishes, Spread, Tag};
use messages::node::{ClaimView, Standing};
use messages::resources::{Dimension, Resources};
use proptest::prelude::*;

/// The nodes, what is on them, and the job that is asked for.
#[derive(Clone, Debug)]
struct Scene {
    machines: Vec<Machine>,
    held: Vec<Held>,
    others: Vec<JobSpec>,
    wanted: JobSpec,
}

/// What is on a node: which node, whose it is, and what it has of which GPU.
type Held = (usize, &'static str, (u64, u16));

impl Scene {
    /// A scheduler that knows of all this.
    fn told(&self) -> Story {
        let mut story = Story::new();
        for (number, machine) in self.machines.iter().enumerate() {
            let mut machine = machine.clone();
            let mine = self.held.iter().enumerate().filter(|(_, (at, ..))| *at == number);
            machine.view.claims = mine
                .map(|(slot, (_, name, (gpu_milli, device)))| ClaimView {
                    instance: InstanceId::of(JobId::named("shop", name), slot as u32, number as u64 + 1),
                    job: JobId::named("shop", name),
                    resources: Resources { cpu_milli: 100, gpu_milli: *gpu_milli, ..Resources::default() },
                    gpus: if *gpu_milli > 0 { vec![*device] } else { Vec::new() },
                })
                .collect();
            story.node(&machine);
        }
        // Jobs of which something is there are known, with what they want.
        for other in &self.others {
            let (job, realm, name) = (JobId::named("shop", &other.name), "shop".to_string(), other.name.clone());
            let Some(slot) = self.held.iter().position(|(_, held, _)| *held == name) else { continue };
            let at = self.held[slot].0;
            let instance = InstanceId::of(job, slot as u32, at as u64 + 1);
            let ask = Ask { instance, label: format!("{name}/{slot}"), revision: 1, avoid: Vec::new(), gang: false };
            let (workload, place) = (other.workload.clone().into(), other.place.clone());
            story.say(Message::Place { job, realm, name, exclusive: false, workload, place, asks: vec![ask] });
        }
        story
    }

    /// What is suggested: steps for each obstacle of the nearest node. None when it is placed.
    fn advice(&self) -> Option<Vec<Vec<Step>>> {
        let story = self.told();
        let state = story.cell.state();
        let workload = self.wanted.workload.clone().into();
        let view = check::beside(state, std::slice::from_ref(&self.wanted));
        let survey = Survey::new(&view, check::want(&self.wanted, &workload));
        let floors = filter::floors(&view, &survey);
        if self.placed(&view, &survey) {
            return None;
        }
        let nearest = explain::nearest(&view, &survey.want, survey.nodes().iter(), &floors, &[]);
        let (surveyed, obstacles) = nearest.expect("there are nodes, and all are struck out");
        let place = Place { view: &view, want: &survey.want, surveyed };
        Some(obstacles.iter().map(|strike| remedy::steps(&place, strike)).collect())
    }

    fn placed<'a>(&self, view: &ClusterView<'a>, survey: &Survey<'a>) -> bool {
        let ask =
            Ask { instance: InstanceId::default(), label: "w/0".into(), revision: 1, avoid: Vec::new(), gang: false };
        select::decide(view, survey, &ask, &[]).chosen.is_some()
    }

    /// Puts so much more on a node.
    fn add(&mut self, node: &str, of: Dimension<'_>, more: u64) {
        let capacity = &mut self.machine(node).view.spec.capacity;
        capacity.set(of, capacity.get(of) + written(of, more));
    }

    fn machine(&mut self, node: &str) -> &mut Machine {
        self.machines.iter_mut().find(|machine| machine.view.spec.name == node).expect("a node of this scene")
    }

    /// A node comes that has what is wanted, in places of its own.
    fn join(&mut self) {
        let mut machine = Machine::new("new", "a new rack", 100_000);
        machine.view.spec.site = "a new site".into();
        let capacity = &mut machine.view.spec.capacity;
        (capacity.memory_bytes, capacity.gpu_milli) = (1 << 40, 64_000);
        capacity.set(LICENSE, 100);
        let models = &self.wanted.workload.gpu_models;
        machine.view.spec.gpu_model = models.first().cloned().unwrap_or_default();
        for tag in self.wanted.place.require.iter().filter(|tag| !tag.negated) {
            machine.view.spec.tags.insert(tag.key.clone(), tag.value.clone().unwrap_or_default());
        }
        self.machines.push(machine);
    }

    /// Does what a step says, as a person would who reads it.
    fn follow(&mut self, step: &Step) {
        match step {
            Step::Tag { node, tag } => {
                let value = tag.value.clone().unwrap_or_else(|| "yes".into());
                self.machine(node).view.spec.tags.insert(tag.key.clone(), value);
            }
            Step::Untag { node, tag } => drop(self.machine(node).view.spec.tags.remove(&tag.key)),
            Step::DropRequire { tag, .. } => self.wanted.place.require.retain(|other| other != tag),
            Step::Tolerate { taint, .. } => self.wanted.place.tolerate.push(taint.clone()),
            Step::Untaint { node, taint } => drop(self.machine(node).view.spec.taints.remove(&taint.key)),
            Step::Reduce { of, to, .. } => {
                let of = dimension(of);
                self.wanted.workload.resources.set(of, written(of, *to));
            }
            Step::Have { node, of, more, models } => {
                self.add(node, dimension(of), *more);
                if let Some(model) = models.first() {
                    self.machine(node).view.spec.gpu_model.clone_from(model);
                }
            }
            Step::Offer { node, of, amount } => self.machine(node).view.spec.capacity.set(dimension(of), *amount),
            Step::Model { node, models } => self.machine(node).view.spec.gpu_model.clone_from(&models[0]),
            Step::TakeModel { model, .. } => self.wanted.workload.gpu_models.push(model.clone()),
            Step::Start { job, node, .. } => {
                let at = self.machines.iter().position(|machine| machine.view.spec.name == *node);
                let name = NAMES.into_iter().find(|name| name == job).expect("a job of this scene");
                self.held.push((at.expect("a node of this scene"), name, (0, 0)));
                // The newcomer takes no room that is missed.
                self.add(node, Dimension::Cpu, 100);
            }
            Step::DropNear { other, .. } => self.wanted.place.near.retain(|near| near.job != *other),
            Step::DropApart { pairs } => {
                for (job, other) in pairs {
                    let all = self.others.iter_mut().chain([&mut self.wanted]);
                    all.filter(|spec| spec.name == *job)
                        .for_each(|spec| spec.place.apart.retain(|apart| apart.job != *other));
                }
            }
            Step::Add { .. } => self.join(),
            Step::Skew { level, to, .. } => {
                let spreads = self.wanted.place.spread.iter_mut().filter(|spread| spread.over == *level);
                spreads.for_each(|spread| spread.skew_max = spread.skew_max.map(|max| max.max(*to)));
            }
            Step::PerNode { to, .. } => self.wanted.place.per_node_max = Some(*to),
            Step::Uncordon { node } | Step::Return { node } => self.machine(node).view.standing = Standing::Ready,
            Step::Permit { .. } | Step::Allow { .. } | Step::Repair { .. } | Step::Wait { .. } => {
                panic!("nothing of the kind stands against it here")
            }
        }
    }
}

const NAMES: [&str; 3] = ["a", "b", "w"];

const LICENSE: Dimension<'_> = Dimension::Named("license.x");

fn dimension(name: &str) -> Dimension<'_> {
    Dimension::of_name(name).expect("a resource")
}

/// An amount as it reads after it was written for people: nothing may be lost on the way.
fn written(of: Dimension<'_>, amount: u64) -> u64 {
    of.read(&of.amount(amount)).expect("what is written can be read")
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Node), Just(Level::Rack), Just(Level::Site)]
}

fn affinity() -> impl Strategy<Value = Affinity> {
    (prop::sample::select(NAMES.to_vec()), level()).prop_map(|(job, within)| Affinity {
        job: job.into(),
        within,
        hard: true,
    })
}

fn tag() -> impl Strategy<Value = Tag> {
    (prop_oneof![Just("gpu"), Just("ssd")], prop::option::of(Just("fast")), any::<bool>())
        .prop_map(|(key, value, negated)| Tag { key: key.into(), value: value.map(Into::into), negated })
}

fn wishes() -> impl Strategy<Value = Wishes> {
    let spread = (level(), prop::option::of(1..3_u32)).prop_map(|(over, skew_max)| Spread { over, skew_max });
    (
        prop::collection::btree_map(prop_oneof![Just("gpu"), Just("ssd")], tag(), 0..2),
        prop::collection::vec(affinity(), 0..2),
        prop::collection::vec(affinity(), 0..3),
        prop::collection::vec(spread, 0..2),
        prop::option::of(1..3_u32),
        prop::option::of(Just("dedicated")),
    )
        .prop_map(|(tags, near, apart, spread, per_node_max, tolerated)| {
            let tolerate = tolerated.into_iter().map(|taint| Tag::of_taint(taint, "")).collect();
            let require = tags.into_iter().map(|(key, tag)| Tag { key: key.into(), ..tag }).collect();
            Wishes { require, near, apart, spread, per_node_max, tolerate, ..Wishes::default() }
        })
}

fn machine() -> impl Strategy<Value = Machine> {
    let standing = prop_oneof![4 => Just(Standing::Ready), 1 => Just(Standing::Cordoned), 1 => Just(Standing::Lost)];
    let tags = prop::collection::btree_map(
        prop_oneof![Just("gpu".to_string()), Just("ssd".to_string())],
        prop_oneof![Just("fast".to_string()), Just("slow".to_string())],
        0..2,
    );
    let taint = prop_oneof![Just("dedicated".to_string()), Just("closed".to_string())];
    let value = prop_oneof![Just(String::new()), Just("ml".to_string())];
    let taints = prop_oneof![2 => Just(BTreeMap::new()), 1 => prop::collection::btree_map(taint, value, 0..3)];
    let gpus = (0..4_u64, prop_oneof![Just(""), Just("T4"), Just("A100")], 0..3_u64, taints);
    (0..3_u32, 0..2_u32, 300..2_000_u64, 1..5_000_u64, standing, tags, gpus).prop_map(
        |(rack, site, cpu, memory, standing, tags, (gpus, model, licenses, taints))| {
            let mut machine = Machine::new("", &format!("r{rack}"), cpu);
            let spec = &mut machine.view.spec;
            (spec.site, spec.tags, spec.taints) = (format!("s{site}"), tags, taints);
            (spec.capacity.memory_bytes, spec.capacity.gpu_milli) = (memory * 1_234_567, gpus * 1_000);
            spec.capacity.set(LICENSE, licenses);
            spec.gpu_model = model.into();
            machine.view.standing = standing;
            machine
        },
    )
}

/// Models of GPU that may do; any where none is named.
const MODELS: [&[&str]; 4] = [&[], &[], &["A100"], &["H100", "t4"]];

/// What is wanted of GPUs, of which models, and how many licenses.
fn devices() -> impl Strategy<Value = (u64, &'static [&'static str], u64)> {
    let share = prop_oneof![3 => Just(0), 1 => Just(250), 1 => Just(600), 1 => Just(1_000), 1 => Just(2_000)];
    let models = prop::sample::select(MODELS.to_vec());
    (share, models, prop_oneof![3 => Just(0), 1 => 1..5_u64])
}

fn scene() -> impl Strategy<Value = Scene> {
    let machines = prop::collection::vec(machine(), 1..6);
    let share = (prop_oneof![2 => Just(0), 1 => Just(300), 1 => Just(700), 1 => Just(1_000)], 0..5_u16);
    let held = (any::<prop::sample::Index>(), prop::sample::select(NAMES.to_vec()), share);
    let held = prop::collection::vec(held, 0..8);
    let others = (prop::collection::vec(affinity(), 0..2), prop::collection::vec(affinity(), 0..2));
    (machines, held, others, wishes(), 1..2_500_u64, 1..6_000_u64, devices()).prop_map(
        |(mut machines, held, (a, b), place, cpu, memory, (gpu_milli, models, licenses))| {
            for (number, machine) in machines.iter_mut().enumerate() {
                machine.view.spec.name = format!("n{number}");
            }
            let held = held.into_iter().map(|(at, name, share)| (at.index(machines.len()), name, share)).collect();
            let other = |name: &str, apart: Vec<Affinity>| {
                let mut spec = job(name, 100);
                spec.place.apart = apart.into_iter().filter(|apart| apart.job != name).collect();
                spec
            };
            let mut wanted = job("w", cpu);
            wanted.workload.resources.memory_bytes = memory * 1_234_567;
            wanted.workload.resources.gpu_milli = gpu_milli;
            wanted.workload.resources.set(LICENSE, licenses);
            wanted.workload.gpu_models = models.iter().map(|model| (*model).to_string()).collect();
            wanted.place = place;
            // What must be both near to a job and apart from it has no place anywhere.
            let near: Vec<String> = wanted.place.near.iter().map(|near| near.job.clone()).collect();
            wanted.place.apart.retain(|apart| !near.contains(&apart.job));
            let [a, b] = [("a", a), ("b", b)].map(|(name, apart): (&str, Vec<Affinity>)| {
                let company = near.iter().any(|near| near == name);
                apart.into_iter().filter(|apart| !(company && apart.job == "w")).collect::<Vec<_>>()
            });
            Scene { machines, held, others: vec![other("a", a), other("b", b)], wanted }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Each obstacle of the nearest node is lifted by one of the steps that are suggested, whichever: then it fits.
    #[test]
    fn whatever_it_waits_for_it_is_placed_when_the_suggestion_is_followed(
        mut scene in scene(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        if let Some(advice) = scene.advice() {
            let before = scene.clone();
            let mut done = Vec::new();
            for (steps, pick) in advice.iter().zip(&picks) {
                prop_assert!(!steps.is_empty(), "something is suggested: {advice:?}");
                let step = pick.get(steps);
                scene.follow(step);
                done.push(step);
            }
            let again = scene.advice();
            prop_assert!(again.is_none(), "{done:?} was done of {advice:?}, and yet {again:?}\n{before:#?}");
        }
    }
}
