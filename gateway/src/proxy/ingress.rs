//! The way in from outside: strict front, route, identity, then on to an endpoint.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::body::{ReplyBody, RequestBody};
use super::forward::{Forward, Offer, Patience};
use super::front::{forwarded_for, host_of, put_origin, strip_from_client, upgrade_offer};
use super::head::{HeadFault, HostRule, REFUSAL_HEADER};
use super::identity::Tokens;
use super::refusal::Refusal;
use super::serving::{Handle, Lifeline, serve};
use super::strict::Strict;
use super::tables::{Destination, Tables};
use super::target::normalise;

/// How long a client may take to send a head, and a connection may lie idle between two.
pub(crate) const HEAD_LIMIT: Duration = Duration::from_secs(60);
/// Streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;

struct Ingress {
    tables: Tables,
    tokens: Tokens,
    patience: Patience,
}

/// Serves the routes of `tables` on `listener`, over HTTP/1 and HTTP/2 without TLS. Routes that
/// permit only some ask `tokens` who it is.
pub async fn serve_ingress(
    listener: TcpListener,
    tables: Tables,
    tokens: impl Into<Tokens>,
    patience: Patience,
) -> io::Result<Handle> {
    let ingress = Arc::new(Ingress { tables, tokens: tokens.into(), patience });
    serve(listener, move |stream, peer, lifeline| serve_connection(ingress.clone(), stream, peer, lifeline))
}

async fn serve_connection(ingress: Arc<Ingress>, stream: TcpStream, peer: SocketAddr, lifeline: Lifeline) {
    let speaks_h2 = tokio::select! {
        speaks_h2 = timeout(HEAD_LIMIT, begins_with_h2(&stream)) => speaks_h2,
        () = lifeline.draining() => return,
    };
    let Ok(Ok(speaks_h2)) = speaks_h2 else {
        return;
    };
    let context = Arc::new((ingress, forwarded_for(peer.ip()), lifeline.clone()));
    let service = service_fn(move |request| {
        let context = context.clone();
        async move {
            let (ingress, origin, lifeline) = &*context;
            Ok::<_, Infallible>(ingress.respond(request, origin, lifeline).await)
        }
    });
    let ended = if speaks_h2 {
        let connection = h2().serve_connection(TokioIo::new(stream), service);
        lifeline.run(connection, |connection| connection.graceful_shutdown()).await
    } else {
        let io = TokioIo::new(Strict::new(stream, HostRule::ExactlyOne));
        let connection = h1().serve_connection(io, service).with_upgrades();
        lifeline.run(connection, |connection| connection.graceful_shutdown()).await
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(%peer, %error, "connection of a client ended");
    }
}

/// The HTTP/1 server as every listener of ours runs it.
pub(crate) fn h1() -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    builder
}

fn h2() -> hyper::server::conn::http2::Builder<TokioExecutor> {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
    builder.keep_alive_interval(HEAD_LIMIT);
    builder
}

/// Whether the first bytes are those of HTTP/2; they stay unread.
async fn begins_with_h2(stream: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI ";
    loop {
        let mut first = [0; PREFACE.len()];
        let count = stream.peek(&mut first).await?;
        if count == 0 || first[..count] != PREFACE[..count] {
            return Ok(false);
        }
        if count == PREFACE.len() {
            return Ok(true);
        }
        // A part of the preface: peeking again returns at once, so wait a little.
        sleep(Duration::from_millis(5)).await;
    }
}

impl Ingress {
    async fn respond(
        &self,
        request: Request<Incoming>,
        origin: &HeaderValue,
        lifeline: &Lifeline,
    ) -> Response<ReplyBody> {
        match self.forward(request, origin, lifeline).await {
            Ok(response) => response,
            Err(refusal) => {
                tracing::debug!(code = refusal.code(), %refusal, "request refused");
                refusal.answer()
            }
        }
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
        origin: &HeaderValue,
        lifeline: &Lifeline,
    ) -> Result<Response<ReplyBody>, Refusal> {
        refused_by_front(&request)?;
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Refusal::Method(request.method().clone()));
        }
        let (host, host_value) = host_of(request.uri(), request.headers())?;
        let uri = normalised(request.uri())?;
        let snapshot = self.tables.current();
        let path = uri.path();
        let Some(route) = snapshot.route(&host, path) else {
            return Err(Refusal::NoRoute { host, path: path.to_owned() });
        };
        let offer = upgrade_offer(&request);
        let offer = offer.map(|protocol| Offer { protocol, client: hyper::upgrade::on(&mut request) });
        let (mut parts, incoming) = request.into_parts();
        let principal = match route.permit.is_empty() {
            true => None,
            false => Some(self.admit(route, &parts.headers)?),
        };
        let headers = &mut parts.headers;
        strip_from_client(headers);
        if let Some(principal) = principal {
            // The token was for this door; what it proves goes on in its place.
            headers.remove(AUTHORIZATION);
            principal.put(headers);
        }
        put_origin(headers, origin.clone(), host_value);
        let mut onward = Request::new(RequestBody::new(incoming));
        *onward.method_mut() = parts.method;
        *onward.uri_mut() = uri;
        *onward.headers_mut() = parts.headers;
        let destination: &Destination = route;
        let forward = Forward { destination, patience: self.patience, link: None, lifeline };
        forward.run(onward, offer).await
    }

    /// Who asks, when the route lets them in.
    fn admit(
        &self,
        route: &Destination,
        headers: &http::HeaderMap,
    ) -> Result<Arc<super::identity::Principal>, Refusal> {
        let name = || route.name.clone();
        let principal =
            self.tokens.current().identify(headers).map_err(|fault| Refusal::Unidentified { name: name(), fault })?;
        if !principal.is_permitted(&route.permit) {
            return Err(Refusal::NotPermitted {
                name: name(),
                principal: principal.name().to_owned(),
                needed: route.permit.clone(),
            });
        }
        Ok(principal)
    }
}

/// The refusal that `Strict` put in place of a head.
pub(crate) fn refused_by_front<B>(request: &Request<B>) -> Result<(), Refusal> {
    match request.headers().get(REFUSAL_HEADER) {
        None => Ok(()),
        Some(code) => {
            let fault = HeadFault::from_code(code.as_bytes()).unwrap_or(HeadFault::Reserved);
            Err(Refusal::Head(fault))
        }
    }
}

/// Path and query as they go on, the path in its one spelling.
fn normalised(uri: &Uri) -> Result<Uri, Refusal> {
    let path = normalise(uri.path())?;
    if path == uri.path() && uri.authority().is_none() {
        return Ok(uri.clone());
    }
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    let path_and_query = PathAndQuery::from_maybe_shared(bytes::Bytes::from(path_and_query))
        .map_err(|_| Refusal::Head(HeadFault::RequestLine))?;
    Ok(Uri::from(path_and_query))
}
