//! Capacity beside worlds in which so many instances are wanted.

use super::scene::{Scene, job, manifest, node, operator, present, quiet, scene};
use super::{BEGUN, plan};
use crate::planner::capacity;
use messages::manifest::{JobSpec, Manifest};
use messages::reason::Reason;
use proptest::prelude::*;

#[test]
fn what_breaks_when_something_is_lost_is_told_with_the_change_that_helps() {
    let nodes = [node("n1", "r1", 1_000), node("n2", "r1", 1_000), node("n3", "r2", 500)];
    let world = quiet(BEGUN, &nodes, &[manifest("shop", vec![job("a", 3, 500)])]);
    let capacity = capacity(world.fold(), world.time(), &[]);
    assert!(!capacity.survives);
    let told: Vec<(&str, &str, u32, usize, usize)> = capacity
        .losses
        .iter()
        .map(|loss| (loss.level.as_str(), loss.name.as_str(), loss.instances, loss.placed.len(), loss.stranded.len()))
        .collect();
    let expected = [
        ("node", "n1", 1, 1, 0),
        ("node", "n2", 1, 1, 0),
        ("node", "n3", 1, 1, 0),
        ("rack", "eu/here/r1", 2, 0, 2),
        ("rack", "eu/here/r2", 1, 1, 0),
        ("site", "eu/here", 3, 0, 3),
    ];
    assert_eq!(told, expected);
    let stranded = &capacity.losses[3].stranded[0];
    assert_eq!((stranded.job.as_str(), stranded.reason), ("shop/a", Reason::NoCpu));
    assert_eq!(stranded.change.as_deref(), Some("have 500m more cpu on n3"));
}

#[test]
fn a_quota_is_told_beside_the_room() {
    let mut world = quiet(BEGUN, &[node("n1", "r1", 1_000)], &[manifest("shop", vec![job("a", 1, 100)])]);
    let quota = messages::policy::Quota { instances: Some(4), ..messages::policy::Quota::default() };
    let request = messages::policy::Request::SetQuota { quota: Some(quota) };
    world.submit("shop", operator(), messages::policy::Message::Submit { realm: "shop".into(), request });
    world.rest();
    let room = capacity(world.fold(), world.time(), &[job("a", 1, 100)]).jobs.remove(0);
    assert_eq!((room.present, room.fit, room.quota, room.bounded), (1, 9, Some(3), false));
    assert_eq!(room.nodes.get("n1"), Some(&9));
    assert_eq!(room.reason, Some(Reason::NoCpu));
}

#[test]
fn gpus_are_counted_one_by_one() {
    let mut small = node("n1", "r1", 8_000);
    (small.capacity.gpu_milli, small.gpu_model) = (2_000, "T4".into());
    let mut large = node("n2", "r1", 8_000);
    (large.capacity.gpu_milli, large.gpu_model) = (3_000, "A100".into());
    let world = quiet(BEGUN, &[small, large], &[]);
    let room = |gpu_milli: u64, models: &[&str]| {
        let mut spec = job("a", 1, 100);
        spec.workload.resources.gpu_milli = gpu_milli;
        spec.workload.gpu_models = models.iter().map(|model| (*model).to_string()).collect();
        capacity(world.fold(), world.time(), &[spec]).jobs.remove(0)
    };
    for (need, fit) in [(600, 5), (400, 10), (1_000, 5), (2_000, 2), (3_000, 1), (4_000, 0)] {
        let room = room(need, &[]);
        assert_eq!((room.fit, room.reason), (fit, Some(Reason::NoGpu)), "{need}");
    }
    let parts = room(600, &[]);
    assert_eq!((parts.nodes.get("n1"), parts.nodes.get("n2")), (Some(&2), Some(&3)));
    assert_eq!(parts.nearest.as_deref(), Some("node n1 has 0.4 left of its emptiest GPU, and 0.6 is asked of one"));
    assert_eq!(parts.change.as_deref(), Some("reduce job.a.resources.gpus to 0.4, or have 1 more gpus on n1"));
    assert_eq!(room(600, &["a100"]).nodes.into_iter().collect::<Vec<_>>(), [("n2".to_string(), 3)]);
}

/// The job of a manifest with so many instances, alone.
fn of_size(spec: &JobSpec, instances: u32) -> Manifest {
    manifest("shop", vec![JobSpec { instances, ..spec.clone() }])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// So many more fit: they are accepted and all placed; and one more than that is refused.
    #[test]
    fn so_many_fit_and_not_one_more(scene in scene()) {
        let Scene { nodes, before, wanted, .. } = scene;
        let mut spec = wanted.jobs["a"].clone();
        spec.place.near.clear();
        spec.place.apart.retain(|apart| apart.job == "a");
        let world = quiet(BEGUN, &nodes, &before);
        let known = world.fold().jobs().find(|(_, job)| job.name() == "a").and_then(|(_, job)| job.spec.clone());
        // Of a job that is there, as it is: another revision would have to make room for itself first.
        let spec = known.map_or(spec, |known| (*known).clone());
        prop_assume!(spec.place.near.is_empty());
        let room = capacity(world.fold(), world.time(), std::slice::from_ref(&spec)).jobs.remove(0);
        prop_assert!(!room.bounded);
        let there = present(world.fold()).keys().filter(|(job, _)| job == "shop/a").count() as u32;
        prop_assume!(there == room.present);
        let all = room.present + room.fit;
        let fits = plan(world.fold(), world.time(), &operator(), &[of_size(&spec, all)]);
        prop_assert!(fits.commands[0].refusal.is_none(), "{:?} {room:?}", fits.commands);
        // Others may have waited for its company.
        let mine = fits.placements.iter().filter(|one| one.job == "shop/a").count();
        prop_assert_eq!(mine, room.fit as usize);
        prop_assert!(fits.waiting.iter().all(|one| one.job != "shop/a"));
        let more = plan(world.fold(), world.time(), &operator(), &[of_size(&spec, all + 1)]);
        prop_assert_eq!(more.commands[0].refusal.as_ref().map(|no| no.reason), room.reason);
    }
}
