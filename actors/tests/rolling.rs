//! A job, its rollout and a route together, over a bus that loses messages: whatever is lost, a good revision comes in, a
//! bad one goes back, and meanwhile there are always enough that serve.

use actors::cast::{AnyCell, AnyOutcome};
use actors::job::Job;
use actors::rollout::{Rollout, Standing};
use messages::agent::{Ended, Observation};
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId, InstanceId, JobId, Kind, NodeId, PolicyId, RolloutId, RouteId};
use messages::manifest::{JobSpec, RouteSpec, Workload};
use messages::reason::Reason;
use messages::time::{Span, Timestamp};
use messages::{job, node, route, scheduler};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

const WANTED: u32 = 4;

/// One node that takes everything, a scheduler that always finds it, and the actors under test.
struct World {
    cells: BTreeMap<ActorId, AnyCell>,
    bus: VecDeque<Envelope>,
    now: Timestamp,
    sent: u128,
    draws: u64,
    /// Messages lost out of a hundred.
    loss: u64,
    /// What runs, with its revision and the version of what was said of it.
    running: BTreeMap<InstanceId, (u32, u64)>,
    /// The revision that is sick.
    bad: Option<u32>,
    /// Whether enough must be healthy from now on.
    guarded: bool,
}

fn job_id() -> JobId {
    JobId::named("shop", "a")
}

fn spec(run: &str) -> JobSpec {
    let workload = Workload { run: vec![run.into()], ports: vec!["http".into()], ..Workload::default() };
    JobSpec { realm: "shop".into(), name: "a".into(), workload, instances: WANTED, ..JobSpec::default() }
}

fn node_id() -> NodeId {
    NodeId::named("n1")
}

impl World {
    fn new(seed: u64, loss: u64) -> Self {
        Self {
            cells: BTreeMap::new(),
            bus: VecDeque::new(),
            now: Timestamp(1_000_000_000),
            sent: 0,
            draws: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            loss,
            running: BTreeMap::new(),
            bad: None,
            guarded: false,
        }
    }

    fn lost(&mut self) -> bool {
        self.draws ^= self.draws << 13;
        self.draws ^= self.draws >> 7;
        self.draws ^= self.draws << 17;
        self.draws % 100 < self.loss
    }

    /// Someone outside says something; it arrives.
    fn say(&mut self, from: impl Into<Address>, to: impl Into<Address>, body: impl Into<Body>) {
        self.sent += 1;
        self.bus.push_back(Envelope {
            id: MessageId::Outside(Uuid::from_u128(self.sent)),
            from: from.into(),
            to: to.into(),
            correlation: CorrelationId::default(),
            principal: Principal::system(),
            at: self.now,
            body: body.into(),
        });
        self.run();
    }

    fn run(&mut self) {
        while let Some(envelope) = self.bus.pop_front() {
            let Address::Actor(to) = envelope.to else { continue };
            if matches!(envelope.id, MessageId::Said { .. }) && self.lost() {
                continue;
            }
            match (to.kind, &envelope.body) {
                (Kind::Scheduler | Kind::Node | Kind::Policy, body) => self.stand_in(body.clone()),
                _ => {
                    let cell = self.cells.entry(to).or_insert_with(|| AnyCell::new(to));
                    let outcome = cell.handle(&envelope, self.now);
                    self.keep(outcome);
                }
            }
        }
    }

    fn keep(&mut self, outcome: AnyOutcome) {
        match outcome {
            AnyOutcome::Entry(entry) => self.bus.extend(entry.head().envelopes()),
            AnyOutcome::Answer(answers) => self.bus.extend(answers),
            AnyOutcome::Misaddressed => panic!("a message went to the wrong kind of actor"),
        }
        if self.guarded {
            let job = self.job();
            assert!(job.healthy() >= WANTED, "only {} of {WANTED} are healthy", job.healthy());
        }
    }

    /// What a scheduler and a node would do, at its simplest.
    fn stand_in(&mut self, body: Body) {
        let node = node_id();
        match body {
            Body::Scheduler(scheduler::Message::Place { asks, .. }) => {
                for ask in asks {
                    let revision = ask.revision;
                    self.running.entry(ask.instance).or_insert((revision, 0));
                    let (instance, node_name, host) = (ask.instance, "n1".into(), "10.0.0.1".into());
                    self.say(node, job_id(), job::Message::Assigned { instance, node, node_name, host, epoch: 1 });
                }
            }
            Body::Node(node::Message::Start { instance }) => {
                let Some((revision, _)) = self.running.get(&instance).copied() else { return };
                let ports = vec![("http".into(), 80)];
                self.see(instance, Observation::Healthy { ports: ports.clone(), pid: 1 });
                if self.bad == Some(revision) {
                    self.see(instance, Observation::Unhealthy { ports, pid: 1, evidence: "503".into() });
                }
            }
            Body::Node(node::Message::Stop { instance, .. }) => {
                self.running.remove(&instance);
                let (version, ended) = (u64::MAX, Ended::new(Reason::Stopped, "stopped as asked"));
                self.say(node, job_id(), job::Message::Released { instance, node, version, ended });
            }
            _ => {}
        }
    }

    fn see(&mut self, instance: InstanceId, observation: Observation) {
        let Some((_, version)) = self.running.get_mut(&instance) else { return };
        *version += 1;
        let (version, node) = (*version, node_id());
        let observation = Some(observation);
        self.say(node, job_id(), job::Message::Observed { instance, node, version, observation });
    }

    fn pass(&mut self, span: Span) {
        let until = self.now.after(span);
        loop {
            let due = self.cells.values().filter_map(|cell| Some((cell.deadline()?, cell.id()))).min();
            let Some((due, id)) = due.filter(|(due, _)| *due <= until) else { break };
            self.now = self.now.max(due);
            let cell = self.cells.get_mut(&id).expect("the cell has a deadline");
            if let Some(outcome) = cell.wake(self.now) {
                self.keep(outcome);
            }
            self.run();
        }
        self.now = until;
    }

    fn apply(&mut self, ticket: u64, run: &str) {
        self.say(PolicyId::of_realm("shop"), job_id(), job::Message::Apply { ticket, spec: spec(run) });
    }

    fn job(&self) -> &Job {
        match self.cells.get(&job_id().into()) {
            Some(AnyCell::Job(cell)) => cell.state(),
            _ => panic!("the job was applied"),
        }
    }

    fn rollout(&self, revision: u32) -> &Rollout {
        match self.cells.get(&RolloutId::of(job_id(), revision).into()) {
            Some(AnyCell::Rollout(cell)) => cell.state(),
            _ => panic!("the rollout began"),
        }
    }

    fn route(&self) -> &actors::route::Route {
        match self.cells.get(&RouteId::named("shop", "r").into()) {
            Some(AnyCell::Route(cell)) => cell.state(),
            _ => panic!("the route was applied"),
        }
    }

    /// A job with a route, up and healthy.
    fn up(seed: u64, loss: u64) -> Self {
        let mut world = Self::new(seed, loss);
        world.apply(1, "./one");
        let spec = RouteSpec { realm: "shop".into(), name: "r".into(), to: "a".into(), ..RouteSpec::default() };
        let route = RouteId::named("shop", "r");
        world.say(PolicyId::of_realm("shop"), route, route::Message::Apply { ticket: 2, spec });
        world.pass(Span::seconds(120));
        assert_eq!(world.job().healthy(), WANTED);
        world.guarded = true;
        world
    }

    /// All is quiet at one revision, and the route knows exactly that.
    fn settled_at(&self, revision: u32) {
        let job = self.job();
        assert_eq!((job.settled, job.healthy(), job.under_way()), (revision, WANTED, None));
        assert!(job.instances.values().all(|one| one.revision == revision && one.live()));
        let table = self.route().table.as_ref().expect("the route heard of the job");
        assert_eq!((&table.endpoints, &table.weights), (&job.endpoints(), &vec![(revision, 100)]));
        assert!(self.cells.values().all(|cell| cell.deadline().is_none()), "nothing is owed to anyone");
    }
}

#[test]
fn a_good_revision_comes_in() {
    for seed in 0..40 {
        let mut world = World::up(seed, seed % 4 * 10);
        world.apply(3, "./two");
        world.pass(Span::seconds(300));
        assert_eq!(world.rollout(2).standing, Standing::Settled, "seed {seed}: {:#?}", world.rollout(2).history);
        world.settled_at(2);
    }
}

#[test]
fn a_bad_revision_goes_back() {
    for seed in 0..40 {
        let mut world = World::up(seed, seed % 4 * 10);
        world.bad = Some(2);
        world.apply(3, "./two");
        world.pass(Span::seconds(300));
        assert_eq!(world.rollout(2).standing, Standing::Reverted, "seed {seed}: {:#?}", world.rollout(2).history);
        world.settled_at(1);
    }
}

#[test]
fn the_newest_of_several_revisions_comes_in() {
    for seed in 0..40 {
        let mut world = World::up(seed, seed % 4 * 10);
        for (ticket, run) in [(3, "./two"), (4, "./three"), (5, "./four")] {
            world.apply(ticket, run);
            world.pass(Span::seconds(seed % 7));
        }
        world.pass(Span::seconds(400));
        world.settled_at(4);
    }
}
