//! `agent --join`: runs the agent of this machine for a control plane elsewhere.

use super::client::Client;
use super::fault::Fault;
use super::machine;
use super::show::Show;
use crate::agent::{Agent, Control};
use crate::api::Heard;
use crate::driver::{Driver, Options};
use crate::proxy::Tables;
use actors::agent::Beat;
use http_body_util::BodyExt;
use messages::agent::Order;
use messages::node;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// Things to say that may wait; what is beyond is dropped, and said again by the agent.
const SAYINGS_MAX: usize = 256;
/// How long until a lost control plane is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// A stream on which nothing came for so long is dead.
const QUIET_MAX: Duration = Duration::from_secs(6);

enum Saying {
    Message(node::Message),
    Beat(Beat),
}

/// What the agent says goes into a queue, in order.
struct Remote(mpsc::Sender<Saying>);

impl Control for Remote {
    fn say(&self, message: node::Message) {
        let _said_again = self.0.try_send(Saying::Message(message));
    }

    fn beat(&self, beat: Beat) {
        let _said_again = self.0.try_send(Saying::Beat(beat));
    }
}

/// `orrery agent --join URL`: runs until a signal comes. Workloads go on without it.
pub(super) async fn agent(
    join: &str,
    show: Show,
    data: &Path,
    machine: &super::arguments::Machine,
) -> Result<(), Fault> {
    super::up::tell_of_trouble();
    let client = Client::new(join, None)?;
    let spec = machine::node(machine, data)?;
    let name = spec.name.clone();
    let unusable = |error: String| Fault::Unreachable(error);
    let opened = Driver::open(data, Options::default()).map_err(|error| unusable(crate::host::chain(&error)))?;
    let (driver, notices) = opened;
    for notice in notices {
        tracing::warn!(code = notice.code, "{}; {}", notice.what, notice.remedy);
    }
    let tables = Tables::default();
    let (orders, heard) = mpsc::channel(SAYINGS_MAX);
    let (said, sayings) = mpsc::channel(SAYINGS_MAX);
    let made = Agent::new(data, driver, spec, Remote(said), tables.clone(), heard).await;
    let (agent, ears) = made.map_err(unusable)?;
    if show.json {
        show.line(&serde_json::json!({ "node": name, "joins": client.base() }));
    } else {
        show.text(&format!("agent of node {name} joins {}\n", client.base()));
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| Fault::Unreachable(error.to_string()))?;
    tokio::select! {
        () = agent.run(ears) => {}
        () = listen(&client, &name, &orders, &tables) => {}
        () = speak(&client, &name, sayings) => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Hears orders and tables, over one connection after the other.
async fn listen(client: &Client, name: &str, orders: &mpsc::Sender<Order>, tables: &Tables) {
    let mut away = false;
    loop {
        match client.open(&["v1", "agents", name, "orders"], &[]).await {
            Ok(response) => {
                away = false;
                hear(response.into_body(), orders, tables).await;
            }
            Err(fault) if !away => {
                away = true;
                tracing::warn!("{fault}; what runs here goes on");
            }
            Err(_) => {}
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

async fn hear(mut body: hyper::body::Incoming, orders: &mpsc::Sender<Order>, tables: &Tables) {
    let mut rest: Vec<u8> = Vec::new();
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(QUIET_MAX, body.frame()).await {
        let Ok(bytes) = frame.into_data() else { continue };
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(Heard::Order(order)) => {
                    let _agent_is_gone = orders.send(order).await;
                }
                Ok(Heard::Table(table)) => {
                    if let Err(error) = tables.publish(&table) {
                        tracing::error!(%error, "the routes do not make a table; the one before stays in force");
                    }
                }
                Ok(Heard::Alive) => {}
                Err(error) => tracing::error!(%error, "the control plane says something this build does not know"),
            }
        }
    }
}

/// Says what there is to say, in order. What does not arrive is said again by the agent.
async fn speak(client: &Client, name: &str, mut sayings: mpsc::Receiver<Saying>) {
    while let Some(saying) = sayings.recv().await {
        let (path, body) = match &saying {
            Saying::Message(message) => ("say", serde_json::to_vec(message)),
            Saying::Beat(beat) => ("beat", serde_json::to_vec(beat)),
        };
        let Ok(body) = body else { continue };
        if let Err(fault) = client.post(&["v1", "agents", name, path], body).await {
            tracing::debug!(%fault, "something could not be said");
        }
    }
}
