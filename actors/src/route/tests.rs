//! Stories of a route.

use super::Route;
use crate::behavior::{Behavior, Turn};
use messages::envelope::{Address, Body, Endpoint};
use messages::id::{InstanceId, JobId, NodeId, PolicyId, RouteId};
use messages::job;
use messages::manifest::RouteSpec;
use messages::policy::{self, Change};
use messages::reason::{Reason, Refusal};
use messages::route::{Event, Message};
use messages::time::{Span, Timestamp};

struct Stage {
    route: Route,
    now: Timestamp,
    ticket: u64,
    said: Vec<(Address, Body)>,
    recorded: Vec<Event>,
}

fn me() -> RouteId {
    RouteId::named("shop", "a.shop.test")
}

fn job(name: &str) -> JobId {
    JobId::named("shop", name)
}

fn spec(to: &str) -> RouteSpec {
    RouteSpec {
        realm: "shop".into(),
        name: "a.shop.test".into(),
        host: "a.shop.test".into(),
        path: "/".into(),
        to: to.into(),
        ..RouteSpec::default()
    }
}

fn endpoint(slot: u32, healthy: bool) -> Endpoint {
    Endpoint {
        instance: InstanceId::of(job("a"), slot, 1),
        label: format!("a/{slot}"),
        revision: 1,
        node: NodeId::named("n1"),
        host: "10.0.0.1".into(),
        ports: vec![("http".into(), 80)],
        healthy,
    }
}

impl Stage {
    fn new() -> Self {
        let now = Timestamp(1_000_000_000);
        Self { route: Route::default(), now, ticket: 0, said: vec![], recorded: vec![] }
    }

    fn applied() -> Self {
        let mut stage = Self::new();
        assert_eq!(stage.apply(spec("a")), "created");
        stage
    }

    fn say(&mut self, from: impl Into<Address>, message: Message) {
        let mut turn = Turn::by_hand(me(), from.into(), self.now);
        self.route.decide(&message, &mut turn).expect("a route refuses nobody");
        self.said = turn.sent().to_vec();
        self.recorded = turn.recorded().to_vec();
        for event in &self.recorded {
            self.route.evolve(event, self.now);
        }
    }

    fn ask(&mut self, message: impl FnOnce(u64) -> Message) -> Result<String, Refusal> {
        self.ticket += 1;
        let ticket = self.ticket;
        self.say(PolicyId::of_realm("shop"), message(ticket));
        let done = self.said.iter().find_map(|(_, body)| match body {
            Body::Policy(policy::Message::Done { ticket: answered, outcome }) if *answered == ticket => {
                Some(outcome.clone())
            }
            _ => None,
        });
        done.expect("every command is answered in its turn").map(|Change { how, .. }| how)
    }

    fn apply(&mut self, spec: RouteSpec) -> String {
        self.ask(|ticket| Message::Apply { ticket, spec }).expect("it is taken in")
    }

    fn endpoints(&mut self, name: &str, version: u64, endpoints: Vec<Endpoint>) {
        let weights = vec![(1, 100)];
        self.say(job(name), Message::Endpoints { job: job(name), version, endpoints, weights });
    }

    fn told(&self, name: &str) -> Vec<job::Message> {
        let told = self.said.iter().filter_map(|(to, body)| match body {
            Body::Job(message) if *to == job(name).into() => Some(message.clone()),
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn a_new_route_asks_its_job_for_endpoints_until_it_hears_of_them() {
    let mut stage = Stage::applied();
    assert_eq!(stage.told("a"), [job::Message::Subscribe { route: me() }]);
    for seconds in [1, 2] {
        stage.now = stage.now.after(Span::seconds(seconds));
        let due = stage.route.deadline().expect("it waits");
        stage.say(Address::Host, Message::Wake { due });
        assert_eq!(stage.told("a"), [job::Message::Subscribe { route: me() }]);
        assert!(stage.route.deadline().is_some_and(|next| next > stage.now), "a wake moves the deadline");
    }
    stage.endpoints("a", 0, vec![]);
    assert_eq!(stage.route.deadline(), None, "even to hear that there are none is an answer");
}

#[test]
fn endpoints_are_taken_in_by_version_and_always_noted() {
    let mut stage = Stage::applied();
    stage.endpoints("a", 4, vec![endpoint(0, true), endpoint(1, false)]);
    assert_eq!(stage.route.healthy().count(), 1);
    stage.endpoints("a", 3, vec![]);
    assert_eq!(stage.told("a"), [job::Message::EndpointsNoted { route: me(), version: 3 }]);
    assert!(stage.recorded.is_empty(), "but what was overtaken is not taken in");
    stage.endpoints("a", 5, vec![endpoint(1, true)]);
    assert_eq!(stage.route.table.as_ref().map(|table| table.version), Some(5));
}

#[test]
fn a_route_with_nobody_to_serve_says_why_and_since_when() {
    let mut stage = Stage::applied();
    stage.endpoints("a", 1, vec![]);
    let dark = stage.route.dark.clone().expect("it is dark");
    assert_eq!((dark.reason, dark.detail.as_str()), (Reason::Waiting, "no instance of a runs"));
    stage.now = stage.now.after(Span::seconds(1));
    stage.endpoints("a", 2, vec![endpoint(0, false)]);
    let sick = stage.route.dark.clone().expect("it still is");
    assert_eq!((sick.reason, sick.since), (Reason::Unhealthy, dark.since));
    stage.endpoints("a", 3, vec![endpoint(0, true)]);
    assert_eq!(stage.route.dark, None);
}

#[test]
fn a_route_that_changes_its_job_leaves_the_old_one() {
    let mut stage = Stage::applied();
    stage.endpoints("a", 1, vec![endpoint(0, true)]);
    assert_eq!(stage.apply(spec("a")), "unchanged");
    assert_eq!(stage.apply(RouteSpec { permit: vec!["group:staff".into()], ..spec("a") }), "changed");
    assert!(stage.route.table.is_some(), "who may enter does not change who serves");
    assert_eq!(stage.apply(spec("b")), "changed");
    assert_eq!(stage.told("a"), [job::Message::Unsubscribe { route: me() }]);
    assert_eq!(stage.told("b"), [job::Message::Subscribe { route: me() }]);
    assert_eq!(stage.route.table, None);
    stage.endpoints("a", 2, vec![endpoint(0, true)]);
    assert_eq!(stage.told("a"), [job::Message::Unsubscribe { route: me() }], "should it not have heard");
    assert_eq!(stage.route.table, None);
}

#[test]
fn a_removed_route_serves_nothing_and_can_come_back() {
    let mut stage = Stage::applied();
    stage.endpoints("a", 1, vec![endpoint(0, true)]);
    assert_eq!(stage.ask(|ticket| Message::Remove { ticket }), Ok("removed".into()));
    assert_eq!((stage.route.healthy().count(), stage.route.deadline()), (0, None));
    let refusal = stage.ask(|ticket| Message::Remove { ticket }).expect_err("it is gone");
    assert_eq!(refusal.reason, Reason::NotFound);
    assert_eq!(stage.apply(spec("a")), "created");
    let ticket = stage.ticket;
    stage.say(PolicyId::of_realm("shop"), Message::Apply { ticket, spec: spec("a") });
    assert!(stage.recorded.is_empty(), "the same ticket, the same answer");
    assert_eq!(stage.said.len(), 1);
}
