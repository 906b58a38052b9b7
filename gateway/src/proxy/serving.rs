//! Accepting connections, and ending in order: stop accepting, let requests finish, then cut.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Connections served at once; more wait in the socket's backlog.
const CONNECTIONS_MAX: u32 = 65_536;
/// The pause after the system refused to accept (no file descriptors left, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long tasks get to notice that they are cut off.
const CUT_LIMIT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    Draining,
    Cut,
}

/// What every connection holds: it counts as open while one of the clones lives, and learns through
/// it when to end.
#[derive(Clone)]
pub(crate) struct Lifeline {
    stage: watch::Receiver<Stage>,
    ending: Arc<AtomicBool>,
    _open: Arc<OwnedSemaphorePermit>,
}

impl Lifeline {
    /// Resolves when no new request should begin.
    pub(crate) async fn draining(&self) {
        self.reached(Stage::Draining).await;
    }

    /// Resolves when everything must end now.
    pub(crate) async fn aborted(&self) {
        self.reached(Stage::Cut).await;
    }

    /// Runs a connection to its end; told once to finish by `finish` when the server drains, and
    /// dropped when it is cut.
    pub(crate) async fn run<C: Future>(&self, connection: C, finish: impl FnOnce(Pin<&mut C>)) -> Option<C::Output> {
        let mut connection = pin!(connection);
        let draining = pin!(self.draining());
        let draining = poll_rarely(draining, &self.ending);
        tokio::select! {
            biased;
            ended = connection.as_mut() => return Some(ended),
            () = draining => finish(connection.as_mut()),
        }
        tokio::select! {
            ended = connection => Some(ended),
            () = self.aborted() => None,
        }
    }

    async fn reached(&self, stage: Stage) {
        // A handle that is gone cannot ask for anything any more: that means the end, too.
        let _ = self.stage.clone().wait_for(|now| *now >= stage).await;
    }
}

/// Polls `ending` once, so that it knows its task, and again only when it is due: a connection is
/// polled a few times for each request, and asking a shared channel each time would be a crossroads
/// of all threads.
fn poll_rarely<F: Future<Output = ()>>(mut ending: Pin<&mut F>, is_due: &AtomicBool) -> impl Future<Output = ()> {
    let mut asked = false;
    poll_fn(move |cx| {
        if asked && !is_due.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        asked = true;
        ending.as_mut().poll(cx)
    })
}

/// A running listener. Dropping it cuts everything at once; `shutdown` ends in order.
pub struct Handle {
    address: SocketAddr,
    stage: watch::Sender<Stage>,
    ending: Arc<AtomicBool>,
    slots: Arc<Semaphore>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        self.stage.send_replace(Stage::Cut);
    }
}

impl Handle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections and tunnels open now.
    pub fn connections(&self) -> usize {
        CONNECTIONS_MAX as usize - self.slots.available_permits()
    }

    /// Stops accepting and lets what is under way finish, for `limit` at most. Returns whether all
    /// of it did.
    pub async fn shutdown(self, limit: Duration) -> bool {
        self.ending.store(true, Ordering::Release);
        self.stage.send_replace(Stage::Draining);
        let drained = timeout(limit, self.slots.acquire_many(CONNECTIONS_MAX)).await.is_ok();
        self.stage.send_replace(Stage::Cut);
        if !drained {
            let _ = timeout(CUT_LIMIT, self.slots.acquire_many(CONNECTIONS_MAX)).await;
        }
        drained
    }
}

/// Serves every connection of `listener` with `serve_one`, each in its own task.
pub(crate) fn serve<F, T>(listener: TcpListener, serve_one: F) -> io::Result<Handle>
where
    F: Fn(TcpStream, SocketAddr, Lifeline) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let address = listener.local_addr()?;
    let (stage, receiver) = watch::channel(Stage::Serving);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    let ending = Arc::new(AtomicBool::new(false));
    let lifelines = (receiver.clone(), ending.clone());
    let accepting = accept_all(listener, slots.clone(), lifelines, serve_one);
    tokio::spawn(async move {
        let mut receiver = receiver;
        tokio::select! {
            () = accepting => {}
            _ = receiver.wait_for(|stage| *stage > Stage::Serving) => {}
        }
    });
    Ok(Handle { address, stage, ending, slots })
}

async fn accept_all<F, T>(
    listener: TcpListener,
    slots: Arc<Semaphore>,
    (stage, ending): (watch::Receiver<Stage>, Arc<AtomicBool>),
    serve_one: F,
) where
    F: Fn(TcpStream, SocketAddr, Lifeline) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Ok(permit) = slots.clone().acquire_owned().await else {
                    return;
                };
                // It only costs latency when the option cannot be set.
                let _ = stream.set_nodelay(true);
                let lifeline = Lifeline { stage: stage.clone(), ending: ending.clone(), _open: Arc::new(permit) };
                tokio::spawn(serve_one(stream, peer, lifeline));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
