//! `why` and `trace`: answers that take a walk through the log.

use super::failed::{Asked, Failed};
use super::log::each;
use super::reads::{ReadQuery, look};
use crate::host::Site;
use crate::views::names;
use crate::views::trace::{Gather, chain_of};
use crate::views::why::Search;
use axum::Json;
use axum::extract::{Path, State};
use messages::api::{Trace, Why};
use uuid::Uuid;

/// `GET /v1/why/{instance}`
pub(super) async fn why(
    State(site): State<Site>,
    Path(instance): Path<String>,
    Asked(query): Asked<ReadQuery>,
) -> Result<Json<Why>, Failed> {
    let at = query.at.as_deref();
    let (found, until) = look(&site, at, |fold| (names::instance(fold, &instance), fold.position())).await?;
    let mut search = Search::new(found?, until);
    each(&site, until, |position, entry| search.take(position, entry)).await?;
    let mut chain = search.born().map(|born| Gather::new(born.correlation, born.position));
    if let Some(chain) = &mut chain {
        each(&site, until, |position, entry| chain.take(position, entry)).await?;
    }
    Ok(Json(site.read(|fold| search.answer(fold, chain.as_ref()))?))
}

/// `GET /v1/trace/{id}`: of a chain, of the message that began it, or of an instance.
pub(super) async fn trace(
    State(site): State<Site>,
    Path(id): Path<String>,
    Asked(query): Asked<ReadQuery>,
) -> Result<Json<Trace>, Failed> {
    let id = id.strip_prefix("outside.").unwrap_or(&id);
    let id = Uuid::parse_str(id).map_err(|_| {
        Failed::invalid(format!("{id:?} is not an id; take one from `orrery log`, or the id of an instance"))
    })?;
    let until = look(&site, query.at.as_deref(), |fold| fold.position()).await?;
    let mut chain = None;
    each(&site, until, |_, entry| chain = chain.or_else(|| chain_of(entry, id))).await?;
    let chain = chain.ok_or_else(|| Failed::not_found(format!("nothing in the log belongs to {id}")))?;
    let mut gather = Gather::new(chain, until);
    each(&site, until, |position, entry| gather.take(position, entry)).await?;
    Ok(Json(site.read(|fold| gather.trace(fold))))
}
