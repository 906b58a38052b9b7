//! Stories of the policy: given a realm, when a command comes in, then it is judged, checked, passed on and answered.

use super::*;
use crate::cell::{Cell, Outcome};
use messages::codec::encode_bare;
use messages::entry::Record;
use messages::envelope::{Body, Envelope, Principal};
use messages::id::{ClientId, CorrelationId, JobId, NodeId, PolicyId, RouteId, SchedulerId};
use messages::manifest::Manifest;
use messages::policy::SYSTEM_REALM;
use messages::reason::Reason;
use messages::resources::Resources;
use messages::{node, route, scheduler};
use uuid::Uuid;

type Sends = Vec<(Address, Body)>;
type Reply = Result<Answer, Refusal>;

/// A realm's policy, all that it recorded, and a client.
struct Story {
    cell: Cell<Policy>,
    records: Vec<Record<Message, Event>>,
    now: Timestamp,
    principal: Principal,
    said: u64,
}

impl Story {
    fn new(realm: &str) -> Self {
        Self {
            cell: Cell::new(PolicyId::of_realm(realm).into()),
            records: Vec::new(),
            now: Timestamp(3_600_000_000),
            principal: Principal { name: "user:ann".into(), groups: vec!["staff".into()] },
            said: 0,
        }
    }

    fn say(&mut self, from: Address, message: Message) -> Sends {
        self.said += 1;
        self.say_as(from, self.said, message)
    }

    fn say_as(&mut self, from: Address, id: u64, message: Message) -> Sends {
        let envelope = Envelope {
            id: MessageId::Outside(Uuid::from_u128(id.into())),
            from,
            to: Address::Actor(self.cell.id()),
            correlation: CorrelationId::default(),
            principal: self.principal.clone(),
            at: self.now,
            body: message.clone().into(),
        };
        let outcome = self.cell.handle(&envelope, &message, self.now);
        self.keep(outcome)
    }

    fn submit(&mut self, request: Request) -> Sends {
        let realm = if self.cell.id() == PolicyId::of_realm("shop").into() { "shop" } else { SYSTEM_REALM };
        self.say(client(), Message::Submit { realm: realm.into(), request })
    }

    fn wait(&mut self, span: Span) -> Sends {
        self.now = self.now.after(span);
        let outcome = self.cell.wake(self.now);
        outcome.map(|outcome| self.keep(outcome)).unwrap_or_default()
    }

    fn keep(&mut self, outcome: Outcome<Policy>) -> Sends {
        match outcome {
            Outcome::Entry(record) => {
                let sends = record.head.sends.clone();
                self.records.push(record);
                sends
            }
            Outcome::Answer(answers) => answers.into_iter().map(|envelope| (envelope.to, envelope.body)).collect(),
        }
    }

    /// The scheduler answers every check among these with yes.
    fn fits(&mut self, sends: &Sends) -> Sends {
        let checks: Vec<u64> = checks(sends).into_iter().map(|(ticket, _)| ticket).collect();
        checks
            .into_iter()
            .flat_map(|ticket| self.say(Address::Host, Message::Checked { ticket, outcome: Ok(()) }))
            .collect()
    }

    /// Every actor that was told something answers that it has taken it in.
    fn done(&mut self, sends: &Sends) -> Sends {
        let mut said = Sends::new();
        for (to, body) in sends {
            let (what, ticket) = match body {
                Body::Job(messages::job::Message::Apply { ticket, spec }) => {
                    (format!("job shop/{}", spec.name), *ticket)
                }
                Body::Job(messages::job::Message::Scale { ticket, .. }) => ("job shop/a".into(), *ticket),
                Body::Route(route::Message::Apply { ticket, spec }) => (format!("route {}", spec.name), *ticket),
                Body::Node(node::Message::Cordon { ticket }) => ("node n1".into(), *ticket),
                _ => continue,
            };
            let outcome = Ok(Change { what, how: "created".into() });
            said.extend(self.say(*to, Message::Done { ticket, outcome }));
        }
        said
    }

    fn check(&self) {
        let mut fold: Cell<Policy> = Cell::new(self.cell.id());
        for record in &self.records {
            assert_eq!(&fold.retake(record), record, "a turn taken again records the same");
            let mut followed = fold.clone();
            fold.apply(record).expect("entries follow each other");
            assert_eq!(followed.follow(&encode_bare(record)), Ok(Some(record.events.len())));
            assert_eq!(followed, fold);
        }
        assert_eq!(fold.state(), self.cell.state());
        let restored = Cell::restore(self.cell.id(), &self.cell.snapshot()).expect("a snapshot of this build");
        assert_eq!(&restored, &self.cell);
    }
}

fn client() -> Address {
    Address::Client(ClientId(Uuid::from_u128(1)))
}

fn checks(sends: &Sends) -> Vec<(u64, Vec<String>)> {
    let check = |(to, body): &(Address, Body)| match body {
        Body::Scheduler(scheduler::Message::Check { ticket, jobs, .. }) => {
            assert_eq!(*to, SchedulerId::of_site("local").into());
            Some((*ticket, jobs.iter().map(|spec| spec.name.clone()).collect()))
        }
        _ => None,
    };
    sends.iter().filter_map(check).collect()
}

fn reply(sends: &Sends) -> Reply {
    let mut replies = sends.iter().filter_map(|(to, body)| match body {
        Body::Reply(outcome) => Some((*to, outcome.clone())),
        _ => None,
    });
    let (to, outcome) = replies.next().expect("an answer to the client");
    assert_eq!((to, replies.next()), (client(), None));
    outcome
}

fn refusal(sends: &Sends) -> Refusal {
    reply(sends).expect_err("a refusal")
}

fn job(name: &str, instances: u32) -> JobSpec {
    let mut spec = JobSpec { realm: "shop".into(), name: name.into(), instances, ..JobSpec::default() };
    spec.workload.resources = Resources { cpu_milli: 500, ..Resources::default() };
    spec
}

fn manifest(jobs: Vec<JobSpec>) -> Manifest {
    let jobs = jobs.into_iter().map(|spec| (spec.name.clone(), spec)).collect();
    Manifest { realm: "shop".into(), jobs, ..Manifest::default() }
}

fn apply(jobs: Vec<JobSpec>) -> Request {
    Request::Apply { manifest: manifest(jobs) }
}

fn applied(jobs: Vec<JobSpec>) -> Story {
    let mut story = Story::new("shop");
    let asked = story.submit(apply(jobs));
    let passed = story.fits(&asked);
    story.done(&passed);
    story
}

fn set_policy(text: &str, mode: Mode) -> Request {
    Request::SetPolicy { text: text.into(), mode }
}

#[test]
fn a_manifest_is_checked_then_passed_on_whole_then_answered() {
    let mut story = Story::new("shop");
    let mut wanted = manifest(vec![job("b", 1), job("a", 2)]);
    let route = RouteSpec { realm: "shop".into(), name: "a.test".into(), to: "a".into(), ..RouteSpec::default() };
    wanted.routes.insert("a.test".into(), route);
    let asked = story.submit(Request::Apply { manifest: wanted });
    assert_eq!(checks(&asked), [(1, vec!["a".into(), "b".into()])]);
    assert_eq!(asked.len(), 1, "nothing is passed on before it is known to fit");
    let passed = story.fits(&asked);
    let to: Vec<Address> = passed.iter().map(|(to, _)| *to).collect();
    let expected: [Address; 5] = [
        JobId::named("shop", "a").into(),
        RouteId::service("shop", "a").into(),
        JobId::named("shop", "b").into(),
        RouteId::service("shop", "b").into(),
        RouteId::named("shop", "a.test").into(),
    ];
    assert_eq!(to, expected);
    let answer = reply(&story.done(&passed)).expect("applied");
    let what: Vec<&str> = answer.changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(what, ["job shop/a", "job shop/b", "route a.test"]);
    assert_eq!(answer.verdict, "permitted by policy0");
    story.check();
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_of_it_holds() {
    let mut story = Story::new("shop");
    story.submit(apply(vec![job("a", 2)]));
    let no = Refusal::new(Reason::NoCpu, "job a: 1 of 2 instances fit").change("less");
    let sends = story.say(Address::Host, Message::Checked { ticket: 1, outcome: Err(no.clone()) });
    assert_eq!(sends, [(client(), Body::Reply(Err(no)))]);
    assert!(story.cell.state().jobs().is_empty());
    story.check();
}

#[test]
fn who_does_not_answer_is_asked_again_and_who_has_is_not() {
    let mut story = Story::new("shop");
    let asked = story.submit(apply(vec![job("a", 1)]));
    assert_eq!(checks(&story.wait(RETRY_FIRST)), checks(&asked));
    let passed = story.fits(&asked);
    assert_eq!(story.done(&vec![passed[0].clone()]), []);
    assert_eq!(story.wait(RETRY_FIRST), [passed[1].clone()]);
    assert!(reply(&story.done(&vec![passed[1].clone()])).is_ok());
    assert_eq!(story.cell.deadline(), None);
    story.check();
}

#[test]
fn a_silent_scheduler_is_not_waited_for_for_ever() {
    let mut story = Story::new("shop");
    story.submit(apply(vec![job("a", 1)]));
    let refusal = refusal(&story.wait(CHECK_MAX));
    assert_eq!(refusal.message, "the scheduler did not answer within 10s, and nothing was applied");
    assert_eq!(story.cell.deadline(), None);
}

#[test]
fn manifests_take_turns_and_too_many_are_refused() {
    let mut story = Story::new("shop");
    let first = story.submit(apply(vec![job("a", 1)]));
    assert_eq!(story.submit(apply(vec![job("a", 2)])), [], "its turn has not come");
    let passed = story.fits(&first);
    let next = story.done(&passed);
    assert!(reply(&next).is_ok());
    assert_eq!(checks(&next), [(2, vec!["a".into()])]);
    for _ in 1..LANE_MAX {
        assert_eq!(story.submit(apply(vec![job("a", 3)])), []);
    }
    assert_eq!(refusal(&story.submit(apply(vec![job("a", 3)]))).reason, Reason::Overloaded);
    story.check();
}

#[test]
fn a_job_that_stays_as_it_is_is_not_checked_but_still_passed_on() {
    let mut story = applied(vec![job("a", 2)]);
    let sends = story.submit(apply(vec![job("a", 2)]));
    assert_eq!((checks(&sends).len(), sends.len()), (0, 2));
}

#[test]
fn a_command_that_comes_again_is_answered_again_and_done_once() {
    let mut story = Story::new("shop");
    let message = Message::Submit { realm: "shop".into(), request: apply(vec![job("a", 1)]) };
    let asked = story.say_as(client(), 900, message.clone());
    assert_eq!(story.say_as(client(), 900, message.clone()), [], "the answer will come");
    let passed = story.fits(&asked);
    let answered = story.done(&passed);
    let entries = story.cell.sequence();
    assert_eq!(story.say_as(client(), 900, message), answered);
    assert_eq!(story.cell.sequence(), entries);
}

#[test]
fn an_actor_that_refuses_keeps_what_was_declared_before() {
    let mut story = applied(vec![job("a", 2)]);
    let asked = story.submit(Request::Scale { job: "a".into(), instances: 5 });
    assert_eq!(checks(&asked)[0].1, ["a"]);
    story.fits(&asked);
    assert_eq!(story.cell.state().jobs()["a"].instances, 5);
    let ticket = checks(&asked)[0].0;
    let no = Refusal::new(Reason::WrongState, "not now");
    let sends = story.say(JobId::named("shop", "a").into(), Message::Done { ticket, outcome: Err(no) });
    assert_eq!(refusal(&sends).message, "not now");
    assert_eq!(story.cell.state().jobs()["a"].instances, 2);
    story.check();
}

#[test]
fn a_quota_of_nothing_is_refused() {
    let mut story = applied(vec![job("a", 2)]);
    let none = Quota { instances: Some(0), ..Quota::default() };
    let told = refusal(&story.submit(Request::SetQuota { quota: Some(none) }));
    assert_eq!(
        (told.reason, &*told.message),
        (Reason::Invalid, "realm shop: a quota of 0 instances would let nothing run")
    );
    let empty = story.submit(Request::SetQuota { quota: Some(Quota::default()) });
    assert_eq!(refusal(&empty).reason, Reason::Invalid);
    assert!(story.cell.state().quota().is_none());
    story.check();
}

#[test]
fn a_quota_counts_what_all_jobs_declare() {
    let mut story = applied(vec![job("a", 2)]);
    let quota = |instances| Some(Quota { instances: Some(instances), ..Quota::default() });
    reply(&story.submit(Request::SetQuota { quota: quota(3) })).expect("set");
    let refusal = refusal(&story.submit(apply(vec![job("b", 2)])));
    assert_eq!(refusal.message, "realm shop would use 4 of instances, and its quota is 3");
    assert_eq!(checks(&story.submit(apply(vec![job("b", 1)]))).len(), 1, "three are let in");
    let mut other = applied(vec![job("a", 4)]);
    reply(&other.submit(Request::SetQuota { quota: quota(1) })).expect("set");
    assert_eq!(other.submit(Request::Scale { job: "a".into(), instances: 3 }).len(), 1, "less is always let through");
    story.check();
}

#[test]
fn a_name_that_is_not_known_is_refused_with_the_nearest() {
    let mut story = applied(vec![job("front", 2)]);
    let refusal = refusal(&story.submit(Request::Restart { job: "frotn".into(), slot: None }));
    assert_eq!((refusal.reason, refusal.change.as_deref()), (Reason::NotFound, Some("did you mean front?")));
}

#[test]
fn an_enforced_policy_denies_what_it_does_not_permit_and_what_it_forbids() {
    let text = "permit(principal in Group::\"staff\", action, resource);\n\
                @id(\"frozen\") forbid(principal, action == Action::\"apply\", resource is Job)\n\
                when { resource.cpu_milli > 400 };";
    let mut story = Story::new("shop");
    reply(&story.submit(set_policy(text, Mode::Enforce))).expect("valid");
    let denied = refusal(&story.submit(apply(vec![job("a", 1)])));
    assert_eq!((denied.reason, denied.message.contains("frozen")), (Reason::PolicyForbids, true));
    let mut small = job("a", 1);
    small.workload.resources.cpu_milli = 100;
    assert_eq!(checks(&story.submit(apply(vec![small]))).len(), 1);
    story.principal = Principal { name: "user:eve".into(), groups: vec![] };
    assert_eq!(refusal(&story.submit(apply(vec![job("a", 1)]))).reason, Reason::PolicyForbids);
    assert_eq!(refusal(&story.submit(Request::SetQuota { quota: None })).reason, Reason::PolicyNoPermit);
    story.check();
}

#[test]
fn shadow_and_audit_deny_nothing_and_say_what_they_would() {
    for (mode, words) in [(Mode::Audit, "(audit: not applied)"), (Mode::Shadow, "(shadow: would be denied)")] {
        let mut story = Story::new("shop");
        story.submit(set_policy("@id(\"no\") forbid(principal, action, resource);", mode));
        let answer = reply(&story.submit(Request::SetQuota { quota: None })).expect("not denied");
        assert_eq!(answer.verdict, format!("forbidden by no {words}"));
    }
}

#[test]
fn a_forbid_that_cannot_be_evaluated_denies() {
    let text = "permit(principal, action, resource);\n\
                forbid(principal, action == Action::\"set-quota\", resource)\n\
                when { context.hour * 9223372036854775807 == 5 };";
    let mut story = Story::new("shop");
    story.now = Timestamp(5 * 3_600_000_000);
    reply(&story.submit(set_policy(text, Mode::Enforce))).expect("valid");
    assert_eq!(refusal(&story.submit(Request::SetQuota { quota: None })).reason, Reason::PolicyError);
}

#[test]
fn a_policy_that_is_not_valid_is_refused_with_its_line() {
    let mut story = Story::new("shop");
    for (text, line, word) in [
        ("permit(principal, action, resource);\npermit(principal, action);", "line 2", "parse"),
        (
            "permit(principal, action, resource);\n\npermit(principal, action == Action::\"fly\", resource);",
            "line 3",
            "fly",
        ),
        ("permit(principal, action == Action::\"scale\", resource)\nwhen { resource.size > 3 };", "line 2", "size"),
        ("permit(principal == ?principal, action, resource);", "template", "template"),
    ] {
        let refusal = refusal(&story.submit(set_policy(text, Mode::Audit)));
        assert_eq!(refusal.reason, Reason::Invalid);
        assert!(refusal.message.contains(line) && refusal.message.contains(word), "{}", refusal.message);
    }
    assert_eq!(story.cell.state().version(), 0);
}

#[test]
fn nobody_locks_themselves_out() {
    let mut story = Story::new("shop");
    let text = "permit(principal in Group::\"admins\", action, resource);";
    let refused = refusal(&story.submit(set_policy(text, Mode::Enforce)));
    assert!(refused.message.contains("would lock user:ann out"), "{}", refused.message);
    reply(&story.submit(set_policy(text, Mode::Shadow))).expect("shadow locks nobody out");
}

#[test]
fn rules_are_told_to_the_scheduler_until_it_notes_them() {
    let mut story = Story::new("shop");
    let rules = |sends: &Sends| {
        let mut all = sends.iter().map(|(_, body)| body);
        all.any(|body| matches!(body, Body::Scheduler(scheduler::Message::Rules { version: 1, .. })))
    };
    assert!(rules(&story.submit(set_policy(cedar::DEFAULT_TEXT, Mode::Enforce))));
    assert!(rules(&story.wait(RETRY_FIRST)));
    story.say(Address::Host, Message::RulesNoted { version: 1 });
    assert_eq!(story.cell.deadline(), None);
    story.check();
}

#[test]
fn commands_about_nodes_belong_to_the_system() {
    let cordon = || Request::Cordon { node: "n1".into() };
    assert_eq!(refusal(&Story::new("shop").submit(cordon())).reason, Reason::Invalid);
    let mut story = Story::new(SYSTEM_REALM);
    let passed = story.submit(cordon());
    assert_eq!(passed[0].0, NodeId::named("n1").into());
    assert!(reply(&story.done(&passed)).is_ok());
    let wrong = Message::Submit { realm: "shop".into(), request: cordon() };
    assert_eq!(refusal(&story.say(client(), wrong)).reason, Reason::Invalid);
}
