//! The client of the API.

use super::fault::Fault;
use crate::api::{Manifests, Submission, Trial};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use messages::api::{Applied, Backtest, Failure, Status};
use messages::manifest::Manifest;
use messages::policy;
use messages::reason::Reason;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a command is sent again while the control plane is away.
const AWAY_MAX: Duration = Duration::from_secs(10);
/// How long between two tries.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// The longest answer that is read whole.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Asks one API.
pub(super) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    base: String,
    realm: Option<String>,
}

/// A query to a path: what is not given is left out.
pub(super) type Query<'q> = &'q [(&'q str, Option<String>)];

impl Client {
    /// For the API at this URL.
    pub fn new(base: &str, realm: Option<String>) -> Result<Self, Fault> {
        let base = base.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") {
            return Err(Fault::Misuse(format!(
                "{base:?} is not the URL of an API; write it like http://127.0.0.1:7070"
            )));
        }
        Ok(Self { http: Http::builder(TokioExecutor::new()).build_http(), base, realm })
    }

    /// The URL of the API.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The realm that was named, if one was.
    pub fn realm_named(&self) -> Option<&str> {
        self.realm.as_deref()
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str], query: Query<'_>) -> Result<T, Fault> {
        whole(self.open(path, query).await?).await
    }

    /// Posts something that has no answer.
    pub async fn post(&self, path: &[&str], body: Vec<u8>) -> Result<(), Fault> {
        let response = self.send(Method::POST, &target(path, &[]), body.into()).await;
        let response = response.map_err(|error| self.away(&error))?;
        if response.status().is_success() { Ok(()) } else { Err(refused(response).await) }
    }

    /// Begins to read something that comes bit by bit.
    pub async fn open(&self, path: &[&str], query: Query<'_>) -> Result<Response<Incoming>, Fault> {
        let response = self.send(Method::GET, &target(path, query), Bytes::new()).await;
        let response = response.map_err(|error| self.away(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(refused(response).await) }
    }

    /// Sends a command of the realm that was named, or of the only one there is.
    pub async fn submit(&self, request: policy::Request) -> Result<Applied, Fault> {
        let realm = self.realm().await?;
        self.submit_in(&realm, request).await
    }

    /// Sends a command of this realm.
    pub async fn submit_in(&self, realm: &str, request: policy::Request) -> Result<Applied, Fault> {
        let submission = Submission { id: Some(Uuid::now_v7()), realm: realm.to_owned(), request };
        self.command("/v1/submit".into(), json(&submission)?).await
    }

    /// Sends a manifest.
    pub async fn apply(&self, manifest: &Manifest) -> Result<Applied, Fault> {
        self.command(format!("/v1/apply?id={}", Uuid::now_v7()), json(manifest)?).await
    }

    /// Sends a manifest that is to come to what a plan says.
    pub async fn apply_planned(&self, manifest: &Manifest, plan: &str) -> Result<Applied, Fault> {
        let query = [("id", Some(Uuid::now_v7().to_string())), ("plan", Some(plan.to_owned()))];
        self.command(target(&["v1", "apply"], &query), json(manifest)?).await
    }

    /// Asks what would come of manifests.
    pub async fn ask<T: DeserializeOwned>(&self, path: &[&str], manifests: Vec<Manifest>) -> Result<T, Fault> {
        let response = self.send(Method::POST, &target(path, &[]), json(&Manifests { manifests })?).await;
        let response = response.map_err(|error| self.away(&error))?;
        if response.status().is_success() { whole(response).await } else { Err(refused(response).await) }
    }

    /// Asks what a policy would have decided otherwise.
    pub async fn test_policy(&self, trial: &Trial) -> Result<Backtest, Fault> {
        let response = self.send(Method::POST, "/v1/policies/test", json(trial)?).await;
        let response = response.map_err(|error| self.away(&error))?;
        if response.status().is_success() { whole(response).await } else { Err(refused(response).await) }
    }

    /// The realm that was named, or the only one there is.
    pub async fn realm(&self) -> Result<String, Fault> {
        if let Some(realm) = &self.realm {
            return Ok(realm.clone());
        }
        let status: Status = self.get_patiently(&["v1", "status"], &[]).await?;
        let jobs = status.jobs.into_iter().map(|job| job.realm);
        let realms: BTreeSet<String> = jobs.chain(status.routes.into_iter().map(|route| route.realm)).collect();
        let names: Vec<String> = realms.into_iter().collect();
        match names.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(Fault::Misuse("there is no realm yet; apply a manifest first, or name one with --realm".into())),
            several => Err(Fault::Misuse(format!("say with --realm which one: {}", several.join(", ")))),
        }
    }

    /// Reads something that a command needs first, again and again while nobody is there to answer.
    pub async fn get_patiently<T: DeserializeOwned>(&self, path: &[&str], query: Query<'_>) -> Result<T, Fault> {
        let mut patience = Patience::new();
        loop {
            match self.get(path, query).await {
                Err(fault @ Fault::Unreachable(_)) => patience.wait(fault).await?,
                answered => return answered,
            }
        }
    }

    /// Sends a command, the same one again while nobody is there to answer: its id keeps it from being done twice.
    async fn command(&self, target: String, body: Bytes) -> Result<Applied, Fault> {
        let mut patience = Patience::new();
        loop {
            let fault = match self.send(Method::POST, &target, body.clone()).await {
                Ok(response) if response.status().is_success() => return whole(response).await,
                Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => match refused(response).await {
                    Fault::Refused(failure) if failure.reason == Reason::Overloaded => {
                        return Err(Fault::Refused(failure));
                    }
                    fault => Fault::Unreachable(fault.to_string()),
                },
                Ok(response) => return Err(refused(response).await),
                Err(error) => self.away(&error),
            };
            patience.wait(fault).await?;
        }
    }

    async fn send(&self, method: Method, target: &str, body: Bytes) -> Result<Response<Incoming>, String> {
        let request = Request::builder().method(method).uri(format!("{}{target}", self.base));
        let request = request.header(http::header::CONTENT_TYPE, "application/json").body(Full::new(body));
        let request = request.map_err(|error| error.to_string())?;
        self.http.request(request).await.map_err(|error| crate::host::chain(&error))
    }

    fn away(&self, error: &str) -> Fault {
        Fault::Unreachable(format!("no control plane answers at {}: {error}; start one with `orrery up`", self.base))
    }
}

/// How long the control plane may be away.
struct Patience {
    give_up: Instant,
    told: bool,
}

impl Patience {
    fn new() -> Self {
        Self { give_up: Instant::now() + AWAY_MAX, told: false }
    }

    /// Waits before the next try, or gives the fault back when it has gone on for too long.
    async fn wait(&mut self, fault: Fault) -> Result<(), Fault> {
        if Instant::now() >= self.give_up {
            return Err(fault);
        }
        if !std::mem::replace(&mut self.told, true) {
            eprintln!("orrery: {fault}; trying again for {} s", AWAY_MAX.as_secs());
        }
        tokio::time::sleep(AGAIN_AFTER).await;
        Ok(())
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<Bytes, Fault> {
    let bytes = serde_json::to_vec(value).map_err(|error| Fault::Misuse(error.to_string()))?;
    Ok(Bytes::from(bytes))
}

async fn collect(response: Response<Incoming>) -> Result<Bytes, Fault> {
    let body = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let body = body.collect().await.map_err(|error| Fault::Unreachable(format!("the answer broke off: {error}")))?;
    Ok(body.to_bytes())
}

async fn whole<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Fault> {
    let body = collect(response).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Fault::Unreachable(format!("the answer is not one that this version understands: {error}")))
}

async fn refused(response: Response<Incoming>) -> Fault {
    let status = response.status();
    match collect(response).await {
        Ok(body) => serde_json::from_slice::<Failure>(&body)
            .map_or_else(|_| Fault::Unreachable(format!("the answer was {status}")), Fault::Refused),
        Err(fault) => fault,
    }
}

/// A path and a query, with everything encoded that would mean something else there.
fn target(path: &[&str], query: Query<'_>) -> String {
    let mut target = String::new();
    for part in path {
        target.push('/');
        encode(&mut target, part);
    }
    let mut separator = '?';
    for (name, value) in query {
        let Some(value) = value else { continue };
        target.push(separator);
        target.push_str(name);
        target.push('=');
        encode(&mut target, value);
        separator = '&';
    }
    target
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _writing_to_text_never_fails = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn a_target_keeps_slashes_of_names_apart_from_its_own() {
        let query = [("at", Some("2026-01-31T09:30:00+01:00".to_owned())), ("job", None)];
        assert_eq!(target(&["v1", "why", "a/3"], &query), "/v1/why/a%2F3?at=2026-01-31T09%3A30%3A00%2B01%3A00");
    }
}
