//! A small HTTP server: one thread for each open connection, a bounded number of them, and an orderly end.

use std::io::{self, BufRead, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{self, Answer, Request};
use crate::json::Object;

/// How many connections are served at a time.
pub const CONNECTIONS_MAX: usize = 256;
/// From this many on, a connection between two requests is closed to make room.
const CONNECTIONS_CROWDED: usize = CONNECTIONS_MAX * 3 / 4;
/// How often a connection without a request looks up whether it should close.
const IDLE_LOOK: Duration = Duration::from_millis(250);
/// How long a request may take to arrive once it has begun.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a stopping server waits for what it has begun.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
/// The stack of a connection's thread.
const STACK_BYTES: usize = 256 * 1024;

/// What answers requests. Called from many threads at once.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: &Request) -> Answer;
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    open: AtomicUsize,
    served: AtomicU64,
}

impl Server {
    /// Listens at the address and begins to serve.
    pub fn start(listen: SocketAddr, handler: Arc<dyn Handler>) -> io::Result<Server> {
        let listener = TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let for_acceptor = Arc::clone(&shared);
        thread::Builder::new().name("accept".to_owned()).spawn(move || accept(&listener, &handler, &for_acceptor))?;
        Ok(Server { address, shared })
    }

    /// Where it listens; the port is the real one even when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests were answered so far.
    pub fn served(&self) -> u64 {
        self.shared.served.load(Ordering::SeqCst)
    }

    /// Takes no new connection, closes idle ones, and waits until the requests under way are answered, five
    /// seconds at the most. Says whether all were.
    pub fn stop(&self) -> bool {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The acceptor sleeps until a connection comes: this one wakes it.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        let begun = Instant::now();
        while self.shared.open.load(Ordering::SeqCst) > 0 {
            if begun.elapsed() > DRAIN_TIME_MAX {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

impl Shared {
    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn crowded(&self) -> bool {
        self.open.load(Ordering::SeqCst) >= CONNECTIONS_CROWDED
    }
}

/// Counts an open connection for as long as it lives, whatever way its thread ends.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Place {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Place(Arc::clone(shared))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn accept(listener: &TcpListener, handler: &Arc<dyn Handler>, shared: &Arc<Shared>) {
    while !shared.stopping() {
        if shared.open.load(Ordering::SeqCst) >= CONNECTIONS_MAX {
            // Idle connections notice the crowd and leave; new ones wait in the listener's queue meanwhile.
            thread::sleep(Duration::from_millis(10));
            continue;
        }
        let Ok((stream, _)) = listener.accept() else {
            // Out of file descriptors, or the peer left again: neither is helped by haste.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let (place, handler) = (Place::take(shared), Arc::clone(handler));
        // A connection for which there is no thread is closed by being dropped.
        let _ = thread::Builder::new()
            .name("connection".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || serve(stream, handler.as_ref(), &place.0));
    }
}

fn serve(stream: TcpStream, handler: &dyn Handler, shared: &Shared) {
    // Whatever goes wrong on a connection ends that connection, and only it.
    let _ = serve_requests(&stream, handler, shared);
    let _ = stream.shutdown(Shutdown::Both);
}

fn serve_requests(stream: &TcpStream, handler: &dyn Handler, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(REQUEST_TIME_MAX))?;
    let mut reader = BufReader::new(stream);
    while wait_for_request(stream, &mut reader, shared)? {
        stream.set_read_timeout(Some(REQUEST_TIME_MAX))?;
        let request = match http::read_request(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(problem) if problem.kind() == io::ErrorKind::InvalidData => {
                let body = Object::new().text("error", &problem.to_string()).finish();
                return http::write_answer(&mut &*stream, &Answer::new(400, body), false);
            }
            Err(problem) => return Err(problem),
        };
        let answer = handler.answer(&request);
        let keep_alive = request.keep_alive && !shared.stopping() && !shared.crowded();
        shared.served.fetch_add(1, Ordering::SeqCst);
        http::write_answer(&mut &*stream, &answer, keep_alive)?;
        if !keep_alive {
            return Ok(());
        }
    }
    Ok(())
}

/// Waits for the first byte of a request. `false` when the other side closed, or when this connection should give
/// way: the server stops, or others wait for a place.
fn wait_for_request(stream: &TcpStream, reader: &mut BufReader<&TcpStream>, shared: &Shared) -> io::Result<bool> {
    if !reader.buffer().is_empty() {
        return Ok(true);
    }
    stream.set_read_timeout(Some(IDLE_LOOK))?;
    loop {
        match reader.fill_buf() {
            Ok(bytes) => return Ok(!bytes.is_empty()),
            Err(problem) if matches!(problem.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if shared.stopping() || shared.crowded() {
                    return Ok(false);
                }
            }
            Err(problem) if problem.kind() == io::ErrorKind::Interrupted => {}
            Err(problem) => return Err(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use std::io::{Read, Write};

    struct Echo;

    impl Handler for Echo {
        fn answer(&self, request: &Request) -> Answer {
            if request.path == "/slow" {
                thread::sleep(Duration::from_millis(300));
            }
            Answer::new(200, request.body.clone())
        }
    }

    fn server() -> Server {
        Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(Echo)).expect("a free port")
    }

    #[test]
    fn a_connection_carries_many_requests() {
        let server = server();
        let client = Client::new(&format!("http://{}", server.address())).expect("an address");
        for text in ["one", "two", "three"] {
            let answer = client.post("/", text.as_bytes()).expect("answered");
            assert_eq!(answer, Answer::new(200, text));
        }
        assert_eq!(server.served(), 3);
        assert_eq!(server.shared.open.load(Ordering::SeqCst), 1, "the client kept its connection");
    }

    #[test]
    fn what_is_no_request_is_told_so() {
        let server = server();
        let mut stream = TcpStream::connect(server.address()).expect("connected");
        stream.write_all(b"hello\r\n\r\n").expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server closes after its answer");
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    }

    #[test]
    fn a_stopping_server_finishes_what_it_has_begun() {
        let server = server();
        let client = Arc::new(Client::new(&format!("http://{}", server.address())).expect("an address"));
        let idle = TcpStream::connect(server.address()).expect("an idle connection");
        let slow = {
            let client = Arc::clone(&client);
            thread::spawn(move || client.post("/slow", b"still here"))
        };
        while server.shared.open.load(Ordering::SeqCst) < 2 {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(50));
        assert!(server.stop(), "everything was drained");
        let answer = slow.join().expect("the thread ends").expect("answered before the end");
        assert_eq!(answer, Answer::new(200, "still here"));
        assert!(TcpStream::connect(server.address()).is_err(), "nobody listens any more");
        drop(idle);
    }

    #[test]
    fn more_connections_than_places_are_served_in_the_end() {
        let server = server();
        let idle: Vec<TcpStream> =
            (0..CONNECTIONS_MAX + 20).map(|_| TcpStream::connect(server.address()).expect("queued")).collect();
        let client = Client::new(&format!("http://{}", server.address())).expect("an address");
        assert!(client.get("/").expect("idle connections gave way").is_success());
        drop(idle);
    }
}
