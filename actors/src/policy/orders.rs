//! What a command means: what it declares, and what it passes on to which actor.

use super::Policy;
use messages::envelope::Body;
use messages::id::{ActorId, JobId, NodeId, RolloutId, RouteId};
use messages::manifest::{JobSpec, RouteSpec};
use messages::policy::Request;
use messages::{job, node, rollout, route};
use std::collections::BTreeMap;

/// Whether a command changes what is declared, and so takes its turn.
pub(super) const fn declares(request: &Request) -> bool {
    matches!(
        request,
        Request::Apply { .. } | Request::Scale { .. } | Request::Stop { .. } | Request::RemoveRoute { .. }
    )
}

/// What a command is about, for people.
pub(super) fn object(request: &Request) -> String {
    match request {
        Request::Apply { .. } => "this manifest".into(),
        Request::Scale { job, .. }
        | Request::Restart { job, .. }
        | Request::Stop { job }
        | Request::Promote { job, .. }
        | Request::Hold { job, .. }
        | Request::Resume { job, .. }
        | Request::Abort { job, .. } => format!("job {job}"),
        Request::RemoveRoute { route } => format!("route {route}"),
        Request::Cordon { node } | Request::Uncordon { node } | Request::Drain { node } => format!("node {node}"),
        Request::SetPolicy { .. } | Request::SetQuota { .. } => "for the realm".into(),
    }
}

/// The jobs as a command declares them; none when it declares no jobs.
pub(super) fn declared(state: &Policy, request: &Request) -> BTreeMap<String, JobSpec> {
    let resized = |name: &String, instances: u32| {
        let spec = state.jobs.get(name).map(|spec| JobSpec { instances, ..JobSpec::clone(spec) });
        spec.map(|spec| (name.clone(), spec)).into_iter().collect()
    };
    match request {
        Request::Apply { manifest } => manifest.jobs.clone(),
        Request::Scale { job, instances } => resized(job, *instances),
        Request::Stop { job } => resized(job, 0),
        _ => BTreeMap::new(),
    }
}

/// What is passed on, and to whom: one message to each actor.
pub(super) fn orders(realm: &str, ticket: u64, request: &Request) -> Vec<(ActorId, Body)> {
    let job = |name: &String, message: job::Message| vec![(JobId::named(realm, name).into(), message.into())];
    let node = |name: &String, message: node::Message| vec![(NodeId::named(name).into(), message.into())];
    let rollout = |name: &String, revision: u32, message: rollout::Message| {
        vec![(RolloutId::of(JobId::named(realm, name), revision).into(), message.into())]
    };
    match request {
        Request::Apply { manifest } => {
            let jobs = manifest.jobs.values().flat_map(|spec| apply_job(realm, ticket, spec));
            let routes = manifest.routes.values().map(|spec| {
                let apply = route::Message::Apply { ticket, spec: spec.clone() };
                (RouteId::named(realm, &spec.name).into(), apply.into())
            });
            jobs.chain(routes).collect()
        }
        Request::Scale { job: name, instances } => job(name, job::Message::Scale { ticket, instances: *instances }),
        Request::Restart { job: name, slot } => job(name, job::Message::Restart { ticket, slot: *slot }),
        Request::Stop { job: name } => job(name, job::Message::Stop { ticket }),
        Request::RemoveRoute { route: name } => {
            vec![(RouteId::named(realm, name).into(), route::Message::Remove { ticket }.into())]
        }
        Request::Cordon { node: name } => node(name, node::Message::Cordon { ticket }),
        Request::Uncordon { node: name } => node(name, node::Message::Uncordon { ticket }),
        Request::Drain { node: name } => node(name, node::Message::Drain { ticket }),
        Request::Promote { job, revision } => rollout(job, *revision, rollout::Message::Promote { ticket }),
        Request::Hold { job, revision } => rollout(job, *revision, rollout::Message::Hold { ticket }),
        Request::Resume { job, revision } => rollout(job, *revision, rollout::Message::Resume { ticket }),
        Request::Abort { job, revision } => rollout(job, *revision, rollout::Message::Abort { ticket }),
        Request::SetPolicy { .. } | Request::SetQuota { .. } => Vec::new(),
    }
}

/// A job, and the service address by which links lead to it.
fn apply_job(realm: &str, ticket: u64, spec: &JobSpec) -> [(ActorId, Body); 2] {
    let service = RouteSpec {
        realm: realm.to_string(),
        name: spec.name.clone(),
        path: "/".to_string(),
        to: spec.name.clone(),
        ..RouteSpec::default()
    };
    [
        (JobId::named(realm, &spec.name).into(), job::Message::Apply { ticket, spec: spec.clone() }.into()),
        (RouteId::service(realm, &spec.name).into(), route::Message::Apply { ticket, spec: service }.into()),
    ]
}

/// Whether an actor is the service address of a job of this command, of which people are not told.
pub(super) fn is_service(realm: &str, request: &Request, actor: ActorId) -> bool {
    let Request::Apply { manifest } = request else { return false };
    manifest.jobs.keys().any(|name| ActorId::from(RouteId::service(realm, name)) == actor)
}
