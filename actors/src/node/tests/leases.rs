//! Hello, silence, loss and return.

use super::*;

#[test]
fn a_hello_is_welcomed_and_told_what_is_desired() {
    let mut story = Story::ready();
    let welcome = story.orders()[0].clone();
    let Order::Welcome { epoch: 1, session: 1, boot, hello_at, desired, .. } = welcome else {
        panic!("a welcome was expected, not {welcome:?}");
    };
    assert_eq!((boot, hello_at), (FIRST_BOOT, Timestamp(10)));
    assert!(matches!(story.orders()[1], Order::Desired { version, .. } if *version == desired));
    assert_eq!(story.standing(), Standing::Ready);
    story.hello(FIRST_BOOT, 20, &[]);
    assert!(matches!(story.orders()[0], Order::Welcome { epoch: 1, session: 2, .. }));
}

#[test]
fn a_hello_from_before_the_last_report_is_not_heeded() {
    let mut story = Story::with_running();
    story.hello(FIRST_BOOT, 11, &[]);
    assert_eq!(story.events, []);
    assert_eq!(story.state().claims().count(), 1);
}

#[test]
fn silence_makes_suspect_and_the_return_is_told() {
    let mut story = Story::with_running();
    story.silent();
    assert_eq!(story.standing(), Standing::Suspect);
    assert_eq!(story.state().evidence(), Some(story.now));
    assert!(matches!(story.to_job()[..], [job::Message::Observed { version: 2, observation: None, .. }]));
    assert_eq!(story.orders(), [&Order::SayHello]);
    story.claim(instance(2), 1);
    assert_eq!(story.refused(), Some(Reason::NodeDown));
    story.hello(FIRST_BOOT, 30, &[(instance(1), running())]);
    assert_eq!(story.standing(), Standing::Ready);
    assert!(matches!(story.orders()[0], Order::Welcome { epoch: 1, session: 2, .. }));
    assert!(matches!(story.to_job()[..], [job::Message::Observed { version: 3, observation: Some(_), .. }]));
}

#[test]
fn silence_of_a_session_before_is_set_right() {
    let mut story = Story::ready();
    story.hello(FIRST_BOOT, 20, &[]);
    story.tell(Address::Host, Message::Silent { session: 1, heard: story.now });
    assert_eq!(story.standing(), Standing::Ready);
    assert!(matches!(story.orders()[..], [Order::Welcome { session: 2, .. }, Order::Desired { .. }]));
}

#[test]
fn a_node_is_given_up_only_when_lease_and_margin_are_over() {
    let mut story = Story::with_running();
    story.silent();
    story.pass(4_999);
    assert_eq!((story.standing(), story.released()), (Standing::Suspect, None));
    story.pass(1);
    assert_eq!((story.standing(), story.released()), (Standing::Lost, Some(Reason::NodeLost)));
    let lost = |told: &&scheduler::Message| matches!(told, scheduler::Message::View { view, .. } if view.standing == Standing::Lost && view.claims.is_empty());
    assert!(story.to_scheduler().iter().any(lost));
    assert_eq!(story.state().epoch(), 1);
}

#[test]
fn a_lost_node_comes_back_with_a_new_epoch_and_nothing_of_what_it_had() {
    let mut story = Story::with_running();
    story.silent();
    story.pass(5_000);
    story.report(12, &[(instance(1), running())]);
    assert_eq!((story.orders(), story.events.len()), (vec![&Order::SayHello], 0));
    story.hello(FIRST_BOOT, 30, &[(instance(1), running())]);
    assert!(matches!(story.orders()[0], Order::Welcome { epoch: 2, session: 2, .. }));
    assert_eq!(story.desired(), Some(vec![]));
    let late = Message::Report { epoch: 1, report: 31, observations: vec![(instance(1), running())] };
    story.tell(Address::Agent(me()), late);
    assert_eq!(story.events, []);
    assert!(matches!(story.orders()[0], Order::Welcome { epoch: 2, session: 2, .. }));
}

#[test]
fn an_agent_that_comes_back_is_adopted_with_what_it_sees() {
    let mut story = Story::with_running();
    story.hello(FIRST_BOOT, 30, &[(instance(1), healthy())]);
    assert!(matches!(story.events[1], Event::Observed { .. }));
    assert_eq!(story.desired(), Some(vec![(instance(1), Goal::Run)]));
}

#[test]
fn a_machine_that_was_rebooted_is_let_in_once_what_ran_on_it_was_given_up() {
    let mut story = Story::with_running();
    story.hello(SECOND_BOOT, 1, &[]);
    assert_eq!((story.events.len(), story.orders().len()), (0, 0));
    story.silent();
    story.hello(SECOND_BOOT, 2, &[]);
    assert_eq!((story.events.len(), story.orders().len()), (0, 0));
    story.pass(5_000);
    assert_eq!(story.released(), Some(Reason::NodeLost));
    story.hello(SECOND_BOOT, 3, &[]);
    assert!(matches!(story.orders()[0], Order::Welcome { epoch: 2, session: 2, boot: SECOND_BOOT, .. }));
    assert_eq!(story.desired(), Some(vec![]));
}

#[test]
fn what_an_agent_comes_back_without_has_vanished_and_does_not_run_again() {
    let mut story = Story::with_running();
    story.claim(instance(2), 100);
    story.hello(FIRST_BOOT, 30, &[]);
    assert_eq!(story.released(), Some(Reason::Vanished));
    assert_eq!(story.desired(), Some(vec![(instance(2), Goal::Hold)]), "it was never started");
}

#[test]
fn a_stop_waits_while_the_node_is_suspect() {
    let mut story = Story::with_running();
    story.silent();
    story.stop(instance(1));
    assert_eq!((story.desired(), story.released()), (None, None));
    story.hello(FIRST_BOOT, 30, &[(instance(1), running())]);
    assert_eq!(story.desired(), Some(vec![(instance(1), Goal::Stop)]));
}

#[test]
fn a_late_hello_of_a_boot_that_is_over_changes_nothing_while_another_is_there() {
    let mut story = Story::with_running();
    story.silent();
    story.pass(5_000);
    story.hello(SECOND_BOOT, 1, &[]);
    story.claim(instance(2), 400);
    story.start(instance(2));
    for late in [FIRST_BOOT, Uuid::from_u128(3)] {
        story.hello(late, 99, &[]);
        assert_eq!((story.events.len(), story.said.len()), (0, 0));
    }
    story.hello(SECOND_BOOT, 30, &[(instance(2), running())]);
    assert!(matches!(story.orders()[0], Order::Welcome { epoch: 2, session: 3, .. }));
}

#[test]
fn a_late_hello_that_finds_the_node_lost_keeps_the_present_boot_out_no_longer_than_a_silence() {
    let mut story = Story::with_running();
    story.silent();
    story.pass(5_000);
    story.hello(SECOND_BOOT, 99, &[]);
    assert!(matches!(story.orders()[0], Order::Welcome { epoch: 2, boot: SECOND_BOOT, .. }));
    story.silent();
    story.pass(5_000);
    story.hello(FIRST_BOOT, 40, &[(instance(1), running())]);
    assert!(matches!(story.orders()[0], Order::Welcome { epoch: 3, boot: FIRST_BOOT, .. }));
}
