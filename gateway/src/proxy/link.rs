//! A link: a stable local address in front of another job's live instances.
//!
//! In HTTP mode requests are spread and retried one by one, as at the ingress, but passed on as they
//! are: who calls is known by the listener, and paths and identity headers belong to the jobs. In
//! TCP mode each connection goes to one instance, another one when the first cannot be reached.
//!
//! `Auto` looks at the first bytes of a connection: an HTTP/1 method makes it HTTP, anything else
//! TCP (HTTP/2 too, so that gRPC passes unchanged). A client that says nothing for 50 ms waits for
//! the server to speak first, as with MySQL, and gets TCP.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::balance::Member;
use super::body::{Loan, Meters, ReplyBody, RequestBody};
use super::forward::{Forward, Offer, Patience};
use super::front::{strip_hop_by_hop, upgrade_offer};
use super::head::HostRule;
use super::ingress::{h1, refused_by_front};
use super::meter::{Meter, Reading};
use super::refusal::Refusal;
use super::serving::{Handle, Lifeline, serve};
use super::strict::Strict;
use super::tables::Tables;
use super::tunnel;

/// How long a client may be silent before it is taken for one that lets the server speak first.
const SILENCE: Duration = Duration::from_millis(50);
/// Endpoints one TCP connection is offered to.
const TCP_TRIES_MAX: u32 = 3;

/// What a link understands of its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkMode {
    /// HTTP, request by request.
    Http,
    /// Nothing.
    Tcp,
    /// Whichever the first bytes of a connection say.
    #[default]
    Auto,
}

struct Link {
    service: String,
    tables: Tables,
    mode: LinkMode,
    patience: Patience,
    meter: Arc<Meter>,
}

/// A running link. Dropping it cuts its connections at once.
pub struct LinkHandle {
    handle: Handle,
    meter: Arc<Meter>,
}

impl LinkHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    /// What passed over it so far, and how fast.
    pub fn reading(&self) -> Reading {
        self.meter.read()
    }

    /// Stops accepting and lets what is under way finish, for `limit` at most. Returns whether all
    /// of it did.
    pub async fn shutdown(self, limit: Duration) -> bool {
        self.handle.shutdown(limit).await
    }
}

/// Leads every connection of `listener` to live instances of `service`.
pub async fn serve_link(
    listener: TcpListener,
    service: impl Into<String>,
    tables: Tables,
    mode: LinkMode,
) -> io::Result<LinkHandle> {
    let meter = Arc::new(Meter::default());
    let (service, patience) = (service.into(), Patience::default());
    let link = Arc::new(Link { service, tables, mode, patience, meter: meter.clone() });
    let handle = serve(listener, move |stream, _peer, lifeline| {
        let link = link.clone();
        async move {
            let is_http = match link.mode {
                LinkMode::Http => true,
                LinkMode::Tcp => false,
                LinkMode::Auto => speaks_http(&stream).await,
            };
            let ended =
                if is_http { serve_http(link, stream, lifeline).await } else { link.serve_tcp(stream, lifeline).await };
            if let Err(error) = ended {
                tracing::debug!(%error, "connection of a link ended");
            }
        }
    })?;
    Ok(LinkHandle { handle, meter })
}

/// Whether the first bytes, which stay unread, begin an HTTP/1 request.
async fn speaks_http(stream: &TcpStream) -> bool {
    const METHODS: [&[u8]; 9] =
        [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE "];
    let look = async {
        loop {
            let mut first = [0; 8];
            let count = stream.peek(&mut first).await.unwrap_or(0);
            let said = &first[..count];
            if count == 0 {
                return false;
            }
            if METHODS.iter().any(|method| said.starts_with(method)) {
                return true;
            }
            if !METHODS.iter().any(|method| method.starts_with(said)) {
                return false;
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SILENCE, look).await.unwrap_or(false)
}

async fn serve_http(link: Arc<Link>, stream: TcpStream, lifeline: Lifeline) -> io::Result<()> {
    let context = Arc::new((link, lifeline.clone()));
    let service = service_fn(move |request| {
        let context = context.clone();
        async move {
            let (link, lifeline) = &*context;
            let answer = link.forward(request, lifeline).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|refusal| refusal.answer()))
        }
    });
    let io = TokioIo::new(Strict::new(stream, HostRule::AtMostOne));
    let connection = h1().serve_connection(io, service).with_upgrades();
    let ended = lifeline.run(connection, |connection| connection.graceful_shutdown()).await;
    ended.unwrap_or(Ok(())).map_err(io::Error::other)
}

impl Link {
    async fn forward(
        &self,
        mut request: Request<Incoming>,
        lifeline: &Lifeline,
    ) -> Result<Response<ReplyBody>, Refusal> {
        refused_by_front(&request)?;
        if request.method() == Method::CONNECT {
            return Err(Refusal::Method(Method::CONNECT));
        }
        let snapshot = self.tables.current();
        let destination = snapshot.service(&self.service);
        let destination = destination.ok_or_else(|| Refusal::NoService(self.service.clone()))?;
        let offer = upgrade_offer(&request);
        let offer = offer.map(|protocol| Offer { protocol, client: hyper::upgrade::on(&mut request) });
        let (parts, incoming) = request.into_parts();
        let mut onward = Request::new(RequestBody::new(incoming));
        *onward.headers_mut() = parts.headers;
        strip_hop_by_hop(onward.headers_mut());
        let whole = PathAndQuery::from_static("/");
        let path = parts.uri.path_and_query().cloned().unwrap_or(whole);
        if let Some(authority) = parts.uri.authority()
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            onward.headers_mut().insert(http::header::HOST, host);
        }
        *onward.uri_mut() = Uri::from(path);
        *onward.method_mut() = parts.method;
        let (patience, link) = (self.patience, Some(&self.meter));
        Forward { destination, patience, link, lifeline }.run(onward, offer).await
    }

    async fn serve_tcp(&self, client: TcpStream, lifeline: Lifeline) -> io::Result<()> {
        let (endpoint, loan, meters) = self.connect().await?;
        let joined = tunnel::join(client, endpoint, meters);
        let ended = tokio::select! { ended = joined => ended, () = lifeline.aborted() => Ok(()) };
        drop(loan);
        ended
    }

    /// A connection to the first endpoint that can be reached.
    async fn connect(&self) -> io::Result<(TcpStream, Loan, Meters)> {
        let begun = Instant::now();
        let snapshot = self.tables.current();
        let unknown = || io::Error::other(format!("{} has no healthy endpoint", self.service));
        let destination = snapshot.service(&self.service).ok_or_else(unknown)?;
        let share = destination.balance.next_share().ok_or_else(unknown)?;
        let mut tried: Vec<Arc<Member>> = Vec::new();
        let mut last = unknown();
        for tries in 1..=TCP_TRIES_MAX {
            let Some(member) = destination.balance.choose(share, &tried) else {
                break;
            };
            let loan = Loan::of(member.clone());
            let link = Some(self.meter.clone());
            let meters = Meters { member: Some(member.clone()), link };
            meters.each().for_each(|meter| meter.tried(tries > 1));
            match member.upstream.connect(self.patience.connect).await {
                Ok(stream) => {
                    let latency = begun.elapsed();
                    meters.each().for_each(|meter| meter.connected(latency));
                    return Ok((stream, loan, meters));
                }
                Err(error) => {
                    meters.each().for_each(Meter::failed);
                    last = error;
                    tried.push(member);
                }
            }
        }
        Err(last)
    }
}
