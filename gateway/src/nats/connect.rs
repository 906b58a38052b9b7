//! The connection to the server: waits for one that is away, and comes back by itself.

use super::NatsError;
use async_nats::connection::State;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use std::time::Duration;

/// How long one try may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// The pause between tries.
const TRY_EVERY: Duration = Duration::from_millis(500);
/// After how many tries it is said again that the server is away.
const TELL_EVERY: u32 = 10;
/// The longest pause between tries to come back.
const BACK_EVERY_MAX: Duration = Duration::from_secs(1);
/// A connection over which nothing came for this long is tried.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether a lost connection is back.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Connects; tries again for as long as `patience` while no server answers, and says so.
///
/// # Errors
/// When none answered in time, or it does not let us in.
pub async fn connect(url: &str, patience: Duration) -> Result<Client, NatsError> {
    let mut tries = 0u32;
    loop {
        let error = match options(url).connect(url).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        let trouble = crate::host::chain(&error);
        let url = url.to_string();
        match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                return Err(NatsError::Refused { url, trouble });
            }
            ConnectErrorKind::ServerParse => return Err(NatsError::Away { url, trouble }),
            _ => {}
        }
        let waited = TRY_EVERY * tries;
        if waited >= patience {
            return Err(NatsError::Away { url, trouble });
        }
        if tries.is_multiple_of(TELL_EVERY) {
            let more = (patience - waited).as_secs();
            tracing::warn!("no NATS server answers at {url}: {trouble}; trying for {more} s more");
        }
        tries += 1;
        tokio::time::sleep(TRY_EVERY).await;
    }
}

fn options(url: &str) -> ConnectOptions {
    let url = url.to_string();
    ConnectOptions::new()
        .name("orrery")
        .connection_timeout(CONNECT_WITHIN)
        .ping_interval(PING_EVERY)
        .max_reconnects(None)
        .reconnect_delay_callback(|tries| {
            let pause = Duration::from_millis(20 << tries.min(6));
            pause.min(BACK_EVERY_MAX)
        })
        .event_callback(move |event| {
            let url = url.clone();
            async move { tell(&url, &event) }
        })
}

fn tell(url: &str, event: &Event) {
    match event {
        Event::Disconnected => {
            tracing::warn!("the NATS server at {url} is away; what is to be kept waits until it is back");
        }
        Event::Connected => tracing::info!("connected to the NATS server at {url}"),
        Event::ServerError(error) => tracing::warn!("the NATS server at {url} says: {error}"),
        other => tracing::info!("NATS at {url}: {other}"),
    }
}

/// Waits until the server is there.
pub async fn connected(client: &Client) {
    while client.connection_state() != State::Connected {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
