//! Stories of the scheduler: given nodes and what is on them, when something is asked, then this is placed or said.

mod constraints;
mod gangs;

use super::*;
use crate::cell::{Cell, Outcome};
use messages::entry::Record;
use messages::envelope::{Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId, PolicyId, SchedulerId};
use messages::manifest::{Affinity, JobSpec, Spread, Tag};
use messages::node::{ClaimView, NodeSpec, Standing};
use messages::resources::{Dimension, Resources};

/// A scheduler, all that it recorded, and nodes that take what they are asked to.
pub(super) struct Story {
    pub(super) cell: Cell<Scheduler>,
    records: Vec<Record<Message, Event>>,
    pub(super) now: Timestamp,
    said: u64,
    seen: usize,
}

pub(super) type Sends = Vec<(Address, Body)>;

impl Story {
    pub(super) fn new() -> Self {
        let cell = Cell::new(SchedulerId::of_site("local").into());
        Self { cell, records: Vec::new(), now: Timestamp(1_000_000), said: 0, seen: 0 }
    }

    /// Says something to the scheduler; returns what it says. It is taken again and folded, and must come out equal.
    pub(super) fn say(&mut self, message: Message) -> Sends {
        self.said += 1;
        let envelope = Envelope {
            id: MessageId::Outside(uuid::Uuid::from_u128(self.said.into())),
            from: Address::Host,
            to: Address::Actor(self.cell.id()),
            correlation: CorrelationId::default(),
            principal: Principal::system(),
            at: self.now,
            body: message.clone().into(),
        };
        let outcome = self.cell.handle(&envelope, &message, self.now);
        self.keep(outcome)
    }

    /// Lets the scheduler do what is due, until nothing is.
    pub(super) fn settle(&mut self) -> Sends {
        let mut sends = Vec::new();
        for _ in 0..1_000 {
            self.now = self.now.after(Span(1));
            match self.cell.wake(self.now) {
                Some(outcome) => sends.extend(self.keep(outcome)),
                None => return sends,
            }
        }
        panic!("the scheduler never comes to rest");
    }

    fn keep(&mut self, outcome: Outcome<Scheduler>) -> Sends {
        match outcome {
            Outcome::Entry(record) => {
                let sends = record.head.sends.clone();
                self.records.push(record);
                sends
            }
            Outcome::Answer(answers) => answers.into_iter().map(|envelope| (envelope.to, envelope.body)).collect(),
        }
    }

    /// The fold of the log is the state; each turn taken again records the same; snapshots come back equal.
    pub(super) fn check(&self) {
        let mut fold: Cell<Scheduler> = Cell::new(self.cell.id());
        for record in &self.records {
            assert_eq!(&fold.retake(record), record, "a turn taken again records the same");
            fold.apply(record).expect("entries follow each other");
        }
        let restored = Cell::restore(self.cell.id(), &self.cell.snapshot()).expect("a snapshot of this build");
        assert_eq!(fold.state(), self.cell.state());
        assert_eq!(&restored, &self.cell);
        let (cluster, anew) = (self.cell.state().cluster(), rebuilt(self.cell.state().cluster()));
        assert_eq!(&anew, cluster);
        assert!(anew.counted_as(cluster) && restored.state().cluster().counted_as(cluster));
    }

    /// Everything recorded so far.
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.records.iter().flat_map(|record| &record.events)
    }

    /// How many events were looked at.
    pub(super) const fn seen(&self) -> usize {
        self.seen
    }

    /// All events so far were looked at.
    pub(super) fn see(&mut self) {
        self.seen = self.events().count();
    }

    pub(super) fn node(&mut self, node: &Machine) -> Sends {
        self.say(Message::View { node: NodeId::named(&node.view.spec.name), view: node.view.clone().into() })
    }

    fn place(&mut self, job: &JobSpec, slots: std::ops::Range<u32>) -> Sends {
        self.say(place(job, slots))
    }

    fn waits(&self) -> Vec<(String, Option<Reason>)> {
        let state = self.cell.state();
        state.waiting().map(|(_, it)| (it.ask.label.clone(), it.why.as_ref().map(|why| why.reason))).collect()
    }
}

/// The same nodes and reservations, counted anew.
fn rebuilt(cluster: &Cluster) -> Cluster {
    let mut anew = Cluster::default();
    for (id, node) in cluster.nodes() {
        anew.put_back(id, node.as_view(), node.reservations().cloned().collect());
    }
    anew
}

/// A node as its view has it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) view: NodeView,
}

impl Machine {
    pub(super) fn new(name: &str, rack: &str, cpu_milli: u64) -> Self {
        let capacity = Resources { cpu_milli, memory_bytes: 8 << 30, ports: 100, ..Resources::default() };
        let spec = NodeSpec {
            name: name.into(),
            host: name.into(),
            rack: rack.into(),
            site: "here".into(),
            region: "eu".into(),
            capacity,
            ..NodeSpec::default()
        };
        let spec = spec.into();
        Self { view: NodeView { version: 1, spec, standing: Standing::Ready, claims: Vec::new() } }
    }

    pub(super) fn id(&self) -> NodeId {
        NodeId::named(&self.view.spec.name)
    }

    fn standing(mut self, standing: Standing) -> Self {
        self.view.standing = standing;
        self.view.version += 1;
        self
    }

    fn holds(self, job: &JobSpec, slot: u32) -> Self {
        self.holds_on(job, slot, &[])
    }

    fn holds_on(mut self, job: &JobSpec, slot: u32, gpus: &[u16]) -> Self {
        let (instance, job_id) = (instance(job, slot), JobId::named(&job.realm, &job.name));
        self.view.claims.push(claim_view(instance, job_id, job, gpus.to_vec()));
        self.view.version += 1;
        self
    }
}

pub(super) fn claim_view(instance: InstanceId, job: JobId, spec: &JobSpec, gpus: Vec<u16>) -> ClaimView {
    ClaimView { instance, job, resources: spec.workload.resources.clone(), gpus }
}

pub(super) fn job(name: &str, cpu_milli: u64) -> JobSpec {
    let mut spec = JobSpec { realm: "shop".into(), name: name.into(), instances: 1, ..JobSpec::default() };
    spec.workload.resources = Resources { cpu_milli, memory_bytes: 64 << 20, ..Resources::default() };
    spec
}

pub(super) fn instance(job: &JobSpec, slot: u32) -> InstanceId {
    InstanceId::of(JobId::named(&job.realm, &job.name), slot, 0)
}

pub(super) fn place(job: &JobSpec, slots: std::ops::Range<u32>) -> Message {
    let ask = |slot| Ask {
        instance: instance(job, slot),
        label: format!("{}/{slot}", job.name),
        revision: 1,
        avoid: Vec::new(),
        gang: job.place.gang,
    };
    Message::Place {
        job: JobId::named(&job.realm, &job.name),
        realm: job.realm.clone(),
        name: job.name.clone(),
        exclusive: job.exclusive,
        workload: job.workload.clone().into(),
        place: job.place.clone(),
        asks: slots.map(ask).collect(),
    }
}

/// Which instance was claimed on which node, in order.
pub(super) fn claims(sends: &Sends) -> Vec<(String, ActorId)> {
    let claim = |(to, body): &(Address, Body)| match (to, body) {
        (Address::Actor(node), Body::Node(node::Message::Claim { claim })) => Some((claim.label.clone(), *node)),
        _ => None,
    };
    sends.iter().filter_map(claim).collect()
}

fn on(label: &str, node: &Machine) -> (String, ActorId) {
    (label.to_string(), node.id().into())
}

fn refusals(sends: &Sends) -> Vec<Unplaceable> {
    let refusal = |(_, body): &(Address, Body)| match body {
        Body::Job(job::Message::Unplaceable { why, .. }) => Some(why.clone()),
        _ => None,
    };
    sends.iter().filter_map(refusal).collect()
}

fn hard(job: &str, within: Level) -> Affinity {
    Affinity { job: job.into(), within, hard: true }
}

#[test]
fn instances_of_a_job_go_to_different_nodes_while_there_is_room() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r1", 4_000));
    story.node(&n1);
    story.node(&n2);
    let sends = story.place(&job("a", 500), 0..4);
    assert_eq!(claims(&sends), [on("a/0", &n1), on("a/1", &n2), on("a/2", &n1), on("a/3", &n2)]);
    story.check();
}

#[test]
fn what_was_given_away_counts_before_the_node_shows_it() {
    let mut story = Story::new();
    let n1 = Machine::new("n1", "r1", 1_000);
    story.node(&n1);
    assert_eq!(claims(&story.place(&job("a", 600), 0..1)), [on("a/0", &n1)]);
    let why = refusals(&story.place(&job("b", 600), 0..1)).remove(0);
    assert_eq!(why.reason, Reason::NoCpu);
    assert_eq!(why.nearest.as_deref(), Some("node n1 has 400m of cpu free, 200m short"));
    assert_eq!(why.change.as_deref(), Some("reduce job.b.resources.cpu to 400m, or have 200m more cpu on n1"));
    story.check();
}

#[test]
fn an_instance_that_has_a_place_is_claimed_there_again_without_a_new_entry() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r1", 4_000));
    story.node(&n1);
    let a = job("a", 500);
    story.place(&a, 0..1);
    story.node(&n2);
    let entries = story.cell.sequence();
    assert_eq!(claims(&story.place(&a, 0..1)), [on("a/0", &n1)]);
    story.node(&n1.clone().holds(&a, 0));
    assert_eq!(claims(&story.place(&a, 0..1)), [on("a/0", &n1)]);
    assert_eq!(story.cell.sequence(), entries + 1, "only the view is an entry");
    story.check();
}

#[test]
fn what_fits_nowhere_waits_and_is_placed_when_a_node_comes() {
    let mut story = Story::new();
    let why = refusals(&story.place(&job("a", 500), 0..2));
    assert_eq!(why[0].reason, Reason::NoNodes);
    let n1 = Machine::new("n1", "r1", 600);
    story.node(&n1);
    let sends = story.settle();
    assert_eq!(claims(&sends), [on("a/0", &n1)]);
    assert_eq!(refusals(&sends)[0].reason, Reason::NoCpu);
    assert!(story.settle().is_empty(), "what did not change is not said again");
    let n2 = Machine::new("n2", "r1", 600);
    story.node(&n2);
    assert_eq!(claims(&story.settle()), [on("a/1", &n2)]);
    assert!(story.waits().is_empty());
    story.check();
}

#[test]
fn a_withdrawn_instance_gives_its_room_to_one_that_waits() {
    let mut story = Story::new();
    let n1 = Machine::new("n1", "r1", 600);
    story.node(&n1);
    let a = job("a", 500);
    story.place(&a, 0..2);
    story.say(Message::Withdraw { instance: instance(&a, 0) });
    assert_eq!(claims(&story.settle()), [on("a/1", &n1)]);
    story.check();
}

#[test]
fn room_held_for_a_claim_that_never_shows_lapses() {
    let mut story = Story::new();
    let n1 = Machine::new("n1", "r1", 600);
    story.node(&n1);
    story.place(&job("a", 500), 0..1);
    story.place(&job("b", 500), 0..1);
    story.now = story.now.after(Span::seconds(11));
    assert_eq!(claims(&story.settle()), [on("b/0", &n1)]);
    story.check();
}

#[test]
fn a_refused_claim_goes_elsewhere_and_not_back_until_the_node_changed() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r1", 1_000));
    story.node(&n1);
    let a = job("a", 500);
    story.place(&a, 0..1);
    let no = |node: &Machine| Message::ClaimRefused {
        node: node.id(),
        instance: instance(&a, 0),
        because: Reason::Stale,
        view: node.view.clone().into(),
    };
    story.say(no(&n1));
    assert_eq!(refusals(&story.settle())[0].reason, Reason::Stale);
    story.node(&n2);
    assert_eq!(claims(&story.settle()), [on("a/0", &n2)]);
    story.say(no(&n2));
    assert_eq!(claims(&story.settle()), [], "both have said no");
    story.node(&n1.standing(Standing::Ready));
    assert_eq!(claims(&story.settle()).len(), 1);
    story.check();
}

#[test]
fn an_instance_that_was_refused_and_then_taken_waits_no_more() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r1", 1_000));
    story.node(&n1);
    let a = job("a", 500);
    story.place(&a, 0..1);
    let (node, instance, view) = (n1.id(), instance(&a, 0), n1.view.clone().into());
    story.say(Message::ClaimRefused { node, instance, because: Reason::NodeDown, view });
    story.node(&n1.holds(&a, 0));
    story.node(&n2);
    assert_eq!(claims(&story.settle()), [], "it has a place");
    assert!(story.waits().is_empty());
    story.check();
}

#[test]
fn nodes_that_take_nothing_new_are_passed_over() {
    for (standing, reason) in [(Standing::Cordoned, Reason::Cordoned), (Standing::Lost, Reason::NodeDown)] {
        let mut story = Story::new();
        story.node(&Machine::new("n1", "r1", 4_000).standing(standing));
        assert_eq!(refusals(&story.place(&job("a", 500), 0..1))[0].reason, reason);
    }
}

#[test]
fn near_waits_for_the_other_job_and_then_goes_to_its_rack() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r2", 4_000));
    story.node(&n1);
    let mut a = job("a", 500);
    a.place.near = vec![hard("b", Level::Rack)];
    assert_eq!(refusals(&story.place(&a, 0..2))[0].reason, Reason::Waiting);
    story.node(&n2);
    story.settle();
    let mut b = job("b", 500);
    b.place.require = vec![Tag { key: "rack".into(), value: Some("r2".into()), negated: false }];
    story.place(&b, 0..1);
    assert_eq!(claims(&story.settle()), [on("a/0", &n2), on("a/1", &n2)]);
    story.check();
}

#[test]
fn apart_holds_in_both_directions() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r2", 4_000));
    story.node(&n1);
    story.node(&n2);
    let mut a = job("a", 500);
    a.place.apart = vec![hard("a", Level::Node), hard("b", Level::Rack)];
    assert_eq!(claims(&story.place(&a, 0..1)), [on("a/0", &n1)]);
    assert_eq!(claims(&story.place(&job("b", 500), 0..1)), [on("b/0", &n2)], "a does not want b");
    assert_eq!(refusals(&story.place(&a, 1..2))[0].reason, Reason::NotApart);
    story.check();
}

#[test]
fn a_spread_never_skews_further_than_it_may() {
    let mut story = Story::new();
    for (name, rack, cpu) in [("n1", "r1", 4_000), ("n2", "r1", 4_000), ("n3", "r2", 1_000)] {
        story.node(&Machine::new(name, rack, cpu));
    }
    let mut a = job("a", 500);
    a.place.spread = vec![Spread { over: Level::Rack, skew_max: Some(1) }];
    let sends = story.place(&a, 0..6);
    assert_eq!(claims(&sends).len(), 5, "two fit into rack r2, so three may go to r1");
    assert_eq!(refusals(&sends)[0].struck_out, [(Reason::SpreadBroken, 2), (Reason::NoCpu, 1)]);
    let mut b = job("b", 100);
    b.place.per_node_max = Some(1);
    assert_eq!(refusals(&story.place(&b, 0..3))[0].struck_out, [(Reason::NodeFull, 2), (Reason::NoCpu, 1)]);
}

#[test]
fn a_node_to_avoid_is_taken_only_when_there_is_no_other() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r1", 1_000));
    story.node(&n1);
    story.node(&n2);
    let avoiding = |slots: std::ops::Range<u32>| match place(&job("a", 600), slots) {
        Message::Place { job, realm, name, exclusive, workload, place, mut asks } => {
            asks.iter_mut().for_each(|ask| ask.avoid = vec![n2.id()]);
            Message::Place { job, realm, name, exclusive, workload, place, asks }
        }
        other => other,
    };
    let sends = story.say(avoiding(0..7));
    assert!(claims(&sends)[..6].iter().all(|(_, node)| *node == n1.id().into()));
    assert_eq!(claims(&sends)[6], on("a/6", &n2));
}

#[test]
fn a_forbidden_node_is_struck_out_and_the_record_names_the_policy() {
    let rules = |version, mode| Message::Rules {
        realm: "shop".into(),
        policy: PolicyId::of_realm("shop"),
        version,
        mode,
        text: "permit(principal, action, resource);\n\
               @id(\"not-r1\") forbid(principal, action == Action::\"place\", resource)\n\
               when { resource.hasTag(\"rack\") && resource.getTag(\"rack\") == \"r1\" };"
            .into(),
    };
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r2", 4_000));
    story.node(&n1);
    story.say(rules(1, Mode::Shadow));
    assert_eq!(claims(&story.place(&job("a", 500), 0..1)), [on("a/0", &n1)], "shadow only says");
    let said = story.records.iter().flat_map(|record| &record.events).find_map(|event| match event {
        Event::Placed { decision, .. } => decision.policy.clone(),
        _ => None,
    });
    assert_eq!(said.as_deref(), Some("forbidden by not-r1 (shadow: would be denied)"));
    let sends = story.say(rules(2, Mode::Enforce));
    assert!(matches!(sends[..], [(_, Body::Policy(policy::Message::RulesNoted { version: 2 }))]));
    assert_eq!(refusals(&story.place(&job("b", 500), 0..1))[0].reason, Reason::PolicyForbids);
    story.node(&n2);
    assert_eq!(claims(&story.settle()), [on("b/0", &n2)]);
    story.check();
}

#[test]
fn a_check_says_what_would_not_fit_and_changes_nothing() {
    let mut story = Story::new();
    let check = |jobs: Vec<JobSpec>| Message::Check { policy: PolicyId::of_realm("shop"), ticket: 7, jobs };
    let outcome = |sends: Sends| match sends.into_iter().next() {
        Some((_, Body::Policy(policy::Message::Checked { ticket: 7, outcome }))) => outcome,
        other => panic!("not an answer to the check: {other:?}"),
    };
    let many = |instances| JobSpec { instances, ..job("a", 500) };
    assert_eq!(outcome(story.say(check(vec![many(99)]))), Ok(()), "nodes may come");
    story.node(&Machine::new("n1", "r1", 2_000));
    assert_eq!(outcome(story.say(check(vec![many(4)]))), Ok(()));
    let refusal = outcome(story.say(check(vec![many(5)]))).expect_err("five do not fit");
    assert_eq!(refusal.message, "job a: 4 of 5 instances fit; no node can take a/4: no-cpu on 1");
    let refusal = outcome(story.say(check(vec![job("big", 2_500)]))).expect_err("no node has so much");
    assert_eq!(refusal.nearest.as_deref(), Some("node n1 has 2000m of cpu in all, 500m short"));
    let mut near = many(2);
    near.place.near = vec![hard("b", Level::Node)];
    assert_eq!(outcome(story.say(check(vec![near.clone()]))), Ok(()), "it waits for b");
    assert_eq!(outcome(story.say(check(vec![near, job("b", 500)]))), Ok(()), "b first, then a");
    assert_eq!(story.cell.sequence(), 1, "the only entry is the view");
}

#[test]
fn why_not_weighs_a_single_node() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r1", 4_000));
    story.node(&n1);
    story.node(&n2.clone().standing(Standing::Cordoned));
    story.place(&job("a", 500), 0..1);
    let id = JobId::named("shop", "a");
    assert!(matches!(why_not(story.cell.state(), id, n1.id()), Verdict::Fits { here: Some(_), .. }));
    let Verdict::No { against } = why_not(story.cell.state(), id, n2.id()) else { panic!("it is closed") };
    assert_eq!(against.iter().map(|one| one.reason).collect::<Vec<_>>(), [Reason::Cordoned]);
    assert_eq!(why_not(story.cell.state(), id, NodeId::named("n9")), Verdict::Unknown("node"));
}
