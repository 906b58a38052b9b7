//! Bodies on their way through, streamed and counted, and the loan of an endpoint that lasts until
//! an answer's body is through.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::balance::Member;
use super::line::Line;
use super::meter::Meter;

/// The body of a request towards an endpoint.
pub(crate) enum RequestBody {
    Empty,
    Streaming { incoming: Incoming, meters: Meters },
}

/// The meters that count a body's bytes.
#[derive(Clone, Default)]
pub(crate) struct Meters {
    pub member: Option<Arc<Member>>,
    pub link: Option<Arc<Meter>>,
}

impl Meters {
    /// Every meter that follows this request: endpoint, revision, link.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Meter> {
        let member = self.member.iter().flat_map(|member| [&*member.meter, &*member.revision_meter]);
        member.chain(self.link.as_deref())
    }
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming) -> Self {
        if incoming.is_end_stream() {
            return Self::Empty;
        }
        Self::Streaming { incoming, meters: Meters::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self::Streaming { incoming, meters } = self.get_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(incoming).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            meters.each().for_each(|meter| meter.sent_up(data.len() as u64));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// An endpoint counted as busy, until dropped.
pub(crate) struct Loan(Arc<Member>);

impl Loan {
    pub(crate) fn of(member: Arc<Member>) -> Self {
        member.upstream.enter();
        Self(member)
    }

    pub(crate) fn member(&self) -> &Arc<Member> {
        &self.0
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.0.upstream.leave();
    }
}

/// What an answer under way holds on to.
pub(crate) struct Exchange {
    /// None once the answer is complete: the endpoint is free again.
    pub loan: Option<Loan>,
    pub line: Option<Line>,
    pub meters: Meters,
    /// The request had a body, which may still be on its way when the answer is complete.
    pub had_body: bool,
}

impl Exchange {
    /// The next part of the answer, moving its connection on while there is none.
    fn poll_frame(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let waiting = Pin::new(&mut *incoming).poll_frame(cx);
        match &mut self.line {
            Some(line) if waiting.is_pending() => {
                line.drive(cx);
                Pin::new(incoming).poll_frame(cx)
            }
            _ => waiting,
        }
    }

    /// The answer is complete: its connection may serve the next request.
    fn finish(&mut self) {
        let Some(loan) = self.loan.take() else {
            return;
        };
        if let Some(line) = self.line.take()
            && (!self.had_body || line.is_free())
        {
            loan.member().upstream.keep(line);
        }
    }
}

/// The body of an answer towards the client.
pub(crate) enum ReplyBody {
    /// Written by the proxy.
    Own(Option<Bytes>),
    /// From an endpoint. The exchange is dropped with the body: an unfinished one closes its
    /// connection.
    Streaming { incoming: Incoming, exchange: Exchange },
}

impl ReplyBody {
    pub(crate) fn streaming(incoming: Incoming, mut exchange: Exchange) -> Self {
        if incoming.is_end_stream() {
            exchange.finish();
            return Self::Own(None);
        }
        Self::Streaming { incoming, exchange }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let (incoming, exchange) = match self.get_mut() {
            Self::Own(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streaming { incoming, exchange } => (incoming, exchange),
        };
        let frame = ready!(exchange.poll_frame(incoming, cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let bytes = data.len() as u64;
                    exchange.meters.each().for_each(|meter| meter.sent_down(bytes));
                }
                if incoming.is_end_stream() {
                    exchange.finish();
                }
            }
            None => exchange.finish(),
            Some(Err(_)) => exchange.line = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Streaming { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Streaming { incoming, .. } => incoming.size_hint(),
        }
    }
}
