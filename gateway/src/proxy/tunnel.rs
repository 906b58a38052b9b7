//! Bytes both ways between a client and an endpoint, until one side is done.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};

use super::body::{Exchange, Meters};
use super::serving::Lifeline;

const BUFFER_BYTES: usize = 32 * 1024;

/// Joins both sides of an upgraded exchange in a task of its own. When the server drains, a tunnel
/// goes on until its sides end it or the drain's limit is reached.
pub(crate) fn join_upgraded(client: OnUpgrade, endpoint: OnUpgrade, exchange: Exchange, lifeline: Lifeline) {
    tokio::spawn(async move {
        let joined = async {
            let (client, endpoint) = tokio::try_join!(client, endpoint).map_err(io::Error::other)?;
            let meters = exchange.meters.clone();
            join(TokioIo::new(client), TokioIo::new(endpoint), meters).await
        };
        tokio::select! {
            ended = joined => if let Err(error) = ended {
                tracing::debug!(%error, "tunnel ended");
            },
            () = lifeline.aborted() => {}
        }
        drop(exchange);
    });
}

/// Copies both ways, counting, until both sides have ended.
pub(crate) async fn join<A, B>(client: A, mut endpoint: B, meters: Meters) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = Counted { inner: client, meters };
    copy_bidirectional_with_sizes(&mut client, &mut endpoint, BUFFER_BYTES, BUFFER_BYTES).await?;
    Ok(())
}

/// The client's side of a tunnel, which counts what passes as it passes.
struct Counted<S> {
    inner: S,
    meters: Meters,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = out.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, out))?;
        let bytes = (out.filled().len() - before) as u64;
        this.meters.each().for_each(|meter| meter.sent_up(bytes));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.inner).poll_write(cx, bytes))?;
        this.meters.each().for_each(|meter| meter.sent_down(count as u64));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
