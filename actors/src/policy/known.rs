//! Whether what a command names is there, and what was probably meant.

use super::Policy;
use messages::manifest::Manifest;
use messages::policy::{Quota, Request, SYSTEM_REALM};
use messages::reason::{Reason, Refusal};
use messages::resources::Resources;

/// Looks a command over, before anything is recorded of it.
pub(super) fn check(state: &Policy, realm: &str, request: &Request) -> Result<(), Refusal> {
    match request {
        Request::Apply { manifest } => check_manifest(state, realm, manifest),
        Request::Scale { job, .. }
        | Request::Restart { job, .. }
        | Request::Stop { job }
        | Request::Promote { job, .. }
        | Request::Hold { job, .. }
        | Request::Resume { job, .. }
        | Request::Abort { job, .. } => find("job", realm, job, state.jobs.keys()),
        Request::RemoveRoute { route } => find("route", realm, route, state.routes.keys()),
        Request::Cordon { .. } | Request::Uncordon { .. } | Request::Drain { .. } => {
            if realm == SYSTEM_REALM {
                return Ok(());
            }
            let message = format!("commands about nodes belong to realm {SYSTEM_REALM}, not to {realm}");
            Err(Refusal::new(Reason::Invalid, message).change(format!("submit it to realm {SYSTEM_REALM}")))
        }
        Request::SetQuota { quota: Some(quota) } => check_quota(realm, quota),
        Request::SetPolicy { .. } | Request::SetQuota { quota: None } => Ok(()),
    }
}

/// A quota of nothing would have everything refused that is declared later, and one that limits nothing is none.
fn check_quota(realm: &str, quota: &Quota) -> Result<(), Refusal> {
    let (message, change) = match quota.instances {
        Some(0) => ("a quota of 0 instances would let nothing run", "allow 1 instance or more, or stop the jobs"),
        None if quota.resources == Resources::default() => {
            ("the quota limits nothing", "say what it limits, or remove the quota")
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(Reason::Invalid, format!("realm {realm}: {message}")).change(change))
}

fn check_manifest(state: &Policy, realm: &str, manifest: &Manifest) -> Result<(), Refusal> {
    let invalid = |message: String| Err(Refusal::new(Reason::Invalid, message));
    if manifest.realm != realm {
        return invalid(format!("the manifest is of realm {}, not of {realm}", manifest.realm));
    }
    let jobs = || manifest.jobs.keys().chain(state.jobs.keys());
    for (name, spec) in &manifest.jobs {
        if spec.name != *name || spec.realm != realm {
            return invalid(format!("job {name} is declared as {}/{}", spec.realm, spec.name));
        }
        for link in spec.workload.links.keys() {
            find("job", realm, link, jobs())?;
        }
        for affinity in spec.place.near.iter().chain(&spec.place.apart) {
            find("job", realm, &affinity.job, jobs())?;
        }
    }
    for (name, route) in &manifest.routes {
        if route.name != *name || route.realm != realm {
            return invalid(format!("route {name} is declared as {}/{}", route.realm, route.name));
        }
        find("route's job", realm, &route.to, jobs())?;
    }
    Ok(())
}

/// Refuses a name that is not known, with the one that is nearest.
fn find<'a>(
    what: &str,
    realm: &str,
    name: &str,
    known: impl Iterator<Item = &'a String> + Clone,
) -> Result<(), Refusal> {
    if known.clone().any(|one| one == name) {
        return Ok(());
    }
    let refusal = Refusal::new(Reason::NotFound, format!("realm {realm} has no {what} {name}"));
    let distance = |one: &&String| (strsim::damerau_levenshtein(one, name), (*one).clone());
    let nearest = known.min_by_key(distance).filter(|one| strsim::damerau_levenshtein(one, name) <= 2);
    Err(match nearest {
        Some(one) => refusal.nearest(one.clone()).change(format!("did you mean {one}?")),
        None => refusal,
    })
}
