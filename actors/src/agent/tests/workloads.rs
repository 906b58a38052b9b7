//! Starting, stopping, reporting, forgetting, adopting.

use super::*;

#[test]
fn hello_is_said_more_and_more_rarely_until_welcomed() {
    let mut story = Story::begin(Inventory::default());
    assert_eq!(story.hellos(), 1);
    story.pass(600);
    assert_eq!(story.hellos(), 3, "after 200 ms, and after 400 more");
    story.pass(60_000);
    assert!((30..36).contains(&story.hellos()), "every two seconds, in the end");
    story.welcome(1, 1);
    assert!(story.agent.joined());
}

#[test]
fn what_is_desired_is_started_once_and_its_health_reported() {
    let mut story = Story::leased();
    story.desire(&[shared(1, Goal::Run), shared(2, Goal::Hold)]);
    assert!(matches!(story.take()[..], [Output::Say(Message::Reconciled { version: 1, .. }), Output::Start(_)]));
    story.desire(&[shared(1, Goal::Run)]);
    assert_eq!(story.acts(), []);
    story.started(1);
    assert_eq!(story.reported().map(|(_, seen)| seen), Some(vec![(instance(1), running())]));
    story.see(WorkloadEvent::Health { instance: instance(1), verdict: Verdict::Healthy });
    assert_eq!(story.reported(), None, "one report at a time");
    story.pass(500);
    let (report, _) = story.reported().expect("the first report is said again");
    story.hear(Order::ReportHeard { report });
    let (_, seen) = story.reported().expect("what changed since is said next");
    assert!(matches!(seen[..], [(_, Observation::Healthy { .. })]));
}

#[test]
fn a_verdict_that_comes_before_the_start_is_not_lost() {
    let mut story = Story::leased();
    story.desire(&[shared(1, Goal::Run)]);
    story.see(WorkloadEvent::Health { instance: instance(1), verdict: Verdict::Healthy });
    assert_eq!(story.reported(), None, "nothing of it is known to run");
    story.started(1);
    let (_, seen) = story.reported().expect("its start is reported");
    assert!(matches!(seen[..], [(_, Observation::Healthy { .. })]), "{seen:?}");
}

#[test]
fn without_a_health_check_running_is_healthy() {
    let mut story = Story::leased();
    let mut plain = shared(1, Goal::Run);
    plain.workload.health = None;
    story.desire(&[plain]);
    story.started(1);
    let (_, seen) = story.reported().expect("it is reported");
    assert!(matches!(seen[..], [(_, Observation::Healthy { pid: 7, .. })]));
}

#[test]
fn what_ended_is_kept_until_it_is_desired_no_more() {
    let mut story = Story::leased();
    story.desire(&[shared(1, Goal::Run)]);
    story.started(1);
    story.ended(1, Reason::ExitCode);
    story.hear_report();
    story.hear_report();
    story.desire(&[shared(1, Goal::Run)]);
    assert_eq!(story.acts(), [], "not started again, and not forgotten");
    story.desire(&[]);
    assert_eq!(story.acts(), [Output::Forget(instance(1))]);
}

#[test]
fn a_stop_has_its_grace_and_is_said_again_without() {
    let mut story = Story::leased();
    story.desire(&[shared(1, Goal::Run)]);
    story.started(1);
    story.acts();
    story.desire(&[shared(1, Goal::Stop)]);
    assert_eq!(story.acts(), [stop(1, GRACE)]);
    story.pass_in_touch(29);
    assert_eq!(story.acts(), []);
    story.pass_in_touch(1);
    assert_eq!(story.acts(), [stop(1, Span::default())]);
    story.hear_report();
    story.ended(1, Reason::ExitSignal);
    story.pass(500);
    story.hear_report();
    let (_, seen) = story.reported().unwrap_or_default();
    assert!(
        matches!(&seen[..], [(_, Observation::Ended(ended))] if ended.reason == Reason::Stopped) || seen.is_empty()
    );
}

#[test]
fn what_is_not_named_is_stopped_and_then_forgotten() {
    let found = vec![found(1, false, running()), found(2, false, Observation::Ended(Ended::new(Reason::ExitCode, "")))];
    let mut story = Story::begin(Inventory { found, lease_until: None });
    story.welcome(1, 1);
    assert_eq!(story.acts(), [], "nothing before the first desired state");
    story.desire(&[]);
    let acts = story.acts();
    assert!(acts.len() == 2 && acts.contains(&stop(1, GRACE)) && acts.contains(&Output::Forget(instance(2))));
    story.ended(1, Reason::ExitSignal);
    assert_eq!(story.acts(), [Output::Forget(instance(1))]);
}

#[test]
fn what_is_found_running_is_adopted_and_what_is_found_ended_is_not_started() {
    let ended = Observation::Ended(Ended::new(Reason::ExitCode, ""));
    let found = vec![found(1, false, running()), found(2, false, ended.clone())];
    let mut story = Story::begin(Inventory { found, lease_until: None });
    let hello = story.take().remove(0);
    let both = [(instance(1), running()), (instance(2), ended)];
    assert!(
        matches!(hello, Output::Say(Message::Hello { seen, .. }) if seen.len() == 2 && both.iter().all(|one| seen.contains(one)))
    );
    story.welcome(1, 1);
    story.desire(&[shared(1, Goal::Run), shared(2, Goal::Run)]);
    assert_eq!(story.acts(), []);
}

#[test]
fn a_stop_of_what_was_never_there_is_reported_as_its_end() {
    let mut story = Story::leased();
    story.desire(&[shared(1, Goal::Stop)]);
    let (_, seen) = story.reported().expect("it is reported");
    assert!(matches!(&seen[..], [(_, Observation::Ended(ended))] if ended.reason == Reason::Stopped));
}

#[test]
fn a_start_that_fails_is_an_end() {
    let mut story = Story::leased();
    story.desire(&[shared(1, Goal::Run)]);
    story.see(WorkloadEvent::StartFailed { instance: instance(1), detail: "no such program".into() });
    let (_, seen) = story.reported().expect("it is reported");
    assert!(matches!(&seen[..], [(_, Observation::Ended(ended))] if ended.reason == Reason::CouldNotStart));
}

#[test]
fn desired_state_that_is_old_is_not_heeded() {
    let mut story = Story::leased();
    story.desire(&[]);
    story.desire(&[shared(1, Goal::Run)]);
    story.take();
    story.hear(Order::Desired { epoch: 1, version: 1, assignments: vec![shared(2, Goal::Run)] });
    assert_eq!(story.take(), []);
    story.hear(Order::Desired { epoch: 2, version: 9, assignments: vec![shared(2, Goal::Run)] });
    assert_eq!(story.take(), [], "another epoch, for which there was no welcome");
}

#[test]
fn a_change_is_heeded_only_by_who_has_what_was_before_it() {
    let mut story = Story::leased();
    story.desire(&[shared(1, Goal::Run), shared(2, Goal::Run)]);
    [1, 2].into_iter().for_each(|number| story.started(number));
    story.take();
    let change = |epoch, since| Order::Changed {
        epoch,
        since,
        version: since + 1,
        changed: vec![shared(3, Goal::Run), shared(2, Goal::Stop)],
        gone: vec![instance(1)],
    };
    for (epoch, since) in [(1, 2), (1, 0), (2, 1)] {
        story.hear(change(epoch, since));
        assert_eq!(story.take(), [], "epoch {epoch}, since version {since}");
    }
    story.hear(change(1, 1));
    let said = story.take();
    assert!(said.contains(&Output::Say(Message::Reconciled { epoch: 1, version: 2 })), "{said:?}");
    assert!(said.contains(&stop(1, GRACE)) && said.contains(&stop(2, GRACE)), "{said:?}");
    story.ended(1, Reason::ExitSignal);
    story.ended(2, Reason::ExitSignal);
    let acts = story.acts();
    assert!(acts.contains(&Output::Start(shared(3, Goal::Run))), "{acts:?}");
    story.hear(change(1, 1));
    assert_eq!(story.acts(), [], "the same again");
}

#[test]
fn a_change_is_not_heeded_before_all_was_said_in_this_session() {
    let mut story = Story::leased();
    story.desire(&[shared(1, Goal::Run)]);
    story.hear(Order::SayHello);
    story.take();
    let change =
        Order::Changed { epoch: 1, since: 1, version: 2, changed: vec![shared(2, Goal::Run)], gone: Vec::new() };
    story.hear(change.clone());
    assert_eq!(story.acts(), [], "it says hello");
    story.welcome(1, 2);
    story.hear(change);
    assert_eq!(story.acts(), [], "it waits for all that is desired");
}

#[test]
fn a_late_welcome_does_not_make_old_desired_state_new() {
    let mut story = Story::leased();
    story.desire(&[shared(1, Goal::Run)]);
    story.desire(&[]);
    story.ended(1, Reason::ExitSignal);
    story.take();
    let (lease, hello_at) = (TERMS.lease, story.now);
    story.hear(Order::Welcome { epoch: 1, session: 2, lease, boot: BOOT, hello_at, desired: 1 });
    story.hear(Order::Desired { epoch: 1, version: 1, assignments: vec![shared(1, Goal::Run)] });
    assert_eq!(story.acts(), []);
}

#[test]
fn a_welcome_that_answers_another_process_is_not_heeded() {
    let mut story = Story::begin(Inventory::default());
    let (lease, desired) = (TERMS.lease, 0);
    let before = Timestamp(story.now.0 - 1);
    story.hear(Order::Welcome { epoch: 1, session: 1, lease, boot: BOOT, hello_at: before, desired });
    let other = Uuid::from_u128(9);
    story.hear(Order::Welcome { epoch: 1, session: 1, lease, boot: other, hello_at: story.now, desired });
    assert!(!story.agent.joined());
}
