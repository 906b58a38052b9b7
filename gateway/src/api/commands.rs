//! Commands: each is passed to the policy of its realm, and answered when everyone it concerns has taken it in.

use super::failed::{Asked, Failed};
use super::guard::operator;
use super::plan::apply_planned;
use crate::host::{Site, SubmitFault};
use actors::ports::Position;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use messages::api::{Applied, Failure};
use messages::manifest::{Manifest, is_name};
use messages::policy::{Answer, Request};
use messages::reason::Reason;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A command as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Names the command: sent again under the same id, it is done once. Chosen here when absent.
    #[serde(default)]
    pub id: Option<Uuid>,
    /// The realm it belongs to.
    pub realm: String,
    /// What to do.
    pub request: Request,
}

/// What may stand beside a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyQuery {
    /// As in [`Submission`].
    #[serde(default)]
    pub id: Option<Uuid>,
    /// Only if it comes to what the plan of this name says.
    #[serde(default)]
    pub plan: Option<String>,
}

/// `POST /v1/submit`
pub(super) async fn submit(
    State(site): State<Site>,
    body: Result<Json<Submission>, JsonRejection>,
) -> Result<Json<Applied>, Failed> {
    let Json(Submission { id, realm, request }) = body.map_err(unreadable)?;
    pass_on(&site, id, realm, request).await
}

/// `POST /v1/apply`
pub(super) async fn apply(
    State(site): State<Site>,
    Asked(query): Asked<ApplyQuery>,
    body: Result<Json<Manifest>, JsonRejection>,
) -> Result<Json<Applied>, Failed> {
    let Json(mut manifest) = body.map_err(unreadable)?;
    manifest.build.clear();
    if let Some(plan) = &query.plan {
        return apply_planned(&site, query.id, plan, manifest).await;
    }
    pass_on(&site, query.id, manifest.realm.clone(), Request::Apply { manifest }).await
}

async fn pass_on(site: &Site, id: Option<Uuid>, realm: String, request: Request) -> Result<Json<Applied>, Failed> {
    check_realm(&realm)?;
    let id = id.unwrap_or_else(Uuid::now_v7);
    answered(id, site.submit(id, operator(), realm, request).await)
}

/// Refuses what cannot be the name of a realm.
pub(super) fn check_realm(realm: &str) -> Result<(), Failed> {
    if is_name(realm) { Ok(()) } else { Err(Failed::invalid(format!("{realm:?} is not the name of a realm"))) }
}

/// What is answered to a command.
pub(super) fn answered(id: Uuid, outcome: Result<(Answer, Position), SubmitFault>) -> Result<Json<Applied>, Failed> {
    match outcome {
        Ok((answer, position)) => Ok(Json(Applied::new(position.0, id, answer))),
        Err(SubmitFault::Refused(refusal)) => Err(Failure { trace: Some(id), ..refusal.into() }.into()),
        Err(SubmitFault::Silent) => {
            let message = format!("no answer in time; it may still be done, so ask again with the same id, {id}");
            Err(Failed::unavailable(Reason::Waiting, message))
        }
    }
}

pub(super) fn unreadable(rejection: JsonRejection) -> Failed {
    Failed::invalid(rejection.body_text())
}
