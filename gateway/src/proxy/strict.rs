//! A connection that hands on only well-formed requests.
//!
//! `Strict` lies between the socket and the HTTP library and follows the framing of each request:
//! head, then body, then the next head. A head goes through whole and only when `head::inspect`
//! passes it. A refused head is replaced by a small one of our own that carries the reason, so the
//! library answers it like any request, in order and with `connection: close`; nothing of the
//! client's is read after that.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunks::Chunks;
use super::head::{BodyEnd, Framing, HeadFault, HostRule, REFUSAL_HEADER, head_end, inspect};

/// A head, and with it the buffer of a connection, grows to this and no further.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const BUFFER_BYTES: usize = 8 * 1024;

/// What the next bytes from the client are.
enum Next {
    Head {
        scanned: usize,
    },
    /// A judged head still to be handed on, and what follows it.
    HeadBytes {
        left: usize,
        framing: Framing,
    },
    Body {
        left: u64,
        then_opaque: bool,
    },
    Chunked {
        chunks: Chunks,
        then_opaque: bool,
    },
    /// After an offer to upgrade: no longer HTTP, or the connection closes.
    Opaque,
    /// The replacement of a refused head; the client's own bytes are dropped.
    Refused {
        left: usize,
    },
}

pub(crate) struct Strict<S> {
    inner: S,
    rule: HostRule,
    next: Next,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<S: AsyncRead + Unpin> Strict<S> {
    pub(crate) fn new(inner: S, rule: HostRule) -> Self {
        let next = Next::Head { scanned: 0 };
        Self { inner, rule, next, buffer: Vec::new(), start: 0, end: 0 }
    }

    fn held(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads more into the buffer. Ready with false at the end of the stream.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            } else {
                let larger = (self.buffer.len() * 2).clamp(BUFFER_BYTES, HEAD_BYTES_MAX);
                self.buffer.resize(larger, 0);
            }
        }
        let mut space = ReadBuf::new(&mut self.buffer[self.end..]);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut space))?;
        let count = space.filled().len();
        self.end += count;
        Poll::Ready(Ok(count > 0))
    }

    /// Judges the head at the front of the buffer once it is complete.
    fn advance_head(&mut self, scanned: usize) {
        let held = self.held();
        let verdict = match head_end(held, scanned) {
            Some(end) => inspect(&held[..end], self.rule).map(|framing| (end, framing)),
            None if held.len() >= HEAD_BYTES_MAX => Err(HeadFault::TooLarge),
            None => {
                self.next = Next::Head { scanned: held.len() };
                return;
            }
        };
        self.next = match verdict {
            Ok((left, framing)) => Next::HeadBytes { left, framing },
            Err(fault) => self.refuse(fault),
        };
    }

    fn refuse(&mut self, fault: HeadFault) -> Next {
        let code = fault.code();
        let head = format!("GET / HTTP/1.1\r\nhost: refused\r\n{REFUSAL_HEADER}: {code}\r\nconnection: close\r\n\r\n");
        self.buffer = head.into_bytes();
        (self.start, self.end) = (0, self.buffer.len());
        Next::Refused { left: self.end }
    }

    /// How many of the held bytes may go on now.
    fn admitted(&mut self) -> io::Result<usize> {
        let held = &self.buffer[self.start..self.end];
        match &mut self.next {
            Next::Head { .. } => Ok(0),
            Next::HeadBytes { left, .. } | Next::Refused { left } => Ok(*left),
            Next::Body { left, .. } => Ok(usize::try_from(*left).map_or(held.len(), |left| left.min(held.len()))),
            Next::Chunked { chunks, .. } => chunks.admit(held),
            Next::Opaque => Ok(held.len()),
        }
    }

    /// Copies up to `admitted` held bytes out and moves the framing on by as many.
    fn hand_on(&mut self, admitted: usize, out: &mut ReadBuf<'_>) {
        let count = admitted.min(out.remaining());
        out.put_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        self.moved(count);
    }

    fn moved(&mut self, count: usize) {
        match &mut self.next {
            Next::HeadBytes { left, framing } => {
                *left -= count;
                if *left == 0 {
                    let then_opaque = framing.upgrade;
                    self.next = match framing.body {
                        BodyEnd::AfterBytes(0) => after_body(then_opaque),
                        BodyEnd::AfterBytes(left) => Next::Body { left, then_opaque },
                        BodyEnd::Chunked => Next::Chunked { chunks: Chunks::new(), then_opaque },
                    };
                }
            }
            Next::Body { left, then_opaque } => {
                *left -= count as u64;
                if *left == 0 {
                    self.next = after_body(*then_opaque);
                }
            }
            Next::Chunked { chunks, then_opaque } => {
                chunks.moved(count);
                if chunks.is_done() {
                    self.next = after_body(*then_opaque);
                }
            }
            Next::Refused { left } => *left -= count,
            Next::Head { .. } | Next::Opaque => {}
        }
    }

    /// Whether the socket may be read straight into a buffer of `space` bytes without going past
    /// what is admitted.
    fn reads_straight(&self, space: usize) -> bool {
        match self.next {
            Next::Body { left, .. } => left >= space as u64,
            Next::Opaque => true,
            _ => false,
        }
    }
}

fn after_body(then_opaque: bool) -> Next {
    if then_opaque { Next::Opaque } else { Next::Head { scanned: 0 } }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.start < this.end {
                if let Next::Head { scanned } = this.next {
                    this.advance_head(scanned);
                }
                let admitted = this.admitted()?;
                if admitted > 0 {
                    this.hand_on(admitted, out);
                    return Poll::Ready(Ok(()));
                }
                if matches!(this.next, Next::Refused { .. }) {
                    this.start = this.end;
                }
            } else if this.reads_straight(out.remaining()) {
                let before = out.filled().len();
                ready!(Pin::new(&mut this.inner).poll_read(cx, out))?;
                this.moved(out.filled().len() - before);
                return Poll::Ready(Ok(()));
            }
            if !ready!(this.fill(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
