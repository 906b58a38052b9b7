//! What `orrery doctor` looks at on a NATS server: its version, JetStream, the log's stream, and whether it syncs.

use super::connect::connect;
use super::{NatsError, stream};
use async_nats::Client;
use async_nats::jetstream;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use messages::subject::Token;
use serde_json::Value;
use std::time::Duration;

/// How long the monitoring port may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// The longest answer of the monitoring port.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The payload below which a group of entries is parted into many frames.
const PAYLOAD_MIN: usize = 1 << 20;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// As it should be.
    Good,
    /// It works, with less than there could be.
    Notice,
    /// It does not work.
    Bad,
}

/// One look at one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// How it stands.
    pub finding: Finding,
    /// What was looked at.
    pub what: &'static str,
    /// What was seen.
    pub detail: String,
    /// What to do.
    pub remedy: String,
}

fn looked(finding: Finding, what: &'static str, detail: impl Into<String>, remedy: &str) -> Looked {
    Looked { finding, what, detail: detail.into(), remedy: remedy.into() }
}

/// Looks at the server that a site's log is to be kept on. `monitor` is the URL of its monitoring port.
pub async fn look(url: &str, site: &str, monitor: Option<&str>) -> Vec<Looked> {
    let client = match connect(url, Duration::ZERO).await {
        Ok(client) => client,
        Err(error) => return vec![looked(Finding::Bad, "nats", error.to_string(), "start it, or correct --nats")],
    };
    let mut looks = vec![version(&client), payload(&client)];
    looks.extend(log(&client, url, site).await);
    let host = client.server_info().host;
    let address = url.rsplit_once('@').map_or(url.trim_start_matches("nats://"), |(_, address)| address);
    let named = address.split(':').next().filter(|name| !name.is_empty()).unwrap_or(&host).to_string();
    let monitor = monitor.map_or_else(|| format!("http://{named}:8222"), str::to_owned);
    looks.push(syncs(&monitor).await);
    looks
}

fn version(client: &Client) -> Looked {
    let version = client.server_info().version;
    if !client.is_server_compatible(2, 11, 0) {
        let remedy = "older servers ignore settings without saying so: use 2.11 or later, best 2.15";
        return looked(Finding::Bad, "nats version", version, remedy);
    }
    if !client.is_server_compatible(2, 15, 0) {
        let remedy = "replicated streams that sync are many times faster from 2.15 on";
        return looked(Finding::Notice, "nats version", version, remedy);
    }
    looked(Finding::Good, "nats version", version, "")
}

fn payload(client: &Client) -> Looked {
    let most = client.max_payload();
    let detail = format!("{most} bytes");
    if most < PAYLOAD_MIN {
        return looked(Finding::Notice, "nats max_payload", detail, "long entries do not fit: set it to 8MB");
    }
    looked(Finding::Good, "nats max_payload", detail, "")
}

/// The stream of the log, as it is; it is not made here.
async fn log(client: &Client, url: &str, site: &str) -> Vec<Looked> {
    let what = "nats log";
    let site = match Token::new(site) {
        Ok(site) => site,
        Err(error) => return vec![looked(Finding::Bad, what, error.to_string(), "give another --site")],
    };
    let context = jetstream::new(client.clone());
    if let Err(error) = context.query_account().await {
        let remedy = "start it with `nats-server -js -sd DIR`";
        return vec![looked(Finding::Bad, "jetstream", crate::host::chain(&error), remedy)];
    }
    let mut looks = vec![looked(Finding::Good, "jetstream", "it is on", "")];
    let found = match stream::existing(&context, url, &site).await {
        Ok(found) => found,
        Err(NatsError::Absent { .. }) => {
            let detail = format!("{} will be made by `orrery up`", stream::name(&site));
            looks.push(looked(Finding::Good, what, detail, ""));
            return looks;
        }
        Err(error) => {
            looks.push(looked(Finding::Bad, what, error.to_string(), "correct the stream"));
            return looks;
        }
    };
    let info = found.cached_info();
    let detail = format!("{} frames, {} bytes in {}", info.state.messages, info.state.bytes, info.config.name);
    looks.push(looked(Finding::Good, what, detail, ""));
    let replicas = info.config.num_replicas;
    let detail = format!("{replicas}");
    looks.push(match replicas {
        0 | 1 => looked(
            Finding::Notice,
            "nats replicas",
            detail,
            "the log is on one disk: with a cluster, `nats stream edit --replicas 3`",
        ),
        _ => looked(Finding::Good, "nats replicas", detail, ""),
    });
    looks
}

/// Whether what is acknowledged is on the disk.
async fn syncs(monitor: &str) -> Looked {
    let what = "nats sync";
    let seen = match asked(&format!("{}/varz", monitor.trim_end_matches('/'))).await {
        Ok(seen) => seen,
        Err(trouble) => {
            let detail = format!("whether it syncs cannot be seen at {monitor}: {trouble}");
            let remedy = "set `http: 8222` in its configuration, or say with --nats-monitor where its monitoring is; \
                          `jetstream { sync_interval: always }` makes what was acknowledged survive a power cut";
            return looked(Finding::Notice, what, detail, remedy);
        }
    };
    let config = &seen["jetstream"]["config"];
    if config["sync_always"] == true {
        return looked(Finding::Good, what, "what is acknowledged is on the disk", "");
    }
    let seconds = config["sync_interval"].as_u64().unwrap_or_default() / 1_000_000_000;
    let detail = format!("a power cut may lose the last {seconds} s of what was acknowledged");
    looked(Finding::Bad, what, detail, "set `jetstream { sync_interval: always }` in its configuration")
}

async fn asked(url: &str) -> Result<Value, String> {
    let uri = url.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let http: Http<_, Empty<Bytes>> = Http::builder(TokioExecutor::new()).build_http();
    let answer = tokio::time::timeout(ANSWER_WITHIN, http.get(uri)).await.map_err(|_| "no answer came in time")?;
    let answer = answer.map_err(|error| crate::host::chain(&error))?;
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
}
