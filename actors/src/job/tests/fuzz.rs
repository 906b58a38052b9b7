//! Any messages in any order: nothing panics, every wake moves the deadline, the entries make the state, and there is
//! never more than there should be.

use super::*;
use crate::cell::{Cell, Outcome};
use messages::codec::encode_bare;
use messages::envelope::{Envelope, MessageId, Principal};
use messages::id::{ActorId, CorrelationId};
use proptest::prelude::*;

/// A step of a random story.
#[derive(Clone, Debug)]
enum Step {
    Say(Message),
    /// The how-manieth of the instances that there are is assigned, seen, released or moved.
    Assign(usize, u8),
    See(usize, Option<Observation>),
    Release(usize, Reason),
    Move(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (pick, span) = (0..8usize, 1..20_000u64);
    let seen = prop_oneof![
        4 => Just(Some(healthy())),
        1 => Just(None),
        1 => Just(Some(Observation::Unhealthy { ports: vec![], pid: 1, evidence: "503".into() })),
        1 => Just(Some(Observation::Ended(killed()))),
    ];
    let ended = prop_oneof![Just(Reason::ExitCode), Just(Reason::NodeLost), Just(Reason::Stopped)];
    prop_oneof![
        4 => message().prop_map(Step::Say),
        4 => (pick.clone(), 0..4u8).prop_map(|(pick, node)| Step::Assign(pick, node)),
        4 => (pick.clone(), seen).prop_map(|(pick, seen)| Step::See(pick, seen)),
        3 => (pick.clone(), ended).prop_map(|(pick, reason)| Step::Release(pick, reason)),
        1 => pick.prop_map(Step::Move),
        3 => span.prop_map(Step::Pass),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let ticket = 0..40u64;
    let apply = (ticket.clone(), 0..4u32, 0..3usize, any::<bool>()).prop_map(|(ticket, instances, run, exclusive)| {
        let mut spec = JobSpec { exclusive, ..next_workload(instances, ["./a", "./b", "./c"][run]) };
        spec.place.gang = ticket % 3 == 0;
        Message::Apply { ticket, spec }
    });
    let scale = (ticket.clone(), 0..5u32).prop_map(|(ticket, instances)| Message::Scale { ticket, instances });
    let restart = (ticket.clone(), proptest::option::of(0..4u32));
    let restart = restart.prop_map(|(ticket, slot)| Message::Restart { ticket, slot });
    let targets = (1..4u32, 1..4u32, 1..9u64, 0..4u32, 0..4u32, 0..=100u32, 0..6u8);
    let targets = targets.prop_map(|(to, from, version, old, new, weight, settled)| Message::Targets {
        rollout: RolloutId::of(me(), to),
        version,
        counts: vec![(from, old), (to, new)],
        weights: vec![(from, 100 - weight), (to, weight)],
        settled: [Some(to), Some(from)].get(usize::from(settled)).copied().flatten(),
    });
    let route = RouteId::named("shop", "r");
    prop_oneof![
        3 => apply,
        2 => scale,
        1 => restart,
        1 => ticket.prop_map(|ticket| Message::Stop { ticket }),
        3 => targets,
        1 => Just(Message::Subscribe { route }),
        1 => (0..30u64).prop_map(move |version| Message::EndpointsNoted { route, version }),
        1 => (1..4u32, 0..30u64)
            .prop_map(|(to, version)| Message::ProgressNoted { rollout: RolloutId::of(me(), to), version }),
    ]
}

/// Runs a story in a cell, and folds its entries into another.
struct Story {
    cell: Cell<Job>,
    folded: Cell<Job>,
    now: Timestamp,
    count: u128,
}

impl Story {
    fn take(&mut self, step: Step) {
        let instances: Vec<InstanceId> = self.cell.state().instances.keys().copied().collect();
        let any = |pick: usize| (!instances.is_empty()).then(|| instances[pick % instances.len()]);
        let at = |story: &Self, id: InstanceId| story.cell.state().instances[&id].node.unwrap_or(node("n0"));
        let version = 1 + u64::try_from(self.count).expect("stories are short");
        match step {
            Step::Say(message) => self.say(PolicyId::of_realm("shop"), message),
            Step::Assign(pick, name) => {
                let Some(instance) = any(pick) else { return };
                let (node, host) = (node(&format!("n{name}")), String::new());
                self.say(node, Message::Assigned { instance, node, node_name: String::new(), host, epoch: 1 });
            }
            Step::See(pick, observation) => {
                let Some(instance) = any(pick) else { return };
                let node = at(self, instance);
                self.say(node, Message::Observed { instance, node, version, observation });
            }
            Step::Release(pick, reason) => {
                let Some(instance) = any(pick) else { return };
                let (node, ended) = (at(self, instance), Ended::new(reason, ""));
                self.say(node, Message::Released { instance, node, version, ended });
            }
            Step::Move(pick) => {
                let Some(instance) = any(pick) else { return };
                let node = at(self, instance);
                self.say(node, Message::MoveAway { instance, node });
            }
            Step::Pass(milliseconds) => self.pass(Span::milliseconds(milliseconds)),
        }
    }

    fn say(&mut self, from: impl Into<ActorId>, message: Message) {
        self.count += 1;
        let envelope = Envelope {
            id: MessageId::Outside(uuid::Uuid::from_u128(self.count)),
            from: Address::Actor(from.into()),
            to: me().into(),
            correlation: CorrelationId::default(),
            principal: Principal::system(),
            at: self.now,
            body: message.clone().into(),
        };
        let outcome = self.cell.handle(&envelope, &message, self.now);
        self.check(outcome);
    }

    fn pass(&mut self, span: Span) {
        let until = self.now.after(span);
        while let Some(due) = self.cell.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            let outcome = self.cell.wake(self.now).expect("the deadline has passed");
            self.check(outcome);
            assert!(self.cell.deadline().is_none_or(|next| next > self.now), "a wake moves the deadline");
        }
        self.now = until;
    }

    fn check(&mut self, outcome: Outcome<Job>) {
        if let Outcome::Entry(record) = outcome {
            assert_eq!(self.folded.retake(&record), record, "the turn can be taken again");
            let mut followed = self.folded.clone();
            self.folded.apply(&record).expect("entries follow each other");
            assert_eq!(followed.follow(&encode_bare(&record)), Ok(Some(record.events.len())));
            assert_eq!(followed, self.folded);
        }
        assert_eq!(self.folded.state(), self.cell.state(), "the entries make the state");
        let job = self.cell.state();
        for slot in 0..64 {
            assert!(job.in_slot(slot).count() <= 1, "a slot has one instance");
        }
        for (revision, count) in &job.counts {
            let live = job.instances.values().filter(|one| one.revision == *revision && one.live()).count();
            assert!(live <= *count as usize, "{live} of revision {revision} where {count} are wanted");
        }
        assert!(job.instances.values().all(|one| job.workloads.contains_key(&one.revision)), "every workload is known");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_story_keeps_the_rules(steps in proptest::collection::vec(step(), 1..80)) {
        let cell = Cell::new(me().into());
        let mut story = Story { folded: cell.clone(), cell, now: Timestamp(1_000_000), count: 0 };
        story.take(Step::Say(Message::Apply { ticket: 1_000, spec: spec(3) }));
        for step in steps {
            story.take(step);
        }
    }
}
