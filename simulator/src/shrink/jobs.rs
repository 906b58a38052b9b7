//! Jobs that can be left out of manifests, and what of a job can be as if it had not been said.

use super::Shrinker;
use crate::plan::Plan;
use messages::manifest::{JobSpec, Manifest, Place};
use messages::policy::Request;
use std::collections::BTreeSet;

/// The jobs that are named in any manifest of a plan.
pub(super) fn names(plan: &Plan) -> BTreeSet<String> {
    manifests(plan).flat_map(|manifest| manifest.jobs.keys().cloned()).collect()
}

fn manifests(plan: &Plan) -> impl Iterator<Item = &Manifest> {
    plan.operations.iter().filter_map(|operation| match &operation.request {
        Request::Apply { manifest } => Some(manifest),
        _ => None,
    })
}

fn each_manifest(plan: &mut Plan, mut change: impl FnMut(&mut Manifest)) {
    for operation in &mut plan.operations {
        if let Request::Apply { manifest } = &mut operation.request {
            change(manifest);
        }
    }
}

fn each_spec(plan: &mut Plan, job: &str, mut change: impl FnMut(&mut JobSpec)) {
    each_manifest(plan, |manifest| manifest.jobs.get_mut(job).into_iter().for_each(&mut change));
}

impl Shrinker<'_> {
    /// Leaves jobs out of all manifests, with every command that names them; and routes.
    pub(super) fn drop_jobs(&mut self) {
        for job in names(&self.best) {
            self.try_with(|plan| without_job(plan, &job));
        }
        let routes: BTreeSet<String> =
            manifests(&self.best).flat_map(|manifest| manifest.routes.keys().cloned()).collect();
        for route in routes {
            self.try_with(|plan| each_manifest(plan, |manifest| drop(manifest.routes.remove(&route))));
        }
    }

    /// Makes the jobs that are left as plain as can be.
    pub(super) fn simplify_jobs(&mut self) {
        for job in names(&self.best) {
            let job = job.as_str();
            self.try_with(|plan| each_spec(plan, job, |spec| spec.workload.links.clear()));
            self.try_with(|plan| each_spec(plan, job, |spec| spec.workload.environment.clear()));
            self.try_with(|plan| each_spec(plan, job, |spec| spec.place = Place::default()));
            self.try_with(|plan| each_spec(plan, job, |spec| spec.workload.health = None));
            self.try_with(|plan| each_spec(plan, job, |spec| spec.rollout.steps.clear()));
            self.try_with(|plan| each_spec(plan, job, |spec| spec.workload.run.truncate(1)));
            self.try_with(|plan| each_spec(plan, job, |spec| spec.exclusive = false));
            for instances in [1, 2, 3] {
                let fewer = |spec: &mut JobSpec| spec.instances = spec.instances.min(instances);
                if self.try_with(|plan| each_spec(plan, job, fewer)) {
                    break;
                }
            }
        }
    }
}

/// A plan without a job, and without what named it.
fn without_job(plan: &mut Plan, job: &str) {
    each_manifest(plan, |manifest| {
        manifest.jobs.remove(job);
        manifest.routes.retain(|_, route| route.to != job);
        for other in manifest.jobs.values_mut() {
            other.workload.links.remove(job);
            other.place.near.retain(|affinity| affinity.job != job);
            other.place.apart.retain(|affinity| affinity.job != job);
        }
    });
    plan.operations.retain(|operation| match &operation.request {
        Request::Apply { manifest } => !manifest.jobs.is_empty() || !manifest.routes.is_empty(),
        other => other.job() != Some(job),
    });
}
