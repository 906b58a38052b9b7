//! Any messages in any order: every wake moves the deadline, the entries make the state, nothing gets traffic that was
//! not healthy, and there are never fewer than there must be.

use super::*;
use crate::cell::{Cell, Outcome};
use messages::envelope::{Envelope, MessageId, Principal};
use messages::id::CorrelationId;
use proptest::prelude::*;

/// A step of a random story.
#[derive(Clone, Debug)]
enum Happening {
    Say(Message),
    /// The job answers the latest targets.
    Progress {
        desired: u32,
        healthy: u32,
        failures: u32,
    },
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let ticket = 1..40u64;
    let person = (ticket, 0..4u8).prop_map(|(ticket, verb)| match verb {
        0 => Message::Promote { ticket },
        1 => Message::Hold { ticket },
        2 => Message::Resume { ticket },
        _ => Message::Abort { ticket },
    });
    let failures = prop_oneof![9 => Just(0), 1 => 1..3u32];
    prop_oneof![
        1 => person.prop_map(Happening::Say),
        6 => (2..7u32, 0..7u32, failures)
            .prop_map(|(desired, healthy, failures)| Happening::Progress { desired, healthy, failures }),
        4 => (1..8_000u64).prop_map(Happening::Pass),
    ]
}

struct Story {
    cell: Cell<Rollout>,
    folded: Cell<Rollout>,
    now: Timestamp,
    count: u64,
    healthy: u32,
}

impl Story {
    fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Say(message) => self.say(message),
            Happening::Progress { desired, healthy, failures } => {
                self.healthy = healthy;
                let evidence = None;
                let revisions = vec![RevisionProgress { revision: 2, present: healthy, healthy, failures, evidence }];
                let (version, targets) = (self.count + 1, self.cell.state().version);
                self.say(Message::Progress { version, targets, desired, revisions });
            }
            Happening::Pass(milliseconds) => {
                let until = self.now.after(Span::milliseconds(milliseconds));
                while let Some(due) = self.cell.deadline().filter(|due| *due <= until) {
                    self.now = self.now.max(due);
                    let outcome = self.cell.wake(self.now).expect("the deadline has passed");
                    self.check(outcome);
                    assert!(self.cell.deadline().is_none_or(|next| next > self.now), "a wake moves the deadline");
                }
                self.now = until;
            }
        }
    }

    fn say(&mut self, message: Message) {
        self.count += 1;
        let envelope = Envelope {
            id: MessageId::Outside(uuid::Uuid::from_u128(self.count.into())),
            from: job().into(),
            to: me().into(),
            correlation: CorrelationId::default(),
            principal: Principal::system(),
            at: self.now,
            body: message.clone().into(),
        };
        let outcome = self.cell.handle(&envelope, &message, self.now);
        self.check(outcome);
    }

    fn check(&mut self, outcome: Outcome<Rollout>) {
        let before = self.folded.state().traffic;
        if let Outcome::Entry(record) = outcome {
            assert_eq!(self.folded.retake(&record), record, "the turn can be taken again");
            self.folded.apply(&record).expect("entries follow each other");
        }
        let state = self.cell.state();
        assert_eq!(self.folded.state(), state, "the entries make the state");
        let Some(targets) = state.targets() else { return };
        let wanted: u32 = targets.counts.iter().map(|(_, count)| count).sum();
        assert!(wanted >= state.desired, "never fewer than wanted");
        assert!(wanted <= 2 * state.desired, "and never more than twice as many");
        assert_eq!(targets.weights.iter().map(|(_, weight)| weight).sum::<u32>(), 100);
        if state.traffic > before {
            assert!(self.healthy >= state.share(state.traffic), "no traffic for what is not healthy");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_story_keeps_the_rules(happenings in proptest::collection::vec(happening(), 1..80)) {
        let cell = Cell::new(me().into());
        let mut story = Story { folded: cell.clone(), cell, now: Timestamp(1_000_000), count: 0, healthy: 0 };
        story.say(begin(4, false, RolloutSpec { failures_max: 2, ..RolloutSpec::default() }));
        for happening in happenings {
            story.take(happening);
        }
    }
}
