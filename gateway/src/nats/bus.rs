//! What a site says and hears on NATS besides its log: the API and the public events.

use super::{NatsError, START_WITHIN, api, connect, events};
use crate::host::Site;
use axum::Router;
use messages::subject::Token;

/// Connects a site to the server; its API answers and its events are published from then on.
///
/// # Errors
/// When the server does not answer.
pub async fn start(url: String, name: &str, site: Site, router: Router) -> Result<(), NatsError> {
    let name = Token::new(name).map_err(|error| NatsError::Site(error.to_string()))?;
    let client = connect::connect(&url, START_WITHIN).await?;
    tokio::spawn(events::publish(client.clone(), name.clone(), site));
    tokio::spawn(async move {
        if let Err(error) = api::serve(client, &url, &name, router).await {
            tracing::error!("the API on NATS stopped: {error}");
        }
    });
    Ok(())
}
