//! What would come of it: plans, applying what was planned, and capacity, all found out in a fork of the fold.

use super::commands::{answered, check_realm, unreadable};
use super::failed::{Asked, Failed};
use super::guard::operator;
use super::reads::look;
use crate::clock;
use crate::host::{AsOf, Site};
use crate::views::names;
use actors::fold::Fold;
use actors::planner::{self, Planned};
use actors::ports::Position;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use messages::api::{Applied, Capacity, Difference, Failure, Plan};
use messages::envelope::MessageId;
use messages::id::PolicyId;
use messages::manifest::{JobSpec, Manifest};
use messages::policy::{Message, Request};
use messages::reason::{Reason, Refusal};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

/// How many forks are turned at once.
const FORKS_MAX: usize = 2;
/// How long one waits until another is done.
const FORK_WITHIN: Duration = Duration::from_secs(30);
/// The most manifests of one plan.
const MANIFESTS_MAX: usize = 64;

static FORKS: Semaphore = Semaphore::const_new(FORKS_MAX);

/// Manifests to look at, in the order in which they would be applied.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Manifests {
    /// The manifests.
    pub manifests: Vec<Manifest>,
}

/// Whose capacity.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct CapacityQuery {
    /// `JOB` or `REALM/JOB`; none for losses alone.
    #[serde(default)]
    job: Option<String>,
}

/// Waits until a fork may be turned, which may be done until what is given back is dropped.
pub(super) async fn turn_for_a_fork() -> Result<SemaphorePermit<'static>, Failed> {
    let busy = || Failed::unavailable(Reason::Overloaded, "too many plans are being made already; try again later");
    let permit = tokio::time::timeout(FORK_WITHIN, FORKS.acquire()).await.map_err(|_| busy())?;
    permit.map_err(|_| busy())
}

/// Finds something out in a fork of the fold, beside what this process does otherwise.
async fn fork<T: Send + 'static>(fold: Fold, turn: impl FnOnce(&Fold) -> T + Send + 'static) -> Result<T, Failed> {
    let _permit = turn_for_a_fork().await?;
    let turned = tokio::task::spawn_blocking(move || turn(&fold)).await;
    turned.map_err(|error| Failed::unavailable(Reason::Invalid, format!("the plan could not be made: {error}")))
}

/// The manifests of a request, as they would be applied.
fn sound(body: Result<Json<Manifests>, JsonRejection>) -> Result<Vec<Manifest>, Failed> {
    let Json(Manifests { mut manifests }) = body.map_err(unreadable)?;
    if manifests.len() > MANIFESTS_MAX {
        return Err(Failed::invalid(format!("a plan is of {MANIFESTS_MAX} manifests at the most")));
    }
    for manifest in &mut manifests {
        manifest.build.clear();
        check_realm(&manifest.realm)?;
    }
    Ok(manifests)
}

/// `POST /v1/plan`
pub(super) async fn plan(
    State(site): State<Site>,
    body: Result<Json<Manifests>, JsonRejection>,
) -> Result<Json<Plan>, Failed> {
    let manifests = sound(body)?;
    let (fold, at) = (site.read(Fold::clone), clock::now());
    fork(fold, move |fold| planner::plan(fold, at, &operator(), &manifests)).await.map(Json)
}

/// `POST /v1/apply?plan=ID`: as long as it comes to what that plan says.
pub(super) async fn apply_planned(
    site: &Site,
    id: Option<Uuid>,
    plan: &str,
    manifest: Manifest,
) -> Result<Json<Applied>, Failed> {
    let (position, hash) = named(plan)?;
    let (id, realm) = (id.unwrap_or_else(Uuid::now_v7), manifest.realm.clone());
    check_realm(&realm)?;
    let request = Request::Apply { manifest: manifest.clone() };
    let asked_before = site.read(|fold| {
        let policy = fold.policy(PolicyId::of_realm(&realm));
        policy.is_some_and(|(policy, _)| policy.knows(MessageId::Outside(id)))
    });
    if asked_before {
        return answered(id, site.submit(id, operator(), realm, request).await);
    }
    let now = planned(site.read(Fold::clone), manifest.clone()).await?;
    if !now.plan.hash.starts_with(hash) {
        return Err(changed(site, plan, position, hash, manifest, now.plan).await);
    }
    let Planned { rests_on, placements, .. } = now;
    let message = Message::SubmitPlanned { realm: realm.clone(), request, rests_on, placements };
    answered(id, site.submit_message(id, operator(), realm, message).await)
}

async fn planned(fold: Fold, manifest: Manifest) -> Result<Planned, Failed> {
    let at = clock::now();
    fork(fold, move |fold| planner::planned(fold, at, &operator(), &manifest)).await
}

/// The position and the hash that a plan is named by.
fn named(plan: &str) -> Result<(Position, &str), Failed> {
    let parts = plan.split_once('-').and_then(|(position, hash)| Some((Position(position.parse().ok()?), hash)));
    let sound = |hash: &str| hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.filter(|(_, hash)| sound(hash)).ok_or_else(|| {
        let text = format!("{plan:?} is not the name of a plan; `orrery plan FILE` says it, like 812-3f9ab2c41d7e");
        Failed::invalid(text)
    })
}

/// It would come to something else now. The plan is made once more from the log as it was, to show the difference.
async fn changed(site: &Site, id: &str, at: Position, hash: &str, manifest: Manifest, now: Plan) -> Failed {
    let then = match site.fold_at(AsOf::Position(at)).await {
        Ok(fold) => planned(fold, manifest).await.ok().map(|then| then.plan).filter(|then| then.hash.starts_with(hash)),
        Err(_) => None,
    };
    let message = match &then {
        Some(_) => format!("it would not come to what plan {id} says any more, and nothing was applied"),
        None => format!("it would not come to what plan {id} says, and nothing was applied"),
    };
    let difference = planner::difference(then.as_ref(), &now);
    let refusal = Refusal::new(Reason::Stale, message)
        .nearest(format!("now, at position {}, it would come to plan {}", now.position, now.id))
        .change(format!("look at the difference, and apply with --plan {} if it is well", now.id));
    let difference = Some(Box::new(Difference(difference)));
    Failed::from(Failure { difference, ..Failure::from(refusal) })
}

/// `GET /v1/capacity`
pub(super) async fn capacity(
    State(site): State<Site>,
    Asked(CapacityQuery { job }): Asked<CapacityQuery>,
) -> Result<Json<Capacity>, Failed> {
    let named = |fold: &Fold| job.as_deref().map(|job| names::job(fold, job).map(|(_, spec)| spec.clone())).transpose();
    let spec = look(&site, None, named).await??;
    room(&site, spec.into_iter().collect()).await
}

/// `POST /v1/capacity`
pub(super) async fn capacity_of(
    State(site): State<Site>,
    body: Result<Json<Manifests>, JsonRejection>,
) -> Result<Json<Capacity>, Failed> {
    let manifests = sound(body)?;
    room(&site, manifests.into_iter().flat_map(|manifest| manifest.jobs.into_values()).collect()).await
}

async fn room(site: &Site, jobs: Vec<JobSpec>) -> Result<Json<Capacity>, Failed> {
    let (fold, at) = (site.read(Fold::clone), clock::now());
    fork(fold, move |fold| planner::capacity(fold, at, &jobs)).await.map(Json)
}
