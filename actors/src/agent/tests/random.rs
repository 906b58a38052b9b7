//! Whatever is heard in whatever order: deadlines move, nothing is started twice, nothing exclusive without a lease.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn order() -> impl Strategy<Value = Order> {
    let assignment = (0..5u64, 0..3u8, any::<bool>()).prop_map(|(number, goal, alone)| {
        let goal = [Goal::Hold, Goal::Run, Goal::Stop][usize::from(goal) % 3];
        if alone { exclusive(number, goal) } else { shared(number, goal) }
    });
    let some = || prop::collection::vec(assignment.clone(), 0..5);
    prop_oneof![
        (1..4u64, 1..9u64, 0..9u64).prop_map(|(epoch, session, desired)| Order::Welcome {
            epoch,
            session,
            lease: TERMS.lease,
            boot: BOOT,
            hello_at: Timestamp(BORN_MS * 1_000),
            desired,
        }),
        Just(Order::SayHello),
        (1..4u64, 0..20u64, some()).prop_map(|(epoch, version, assignments)| Order::Desired {
            epoch,
            version,
            assignments
        }),
        (1..4u64, 0..20u64, some(), 0..5u64).prop_map(|(epoch, since, changed, gone)| {
            Order::Changed { epoch, since, version: since + 1, changed, gone: vec![instance(gone)] }
        }),
        (0..20u64).prop_map(|report| Order::ReportHeard { report }),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Order(Order),
    AnswerBeat,
    HearReport,
    Started(u64),
    Failed(u64),
    Health(u64, bool),
    Ended(u64),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => order().prop_map(Step::Order),
        2 => Just(Step::AnswerBeat),
        1 => Just(Step::HearReport),
        2 => (0..5u64).prop_map(Step::Started),
        1 => (0..5u64).prop_map(Step::Failed),
        1 => (0..5u64, any::<bool>()).prop_map(|(number, well)| Step::Health(number, well)),
        1 => (0..5u64).prop_map(Step::Ended),
        2 => (0..6_000u64).prop_map(Step::Pass),
    ]
}

fn take(story: &mut Story, beat: &mut Option<Beat>, report: &mut Option<u64>, step: &Step) {
    let which = |number: &u64| instance(*number);
    match step {
        Step::Order(order) => story.hear(order.clone()),
        Step::AnswerBeat => {
            if let Some(Beat { epoch, session, sent_at }) = beat.take() {
                story.hear(Order::BeatHeard { epoch, session, sent_at });
            }
        }
        Step::HearReport => {
            if let Some(report) = report.take() {
                story.hear(Order::ReportHeard { report });
            }
        }
        Step::Started(number) => story.started(*number),
        Step::Failed(number) => {
            story.see(WorkloadEvent::StartFailed { instance: which(number), detail: String::new() });
        }
        Step::Health(number, well) => {
            let verdict = if *well { Verdict::Healthy } else { Verdict::Unhealthy("503".into()) };
            story.see(WorkloadEvent::Health { instance: which(number), verdict });
        }
        Step::Ended(number) => story.ended(*number, Reason::ExitCode),
        Step::Pass(milliseconds) => story.pass(*milliseconds),
    }
}

proptest! {
    #[test]
    fn nothing_breaks_an_agent(steps in prop::collection::vec(step(), 1..100)) {
        let there = vec![found(0, true, running()), found(1, false, running())];
        let lease_until = Some(Timestamp(BORN_MS * 1_000 + 2_000_000));
        let mut story = Story::begin(Inventory { found: there, lease_until });
        let mut there: BTreeSet<_> = [instance(0), instance(1)].into();
        let (mut beat, mut report) = (None, None);
        for step in &steps {
            take(&mut story, &mut beat, &mut report, step);
            for output in story.take() {
                match output {
                    Output::Start(started) => {
                        prop_assert!(there.insert(started.instance), "started twice");
                        prop_assert!(!started.exclusive || story.agent.lease_until() > Timestamp(BORN_MS * 1_000));
                    }
                    Output::Forget(instance) => {
                        there.remove(&instance);
                    }
                    Output::Stop { instance, .. } => prop_assert!(there.contains(&instance)),
                    Output::Beat(sent) => beat = Some(sent),
                    Output::Say(Message::Report { report: number, .. }) => report = Some(number),
                    Output::Say(_) | Output::RenewLease { .. } => {}
                }
            }
        }
    }
}
