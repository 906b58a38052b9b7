//! What a realm may use, counted over its jobs as declared.

use messages::manifest::JobSpec;
use messages::policy::Quota;
use messages::reason::{Reason, Refusal};
use messages::resources::Resources;
use messages::shared::Shared;
use std::collections::BTreeMap;

/// What jobs take together, as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sum {
    instances: u64,
    resources: Resources,
}

fn sum<'a>(jobs: impl Iterator<Item = &'a JobSpec>) -> Sum {
    jobs.fold(Sum::default(), |sum, spec| {
        let instances = u64::from(spec.instances);
        let resources = spec.workload.resources.times(instances);
        Sum { instances: sum.instances.saturating_add(instances), resources: sum.resources.plus(&resources) }
    })
}

/// Whether a change of jobs stays within the quota. What makes use smaller is always let through.
pub(super) fn check(
    realm: &str,
    quota: &Quota,
    jobs: &BTreeMap<String, Shared<JobSpec>>,
    changed: &BTreeMap<String, JobSpec>,
) -> Result<(), Refusal> {
    let before = sum(jobs.values().map(|spec| &**spec));
    let kept = jobs
        .iter()
        .filter(|(name, _)| !changed.contains_key(*name) || crate::mutant!(QuotaCountsTwice))
        .map(|(_, spec)| &**spec);
    let after = sum(kept.chain(changed.values()));
    let slack = u64::from(crate::mutant!(QuotaOffByOne));
    if let Some(limit) = quota.instances
        && after.instances > limit.saturating_add(slack)
        && (after.instances > before.instances || crate::mutant!(SmallerRefused))
    {
        let (count, limit) = (after.instances.to_string(), limit.to_string());
        return Err(exceeded(realm, "instances", &count, &limit, &before.instances.to_string()));
    }
    for dimension in quota.resources.dimensions() {
        let (limit, count) = (quota.resources.get(dimension), after.resources.get(dimension));
        let had = before.resources.get(dimension);
        if limit > 0 && count > limit && count > had {
            let [count, limit, had] = [count, limit, had].map(|amount| dimension.amount(amount));
            return Err(exceeded(realm, dimension.name(), &count, &limit, &had));
        }
    }
    Ok(())
}

/// How many more instances that need so much a quota allows; any number when none limits it.
pub(super) fn left(quota: &Quota, jobs: &BTreeMap<String, Shared<JobSpec>>, each: &Resources) -> Option<u64> {
    let used = sum(jobs.values().map(|spec| &**spec));
    let instances = quota.instances.map(|limit| limit.saturating_sub(used.instances));
    let limited = quota.resources.dimensions().filter(|of| quota.resources.get(*of) > 0 && each.get(*of) > 0);
    let resources = limited.map(|of| quota.resources.get(of).saturating_sub(used.resources.get(of)) / each.get(of));
    instances.into_iter().chain(resources).min()
}

fn exceeded(realm: &str, what: &str, count: &str, limit: &str, had: &str) -> Refusal {
    let message = format!("realm {realm} would use {count} of {what}, and its quota is {limit}");
    Refusal::new(Reason::QuotaExceeded, message)
        .nearest(format!("it uses {had} of {limit} now"))
        .change(format!("raise the quota of {what} to {count}, or ask for less"))
}
