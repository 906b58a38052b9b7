//! Stories of a job whose instances start together.

use super::*;

fn gang(instances: u32) -> JobSpec {
    let mut spec = spec(instances);
    spec.place.gang = true;
    spec
}

fn unplaceable(stage: &mut Stage, instance: InstanceId) {
    let why = Unplaceable {
        reason: Reason::GangIncomplete,
        message: "0 of 1 fit".into(),
        nearest: None,
        change: None,
        struck_out: Vec::new(),
    };
    stage.say(SchedulerId::of_site(DEFAULT_SITE), Message::Unplaceable { instance, why });
}

#[test]
fn nobody_of_a_gang_starts_before_all_have_a_place() {
    let mut stage = Stage::new();
    stage.apply(gang(3));
    assert_eq!(stage.places_asked().len(), 3, "all at once");
    let all = [0, 1, 2].map(|slot| stage.slot(slot));
    stage.assign(all[0], "n1");
    assert!(stage.started().is_empty());
    stage.assign(all[1], "n2");
    stage.pass(Span::seconds(60));
    assert!(stage.started().is_empty(), "however often it is said");
    stage.assign(all[0], "n1");
    assert!(stage.started().is_empty());
    stage.assign(all[2], "n1");
    let mut started = stage.started();
    started.sort();
    let mut expected = all;
    expected.sort();
    assert_eq!(started, expected, "all of them in the same turn");
    assert!(stage.job.mustered);
    all.into_iter().for_each(|instance| stage.see(instance, Some(healthy())));
    assert_eq!(stage.job.healthy(), 3);

    // Once they have started, who is lost comes back by itself.
    stage.release(all[1], Ended::new(Reason::NodeLost, "the node is lost"));
    stage.pass(Span::seconds(5));
    let again = stage.slot(1);
    stage.assign(again, "n3");
    assert_eq!(stage.started(), [again]);
}

#[test]
fn a_gang_that_is_refused_a_place_gives_up_the_others_and_asks_again_for_all() {
    let mut stage = Stage::new();
    stage.apply(gang(3));
    let all = [0, 1, 2].map(|slot| stage.slot(slot));
    stage.assign(all[0], "n1");
    stage.assign(all[1], "n2");
    unplaceable(&mut stage, all[2]);
    let asked = stage.places_asked();
    assert_eq!(asked.len(), 3, "the one that waits, and two for those that give their places up");
    assert!(asked.contains(&all[2]) && !asked.contains(&all[0]));
    stage.let_go();
    assert!(stage.job.instances.values().all(|one| one.phase == Phase::Wanted), "no place is kept");
    assert_eq!(stage.job.instances.len(), 3);
    for instance in stage.job.instances.keys().copied().collect::<Vec<_>>() {
        stage.assign(instance, "n4");
    }
    assert_eq!(stage.started().len(), 3);
}

#[test]
fn a_gang_that_waits_can_be_smaller_or_another_and_one_that_was_stopped_gathers_anew() {
    let mut stage = Stage::new();
    stage.apply(gang(3));
    let two = [0, 1].map(|slot| stage.slot(slot));
    two.into_iter().for_each(|instance| stage.assign(instance, "n1"));
    stage.ask(|ticket| Message::Scale { ticket, instances: 2 }).expect("it is scaled");
    assert_eq!(stage.started().len(), 2, "the two that are left have a place");
    stage.ask(|ticket| Message::Stop { ticket }).expect("it is stopped");
    stage.let_go();
    assert!(stage.job.instances.is_empty() && !stage.job.mustered);

    stage.ask(|ticket| Message::Scale { ticket, instances: 2 }).expect("it is started");
    let one = stage.slot(0);
    stage.assign(one, "n1");
    assert!(stage.started().is_empty());
    let mut other = next_workload(2, "./b");
    other.place.gang = true;
    stage.apply(other);
    assert!(stage.job.under_way().is_none(), "nothing of it ran: no rollout");
    stage.let_go();
    assert_eq!(stage.job.instances.len(), 2);
    stage.bring_up();
    assert_eq!(stage.job.healthy(), 2);
}
