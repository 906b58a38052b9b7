//! The index beside the full scan, decision by decision, in random clusters that change in every way they can.

use crate::scheduler::tests::{Machine, Story, instance, job, place};
use crate::scheduler::{ClusterView, RefusedBy, Scheduler, check, filter, index, select};
use messages::id::{InstanceId, JobId, NodeId, PolicyId};
use messages::manifest::{Affinity, JobSpec, Level, Place, Spread, Tag, Workload};
use messages::node::{ClaimView, Standing};
use messages::policy::Mode;
use messages::reason::Reason;
use messages::resources::{Dimension, Resources};
use messages::scheduler::{Ask, Message};
use messages::time::Span;
use proptest::prelude::*;

/// Models of GPU that may do; any where none is named.
const MODELS: [&[&str]; 4] = [&[], &[], &["A100"], &["a100", "T4"]];

/// Numbers that follow from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("few")]
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length.max(1) as u64)).expect("few")
    }

    fn level(&mut self) -> Level {
        self.of(&Level::ALL)
    }

    fn tag(&mut self) -> Tag {
        let (key, value) = self.of(&[("disk", "ssd"), ("disk", "hdd"), ("rack", "r1"), ("site", "s0"), ("new", "yes")]);
        let value = (!self.one_in(3)).then(|| value.into());
        Tag { key: key.into(), value, negated: self.one_in(3) }
    }

    fn several<T>(&mut self, one_in: u64, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        let count = if self.one_in(one_in) { 1 + self.below(2) } else { 0 };
        (0..count).map(|_| make(self)).collect()
    }

    /// A node somewhere, of which not everything need be known.
    fn describe(&mut self, machine: &mut Machine) {
        let spec = &mut machine.view.spec;
        spec.rack = self.of(&["", "r0", "r1", "r2", "r3"]).into();
        spec.site = self.of(&["", "s0", "s1"]).into();
        spec.region = self.of(&["", "eu", "eu"]).into();
        spec.tags.insert("disk".into(), self.of(&["ssd", "hdd"]).into());
        let taints = self.several(6, |dice| (dice.of(&["dedicated", "closed"]).into(), dice.of(&["", "ml"]).into()));
        spec.taints = taints.into_iter().collect();
        spec.capacity.cpu_milli = 500 * (1 + self.below(6));
        spec.capacity.memory_bytes = (1 + self.below(6)) << 30;
        spec.capacity.ports = self.below(4);
        spec.capacity.gpu_milli = self.of(&[0, 0, 1_000, 2_000, 3_000]);
        spec.gpu_model = self.of(&["", "T4", "A100"]).into();
        spec.capacity.set(Dimension::Named("license.x"), self.of(&[0, 0, 2, 5]));
    }

    /// Parts of a GPU, whole ones, or none; of any model or of some.
    fn gpus(&mut self, workload: &mut Workload) {
        workload.resources.gpu_milli = self.of(&[0, 0, 0, 250, 600, 600, 1_000, 2_000]);
        workload.gpu_models = self.of(&MODELS).iter().map(|model| (*model).to_string()).collect();
        let licenses = if self.one_in(6) { 1 + self.below(2) } else { 0 };
        workload.resources.set(Dimension::Named("license.x"), licenses);
    }

    fn wishes(&mut self) -> Place {
        let affinity = |dice: &mut Self| Affinity {
            job: dice.of(&["a", "b", "c", "d"]).into(),
            within: dice.level(),
            hard: dice.one_in(2),
        };
        let spread = |dice: &mut Self| {
            let skew_max = if dice.one_in(2) { None } else { Some(1 + dice.below(3) as u32) };
            Spread { over: dice.level(), skew_max }
        };
        let weight = |dice: &mut Self| (dice.tag(), 1 + dice.below(100) as u32);
        Place {
            require: self.several(4, Self::tag),
            prefer: self.several(4, weight),
            near: self.several(3, affinity),
            apart: self.several(3, affinity),
            spread: self.several(2, spread),
            per_node_max: if self.one_in(3) { Some(1 + self.below(2) as u32) } else { None },
            tolerate: self.several(3, |dice| Tag::of_taint(dice.of(&["dedicated", "closed"]), dice.of(&["", "ml"]))),
        }
    }

    fn job(&mut self, name: &str) -> JobSpec {
        let mut spec = job(name, self.of(&[100, 300, 300, 700]));
        spec.workload.resources.memory_bytes = self.of(&[0, 64 << 20, 64 << 20, 1 << 30]);
        spec.workload.resources.ports = self.below(2);
        self.gpus(&mut spec.workload);
        spec.realm = self.of(&["shop", "shop", "shop", "ruled"]).into();
        spec.place = if self.one_in(3) { Place::default() } else { self.wishes() };
        spec
    }
}

/// A cluster that changes.
struct Changing {
    story: Story,
    machines: Vec<Machine>,
    jobs: Vec<JobSpec>,
    dice: Dice,
    slots: u32,
    rules: u64,
}

impl Changing {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let jobs = ["a", "b", "c", "d", "e"].map(|name| dice.job(name)).into();
        let mut world = Self { story: Story::new(), machines: Vec::new(), jobs, dice, slots: 0, rules: 0 };
        let count = if world.dice.one_in(3) { 60 } else { 12 };
        for _ in 0..1 + world.dice.below(count) {
            world.join();
        }
        world
    }

    fn join(&mut self) {
        let name = format!("n{}", self.dice.below(500));
        if self.machines.iter().all(|machine| machine.view.spec.name != name) {
            let mut machine = Machine::new(&name, "", 0);
            self.dice.describe(&mut machine);
            self.story.node(&machine);
            self.machines.push(machine);
        }
    }

    /// A node takes what it was asked to, loses some of what it has, and says so; with luck it is another by then. It may
    /// give out other GPUs than was thought.
    fn view(&mut self, again: bool) {
        let index = self.dice.index(self.machines.len());
        let machine = &mut self.machines[index];
        let node = self.story.cell.state().cluster().node(machine.id()).expect("it was seen");
        let (dice, claims) = (&mut self.dice, &mut machine.view.claims);
        for held in node.reservations() {
            let (instance, job, resources) = (held.ask.instance, held.job, held.resources.clone());
            let other = dice.one_in(3) && resources.gpu_milli > 0;
            let gpus = if other { vec![dice.below(4) as u16] } else { held.gpus.clone() };
            claims.push(ClaimView { instance, job, resources, gpus });
        }
        claims.retain(|_| !dice.one_in(6));
        machine.view.version += 1;
        if dice.one_in(4) {
            let standings = [Standing::Cordoned, Standing::Draining, Standing::Suspect, Standing::Lost];
            machine.view.standing = if dice.one_in(2) { Standing::Ready } else { dice.of(&standings) };
        }
        if again {
            dice.describe(machine);
        }
        self.story.node(&machine.clone());
    }

    fn rules(&mut self) {
        self.rules += 1;
        let text = match self.dice.below(3) {
            0 => "permit(principal, action, resource);",
            1 => {
                "permit(principal, action, resource); forbid(principal, action == Action::\"place\", resource)\n\
                 when { resource.hasTag(\"disk\") && resource.getTag(\"disk\") == \"hdd\" };"
            }
            _ => "permit(principal, action, resource) when { resource.hasTag(\"site\") };",
        };
        self.story.say(Message::Rules {
            realm: "ruled".into(),
            policy: PolicyId::of_realm("ruled"),
            version: self.rules,
            mode: self.dice.of(&[Mode::Enforce, Mode::Enforce, Mode::Shadow]),
            text: text.into(),
        });
    }

    fn step(&mut self) {
        match self.dice.below(20) {
            0..6 => {
                let (spec, count) = (&self.jobs[self.dice.index(self.jobs.len())], 1 + self.dice.below(5) as u32);
                self.story.say(place(spec, self.slots..self.slots + count));
                self.slots += count;
            }
            6..12 => self.view(false),
            12 => self.view(true),
            13 | 14 => self.join(),
            15 => self.rules(),
            16 => {
                // Room that was given away lapses.
                self.story.now = self.story.now.after(Span::seconds(11));
                self.story.settle();
            }
            17 => {
                let spec = &self.jobs[self.dice.index(self.jobs.len())];
                let slot = self.dice.below(u64::from(self.slots) + 1) as u32;
                self.story.say(Message::Withdraw { instance: instance(spec, slot) });
            }
            18 => {
                let name = self.jobs[self.dice.index(self.jobs.len())].name.clone();
                let changed = self.dice.job(&name);
                let known = self.jobs.iter_mut().find(|job| job.name == name).expect("one of them");
                if self.dice.one_in(2) {
                    known.place = changed.place;
                } else {
                    self.dice.gpus(&mut known.workload);
                }
            }
            _ => _ = self.story.settle(),
        }
    }

    fn agree(&mut self) {
        agree(self.story.cell.state(), &self.jobs, &mut self.dice);
    }
}

/// A few decisions in a row, with nodes to avoid and nodes that refused: each as the full scan has it.
fn agree(state: &Scheduler, jobs: &[JobSpec], dice: &mut Dice) {
    let ids: Vec<NodeId> = state.cluster().nodes().map(|(id, _)| id).collect();
    for spec in jobs {
        let workload = spec.workload.clone().into();
        let want = check::want(spec, &workload);
        let (job, name) = (want.job, want.name);
        let mut view = ClusterView::new(state);
        let (indexed, scanned) = (filter::Survey::new(&view, want), filter::Survey::of_nodes(&view, want));
        for slot in 0..1 + dice.below(4) {
            let avoid = if dice.one_in(3) { vec![dice.of(&ids), dice.of(&ids)] } else { Vec::new() };
            let refused: Vec<RefusedBy> = match dice.one_in(3) {
                true => vec![RefusedBy { node: dice.of(&ids), version: u64::MAX, because: Reason::NoPorts }],
                false => Vec::new(),
            };
            let (instance, label) = (InstanceId::of(job, 9_000, slot), format!("{name}/{slot}"));
            let ask = Ask { instance, label, revision: 1, avoid, gang: false };
            let all = select::decide(&view, &scanned, &ask, &refused);
            assert_eq!(select::decide(&view, &indexed, &ask, &refused), all);
            let other = dice.of(&ids);
            let given = all.chosen.filter(|_| !dice.one_in(8)).unwrap_or(other);
            let node = state.cluster().node(given).expect("it is there");
            let whose = if dice.one_in(4) { JobId::named("shop", "b") } else { job };
            view.place(whose, &spec.workload.resources, node);
        }
    }
    let jobs: Vec<JobSpec> = jobs.iter().map(|job| JobSpec { instances: 3, ..job.clone() }).collect();
    let some = &jobs[..1 + dice.index(jobs.len())];
    assert_eq!(check::check(state, some), index::scanning(|| check::check(state, some)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_decision_is_that_of_the_full_scan(seed in any::<u64>()) {
        let mut world = Changing::new(seed);
        for _ in 0..30 {
            world.step();
            world.agree();
        }
        index::scanning(|| world.story.check());
    }
}

#[test]
fn more_classes_than_are_kept_come_and_go() {
    let mut world = Changing::new(11);
    for round in 0..3 {
        for number in 0..super::CLASSES_MAX as u64 + 20 {
            world.jobs[0].workload.resources = Resources { cpu_milli: 10 + number, ..Resources::default() };
            if number % 10 == round {
                world.step();
            }
            world.agree();
        }
    }
    let kept = world.story.cell.state().memo.open().classes.len();
    assert!(kept <= super::CLASSES_MAX, "{kept} classes are kept");
}

#[test]
fn nodes_may_be_removed_and_come_back() {
    for seed in 0..20 {
        let mut world = Changing::new(seed);
        (0..30).for_each(|_| world.step());
        let (known, jobs, dice) = (world.story.cell.state(), &world.jobs, &mut world.dice);
        let mut state = known.clone();
        agree(&state, jobs, dice);
        for _ in 0..10 {
            let ids = state.cluster().nodes().map(|(id, _)| id).skip(1).filter(|_| dice.one_in(3));
            let ids: Vec<NodeId> = ids.collect();
            let removed = ids.into_iter().filter_map(|id| Some((id, state.cluster.remove(id)?)));
            let removed: Vec<_> = removed.collect();
            agree(&state, jobs, dice);
            removed.into_iter().for_each(|(id, (view, held))| state.cluster.put_back(id, view, held));
            assert_eq!(&state, known);
            assert!(state.cluster().counted_as(known.cluster()));
            agree(&state, jobs, dice);
        }
    }
}

#[test]
fn a_copy_and_a_restored_state_begin_with_nothing_and_decide_the_same() {
    let mut world = Changing::new(5);
    (0..40).for_each(|_| world.step());
    world.agree();
    assert!(!world.story.cell.state().memo.open().classes.is_empty());
    let copy = world.story.cell.state().clone();
    assert_eq!(&copy, world.story.cell.state());
    assert!(copy.memo.open().classes.is_empty());
    world.story.check();
}
