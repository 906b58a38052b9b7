//! Carrying one request to an endpoint and the answer back, with tries bounded and safe.
//!
//! A request that never left may go to another endpoint whatever its method: no connection could be
//! made, or an idle one turned out closed before a byte was written. One that did leave is repeated
//! only when its method is idempotent, it has no body, and no answer had begun.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;

use super::balance::Member;
use super::body::{Exchange, Loan, Meters, ReplyBody, RequestBody};
use super::front::{put_upgrade, strip_hop_by_hop};
use super::line::Line;
use super::meter::Meter;
use super::refusal::Refusal;
use super::serving::Lifeline;
use super::tables::Destination;
use super::tunnel;

/// Endpoints one request is offered to.
const TRIES_MAX: u32 = 3;

/// How long the proxy waits for an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a TCP connection.
    pub connect: Duration,
    /// For the head of an answer.
    pub head: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(1), head: Duration::from_secs(30) }
    }
}

/// A client's offer to leave HTTP.
pub(crate) struct Offer {
    pub protocol: HeaderValue,
    pub client: OnUpgrade,
}

/// Carries requests of one connection.
pub(crate) struct Forward<'a> {
    pub destination: &'a Destination,
    pub patience: Patience,
    pub link: Option<&'a Arc<Meter>>,
    pub lifeline: &'a Lifeline,
}

/// A try that came to nothing.
struct Failed {
    refusal: Refusal,
    /// The request, when it may be tried again.
    request: Option<Request<RequestBody>>,
    /// It failed on a connection kept from before, so the same endpoint may be fine on a new one.
    was_kept: bool,
}

impl Forward<'_> {
    /// Sends the request and returns the answer's head, its body streaming behind.
    pub(crate) async fn run(
        &self,
        mut request: Request<RequestBody>,
        offer: Option<Offer>,
    ) -> Result<Response<ReplyBody>, Refusal> {
        let begun = Instant::now();
        let name = &self.destination.name;
        let balance = &self.destination.balance;
        let mut refusal = Refusal::NoHealthyEndpoint { name: name.clone() };
        let Some(share) = balance.next_share() else {
            return Err(refusal);
        };
        *request.version_mut() = Version::HTTP_11;
        if let Some(offer) = &offer {
            put_upgrade(request.headers_mut(), offer.protocol.clone());
        }
        let mut tried: Vec<Arc<Member>> = Vec::new();
        let mut once_more: Option<Arc<Member>> = None;
        for tries in 1..=TRIES_MAX {
            let chosen = balance.choose(share, &tried).or_else(|| once_more.take());
            let Some(member) = chosen else {
                break;
            };
            let loan = Loan::of(member.clone());
            let meters = Meters { member: Some(member.clone()), link: self.link.cloned() };
            meters.each().for_each(|meter| meter.tried(tries > 1));
            match self.attempt(request, loan, &meters, tries).await {
                Ok((response, exchange)) => {
                    let latency = begun.elapsed();
                    meters.each().for_each(|meter| meter.answered(response.status(), latency));
                    return self.answer(response, exchange, offer);
                }
                Err(failed) => {
                    meters.each().for_each(Meter::failed);
                    refusal = failed.refusal;
                    let Some(again) = failed.request else {
                        break;
                    };
                    request = again;
                    if failed.was_kept {
                        once_more = Some(member.clone());
                    }
                    tried.push(member);
                }
            }
        }
        Err(refusal)
    }

    async fn attempt(
        &self,
        mut request: Request<RequestBody>,
        loan: Loan,
        meters: &Meters,
        tries: u32,
    ) -> Result<(Response<Incoming>, Exchange), Failed> {
        let name = || self.destination.name.clone();
        let (mut line, was_kept) = match self.connection(&loan).await {
            Ok(connection) => connection,
            Err(error) => {
                let address = loan.member().upstream.address();
                tracing::debug!(%address, label = loan.member().label, %error, "no connection");
                let refusal = Refusal::Unreachable { name: name(), tries };
                return Err(Failed { refusal, request: Some(request), was_kept: false });
            }
        };
        let copy = copy_if_repeatable(&request);
        if let RequestBody::Streaming { meters: counting, .. } = request.body_mut() {
            *counting = meters.clone();
        }
        let had_body = !request.body().is_empty();
        let sent = timeout(self.patience.head, line.send(request)).await;
        let Ok(sent) = sent else {
            let refusal = Refusal::Slow { name: name() };
            return Err(Failed { refusal, request: None, was_kept });
        };
        sent.map(|response| {
            let meters = meters.clone();
            (response, Exchange { loan: Some(loan), line: Some(line), meters, had_body })
        })
        .map_err(|mut error| {
            let unsent = error.take_message();
            let error = error.into_error();
            if error.is_parse() {
                return Failed { refusal: Refusal::BadAnswer { name: name() }, request: None, was_kept };
            }
            let refusal = Refusal::BrokenOff { name: name() };
            Failed { refusal, request: unsent.or(copy), was_kept }
        })
    }

    /// A kept connection if there is one, else a new one.
    async fn connection(&self, loan: &Loan) -> std::io::Result<(Line, bool)> {
        let upstream = &loan.member().upstream;
        match upstream.take_idle() {
            Some(line) => Ok((line, true)),
            None => {
                let stream = upstream.connect(self.patience.connect).await?;
                Ok((Line::open(stream).await?, false))
            }
        }
    }

    fn answer(
        &self,
        mut response: Response<Incoming>,
        exchange: Exchange,
        offer: Option<Offer>,
    ) -> Result<Response<ReplyBody>, Refusal> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let Some(offer) = offer else {
                return Err(Refusal::BadAnswer { name: self.destination.name.clone() });
            };
            let protocol = response.headers().get(http::header::UPGRADE).cloned();
            let endpoint = hyper::upgrade::on(&mut response);
            strip_hop_by_hop(response.headers_mut());
            put_upgrade(response.headers_mut(), protocol.unwrap_or(offer.protocol));
            tunnel::join_upgraded(offer.client, endpoint, exchange, self.lifeline.clone());
            return Ok(response.map(|_| ReplyBody::Own(None)));
        }
        strip_hop_by_hop(response.headers_mut());
        if offer.is_some() {
            // The strict reader no longer follows this connection, so it must end.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|incoming| ReplyBody::streaming(incoming, exchange)))
    }
}

/// A second request like this one, if repeating it does no harm.
fn copy_if_repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let idempotent =
        matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
    if !idempotent || !request.body().is_empty() {
        return None;
    }
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
