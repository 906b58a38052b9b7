//! How many more instances fit, and what would become of things if something was lost.

use super::loss;
use super::outcome::scheduler;
use super::world::World;
use crate::fold::Fold;
use crate::job::INSTANCES_MAX;
use crate::scheduler::{NodeState, room};
use messages::api::{Capacity, JobRoom};
use messages::id::{JobId, PolicyId};
use messages::manifest::JobSpec;
use messages::time::Timestamp;

/// The room there is for each of these jobs, and what each loss would come to, once what is under way has come to rest.
pub fn capacity(fold: &Fold, at: Timestamp, jobs: &[JobSpec]) -> Capacity {
    let mut world = World::fork(fold, at);
    world.rest();
    let losses = loss::losses(world.fold());
    let survives = losses.iter().all(|loss| loss.stranded.is_empty());
    let jobs = jobs.iter().map(|spec| room_for(world.fold(), spec)).collect();
    Capacity { position: fold.position().0, jobs, losses, survives }
}

fn room_for(fold: &Fold, spec: &JobSpec) -> JobRoom {
    let id = JobId::named(&spec.realm, &spec.name);
    let live = fold.job(id).map_or(0, |job| job.instances.values().filter(|one| one.live()).count());
    let present = u32::try_from(live).unwrap_or(u32::MAX);
    let state = scheduler(fold);
    let found = room(&state, spec, INSTANCES_MAX.saturating_sub(present));
    let policy = fold.policy(PolicyId::of_realm(&spec.realm));
    let name = |node| state.cluster().node(node).map_or("", NodeState::name).to_string();
    let why = found.end.as_ref();
    JobRoom {
        job: format!("{}/{}", spec.realm, spec.name),
        present,
        fit: found.fit,
        bounded: why.is_none(),
        quota: policy.and_then(|(policy, _)| policy.quota_left(&spec.workload.resources)),
        nodes: found.nodes.iter().map(|(node, count)| (name(*node), *count)).collect(),
        reason: why.map(|why| why.reason),
        nearest: why.and_then(|why| why.nearest.clone()),
        change: why.and_then(|why| why.change.clone()),
    }
}
