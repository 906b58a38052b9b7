//! One HTTP connection to an endpoint.
//!
//! The library splits a connection into a sender and a driver that must be polled. Here the task of
//! the request polls both, which saves two wake-ups of another task per request. Only what needs a
//! driver that goes on by itself (a request with a body, an upgrade) gives it a task of its own.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::RequestBody;

type Driver = Box<Connection<TokioIo<TcpStream>, RequestBody>>;

/// A connection that carries one request at a time.
pub(crate) struct Line {
    sender: SendRequest<RequestBody>,
    /// None when a task of its own drives it, or it has ended.
    driver: Option<Driver>,
}

impl Line {
    pub(crate) async fn open(stream: TcpStream) -> io::Result<Self> {
        let io = TokioIo::new(stream);
        let (sender, connection) = Builder::new().handshake(io).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Some(Box::new(connection)) })
    }

    /// Whether the endpoint has closed it in the meantime.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.sender.is_closed()
    }

    /// Whether nothing of an earlier request is still under way on it.
    pub(crate) fn is_free(&self) -> bool {
        self.sender.is_ready()
    }

    /// Moves everything on that can move. Called by whoever waits for something from this line.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, cx);
    }

    fn give_task(&mut self) {
        if let Some(driver) = self.driver.take() {
            tokio::spawn(async move { log_end(driver.with_upgrades().await) });
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        let asks_upgrade = request.headers().contains_key(http::header::UPGRADE);
        if asks_upgrade || !request.body().is_empty() {
            self.give_task();
        }
        let mut answer = pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        std::future::poll_fn(|cx| {
            drive(driver, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }
}

fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    if let Some(moving) = driver
        && let Poll::Ready(ended) = Pin::new(moving).poll(cx)
    {
        log_end(ended);
        // With the driver goes what it still owed: who waits for an answer learns of it.
        *driver = None;
    }
}

fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection to an endpoint ended");
    }
}
