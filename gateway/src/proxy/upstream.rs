//! One endpoint as the proxy knows it: its idle connections, its load, and whether it was just seen
//! to refuse connections.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::line::Line;

/// Idle connections kept per endpoint.
const IDLE_MAX: usize = 512;
/// An idle connection older than this is closed.
const IDLE_FOR_MAX: Duration = Duration::from_secs(60);
/// How long an endpoint that failed to connect is passed over when there is another.
const SET_ASIDE: Duration = Duration::from_secs(1);

struct Idle {
    line: Line,
    since: Instant,
}

/// The state of one endpoint, shared by every route and link that leads to it.
pub(crate) struct Upstream {
    address: SocketAddr,
    in_flight: AtomicU32,
    /// Milliseconds of `now_ms`; 0 when not set aside.
    set_aside_until_ms: AtomicU64,
    retired: AtomicBool,
    idle: Mutex<VecDeque<Idle>>,
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            in_flight: AtomicU32::new(0),
            set_aside_until_ms: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            idle: Mutex::new(VecDeque::new()),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a connection to it failed a moment ago.
    pub(crate) fn is_set_aside(&self) -> bool {
        match self.set_aside_until_ms.load(Ordering::Relaxed) {
            0 => false,
            until => now_ms() < until,
        }
    }

    /// It left the table: what is under way finishes, nothing is kept for later.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        self.drop_idle();
    }

    /// Closes the idle connections, which are suspect once one of them turned out dead.
    pub(crate) fn drop_idle(&self) {
        let dropped = std::mem::take(&mut *locked(&self.idle));
        drop(dropped);
    }

    /// An idle connection that is still open, the most recently used first.
    pub(crate) fn take_idle(&self) -> Option<Line> {
        loop {
            let Idle { mut line, since } = locked(&self.idle).pop_back()?;
            if since.elapsed() < IDLE_FOR_MAX && !line.has_ended() {
                return Some(line);
            }
        }
    }

    /// Closes what lay idle for too long or was closed by the endpoint.
    pub(crate) fn sweep_idle(&self) {
        let mut idle = locked(&self.idle);
        idle.retain_mut(|kept| kept.since.elapsed() < IDLE_FOR_MAX && !kept.line.has_ended());
    }

    /// Keeps a connection whose answer was read to its end.
    pub(crate) fn keep(&self, line: Line) {
        if self.retired.load(Ordering::SeqCst) {
            return;
        }
        let mut idle = locked(&self.idle);
        let expired = |oldest: &Idle| oldest.since.elapsed() > IDLE_FOR_MAX;
        let dropped = match idle.front().is_some_and(expired) || idle.len() >= IDLE_MAX {
            true => idle.pop_front(),
            false => None,
        };
        idle.push_back(Idle { line, since: Instant::now() });
        drop(idle);
        drop(dropped);
        // It may have been retired between the check and the push.
        if self.retired.load(Ordering::SeqCst) {
            self.drop_idle();
        }
    }

    /// Opens a TCP connection, and sets the endpoint aside when that fails.
    pub(crate) async fn connect(&self, limit: Duration) -> std::io::Result<TcpStream> {
        let connected = match timeout(limit, TcpStream::connect(self.address)).await {
            Ok(connected) => connected,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        };
        match connected {
            Ok(stream) => {
                self.set_aside_until_ms.store(0, Ordering::Relaxed);
                stream.set_nodelay(true)?;
                Ok(stream)
            }
            Err(error) => {
                let until = now_ms() + SET_ASIDE.as_millis() as u64;
                self.set_aside_until_ms.store(until, Ordering::Relaxed);
                self.drop_idle();
                Err(error)
            }
        }
    }
}

/// Milliseconds since the first call, plus one: never 0.
fn now_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// The guard of a mutex whose data stays valid between any two statements.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
