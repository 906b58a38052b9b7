//! Claims: accepted, refused, started, stopped, released.

use super::*;

#[test]
fn a_claim_takes_room_and_asks_the_job_until_it_answers() {
    let mut story = Story::ready();
    story.claim(instance(1), 400);
    assert_eq!(story.state().free().cpu_milli, 600);
    assert!(matches!(story.to_job()[..], [job::Message::Assigned { epoch: 1, .. }]));
    assert!(matches!(story.to_scheduler()[..], [scheduler::Message::View { view, .. }] if view.claims.len() == 1));
    story.pass(3_500);
    let asked = story.to_job().iter().filter(|told| matches!(told, job::Message::Assigned { .. })).count();
    assert_eq!(asked, 2, "after one second, and after two more");
    story.start(instance(1));
    assert_eq!(story.desired(), Some(vec![(instance(1), Goal::Run)]));
    story.pass(60_000);
    assert!(!story.to_job().iter().any(|told| matches!(told, job::Message::Assigned { .. })));
}

#[test]
fn a_claim_beyond_the_capacity_is_refused_with_the_dimension() {
    let mut story = Story::ready();
    story.claim(instance(1), 700);
    story.claim(instance(2), 301);
    assert_eq!(story.refused(), Some(Reason::NoCpu));
    assert!(matches!(story.events[..], [Event::ClaimRefused { because: Reason::NoCpu, .. }]));
    story.claim(instance(3), 300);
    assert_eq!(story.refused(), None);
    assert_eq!(story.state().free().cpu_milli, 0);
}

#[test]
fn a_node_that_nobody_has_heard_of_takes_nothing_and_leaves_no_trace() {
    let mut story = Story::blank();
    story.claim(instance(1), 1);
    assert_eq!(story.refused(), Some(Reason::NotFound));
    assert_eq!(story.cell.sequence(), 0);
}

#[test]
fn a_claim_said_twice_is_one_claim() {
    let mut story = Story::ready();
    story.claim(instance(1), 700);
    story.claim(instance(1), 700);
    assert_eq!(story.events, []);
    assert!(matches!(story.to_scheduler()[..], [scheduler::Message::View { .. }]));
    assert!(matches!(story.to_job()[..], [job::Message::Assigned { .. }]));
}

#[test]
fn what_was_never_started_is_released_at_once() {
    let mut story = Story::ready();
    story.claim(instance(1), 400);
    story.stop(instance(1));
    assert_eq!(story.released(), Some(Reason::Stopped));
    assert_eq!(story.state().claims().count(), 0);
}

#[test]
fn what_may_run_is_released_only_when_it_has_ended() {
    let mut story = Story::ready();
    story.claim(instance(1), 400);
    story.start(instance(1));
    story.stop(instance(1));
    assert_eq!(story.released(), None);
    assert_eq!(story.desired(), Some(vec![(instance(1), Goal::Stop)]));
    let ended = Observation::Ended(Ended::new(Reason::Stopped, "stopped"));
    story.report(11, &[(instance(1), ended)]);
    assert_eq!(story.released(), Some(Reason::Stopped));
    assert_eq!(story.desired(), Some(vec![]), "so that the agent may forget it");
}

#[test]
fn a_release_is_said_until_it_is_noted() {
    let mut story = Story::with_running();
    story.report(12, &[(instance(1), exited())]);
    let version = match story.to_job()[..] {
        [job::Message::Released { version, .. }] => *version,
        ref other => panic!("a release was expected, not {other:?}"),
    };
    story.pass(1_000);
    assert_eq!(story.released(), Some(Reason::ExitCode));
    story.tell(job().into(), Message::Noted { instance: instance(1), version });
    story.pass(60_000);
    assert_eq!(story.released(), None);
}

#[test]
fn a_late_claim_does_not_bring_back_what_was_released() {
    let mut story = Story::ready();
    story.stop(instance(1));
    assert_eq!(story.released(), Some(Reason::Stopped), "there is no such claim");
    story.claim(instance(1), 400);
    assert_eq!(story.refused(), Some(Reason::Stale));
    story.tell(job().into(), Message::Noted { instance: instance(1), version: 1 });
    story.claim(instance(1), 400);
    assert_eq!(story.refused(), Some(Reason::Stale));
    story.stop(instance(1));
    assert_eq!((story.released(), story.events.len()), (Some(Reason::Stopped), 0), "said again, not recorded again");
}

#[test]
fn a_start_without_a_claim_is_answered_with_a_release() {
    let mut story = Story::ready();
    story.start(instance(1));
    assert_eq!(story.released(), Some(Reason::Stopped));
}

#[test]
fn observations_are_told_once_each_until_noted() {
    let mut story = Story::with_running();
    assert!(matches!(story.to_job()[..], [job::Message::Observed { version: 1, observation: Some(_), .. }]));
    story.report(12, &[(instance(1), running())]);
    assert_eq!(story.events, [], "nothing new");
    assert_eq!(story.orders(), [&Order::ReportHeard { report: 12 }]);
    story.tell(job().into(), Message::Noted { instance: instance(1), version: 1 });
    story.pass(60_000);
    assert!(!story.to_job().iter().any(|told| matches!(told, job::Message::Observed { .. })));
}

#[test]
fn a_report_overtaken_by_a_newer_one_changes_nothing() {
    let mut story = Story::with_running();
    story.report(13, &[(instance(1), healthy())]);
    story.report(12, &[(instance(1), running())]);
    assert_eq!(story.orders(), [&Order::ReportHeard { report: 12 }]);
    assert_eq!(story.state().claim(instance(1)).and_then(super::super::Claim::observation), Some(&healthy()));
}

#[test]
fn an_agent_that_has_taken_in_all_is_told_what_changed_and_else_all_again() {
    let mut story = Story::ready();
    let change = |since, goals: &[(u64, Goal)], gone: &[u64]| {
        let goals = goals.iter().map(|(number, goal)| (instance(*number), *goal)).collect::<Vec<_>>();
        (Some(since), goals, gone.iter().map(|number| instance(*number)).collect::<Vec<_>>())
    };
    let said = |story: &Story| match story.orders()[..] {
        [Order::Changed { since, changed, gone, .. }] => {
            (Some(*since), changed.iter().map(|each| (each.instance, each.goal)).collect(), gone.clone())
        }
        [Order::Desired { assignments, .. }] => {
            (None, assignments.iter().map(|each| (each.instance, each.goal)).collect::<Vec<_>>(), Vec::new())
        }
        ref other => panic!("desired state was expected, not {other:?}"),
    };
    let noted = |story: &mut Story, version| {
        story.tell(Address::Agent(me()), Message::Reconciled { epoch: 1, version });
    };
    noted(&mut story, 1);
    (1..=3).for_each(|number| story.claim(instance(number), 100));
    story.start(instance(1));
    assert_eq!(said(&story), change(1, &[(1, Goal::Run)], &[]), "what is only held is none of its business");
    story.start(instance(2));
    let mut all = vec![(instance(1), Goal::Run), (instance(2), Goal::Run), (instance(3), Goal::Hold)];
    all.sort_unstable_by_key(|(instance, _)| *instance);
    assert_eq!(said(&story), (None, all, vec![]), "it is not known to have taken in the change");
    noted(&mut story, 3);
    story.stop(instance(2));
    assert_eq!(said(&story), change(3, &[(2, Goal::Stop)], &[]));
    noted(&mut story, 4);
    story.stop(instance(3));
    assert_eq!(said(&story), change(4, &[], &[3]));
}

#[test]
fn desired_state_is_said_until_the_agent_took_it_in() {
    let mut story = Story::ready();
    story.claim(instance(1), 400);
    story.start(instance(1));
    story.pass(1_000);
    assert_eq!(story.desired(), Some(vec![(instance(1), Goal::Run)]));
    story.tell(Address::Agent(me()), Message::Reconciled { epoch: 1, version: 2 });
    assert_eq!(story.events, [Event::Reconciled { version: 2 }]);
    story.pass(60_000);
    assert_eq!(story.desired(), None);
    story.tell(Address::Agent(me()), Message::Reconciled { epoch: 1, version: 2 });
    assert_eq!(story.events, [], "not an entry unless it changes something");
}

/// Says that all was taken in which a node with an instance that runs has said so far.
fn all_noted(story: &mut Story) -> [Event; 3] {
    let (view, instance) = (story.state().view().version, instance(1));
    let acknowledgements = [
        (job().into(), Message::Noted { instance, version: 1 }),
        (SchedulerId::of_site(DEFAULT_SITE).into(), Message::ViewNoted { version: view }),
        (Address::Agent(me()), Message::Reconciled { epoch: 1, version: 2 }),
    ];
    let before = story.cell.clone();
    for (from, message) in acknowledgements {
        story.tell(from, message.clone());
        story.tell(from, message);
        assert_eq!((story.events.len(), story.said.len()), (0, 0), "it is not worth an entry");
    }
    assert_eq!(story.cell, before);
    [Event::Noted { instance, version: 1 }, Event::ViewNoted { version: view }, Event::Reconciled { version: 2 }]
}

#[test]
fn what_is_acknowledged_waits_for_the_next_entry_and_comes_before_it() {
    let mut story = Story::with_running();
    let noted = all_noted(&mut story);
    story.report(11, &[(instance(1), healthy())]);
    assert_eq!(story.events, [], "a report that says nothing new makes no entry");
    story.report(12, &[(instance(1), healthy())]);
    assert_eq!(story.events[..3], noted);
    assert!(matches!(story.events[3..], [Event::Observed { .. }, Event::ReportTaken { report: 12 }]));
    let other = Message::Noted { instance: instance(1), version: 2 };
    story.tell(job().into(), other);
    story.pass(1_000);
    assert_eq!(story.events, [Event::Noted { instance: instance(1), version: 2 }]);
}

#[test]
fn what_is_acknowledged_is_recorded_at_the_latest_when_it_would_be_said_again() {
    let mut story = Story::with_running();
    let noted = all_noted(&mut story);
    story.pass(999);
    assert_eq!(story.events, []);
    story.pass(1);
    assert_eq!((&story.events[..], story.said.len()), (&noted[..], 0), "and nothing is said again");
    assert_eq!(story.cell.deadline(), None);
}

#[test]
fn what_was_said_again_is_settled_at_once() {
    let mut story = Story::with_running();
    story.pass(1_000);
    story.tell(job().into(), Message::Noted { instance: instance(1), version: 1 });
    assert_eq!(story.events, [Event::Noted { instance: instance(1), version: 1 }]);
}

#[test]
fn an_entry_that_was_made_otherwise_is_not_followed() {
    let mut cell = Story::with_running().cell;
    let claim = Message::Claim { claim: claim_of(instance(2), 100) };
    let envelope = Envelope {
        id: MessageId::Outside(Uuid::from_u128(99)),
        from: SchedulerId::of_site(DEFAULT_SITE).into(),
        to: me().into(),
        correlation: CorrelationId::default(),
        principal: Principal::system(),
        at: Timestamp(1),
        body: claim.clone().into(),
    };
    let before = cell.clone();
    let Outcome::Entry(record) = cell.handle(&envelope, &claim, Timestamp(2_000_000_000)) else {
        panic!("a claim is an entry");
    };
    let mut others = vec![record.clone(), record.clone(), record.clone()];
    others[0].events.clear();
    others[1].head.sends.pop();
    others[2].head.sequence += 1;
    for other in others {
        let mut followed = before.clone();
        assert_eq!(followed.follow(&encode_bare(&other)), Ok(None));
        assert_eq!(followed, before, "it stays where it was");
        let bytes = encode_bare(&record);
        assert_eq!(followed.follow(&bytes[..bytes.len() - 1]), Ok(None), "all must be there");
        assert_eq!(followed.follow(&bytes), Ok(Some(1)));
        assert_eq!(followed, cell);
    }
}

#[test]
fn a_machine_that_comes_back_with_less_gives_up_what_it_only_holds_and_keeps_what_runs() {
    let mut story = Story::with_running();
    story.claim(instance(2), 300);
    story.pass(10);
    story.claim(instance(3), 200);
    let held = |story: &Story| (1..4).map(|id| story.state().claim(instance(id)).is_some()).collect::<Vec<_>>();
    story.hello_with(700, FIRST_BOOT, 20, &[(instance(1), running())]);
    assert_eq!(held(&story), [true, true, false], "the latest is given up");
    assert_eq!(story.released(), Some(Reason::Stopped));
    story.hello_with(100, FIRST_BOOT, 30, &[(instance(1), running())]);
    assert_eq!(held(&story), [true, false, false], "what runs goes on");
}

#[test]
fn a_copy_of_a_machine_is_kept_out_while_the_first_is_heard() {
    let mut story = Story::with_running();
    let before = story.state().epoch();
    story.hello(Uuid::from_u128(77), 30, &[]);
    assert_eq!((story.state().epoch(), story.events.len(), story.said.len()), (before, 0, 0));
    story.hello(FIRST_BOOT, 30, &[(instance(1), running())]);
    assert!(matches!(story.orders()[0], Order::Welcome { boot: FIRST_BOOT, .. }), "the first is heard as ever");
}
