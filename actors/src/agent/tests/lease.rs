//! The lease: counted from the sending of what was answered; without it nothing exclusive runs.

use super::*;

fn lease_end(sent_at: Timestamp) -> Timestamp {
    sent_at.after(TERMS.lease)
}

#[test]
fn a_lease_counts_from_the_sending_of_the_beat() {
    let mut story = Story::begin(Inventory::default());
    story.welcome(1, 1);
    let sent_at = story.now;
    story.now = sent_at.after(Span::milliseconds(300));
    story.answer_beat();
    assert_eq!(story.done.pop(), Some(Output::RenewLease { until: lease_end(sent_at) }));
    assert_eq!(story.agent.lease_until(), lease_end(sent_at));
}

#[test]
fn an_answer_to_a_beat_that_was_never_sent_renews_nothing() {
    let mut story = Story::leased();
    let before = story.agent.lease_until();
    story.hear(Order::BeatHeard { epoch: 1, session: 1, sent_at: Timestamp(story.now.0 + 5) });
    story.hear(Order::BeatHeard { epoch: 1, session: 0, sent_at: story.now });
    assert_eq!(story.agent.lease_until(), before);
}

#[test]
fn an_exclusive_instance_starts_only_under_a_lease() {
    let mut story = Story::begin(Inventory::default());
    story.welcome(1, 1);
    let beats = story.take();
    story.desire(&[exclusive(1, Goal::Run), shared(2, Goal::Run)]);
    assert!(matches!(&story.acts()[..], [Output::Start(started)] if started.instance == instance(2)));
    story.done = beats;
    story.answer_beat();
    assert!(matches!(&story.acts()[..], [Output::Start(started)] if started.instance == instance(1)));
}

#[test]
fn when_the_lease_is_over_what_is_exclusive_is_killed_and_hello_is_said() {
    let mut story = Story::leased();
    story.desire(&[exclusive(1, Goal::Run), shared(2, Goal::Run)]);
    story.started(1);
    story.started(2);
    story.take();
    story.pass(3_999);
    assert!(story.hellos() == 0 && story.acts().is_empty());
    story.pass(1);
    assert_eq!(story.hellos(), 1);
    assert_eq!(story.acts(), [stop(1, Span::default())]);
    story.ended(1, Reason::ExitSignal);
    story.welcome(1, 2);
    let (_, seen) = story.reported().expect("all is reported to the new session");
    let ends: Vec<_> = seen.iter().filter(|(_, seen)| matches!(seen, Observation::Ended(_))).collect();
    assert!(matches!(ends[..], [(_, Observation::Ended(ended))] if ended.reason == Reason::LeaseExpired));
}

#[test]
fn answered_beats_keep_everything_running() {
    let mut story = Story::leased();
    story.desire(&[exclusive(1, Goal::Run)]);
    story.started(1);
    story.hear_report();
    story.pass_in_touch(100);
    assert_eq!((story.hellos(), story.acts().len()), (0, 0));
}

#[test]
fn a_stop_with_a_long_grace_does_not_outlast_the_lease() {
    let mut story = Story::leased();
    story.desire(&[exclusive(1, Goal::Run)]);
    story.started(1);
    story.desire(&[exclusive(1, Goal::Stop)]);
    story.take();
    story.pass(4_000);
    assert_eq!(story.acts(), [stop(1, Span::default())]);
}

#[test]
fn an_agent_that_restarts_goes_on_with_the_lease_that_was_left() {
    let until = Timestamp(BORN_MS * 1_000 + 1_000_000);
    let mut story = Story::begin(Inventory { found: vec![found(1, true, running())], lease_until: Some(until) });
    story.pass(999);
    assert_eq!(story.acts(), []);
    story.pass(1);
    assert_eq!(story.acts(), [stop(1, Span::default())]);
}

#[test]
fn an_agent_that_finds_no_lease_kills_what_is_exclusive_at_once() {
    let found = vec![found(1, true, running()), found(2, false, running())];
    let mut story = Story::begin(Inventory { found, lease_until: None });
    assert_eq!(story.acts(), [stop(1, Span::default())]);
}

#[test]
fn a_new_epoch_ends_the_lease_and_what_was_desired() {
    let mut story = Story::begin(Inventory::default());
    story.welcome(1, 1);
    story.desire(&[exclusive(1, Goal::Run)]);
    story.take();
    story.welcome(2, 2);
    story.answer_beat();
    assert_eq!(story.acts(), [], "the claim of the epoch before is gone");
    story.desire(&[exclusive(3, Goal::Run)]);
    assert!(matches!(&story.acts()[..], [Output::Start(started)] if started.instance == instance(3)));
}

#[test]
fn an_agent_whose_session_does_not_count_says_hello() {
    let mut story = Story::leased();
    story.hear(Order::SayHello);
    assert_eq!(story.hellos(), 1);
    story.hear(Order::SayHello);
    assert_eq!(story.hellos(), 1, "it does already");
    let beats = |story: &Story| story.done.iter().filter(|output| matches!(output, Output::Beat(_))).count();
    story.pass(1_000);
    assert_eq!(beats(&story), 0);
    story.welcome(1, 2);
    assert_eq!(beats(&story), 1);
}
