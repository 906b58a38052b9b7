//! Reads of the fold, as it is now or as it was.

use super::failed::{Asked, Failed};
use crate::host::{AsOf, Site};
use crate::views;
use crate::views::status::PolicyStatus;
use actors::fold::Fold;
use actors::ports::Position;
use axum::Json;
use axum::extract::{Path, State};
use messages::api::{Status, Verified, WhyNot};
use messages::reason::Reason;
use serde::Deserialize;

/// What may be asked of a read.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ReadQuery {
    /// As of this position or time; now when absent.
    #[serde(default)]
    pub at: Option<String>,
    /// Only what belongs to this job.
    #[serde(default)]
    pub job: Option<String>,
}

/// Looks at the fold, now or as of then.
pub(super) async fn look<T>(site: &Site, at: Option<&str>, view: impl FnOnce(&Fold) -> T) -> Result<T, Failed> {
    let Some(at) = at else { return Ok(site.read(view)) };
    let as_of = match at.parse::<u64>() {
        Ok(position) => AsOf::Position(Position(position)),
        Err(_) => AsOf::Time(at.parse().map_err(|_| {
            Failed::invalid(format!("{at:?} is neither a position nor a time like 2026-01-31T09:30:00Z"))
        })?),
    };
    let fold = site.fold_at(as_of).await.map_err(unread)?;
    Ok(view(&fold))
}

/// The journal could not be read.
pub(super) fn unread(what: String) -> Failed {
    Failed::unavailable(Reason::NotDurable, format!("the journal cannot be read: {what}"))
}

/// `GET /v1/status`
pub(super) async fn status(State(site): State<Site>, Asked(query): Asked<ReadQuery>) -> Result<Json<Status>, Failed> {
    let job = query.job.as_deref();
    look(&site, query.at.as_deref(), |fold| views::status::status(fold, job)).await.map(Json)
}

/// `GET /v1/policies`
pub(super) async fn policies(
    State(site): State<Site>,
    Asked(query): Asked<ReadQuery>,
) -> Result<Json<Vec<PolicyStatus>>, Failed> {
    look(&site, query.at.as_deref(), views::status::policies).await.map(Json)
}

/// `GET /v1/why-not/{job}/{node}`
pub(super) async fn why_not(
    State(site): State<Site>,
    Path((job, node)): Path<(String, String)>,
    Asked(query): Asked<ReadQuery>,
) -> Result<Json<WhyNot>, Failed> {
    let answer = look(&site, query.at.as_deref(), |fold| views::why_not::why_not(fold, &job, &node)).await?;
    Ok(Json(answer?))
}

/// `GET /v1/verify`
pub(super) async fn verify(State(site): State<Site>) -> Result<Json<Verified>, Failed> {
    site.verify().await.map(Json).map_err(unread)
}
