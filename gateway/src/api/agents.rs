//! The API's side of agents on other machines: they listen to one stream, and say what they have to say in posts.

use super::failed::Failed;
use crate::host::Site;
use crate::proxy::Table;
use actors::agent::Beat;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use messages::agent::Order;
use messages::id::NodeId;
use messages::node::Message;
use messages::reason::Reason;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::mpsc;

/// Lines that may wait for a slow agent.
const LINES_MAX: usize = 64;
/// How often something is said even when there is nothing to say, so that a dead connection is noticed.
const ALIVE_EVERY: Duration = Duration::from_secs(2);

/// One line of what an agent hears.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Heard {
    /// An order of the node actor's.
    Order(Order),
    /// What its links lead to.
    Table(Table),
    /// Nothing new.
    Alive,
}

/// `GET /v1/agents/{name}/orders`
pub(super) async fn orders(State(site): State<Site>, Path(name): Path<String>) -> Response {
    let mut orders = site.listen(NodeId::named(&name));
    let mut routes = site.routes_changed();
    routes.mark_changed();
    let (sender, mut lines) = mpsc::channel::<Heard>(LINES_MAX);
    tokio::spawn(async move {
        loop {
            let heard = tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => Heard::Order(order),
                    None => return,
                },
                changed = routes.changed() => match changed {
                    Ok(()) => Heard::Table(site.table()),
                    Err(_) => return,
                },
                () = tokio::time::sleep(ALIVE_EVERY) => Heard::Alive,
            };
            if sender.send(heard).await.is_err() {
                return;
            }
        }
    });
    let stream = futures::stream::poll_fn(move |context| lines.poll_recv(context));
    let lines = futures::StreamExt::map(stream, |heard| {
        let mut line = serde_json::to_vec(&heard)?;
        line.push(b'\n');
        Ok::<_, serde_json::Error>(Bytes::from(line))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

/// `POST /v1/agents/{name}/say`
pub(super) async fn say(
    State(site): State<Site>,
    Path(name): Path<String>,
    Json(message): Json<Message>,
) -> Result<StatusCode, Failed> {
    let own = match &message {
        Message::Hello { spec, .. } => spec.name == name,
        Message::Report { .. } | Message::Reconciled { .. } => true,
        _ => false,
    };
    if !own {
        let text =
            format!("the agent of {name} may say hello as itself, report, and tell what it took in; nothing else");
        return Err(Failed::of(StatusCode::BAD_REQUEST, Reason::Invalid, text));
    }
    site.hear(&name, message);
    Ok(StatusCode::ACCEPTED)
}

/// `POST /v1/agents/{name}/beat`
pub(super) async fn beat(State(site): State<Site>, Path(name): Path<String>, Json(beat): Json<Beat>) -> StatusCode {
    site.hear_beat(&name, beat);
    StatusCode::ACCEPTED
}
