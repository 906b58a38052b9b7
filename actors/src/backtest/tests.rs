//! Stories of backtests: given what was commanded and placed under one policy, when another is held against it, then
//! exactly that flips which it decides otherwise.

use super::*;
use crate::turns::{Turned, Turns};
use messages::envelope::{Address, Envelope, MessageId, Principal};
use messages::id::{ClientId, CorrelationId, Kind, NodeId, SchedulerId};
use messages::manifest::{JobSpec, Manifest};
use messages::node::{NodeSpec, NodeView, Standing};
use messages::policy::{Message, Mode, Request};
use messages::resources::Resources;
use messages::scheduler::DEFAULT_SITE;
use messages::time::Span;
use std::collections::VecDeque;
use uuid::Uuid;

const PERMIT: &str = "permit(principal, action, resource);\n";

/// A realm, its jobs and the scheduler; nodes say what they are, and do nothing else.
struct Story {
    turns: Turns,
    log: Vec<Entry>,
    due: BTreeMap<ActorId, Timestamp>,
    now: Timestamp,
    said: u128,
}

impl Story {
    /// Nodes of so many processors.
    fn new(nodes: &[(&str, u64)]) -> Self {
        let now = Timestamp(3_600_000_000);
        let mut story = Self { turns: Turns::default(), log: Vec::new(), due: BTreeMap::new(), now, said: 0 };
        for (name, cpus) in nodes {
            let capacity =
                Resources { cpu_milli: cpus * 1_000, memory_bytes: 8 << 30, ports: 9, ..Resources::default() };
            let spec = NodeSpec { name: (*name).into(), capacity, ..NodeSpec::default() };
            let view = NodeView { version: 1, spec: spec.into(), standing: Standing::Ready, claims: Vec::new() };
            let message = scheduler::Message::View { node: NodeId::named(name), view: view.into() };
            story.say("node", SchedulerId::of_site(DEFAULT_SITE).into(), message.into());
        }
        story
    }

    fn say(&mut self, who: &str, to: ActorId, body: messages::envelope::Body) {
        self.said += 1;
        let id = Uuid::from_u128(self.said);
        let principal = Principal { name: format!("user:{who}"), groups: Vec::new() };
        let (from, correlation) = (Address::Client(ClientId(id)), CorrelationId(id));
        let (id, to) = (MessageId::Outside(id), Address::Actor(to));
        let mut queue = VecDeque::from([Envelope { id, from, to, correlation, principal, at: self.now, body }]);
        let until = self.now.after(Span::milliseconds(50));
        while self.now < until {
            self.now = self.now.after(Span::milliseconds(1));
            while let Some(envelope) = queue.pop_front() {
                let Address::Actor(actor) = envelope.to else { continue };
                if matches!(actor.kind, Kind::Policy | Kind::Scheduler | Kind::Job) {
                    let turned = self.turns.handle(actor, &envelope, self.now);
                    queue.extend(self.keep(actor, turned));
                }
            }
            let now = self.now;
            for (actor, due) in self.due.clone().into_iter().filter(|(_, due)| *due <= now) {
                self.due.remove(&actor);
                if let Some(turned) = self.turns.wake(actor, due, self.now) {
                    queue.extend(self.keep(actor, turned));
                }
            }
        }
        self.now = self.now.after(Span::seconds(1));
    }

    fn keep(&mut self, actor: ActorId, turned: Turned) -> Vec<Envelope> {
        self.log.extend(turned.entry);
        self.due.extend(turned.wake.map(|due| (actor, due)));
        turned.said
    }

    fn command(&mut self, who: &str, request: Request) {
        let message = Message::Submit { realm: "shop".into(), request };
        self.say(who, PolicyId::of_realm("shop").into(), message.into());
    }

    fn apply(&mut self, who: &str, jobs: &[(&str, u32)]) {
        let job = |(name, instances): &(&str, u32)| {
            let mut spec =
                JobSpec { realm: "shop".into(), name: (*name).into(), instances: *instances, ..JobSpec::default() };
            spec.workload.run = vec!["serve".into()];
            spec.workload.resources = Resources { cpu_milli: 1_000, memory_bytes: 1 << 20, ..Resources::default() };
            ((*name).to_string(), spec)
        };
        let jobs = jobs.iter().map(job).collect();
        self.command(who, Request::Apply { manifest: Manifest { realm: "shop".into(), jobs, ..Manifest::default() } });
    }

    fn set(&mut self, text: &str, mode: Mode) {
        self.command("ann", Request::SetPolicy { text: text.into(), mode });
    }

    fn test_since(&self, text: &str, from: Timestamp) -> api::Backtest {
        let mut backtest = Backtest::new("shop", text, from).expect("the policy is valid");
        for (entry, position) in self.log.iter().zip(1..) {
            backtest.take(Position(position), entry).expect("entries follow each other");
        }
        backtest.finish()
    }

    fn test(&self, text: &str) -> api::Backtest {
        self.test_since(text, Timestamp::default())
    }
}

/// What flips: what it becomes, of what, which action, how often.
fn flips(tested: &api::Backtest) -> Vec<(Becomes, &str, &str, u64)> {
    tested.flips.iter().map(|flips| (flips.becomes, flips.what.as_str(), flips.action.as_str(), flips.count)).collect()
}

#[test]
fn nothing_flips_under_the_policy_that_was_in_force() {
    let mut story = Story::new(&[("n1", 4), ("n2", 4)]);
    let text = format!(
        "{PERMIT}@id(\"not-n1\") forbid(principal, action == Action::\"place\", resource == Node::\"n1\");\n\
         forbid(principal == User::\"bob\", action == Action::\"scale\", resource);"
    );
    story.set(&text, Mode::Enforce);
    story.apply("ann", &[("a", 3)]);
    story.command("bob", Request::Scale { job: "a".into(), instances: 2 });
    story.command("ann", Request::Scale { job: "a".into(), instances: 9 });
    let tested = story.test(&text);
    assert_eq!((flips(&tested), tested.commands, tested.placements), (Vec::new(), 4, 3), "{tested:#?}");
}

#[test]
fn what_was_let_through_and_would_be_forbidden_is_told_with_what_would_come_instead() {
    let mut story = Story::new(&[("n1", 4), ("n2", 4)]);
    story.apply("ann", &[("a", 2), ("b", 1)]);
    story.command("bob", Request::Scale { job: "b".into(), instances: 2 });
    let tested = story.test(&format!(
        "{PERMIT}@id(\"ann-alone\") forbid(principal, action == Action::\"scale\", resource)\n\
         unless {{ principal == User::\"ann\" }};\n\
         @id(\"not-n1\") forbid(principal is Job, action == Action::\"place\", resource == Node::\"n1\")\n\
         when {{ principal.name == \"a\" }};"
    ));
    let told = flips(&tested);
    assert!(told.contains(&(Becomes::Forbidden, "job shop/b", "scale", 1)), "{tested:#?}");
    let placed = tested.flips.iter().find(|flips| flips.action == "place").expect("a is on n1");
    let first = &placed.first[0];
    assert_eq!((placed.what.as_str(), first.node.as_deref()), ("job shop/a", Some("n1")));
    assert_eq!((first.was.as_str(), first.now.as_str()), ("no policy had a say", "forbidden by not-n1"));
    assert_eq!(first.instead.as_deref(), Some("n2"));
    assert_eq!(tested.to_allowed, 0);
    let scaled = tested.flips.iter().find(|flips| flips.action == "scale").expect("it flips");
    let entry = &story.log[usize::try_from(scaled.first[0].position).expect("it is small") - 1];
    assert!(matches!(entry, Entry::Policy(_)), "the position is that of the command");
    assert!(scaled.first[0].ask.starts_with("orrery trace "), "{scaled:?}");
}

#[test]
fn what_was_forbidden_and_would_be_allowed_is_told() {
    let mut story = Story::new(&[("n1", 1), ("n2", 4)]);
    let text = format!(
        "{PERMIT}@id(\"not-n2\") forbid(principal, action == Action::\"place\", resource == Node::\"n2\");\n\
         @id(\"no-stop\") forbid(principal, action == Action::\"stop\", resource);"
    );
    story.set(&text, Mode::Enforce);
    story.apply("ann", &[("a", 1)]);
    story.apply("ann", &[("b", 2)]);
    story.command("ann", Request::Stop { job: "a".into() });
    let tested = story.test(PERMIT);
    let told = flips(&tested);
    // b was refused, since only n1 is left to it, which is full.
    assert!(told.contains(&(Becomes::Allowed, "job shop/b", "apply", 1)), "{tested:#?}");
    assert!(told.contains(&(Becomes::Allowed, "job shop/a", "stop", 1)), "{tested:#?}");
    assert_eq!(tested.to_forbidden, 0, "{tested:#?}");
}

#[test]
fn a_placement_goes_where_it_was_forbidden_once_it_may() {
    let mut story = Story::new(&[("n1", 8), ("n2", 2)]);
    let text =
        format!("{PERMIT}@id(\"not-n2\") forbid(principal, action == Action::\"place\", resource == Node::\"n2\");");
    story.set(&text, Mode::Enforce);
    story.apply("ann", &[("a", 1)]);
    let tested = story.test(PERMIT);
    // The fuller node is the better one.
    assert_eq!(flips(&tested), [(Becomes::Allowed, "job shop/a", "place", 1)], "{tested:#?}");
    let first = &tested.flips[0].first[0];
    assert_eq!((first.node.as_deref(), first.was.as_str()), (Some("n2"), "forbidden by not-n2"));
    assert_eq!(first.instance.as_deref(), Some("shop/a/0"));
    assert!(first.ask.starts_with("orrery why shop/a/0 --at "), "{first:?}");
}

#[test]
fn a_manifest_for_which_there_would_be_no_place_is_told_once() {
    let mut story = Story::new(&[("n1", 4)]);
    story.apply("ann", &[("a", 1), ("b", 1)]);
    let nowhere = format!(
        "{PERMIT}@id(\"nowhere\") forbid(principal is Job, action == Action::\"place\", resource)\n\
         when {{ principal.name == \"b\" }};"
    );
    let tested = story.test(&nowhere);
    assert_eq!(
        flips(&tested),
        [(Becomes::Forbidden, "job shop/b", "apply", 1), (Becomes::Forbidden, "job shop/b", "place", 1)],
        "{tested:#?}"
    );
    // Where the command itself would be denied, its check is not told as well.
    let denied = format!("{nowhere}forbid(principal, action == Action::\"apply\", resource);");
    let tested = story.test(&denied);
    let applies = tested.flips.iter().filter(|flips| flips.action == "apply").map(|flips| flips.count).sum::<u64>();
    assert_eq!((applies, tested.to_forbidden), (2, 2), "both jobs, by one command, and one placement: {tested:#?}");
}

#[test]
fn what_an_audit_did_not_apply_counts_as_let_through() {
    let mut story = Story::new(&[("n1", 4)]);
    let text = format!("{PERMIT}@id(\"frozen\") forbid(principal, action == Action::\"scale\", resource);");
    story.apply("ann", &[("a", 1)]);
    story.set(&text, Mode::Audit);
    story.command("ann", Request::Scale { job: "a".into(), instances: 2 });
    let tested = story.test(&text);
    assert_eq!(flips(&tested), [(Becomes::Forbidden, "job shop/a", "scale", 1)]);
    assert_eq!(tested.flips[0].first[0].was, "forbidden by frozen (audit: not applied)");
}

#[test]
fn only_what_lies_in_the_stretch_of_time_is_judged_and_only_the_first_are_told() {
    let mut story = Story::new(&[("n1", 32)]);
    story.apply("ann", &[("a", 1)]);
    let from = story.now;
    for instances in 2..9 {
        story.command("ann", Request::Scale { job: "a".into(), instances });
    }
    let text = format!("{PERMIT}forbid(principal, action == Action::\"scale\", resource);");
    let tested = story.test_since(&text, from);
    assert_eq!((tested.commands, tested.placements), (7, 7));
    assert_eq!(flips(&tested), [(Becomes::Forbidden, "job shop/a", "scale", 7)]);
    let first: Vec<u64> = tested.flips[0].first.iter().map(|flip| flip.position).collect();
    assert!(first.len() == Flips::TOLD_MAX && first.is_sorted(), "{first:?}");
    assert!(tested.begins < from && tested.until > from);
    let later = story.test_since(&text, story.now);
    assert_eq!((later.commands, later.placements, later.flips.len()), (0, 0, 0));
}

#[test]
fn another_realms_decisions_are_not_judged() {
    let mut story = Story::new(&[("n1", 4)]);
    story.apply("ann", &[("a", 1)]);
    let mut backtest =
        Backtest::new("other", "forbid(principal, action, resource);", Timestamp::default()).expect("valid");
    for entry in &story.log {
        backtest.take(Position(1), entry).expect("entries follow each other");
    }
    let tested = backtest.finish();
    assert_eq!((tested.commands, tested.placements, tested.flips.len()), (0, 0, 0));
}

#[test]
fn a_policy_that_makes_no_sense_says_where() {
    let fault = Backtest::new(
        "shop",
        "permit(principal, action, resource);\n\n  permit(principal, action);",
        Timestamp::default(),
    );
    let message = fault.expect_err("it does not parse").message;
    assert!(message.starts_with("the policy does not parse at line 3, column "), "{message}");
    let unknown = "permit(principal, action, resource)\nwhen { resource has nonsense && resource.nonsense };\n\
                   permit(principal, action == Action::\"fly\", resource);";
    let message = Backtest::new("shop", unknown, Timestamp::default()).expect_err("there is no such action").message;
    assert!(message.contains(" at line ") && message.contains(", column "), "{message}");
}
