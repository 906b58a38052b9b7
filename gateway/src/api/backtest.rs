//! `POST /v1/policies/test`: a policy held against the log, page by page, beside what this process does otherwise.

use super::commands::{check_realm, unreadable};
use super::failed::Failed;
use super::log::Pages;
use super::plan::turn_for_a_fork;
use super::reads::unread;
use crate::clock;
use crate::host::Site;
use actors::backtest::Backtest;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::ports::Position;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use messages::api;
use messages::api::Failure;
use messages::quantity;
use messages::reason::Reason;
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A policy to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Whose policy it would be.
    pub realm: String,
    /// Cedar policies.
    pub text: String,
    /// On decisions of this last stretch of time, like `7d`; on all that were recorded when absent.
    #[serde(default)]
    pub since: Option<String>,
}

/// Entries read at once.
const PAGE_ENTRIES: usize = 2_000;

/// `POST /v1/policies/test`
pub(super) async fn test(
    State(site): State<Site>,
    body: Result<Json<Trial>, JsonRejection>,
) -> Result<Json<api::Backtest>, Failed> {
    let Json(Trial { realm, text, since }) = body.map_err(unreadable)?;
    check_realm(&realm)?;
    let span = since.map(|since| quantity::span(&since)).transpose();
    let span = span.map_err(|error| Failed::invalid(format!("since: {error}")))?;
    let from = span.map_or(Timestamp::default(), |span| Timestamp(clock::now().0.saturating_sub(span.0)));
    let _turn = turn_for_a_fork().await?;
    let mut backtest = Backtest::new(&realm, &text, from).map_err(|refusal| Failed::from(Failure::from(refusal)))?;
    site.beginning().await.map_err(unread)?.into_iter().for_each(|cell: AnyCell| backtest.insert(cell));
    let until = site.read(Fold::position);
    let mut pages = Pages::new(Position::default(), PAGE_ENTRIES);
    loop {
        let page = pages.read(&site).await.map_err(unread)?;
        let over = page.last().is_none_or(|(at, _)| *at > until);
        let taken = tokio::task::spawn_blocking(move || {
            let mut known = page.iter().filter(|(at, _)| *at <= until);
            known.try_for_each(|(at, entry)| backtest.take(*at, entry)).map(|()| backtest)
        });
        let taken = taken.await.map_err(|error| Failed::unavailable(Reason::Invalid, error.to_string()))?;
        backtest = taken.map_err(|gap| unread(gap.to_string()))?;
        if over {
            return Ok(Json(backtest.finish()));
        }
    }
}
