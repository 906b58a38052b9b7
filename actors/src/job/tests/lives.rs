//! Instances come, go and come back.

use super::*;

#[test]
fn a_new_job_asks_for_places_and_starts_what_was_assigned() {
    let mut stage = Stage::new();
    assert_eq!(stage.apply(spec(2)), "created");
    let asked = stage.places_asked();
    assert_eq!(asked.len(), 2, "one place for each instance");
    stage.assign(asked[0], "n1");
    assert_eq!(stage.started(), [asked[0]], "an assigned instance is told to start");
    stage.see(asked[0], Some(healthy()));
    assert_eq!(stage.job.healthy(), 1);
    assert!(stage.said.iter().any(|(_, body)| matches!(body, Body::Node(node::Message::Noted { .. }))));
    assert_eq!(stage.apply(spec(2)), "unchanged");
}

#[test]
fn a_command_is_done_once_and_answered_as_often_as_it_is_asked() {
    let mut stage = Stage::running(spec(2));
    let policy = PolicyId::of_realm("shop");
    let scale = |instances| Message::Scale { ticket: 77, instances };
    stage.say(policy, scale(4));
    let first = stage.said.iter().find(|(_, body)| matches!(body, Body::Policy(_))).cloned();
    stage.say(policy, scale(4));
    assert_eq!(stage.said, Vec::from_iter(first), "the same answer");
    assert!(stage.recorded.is_empty(), "and nothing else");
}

#[test]
fn commands_for_a_job_that_is_not_there_or_too_large_are_refused() {
    let mut stage = Stage::new();
    let refusal = stage.ask(|ticket| Message::Stop { ticket }).expect_err("there is no job");
    assert_eq!(refusal.reason, Reason::NotFound);
    stage.apply(spec(1));
    let refusal = stage.ask(|ticket| Message::Scale { ticket, instances: 1_000_000 }).expect_err("too many");
    assert_eq!((refusal.reason, refusal.change.is_some()), (Reason::Invalid, true));
}

#[test]
fn what_is_not_answered_is_asked_again() {
    let mut stage = Stage::new();
    stage.apply(spec(1));
    let instance = stage.slot(0);
    stage.pass(Span::seconds(2));
    assert_eq!(stage.places_asked(), [instance], "a place, after two seconds");
    stage.assign(instance, "n1");
    stage.pass(Span::seconds(1));
    assert_eq!(stage.started(), [instance], "the start, after one");
    stage.see(instance, Some(healthy()));
    assert_eq!(stage.job.deadline(), None, "nothing is owed to a job that is well");
}

#[test]
fn an_instance_that_cannot_be_placed_says_why() {
    let mut stage = Stage::new();
    stage.apply(spec(1));
    let (instance, reason) = (stage.slot(0), Reason::NoCpu);
    let why =
        Unplaceable { reason, message: "no node has 9 cores".into(), nearest: None, change: None, struck_out: vec![] };
    stage.say(SchedulerId::of_site(DEFAULT_SITE), Message::Unplaceable { instance, why: why.clone() });
    assert_eq!(stage.job.instances[&instance].state(), "unplaceable");
    assert_eq!(stage.job.instances[&instance].reason, Reason::NoCpu);
    stage.say(SchedulerId::of_site(DEFAULT_SITE), Message::Unplaceable { instance, why });
    assert!(stage.recorded.is_empty(), "the same news twice is no news");
}

#[test]
fn a_killed_instance_comes_back_in_its_slot_after_the_first_backoff() {
    let mut stage = Stage::running(spec(2));
    let killed_one = stage.slot(1);
    stage.release(killed_one, killed());
    assert!(stage.places_asked().is_empty(), "not at once");
    let past = stage.job.past.back().expect("it is remembered");
    assert_eq!((past.slot, past.ended.code, past.asked), (1, Some(9), None));
    stage.pass(Span::milliseconds(113));
    assert_eq!(stage.places_asked(), [stage.slot(1)], "a new instance for the same slot");
    assert_ne!(stage.slot(1), killed_one);
}

#[test]
fn a_slot_has_no_new_instance_before_the_last_was_released() {
    for exclusive in [false, true] {
        let mut stage = Stage::running(JobSpec { exclusive, ..spec(1) });
        let old = stage.slot(0);
        stage.see(old, Some(Observation::Ended(killed())));
        assert_eq!(stage.stopped(), [old], "its claim is given up");
        stage.pass(Span::seconds(5));
        assert_eq!(stage.job.instances.len(), 1, "it might still be there");
        assert_eq!(stage.stopped(), [old], "so its node is asked again");
        let (node, ended) = (node("elsewhere"), Ended::new(Reason::Stopped, "there is no claim of it here"));
        stage.say(node, Message::Released { instance: old, node, version: 1, ended });
        stage.pass(Span::seconds(5));
        assert_eq!(stage.slot(0), old, "another node's word does not count");
        stage.release(old, killed());
        assert_eq!(stage.places_asked(), [stage.slot(0)], "the wait is over, so it comes back at once");
    }
}

#[test]
fn waits_double_and_are_forgotten_after_a_good_run() {
    let mut stage = Stage::running(spec(1));
    let mut waits = Vec::new();
    for _ in 0..3 {
        stage.release(stage.slot(0), killed());
        waits.push(stage.job.deadline().expect("it comes back").since(stage.now).as_milliseconds());
        stage.pass(Span::seconds(1));
        stage.bring_up();
    }
    for (wait, expected) in waits.into_iter().zip([100, 200, 400]) {
        assert!((expected..=expected * 9 / 8).contains(&wait), "{wait} ms is {expected} and up to an eighth more");
    }
    stage.pass(Span::seconds(60));
    stage.release(stage.slot(0), killed());
    assert!(stage.job.deadline().expect("it comes back").since(stage.now) <= Span::milliseconds(113));
}

#[test]
fn what_is_lost_with_its_node_comes_back_at_once_and_elsewhere() {
    let mut stage = Stage::running(spec(1));
    let lost = stage.slot(0);
    stage.see(lost, None);
    assert_eq!(stage.job.instances[&lost].state(), "unreachable");
    assert_eq!(stage.job.healthy(), 0);
    assert!(stage.places_asked().is_empty(), "it may still run there");
    stage.release(lost, Ended::new(Reason::NodeLost, "the lease ran out"));
    assert_eq!(stage.places_asked().len(), 1);
    assert_eq!(stage.job.instances[&stage.slot(0)].avoid, [node("n0")]);
}

#[test]
fn an_unhealthy_instance_is_stopped_and_replaced() {
    let mut stage = Stage::running(spec(1));
    let sick = stage.slot(0);
    let evidence = "503 three times".into();
    stage.see(sick, Some(Observation::Unhealthy { ports: vec![], pid: 7, evidence }));
    assert_eq!(stage.stopped(), [sick]);
    assert_eq!(stage.job.instances[&sick].detail, "a/0 on n0: unhealthy: 503 three times");
    stage.let_go();
    assert_eq!(stage.places_asked().len(), 1);
    assert_eq!(stage.job.past.back().expect("it is remembered").ended.reason, Reason::Unhealthy);
}

#[test]
fn an_older_observation_is_noted_and_changes_nothing() {
    let mut stage = Stage::running(spec(1));
    let (instance, version) = (stage.slot(0), stage.version);
    let node = stage.node_of(instance);
    let observation = Some(Observation::Running { ports: vec![], pid: 7 });
    stage.say(node, Message::Observed { instance, node, version, observation });
    assert_eq!(stage.job.healthy(), 1);
    assert_eq!(stage.said, [(node.into(), node::Message::Noted { instance, version }.into())]);
}

#[test]
fn a_node_that_speaks_of_a_stranger_is_told_to_stop_it() {
    let mut stage = Stage::running(spec(1));
    let (stranger, node) = (InstanceId::of(me(), 9, 99), node("n7"));
    stage.say(node, Message::Observed { instance: stranger, node, version: 3, observation: Some(healthy()) });
    assert_eq!(stage.stopped(), [stranger]);
    stage.assign(stage.slot(0), "n7");
    assert_eq!(stage.stopped(), [stage.slot(0)], "also one that has its place on another node");
}

#[test]
fn scaling_down_gives_up_the_sick_first_and_then_the_highest_slots() {
    let mut stage = Stage::running(spec(4));
    stage.see(stage.slot(1), None);
    let answer = stage.ask(|ticket| Message::Scale { ticket, instances: 2 }).expect("it is scaled");
    assert_eq!(answer, "scaled 4 to 2");
    assert_eq!((stage.phase(1), stage.phase(3)), (Phase::Stopping, Phase::Stopping));
    assert_eq!((stage.phase(0), stage.phase(2)), (Phase::Healthy, Phase::Healthy));
}

#[test]
fn a_job_that_was_stopped_runs_nothing_and_can_be_started_again() {
    let mut stage = Stage::running(spec(2));
    assert_eq!(stage.ask(|ticket| Message::Stop { ticket }), Ok("stopped".into()));
    stage.let_go();
    assert!(stage.job.instances.is_empty() && stage.job.deadline().is_none());
    assert_eq!(stage.apply(spec(2)), "started");
    assert_eq!(stage.places_asked().len(), 2);
}

#[test]
fn routes_know_before_an_instance_is_stopped() {
    let mut stage = Stage::running(spec(2));
    let route = RouteId::named("shop", "a.shop.test");
    stage.say(route, Message::Subscribe { route });
    let version = stage.endpoints_told()[0].0;
    stage.say(route, Message::EndpointsNoted { route, version });
    stage.ask(|ticket| Message::Scale { ticket, instances: 1 }).expect("it is scaled");
    assert_eq!(stage.endpoints_told(), [(version + 1, 1)], "the route is told first");
    assert!(stage.stopped().is_empty());
    stage.say(route, Message::EndpointsNoted { route, version: version + 1 });
    assert_eq!(stage.stopped(), [stage.slot(1)], "then it is stopped");
}

#[test]
fn a_route_that_does_not_answer_holds_a_stop_up_for_a_second_and_is_told_again() {
    let mut stage = Stage::running(spec(2));
    let route = RouteId::named("shop", "a.shop.test");
    stage.say(route, Message::Subscribe { route });
    stage.ask(|ticket| Message::Scale { ticket, instances: 1 }).expect("it is scaled");
    stage.pass(Span::milliseconds(999));
    assert_eq!(stage.phase(1), Phase::Leaving);
    stage.pass(Span::milliseconds(1));
    assert_eq!(stage.stopped(), [stage.slot(1)]);
    assert_eq!(stage.endpoints_told().len(), 1);
    stage.say(route, Message::Unsubscribe { route });
    assert!(stage.job.subscribers.is_empty());
}

#[test]
fn a_route_that_left_and_came_back_is_not_forgotten_for_a_late_word() {
    let mut stage = Stage::running(spec(1));
    let route = RouteId::named("shop", "a");
    let version = stage.job.endpoints_version;
    let follows = |stage: &Stage| stage.job.subscribers.contains_key(&route);
    stage.say(route, Message::Subscribe { route });
    stage.say(route, Message::EndpointsNoted { route, version });
    stage.say(route, Message::Unsubscribe { route });
    assert!(follows(&stage) && stage.endpoints_told().len() == 1, "it is told once more, and would say so again");
    stage.say(route, Message::Unsubscribe { route });
    assert!(!follows(&stage), "as it does here");
    stage.say(route, Message::EndpointsNoted { route, version });
    assert!(follows(&stage) && stage.endpoints_told().len() == 1, "who takes in endpoints follows");
}

#[test]
fn moving_away_starts_the_replacement_first_and_elsewhere() {
    let mut stage = Stage::running(spec(2));
    let (old, node) = (stage.slot(0), node("n0"));
    stage.say(node, Message::MoveAway { instance: old, node });
    let new = stage.places_asked()[0];
    assert_eq!(stage.job.instances[&new].avoid, [node]);
    assert_eq!(stage.phase(0), Phase::Healthy, "the old one serves on");
    stage.say(node, Message::MoveAway { instance: old, node });
    assert!(stage.recorded.is_empty(), "being asked twice moves nothing twice");
    stage.assign(new, "n8");
    stage.see(new, Some(healthy()));
    assert_eq!(stage.stopped(), [old], "until the new one does");
    stage.let_go();
    assert_eq!(stage.job.instances.len(), 2);
}

#[test]
fn what_was_to_move_and_has_no_other_place_stays_when_its_node_is_not_emptied_any_more() {
    let mut stage = Stage::running(spec(2));
    let (old, node) = (stage.slot(0), node("n0"));
    stage.say(node, Message::MoveAway { instance: old, node });
    let new = stage.places_asked()[0];
    stage.pass(Span::seconds(2));
    let asked = (node.into(), Body::Node(node::Message::MayStay { instance: old }));
    assert!(stage.said.contains(&asked), "its node is asked whenever another place is: {:?}", stage.said);
    stage.say(node, Message::Stay { instance: old, node });
    assert!(!stage.job.instances.contains_key(&new), "nobody comes instead");
    assert!(stage.job.instances[&old].live());
    stage.say(node, Message::Stay { instance: old, node });
    assert!(stage.recorded.is_empty(), "and is told twice for nothing");
    assert_eq!(stage.job.deadline(), None, "nothing is owed to a job that is well");
}

#[test]
fn an_exclusive_job_stops_first_and_keeps_its_slots() {
    let mut stage = Stage::running(JobSpec { exclusive: true, ..spec(2) });
    let (old, node) = (stage.slot(0), node("n0"));
    stage.say(node, Message::MoveAway { instance: old, node });
    assert_eq!(stage.stopped(), [old]);
    assert!(stage.places_asked().is_empty(), "there is no slot to spare");
    stage.let_go();
    assert_eq!(stage.places_asked(), [stage.slot(0)], "the same slot comes back");
}

#[test]
fn a_restart_of_all_goes_one_by_one_and_waits_for_health() {
    let mut stage = Stage::running(spec(3));
    let old: Vec<InstanceId> = (0..3).map(|slot| stage.slot(slot)).collect();
    assert_eq!(stage.ask(|ticket| Message::Restart { ticket, slot: None }), Ok("restarting 3".into()));
    for _ in 0..3 {
        assert_eq!(stage.job.instances.len(), 4, "one more than wanted");
        stage.bring_up();
        assert!(stage.job.healthy() >= 3, "never fewer than wanted");
        stage.let_go();
    }
    assert!(old.iter().all(|old| !stage.job.instances.contains_key(old)), "all were replaced");
    assert_eq!((stage.job.healthy(), stage.job.instances.len()), (3, 3));
    let refusal = stage.ask(|ticket| Message::Restart { ticket, slot: Some(9) }).expect_err("no such slot");
    assert_eq!(refusal.reason, Reason::NotFound);
}

#[test]
fn a_restart_cuts_a_backoff_short() {
    let mut stage = Stage::running(spec(1));
    for _ in 0..6 {
        stage.release(stage.slot(0), killed());
        stage.pass(Span::seconds(10));
        stage.bring_up();
    }
    stage.release(stage.slot(0), killed());
    assert!(stage.job.instances.is_empty());
    stage.ask(|ticket| Message::Restart { ticket, slot: Some(0) }).expect("the slot waits");
    assert_eq!(stage.places_asked().len(), 1);
}

#[test]
fn an_exclusive_instance_that_is_restarted_before_it_has_a_place_is_wanted_again() {
    let mut stage = Stage::new();
    stage.apply(JobSpec { exclusive: true, ..spec(2) });
    let before = [stage.slot(0), stage.slot(1)];
    stage.ask(|ticket| Message::Restart { ticket, slot: None }).expect("both can be restarted");
    let after = [stage.slot(0), stage.slot(1)];
    assert_eq!(stage.places_asked(), after);
    assert!(before.iter().all(|instance| !after.contains(instance)), "each slot has its next instance");
}
