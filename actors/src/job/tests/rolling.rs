//! Revisions come in by rollouts.

use super::*;

fn begun(stage: &Stage) -> Option<(u32, u32)> {
    stage.rollout_told().into_iter().find_map(|message| match message {
        rollout::Message::Begin { from, to, .. } => Some((from, to)),
        _ => None,
    })
}

fn target(
    stage: &mut Stage,
    to: u32,
    version: u64,
    counts: &[(u32, u32)],
    weights: &[(u32, u32)],
    settled: Option<u32>,
) {
    let rollout = RolloutId::of(me(), to);
    let (counts, weights) = (counts.to_vec(), weights.to_vec());
    stage.say(rollout, Message::Targets { rollout, version, counts, weights, settled });
}

fn progressed(stage: &Stage) -> Option<(u64, u64)> {
    stage.rollout_told().into_iter().find_map(|message| match message {
        rollout::Message::Progress { version, targets, .. } => Some((version, targets)),
        _ => None,
    })
}

#[test]
fn only_a_changed_workload_makes_a_revision() {
    let mut stage = Stage::running(spec(2));
    assert_eq!(stage.apply(spec(3)), "scaled 2 to 3");
    let restart = messages::manifest::Restart { backoff: Span::seconds(1), ..Default::default() };
    assert_eq!(stage.apply(JobSpec { restart, ..spec(3) }), "updated");
    assert_eq!(stage.job.revision, 1);
    assert_eq!(stage.apply(next_workload(3, "./b")), "revision 2");
    assert_eq!((stage.job.settled, stage.job.revision), (1, 2));
    assert_eq!(begun(&stage), Some((1, 2)));
}

#[test]
fn a_count_that_changes_during_a_rollout_makes_no_further_revision() {
    let mut stage = Stage::running(spec(2));
    assert_eq!(stage.apply(next_workload(2, "./b")), "revision 2");
    target(&mut stage, 2, 1, &[(1, 2), (2, 1)], &[(1, 100), (2, 0)], None);
    assert_eq!(stage.apply(next_workload(3, "./b")), "scaled 2 to 3");
    assert_eq!((stage.job.settled, stage.job.revision, stage.job.target()), (1, 2, 2));
}

#[test]
fn a_job_of_which_nothing_runs_takes_the_next_revision_at_once() {
    let mut stage = Stage::new();
    stage.apply(spec(2));
    let first = stage.slot(0);
    assert_eq!(stage.apply(next_workload(2, "./b")), "revision 2");
    assert_eq!((stage.job.settled, begun(&stage)), (2, None));
    assert!(!stage.job.instances.contains_key(&first), "what was never placed is simply forgotten");
    assert!(stage.job.instances.values().all(|one| one.revision == 2));
    assert!(!stage.job.workloads.contains_key(&1));
}

#[test]
fn a_rollout_is_asked_to_begin_until_it_does_and_nothing_changes_before() {
    let mut stage = Stage::running(spec(2));
    stage.apply(next_workload(2, "./b"));
    stage.pass(Span::seconds(1));
    assert_eq!(begun(&stage), Some((1, 2)), "it is asked again");
    assert!(stage.job.instances.values().all(|one| one.revision == 1));
    target(&mut stage, 2, 1, &[(1, 2), (2, 1)], &[(1, 100), (2, 0)], None);
    assert_eq!(stage.places_asked().len(), 1);
    assert_eq!(progressed(&stage), Some((1, 1)), "and the rollout hears of it");
    target(&mut stage, 2, 1, &[(1, 2), (2, 1)], &[(1, 100), (2, 0)], None);
    assert_eq!(progressed(&stage), Some((1, 1)), "as often as it asks");
    assert!(stage.recorded.is_empty());
    stage.pass(Span::seconds(1));
    assert_eq!(progressed(&stage), Some((1, 1)), "and until it has noted it");
}

#[test]
fn the_old_stays_until_the_new_is_healthy() {
    let mut stage = Stage::running(spec(2));
    stage.apply(next_workload(2, "./b"));
    target(&mut stage, 2, 1, &[(1, 0), (2, 2)], &[(1, 0), (2, 100)], None);
    assert_eq!(stage.job.healthy(), 2, "however eager the rollout is");
    stage.bring_up();
    stage.let_go();
    target(&mut stage, 2, 2, &[(2, 2)], &[(2, 100)], Some(2));
    stage.let_go();
    assert!(stage.job.instances.values().all(|one| one.revision == 2));
    assert_eq!((stage.job.settled, stage.job.healthy(), stage.job.under_way()), (2, 2, None));
    assert!(!stage.job.workloads.contains_key(&1), "the old workload is forgotten");
}

#[test]
fn failures_of_the_new_revision_are_told_with_evidence() {
    let mut stage = Stage::running(spec(2));
    stage.apply(next_workload(2, "./b"));
    target(&mut stage, 2, 1, &[(1, 2), (2, 1)], &[(1, 100)], None);
    stage.bring_up();
    let canary = stage.slot(2);
    stage.release(canary, killed());
    let told = stage.rollout_told().into_iter().find_map(|message| match message {
        rollout::Message::Progress { revisions, .. } => revisions.into_iter().find(|known| known.revision == 2),
        _ => None,
    });
    let told = told.expect("the rollout is told");
    assert_eq!(told.failures, 1);
    assert_eq!(told.evidence.as_deref(), Some("a/2 on n2: exit-signal 9: killed"));
    target(&mut stage, 2, 2, &[(1, 2)], &[(1, 100)], Some(1));
    assert_eq!((stage.job.settled, stage.job.waiting().count()), (1, 0), "nothing of it comes back");
    assert_eq!(stage.apply(next_workload(2, "./b")), "revision 3", "to apply it again is to try again");
}

#[test]
fn a_newer_revision_takes_the_place_of_a_rollout() {
    let mut stage = Stage::running(spec(2));
    stage.apply(next_workload(2, "./b"));
    target(&mut stage, 2, 1, &[(1, 2), (2, 1)], &[(1, 100)], None);
    stage.bring_up();
    assert_eq!(stage.apply(next_workload(2, "./c")), "revision 3");
    let told = stage.rollout_told();
    assert!(told.contains(&rollout::Message::Supersede { job: me(), by: Some(3) }));
    assert_eq!(begun(&stage), Some((1, 3)), "from where the job is settled");
    let old = RolloutId::of(me(), 2);
    target(&mut stage, 2, 2, &[(1, 0), (2, 2)], &[(2, 100)], None);
    assert!(stage.recorded.is_empty(), "the old one has no say any more");
    stage.pass(Span::seconds(1));
    assert!(stage.rollout_told().contains(&rollout::Message::Supersede { job: me(), by: Some(3) }), "told again");
    stage.say(old, Message::RolloutOver { rollout: old });
    assert!(stage.job.dismissed.is_empty());
    target(&mut stage, 3, 1, &[(1, 2), (3, 1)], &[(1, 100)], None);
    stage.let_go();
    assert!(stage.job.instances.values().all(|one| one.revision != 2));
}

#[test]
fn applying_what_it_is_at_during_a_rollout_goes_back() {
    let mut stage = Stage::running(spec(2));
    stage.apply(next_workload(2, "./b"));
    target(&mut stage, 2, 1, &[(1, 2), (2, 1)], &[(1, 90), (2, 10)], None);
    stage.bring_up();
    assert_eq!(stage.apply(spec(2)), "back to revision 1");
    stage.let_go();
    assert_eq!((stage.job.settled, stage.job.under_way()), (1, None));
    assert_eq!(stage.job.weights, [(1, 100)]);
    assert!(stage.job.instances.values().all(|one| one.revision == 1));
}

#[test]
fn a_full_cluster_makes_a_spare_instance_give_way() {
    let spec = JobSpec { rollout: RolloutSpec::default(), ..spec(1) };
    let mut stage = Stage::running(spec);
    stage.ask(|ticket| Message::Restart { ticket, slot: Some(0) }).expect("it is restarted");
    let (old, instance) = (stage.slot(0), stage.slot(1));
    let why = Unplaceable {
        reason: Reason::NoMemory,
        message: "no node has 64MiB".into(),
        nearest: None,
        change: None,
        struck_out: vec![],
    };
    stage.say(SchedulerId::of_site(DEFAULT_SITE), Message::Unplaceable { instance, why });
    assert_eq!(stage.stopped(), [old], "its room is needed");
}
