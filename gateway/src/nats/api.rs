//! The public API as request and reply on NATS: the very answers of HTTP, out of the same router.
//!
//! `GET /v1/why/b/0?realm=shop` is a request to `orrery.<site>.api.v1.why.b.0` with the header
//! `Orrery-Query: realm=shop` and no payload; a payload makes it a POST. The answer has the status in `Orrery-Status`,
//! and `Nats-Service-Error` when it is a failure. Streams that go on are for HTTP.

use super::NatsError;
use async_nats::service::{Request, ServiceExt};
use async_nats::{Client, HeaderMap};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use messages::api::Failure;
use messages::reason::{Reason, Refusal};
use messages::subject::{Subject, Token};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The header with the query of a request.
const QUERY: &str = "Orrery-Query";
/// The header with the status of an answer, as HTTP has it.
const STATUS: &str = "Orrery-Status";
/// Requests that are answered at once.
const AT_ONCE_MAX: usize = 64;
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// What an answer is allowed besides its payload.
const HEADERS_BYTES_MAX: usize = 1_024;

type Answer = (StatusCode, Bytes);

/// Answers for as long as the connection lives.
///
/// # Errors
/// When the service cannot be started.
pub async fn serve(client: Client, url: &str, site: &Token, router: Router) -> Result<(), NatsError> {
    let away = |error: async_nats::Error| NatsError::Away { url: url.into(), trouble: error.to_string() };
    let service = client.service_builder().description("the Orrery API: JSON, as over HTTP");
    let service = service.start(format!("orrery-{site}"), env!("CARGO_PKG_VERSION")).await.map_err(away)?;
    let endpoint = service.endpoint_builder().name("api").add(Subject::api(site)).await;
    let mut requests = endpoint.map_err(away)?;
    let prefix: Arc<str> = Subject::api(site).trim_end_matches('>').into();
    let at_once = Arc::new(Semaphore::new(AT_ONCE_MAX));
    let bytes_max = client.max_payload().saturating_sub(HEADERS_BYTES_MAX);
    while let Some(request) = requests.next().await {
        let Ok(turn) = Arc::clone(&at_once).acquire_owned().await else { break };
        let (router, prefix) = (router.clone(), Arc::clone(&prefix));
        tokio::spawn(async move {
            answer(request, &prefix, router, bytes_max).await;
            drop(turn);
        });
    }
    Ok(())
}

async fn answer(request: Request, prefix: &str, router: Router, bytes_max: usize) {
    let (status, body) = match http_request(&request, prefix) {
        Ok(asked) => ask(asked, router, bytes_max).await,
        Err(message) => failure(StatusCode::BAD_REQUEST, message),
    };
    let mut headers = HeaderMap::new();
    headers.insert(STATUS, status.as_str());
    if !status.is_success() {
        headers.insert(async_nats::service::NATS_SERVICE_ERROR_CODE, status.as_str());
        headers.insert(async_nats::service::NATS_SERVICE_ERROR, status.canonical_reason().unwrap_or("failed"));
    }
    if let Err(error) = request.respond_with_headers(Ok(body), headers).await {
        tracing::debug!(%error, "an answer over NATS was not taken");
    }
}

/// The request as HTTP has it.
fn http_request(request: &Request, prefix: &str) -> Result<http::Request<Body>, String> {
    let message = &request.message;
    let path = message.subject.strip_prefix(prefix).unwrap_or_default();
    for token in path.split('.') {
        Token::new(token).map_err(|error| error.to_string())?;
    }
    let query = message.headers.as_ref().and_then(|headers| headers.get(QUERY));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    if query.contains("follow=true") || path.ends_with(".orders") {
        return Err("there is no end to the answer; read what goes on over HTTP".into());
    }
    let method = if message.payload.is_empty() { Method::GET } else { Method::POST };
    http::Request::builder()
        .method(method)
        .uri(format!("/{}{query}", path.replace('.', "/")))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Body::from(message.payload.clone()))
        .map_err(|error| error.to_string())
}

async fn ask(asked: http::Request<Body>, router: Router, bytes_max: usize) -> Answer {
    let answered = async {
        let response = match TowerToHyperService::new(router).call(asked).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        (parts.status, Limited::new(body, bytes_max).collect().await)
    };
    match tokio::time::timeout(ANSWER_WITHIN, answered).await {
        Ok((status, Ok(body))) => (status, body.to_bytes()),
        Ok((_, Err(_))) => failure(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the answer is longer than the {bytes_max} bytes that NATS takes here; ask for less, or over HTTP"),
        ),
        Err(_) => failure(StatusCode::GATEWAY_TIMEOUT, "no answer came in time; ask for less, or over HTTP".into()),
    }
}

fn failure(status: StatusCode, message: String) -> Answer {
    let failure = Failure::from(Refusal::new(Reason::Invalid, message));
    (status, serde_json::to_vec(&failure).unwrap_or_default().into())
}
