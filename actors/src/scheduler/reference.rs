//! The scheduler beside a naive one that scans lists: what it places, where it does not, and never over capacity.

use super::tests::{Machine, Story, claim_view, instance, job, place};
use super::*;
use messages::manifest::{Affinity, JobSpec, Spread, Tag};
use messages::node::{ClaimView, Standing};
use messages::resources::{Dimension, Resources};
use proptest::prelude::*;

/// Every node, and everything on it, as plain lists.
#[derive(Default)]
struct Naive {
    machines: Vec<Machine>,
    held: Vec<(NodeId, InstanceId, JobId, Resources, Vec<u16>)>,
}

impl Naive {
    fn machine(&self, id: NodeId) -> &Machine {
        self.machines.iter().find(|machine| machine.id() == id).expect("a machine of this test")
    }

    fn domain(&self, id: NodeId, level: Level) -> String {
        let spec = &self.machine(id).view.spec;
        match level {
            Level::Node => spec.name.clone(),
            Level::Rack => spec.rack.clone(),
            Level::Site | Level::Region => "all".into(),
        }
    }

    fn count(&self, job: JobId, level: Level, node: NodeId) -> u32 {
        let domain = self.domain(node, level);
        let there = self.held.iter().filter(|(at, _, of, ..)| *of == job && self.domain(*at, level) == domain);
        u32::try_from(there.count()).expect("few instances")
    }

    fn used(&self, node: NodeId) -> Resources {
        let there = self.held.iter().filter(|(at, ..)| *at == node);
        there.fold(Resources::default(), |sum, (.., resources, _)| sum.plus(resources))
    }

    fn ever(&self, spec: &JobSpec, node: NodeId) -> bool {
        let machine = self.machine(node);
        let tags = spec.place.require.iter().all(|tag| (machine.view.spec.rack == "r0") != tag.negated);
        let mut models = spec.workload.gpu_models.iter();
        let known = spec.workload.gpu_models.is_empty() || models.any(|model| *model == machine.view.spec.gpu_model);
        let model = spec.workload.resources.gpu_milli == 0 || known;
        let taints = machine.view.spec.taints.keys().all(|taint| spec.place.tolerate.iter().any(|it| it.key == *taint));
        tags && taints && model && machine.view.spec.capacity.fits(&spec.workload.resources)
    }

    /// The GPUs that an instance would get on a node beside others, each with what it needs and has.
    fn gpus(&self, need: u64, node: NodeId, beside: &[(u64, Vec<u16>)]) -> Option<Vec<u16>> {
        let count = u16::try_from(self.machine(node).view.spec.capacity.gpu_milli / 1_000).expect("few");
        let taken = |device: u16| {
            let there = beside.iter().filter(|(_, devices)| devices.contains(&device));
            there.map(|(need, _)| (*need).min(1_000)).sum::<u64>()
        };
        match need {
            0 => Some(Vec::new()),
            1..1_000 => {
                let mut enough: Vec<u16> = (0..count).filter(|device| taken(*device) + need <= 1_000).collect();
                enough.sort_by_key(|device| std::cmp::Reverse(taken(*device)));
                enough.first().map(|first| vec![*first])
            }
            _ => {
                let free: Vec<u16> = (0..count).filter(|device| taken(*device) == 0).collect();
                free.get(..usize::try_from(need / 1_000).expect("few")).map(<[u16]>::to_vec)
            }
        }
    }

    /// What is had of which GPUs on a node.
    fn shares(&self, node: NodeId) -> Vec<(u64, Vec<u16>)> {
        let there = self.held.iter().filter(|(at, ..)| *at == node);
        there.map(|(.., resources, gpus)| (resources.gpu_milli, gpus.clone())).collect()
    }

    /// The node gives out its GPUs in another way than was thought, if it can: from the last to the first.
    fn deal_anew(&mut self, node: NodeId) {
        let count = u16::try_from(self.machine(node).view.spec.capacity.gpu_milli / 1_000).expect("few");
        let mut dealt: Vec<(u64, Vec<u16>)> = Vec::new();
        for (need, _) in self.shares(node) {
            let Some(gpus) = self.gpus(need, node, &dealt) else { return };
            dealt.push((need, gpus));
        }
        let mine = self.held.iter_mut().filter(|(at, ..)| *at == node);
        for ((.., gpus), (_, other)) in mine.zip(dealt) {
            *gpus = other.into_iter().map(|device| count - 1 - device).collect();
        }
    }

    fn floor(&self, spec: &JobSpec, level: Level) -> u32 {
        let job = JobId::named("shop", &spec.name);
        let ids = self.machines.iter().filter(|machine| machine.view.standing == Standing::Ready).map(Machine::id);
        ids.filter(|id| self.ever(spec, *id)).map(|id| self.count(job, level, id)).min().unwrap_or(0)
    }

    fn fits(&self, spec: &JobSpec, all: &[JobSpec], node: NodeId) -> bool {
        let (machine, me) = (self.machine(node), JobId::named("shop", &spec.name));
        let near = spec.place.near.iter().filter(|near| near.hard).all(|near| {
            let other = JobId::named("shop", &near.job);
            let first = other == me && !self.held.iter().any(|(_, _, of, ..)| *of == other);
            first || self.count(other, near.within, node) > 0
        });
        let apart = |by: &JobSpec, from: &JobSpec| {
            let mut hard = by.place.apart.iter().filter(|apart| apart.hard && apart.job == from.name);
            hard.any(|apart| {
                let there = if by.name == spec.name { from } else { by };
                self.count(JobId::named("shop", &there.name), apart.within, node) > 0
            })
        };
        let alone = all.iter().all(|other| !apart(spec, other) && !apart(other, spec));
        let spread = spec.place.spread.iter().all(|spread| {
            let skew = (self.count(me, spread.over, node) + 1).saturating_sub(self.floor(spec, spread.over));
            spread.skew_max.is_none_or(|max| skew <= max)
        });
        let few = spec.place.per_node_max.is_none_or(|max| self.count(me, Level::Node, node) < max);
        let left = machine.view.spec.capacity.minus(&self.used(node));
        let ready = machine.view.standing == Standing::Ready;
        let gpus = self.gpus(spec.workload.resources.gpu_milli, node, &self.shares(node)).is_some();
        let room = left.fits(&spec.workload.resources) && gpus;
        ready && self.ever(spec, node) && near && alone && spread && few && room
    }

    fn score(&self, spec: &JobSpec, node: NodeId) -> i64 {
        let (machine, me) = (self.machine(node), JobId::named("shop", &spec.name));
        let used = self.used(node).plus(&spec.workload.resources);
        let share = |of: Dimension<'_>| {
            i64::try_from(used.get(of) * 1_000 / machine.view.spec.capacity.get(of)).expect("at most a thousand")
        };
        let needed = [Dimension::Cpu, Dimension::Memory, Dimension::Gpus];
        let needed = needed.into_iter().filter(|of| spec.workload.resources.get(*of) > 0);
        let shares: Vec<i64> = needed.map(share).collect();
        let (mean, low, high) = (
            shares.iter().sum::<i64>() / i64::try_from(shares.len()).expect("few"),
            shares.iter().min().expect("it needs something"),
            shares.iter().max().expect("it needs something"),
        );
        let mut score = (mean - (high - low) / 4).clamp(0, 1_000);
        let sociable = spec.place.near.iter().any(|near| near.job == spec.name);
        if !sociable && !spec.place.spread.iter().any(|spread| spread.over == Level::Node) {
            score += 2 * (1_000 / (1 + i64::from(self.count(me, Level::Node, node))));
        }
        for spread in &spec.place.spread {
            let above = self.count(me, spread.over, node) - self.floor(spec, spread.over);
            score += 4 * (1_000 / (1 + i64::from(above)));
        }
        for apart in spec.place.apart.iter().filter(|apart| !apart.hard) {
            let count = self.count(JobId::named("shop", &apart.job), apart.within, node);
            score += 4 * (1_000 / (1 + i64::from(count)));
        }
        score
    }

    fn best(&self, spec: &JobSpec, all: &[JobSpec]) -> Option<NodeId> {
        let fitting = self.machines.iter().filter(|machine| self.fits(spec, all, machine.id()));
        let best = fitting.max_by_key(|it| (self.score(spec, it.id()), std::cmp::Reverse(it.view.spec.name.clone())));
        best.map(Machine::id)
    }

    /// Takes in what the scheduler recorded, and holds every decision against its own.
    fn follow(&mut self, story: &Story, all: &[JobSpec], from: usize) {
        for event in story.events().skip(from) {
            let (job, ask, chosen) = match event {
                Event::Placed { job, ask, decision, .. } => (job, ask, decision.chosen),
                Event::Unplaced { job, ask, .. } => (job, ask, None),
                _ => continue,
            };
            let spec = all.iter().find(|spec| JobId::named("shop", &spec.name) == *job).expect("a job of this test");
            assert_eq!(chosen, self.best(spec, all), "{} among {:?}", ask.label, self.held);
            if let Some(node) = chosen {
                let resources = spec.workload.resources.clone();
                let gpus = self.gpus(resources.gpu_milli, node, &self.shares(node)).expect("it fits");
                self.held.push((node, ask.instance, *job, resources, gpus));
            }
        }
        for machine in &self.machines {
            assert!(machine.view.spec.capacity.fits(&self.used(machine.id())), "never over capacity");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Place { job: usize, slots: std::ops::Range<u32> },
    Show { node: usize, anew: bool },
    Turn { node: usize, ready: bool },
    Withdraw { index: usize },
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Node), Just(Level::Rack), Just(Level::Site)]
}

fn spec(name: &'static str) -> impl Strategy<Value = JobSpec> {
    let affinity = |hard| {
        let other = prop_oneof![Just("a"), Just("b"), Just("c")];
        (other, level()).prop_map(move |(job, within)| Affinity { job: job.into(), within, hard })
    };
    let apart = prop_oneof![affinity(true), affinity(false)];
    let spread = (level(), prop::option::of(1..3_u32)).prop_map(|(over, skew_max)| Spread { over, skew_max });
    let place = (
        prop::collection::vec(affinity(true), 0..2),
        prop::collection::vec(apart, 0..2),
        prop::collection::vec(spread, 0..2),
        prop::collection::vec(any::<bool>(), 0..2),
        prop::option::of(1..4_u32),
        any::<bool>(),
    );
    let gpus = prop_oneof![3 => Just(0), 1 => Just(300), 1 => Just(600), 1 => Just(1_000), 1 => Just(2_000)];
    let model = prop::option::of(Just("A100".to_string()));
    (100..900_u64, place, gpus, model).prop_map(move |(cpu, wishes, gpu_milli, model)| {
        let (near, apart, mut spread, tags, per_node_max, tolerates) = wishes;
        let mut spec = job(name, cpu);
        spec.workload.resources.gpu_milli = gpu_milli;
        spec.workload.gpu_models = model.into_iter().collect();
        spread.truncate(1);
        let tag = |negated| Tag { key: "rack".into(), value: Some("r0".into()), negated };
        let require = tags.into_iter().map(tag).collect();
        // No cycles, as manifests have none.
        let near = near.into_iter().filter(|near| near.job.as_str() < name).collect();
        let tolerate = tolerates.then(|| Tag::of_taint("dedicated", "")).into_iter().collect();
        let place = messages::manifest::Place { require, near, apart, spread, per_node_max, ..Default::default() };
        spec.place = messages::manifest::Place { tolerate, ..place };
        spec
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, 0..20_u32, 1..5_u32).prop_map(|(job, first, count)| {
            Step::Place { job, slots: first..first + count }
        }),
        3 => (0..6_usize, any::<bool>()).prop_map(|(node, anew)| Step::Show { node, anew }),
        1 => (0..6_usize, any::<bool>()).prop_map(|(node, ready)| Step::Turn { node, ready }),
        2 => (0..50_usize).prop_map(|index| Step::Withdraw { index }),
    ]
}

fn machines() -> impl Strategy<Value = Vec<Machine>> {
    let model = prop_oneof![Just("A100"), Just("T4")];
    let taint = prop_oneof![4 => Just(None), 1 => Just(Some("dedicated".to_string()))];
    prop::collection::vec((0..3_u8, 500..3_000_u64, 0..4_u64, model, taint), 1..6).prop_map(|all| {
        let machine = |(index, (rack, cpu, gpus, model, taint)): (usize, (u8, u64, u64, &str, Option<String>))| {
            let mut machine = Machine::new(&format!("n{index}"), &format!("r{rack}"), cpu);
            machine.view.spec.capacity.gpu_milli = gpus * 1_000;
            machine.view.spec.gpu_model = model.into();
            machine.view.spec.taints = taint.into_iter().map(|taint| (taint, String::new())).collect();
            machine
        };
        all.into_iter().enumerate().map(machine).collect()
    })
}

/// The index decides what looking at every node decides, down to the record; also within a batch, with nodes to avoid,
/// and with nodes that refused.
pub(super) fn index_agrees(state: &Scheduler, jobs: &[JobSpec]) {
    let some: Vec<NodeId> = state.cluster().nodes().map(|(id, _)| id).take(2).collect();
    for spec in jobs {
        let job = JobId::named(&spec.realm, &spec.name);
        let (realm, name) = (&*spec.realm, &*spec.name);
        let (workload, exclusive) = (&spec.workload.clone().into(), spec.exclusive);
        let want = filter::Want { job, realm, name, exclusive, workload, place: &spec.place };
        let mut view = ClusterView::new(state);
        let refused = some.iter().map(|node| RefusedBy { node: *node, version: u64::MAX, because: Reason::NoCpu });
        let refused: Vec<RefusedBy> = refused.take(1).collect();
        for slot in 0..6 {
            let avoid = some.iter().copied().take(slot % 3).collect();
            let (instance, label) = (InstanceId::of(job, 90, slot as u64), format!("{name}/{slot}"));
            let ask = Ask { instance, label, revision: 1, avoid, gang: false };
            let refused = &refused[..slot % 2];
            let all = select::decide(&view, &Survey::of_nodes(&view, want), &ask, refused);
            assert_eq!(select::decide(&view, &Survey::new(&view, want), &ask, refused), all);
            if let Some(node) = all.chosen.and_then(|id| state.cluster().node(id)) {
                view.place(job, &workload.resources, node);
            }
        }
    }
}

/// Runs the steps on a scheduler and beside it.
fn run(machines: Vec<Machine>, jobs: &[JobSpec], steps: &[Step]) {
    let mut story = Story::new();
    let mut naive = Naive::default();
    for machine in machines {
        story.node(&machine);
        naive.machines.push(machine);
    }
    for spec in jobs {
        // Every job is known from the start, so that whom it must be apart from is too.
        story.say(place(spec, 100..101));
        naive.follow(&story, jobs, story.seen());
        story.see();
    }
    for step in steps {
        match step {
            Step::Place { job, slots } => {
                story.say(place(&jobs[*job], slots.clone()));
            }
            Step::Show { node, .. } | Step::Turn { node, .. } => {
                let index = node % naive.machines.len();
                let id = naive.machines[index].id();
                if let Step::Show { anew: true, .. } = step {
                    naive.deal_anew(id);
                }
                let claims = naive.held.iter().filter(|held| held.0 == id);
                let claims = claims.map(|(_, instance, job, resources, gpus)| ClaimView {
                    instance: *instance,
                    job: *job,
                    resources: resources.clone(),
                    gpus: gpus.clone(),
                });
                let claims = claims.collect();
                let view = &mut naive.machines[index].view;
                view.claims = claims;
                view.version += 1;
                if let Step::Turn { ready, .. } = step {
                    view.standing = if *ready { Standing::Ready } else { Standing::Cordoned };
                }
                story.node(&naive.machines[index].clone());
            }
            Step::Withdraw { index } => {
                let reserved: Vec<InstanceId> = naive.held.iter().map(|held| held.1).collect();
                let Some(instance) = reserved.get(index % reserved.len().max(1)).copied() else { continue };
                if story.cell.state().cluster().reservation(instance).is_some() {
                    naive.held.retain(|held| held.1 != instance);
                    story.say(Message::Withdraw { instance });
                }
            }
        }
        naive.follow(&story, jobs, story.seen());
        story.see();
        story.settle();
        naive.follow(&story, jobs, story.seen());
        story.see();
        index_agrees(story.cell.state(), jobs);
    }
    story.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_decision_is_that_of_the_naive_scheduler(
        machines in machines(),
        jobs in (spec("a"), spec("b"), spec("c")),
        steps in prop::collection::vec(step(), 1..20),
    ) {
        run(machines, &[jobs.0, jobs.1, jobs.2], &steps);
    }

    #[test]
    fn views_may_come_in_any_order(
        machines in machines(),
        order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let spec = job("a", 100);
        let views: Vec<Machine> = (0..12).map(|index| {
            let mut machine = machines[index % machines.len()].clone();
            machine.view.version = 1 + u64::try_from(index).expect("small");
            if index % 2 == 0 {
                let (instance, job) = (instance(&spec, u32::try_from(index).expect("small")), JobId::named("shop", "a"));
                machine.view.claims.push(claim_view(instance, job, &spec, Vec::new()));
            }
            machine
        }).collect();
        let told = |order: &[usize]| {
            let mut story = Story::new();
            for index in order {
                story.node(&views[*index]);
            }
            story.cell.state().cluster().clone()
        };
        let sorted: Vec<usize> = (0..12).collect();
        prop_assert_eq!(told(&order), told(&sorted));
    }
}
