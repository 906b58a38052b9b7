//! The public API over HTTP: commands go in, views of the fold and of the log come out, as JSON.
//!
//! What is answered has the shapes of [`messages::api`]; what is refused is a [`messages::api::Failure`].

mod agents;
mod backtest;
mod commands;
mod description;
mod failed;
mod guard;
mod log;
mod opinions;
mod output;
mod plan;
mod reads;
mod search;

pub use agents::Heard;
pub use backtest::Trial;
pub use commands::{ApplyQuery, Submission};
pub use guard::OPERATOR;
pub use opinions::Opinion;
pub use plan::Manifests;

use crate::host::Site;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

/// The longest body of a request: a manifest as JSON, which is longer than its text.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Everything the API answers.
pub fn router(site: Site) -> Router {
    Router::new()
        .route("/v1/submit", post(commands::submit))
        .route("/v1/apply", post(commands::apply))
        .route("/v1/plan", post(plan::plan))
        .route("/v1/capacity", get(plan::capacity).post(plan::capacity_of))
        .route("/v1/status", get(reads::status))
        .route("/v1/policies", get(reads::policies))
        .route("/v1/policies/test", post(backtest::test))
        .route("/v1/why/{*instance}", get(search::why))
        .route("/v1/why-not/{job}/{node}", get(reads::why_not))
        .route("/v1/trace/{id}", get(search::trace))
        .route("/v1/log", get(log::log))
        .route("/v1/verify", get(reads::verify))
        .route("/v1/logs/{*instance}", get(output::output))
        .route("/v1/opinions/{*instance}", post(opinions::opine))
        .route("/v1/agents/{name}/orders", get(agents::orders))
        .route("/v1/agents/{name}/say", post(agents::say))
        .route("/v1/agents/{name}/beat", post(agents::beat))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/openapi.json", get(description::openapi))
        .fallback(failed::no_such_path)
        .method_not_allowed_fallback(failed::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(guard::guard))
        .with_state(site)
}
