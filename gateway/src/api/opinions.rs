//! Opinions of an instance's health from whoever has one: a health check of the kind `opinion` goes by them.

use super::commands::unreadable;
use super::failed::Failed;
use crate::host::Site;
use crate::views::names;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use messages::reason::Reason;
use serde::{Deserialize, Serialize};

/// What somebody thinks of an instance. It holds for as long as the health check's timeout; then it is asked for anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// Whether it is well.
    pub well: bool,
    /// Why it is not.
    #[serde(default)]
    pub why: String,
}

/// `POST /v1/opinions/{instance}`
pub(super) async fn opine(
    State(site): State<Site>,
    Path(instance): Path<String>,
    body: Result<Json<Opinion>, JsonRejection>,
) -> Result<StatusCode, Failed> {
    let Json(Opinion { well, why }) = body.map_err(unreadable)?;
    let found = site.read(|fold| names::instance(fold, &instance))?;
    let node = site.read(|fold| names::node_of(fold, found.id));
    let Some(node) = node else {
        let text = format!("{} is on no node yet, so nobody can hear an opinion of it", found.label);
        return Err(Failed::of(StatusCode::CONFLICT, Reason::WrongState, text));
    };
    let why = if why.is_empty() { "it is not well".to_owned() } else { why };
    site.opine(node, found.id, if well { Ok(()) } else { Err(why) });
    Ok(StatusCode::ACCEPTED)
}
