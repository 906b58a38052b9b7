//! A small HTTP client for one address: it keeps connections open, and knows which failures may be tried again.

use std::fmt;
use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::http::{self, Answer};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);
/// How many connections are kept for later.
const IDLE_CONNECTIONS_MAX: usize = 16;
/// How often a request without effect is tried on a new connection.
const FRESH_TRIES_MAX: u32 = 3;
const PAUSE_BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Speaks to one address. Shared by all threads of a service.
#[derive(Debug)]
pub struct Client {
    authority: String,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// The address is not of the form `http://HOST:PORT`.
    Address(String),
    /// Nobody answered at the address.
    Unreachable {
        /// The host and port that were tried.
        authority: String,
        /// What the last try met.
        problem: io::Error,
    },
}

impl fmt::Display for ClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Address(text) => write!(formatter, "`{text}` is not an address like http://127.0.0.1:8080"),
            ClientError::Unreachable { authority, problem } => {
                write!(formatter, "no answer from http://{authority}: {problem}")
            }
        }
    }
}

impl std::error::Error for ClientError {}

impl Client {
    /// A client for `http://HOST:PORT`. Nothing is connected yet.
    pub fn new(address: &str) -> Result<Client, ClientError> {
        let authority = address.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
        let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
        if authority.contains('/') || !matches!(port, Some(Ok(_))) {
            return Err(ClientError::Address(address.to_owned()));
        }
        Ok(Client { authority: authority.to_owned(), idle: Mutex::new(Vec::new()) })
    }

    /// The host and port it speaks to.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Asks for something. It changes nothing over there, so it is tried again when a connection breaks.
    pub fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.send("GET", path, b"", FRESH_TRIES_MAX)
    }

    /// Tells something. It is sent again only when a kept connection turns out to have been closed meanwhile.
    pub fn post(&self, path: &str, body: &[u8]) -> Result<Answer, ClientError> {
        self.send("POST", path, body, 1)
    }

    fn send(&self, method: &str, path: &str, body: &[u8], fresh_tries_max: u32) -> Result<Answer, ClientError> {
        let kept = self.idle().pop();
        if let Some(connection) = kept {
            match self.exchange(connection, method, path, body) {
                Ok(answer) => return Ok(answer),
                Err(problem) if fresh_tries_max > 1 || is_stale(&problem) => {}
                Err(problem) => return Err(self.unreachable(problem)),
            }
            // What closed one kept connection closed the others too.
            self.idle().clear();
        }
        let mut tries = 1;
        loop {
            let result = self.connect().and_then(|connection| self.exchange(connection, method, path, body));
            match result {
                Ok(answer) => return Ok(answer),
                Err(problem) if tries >= fresh_tries_max => return Err(self.unreachable(problem)),
                Err(_) => thread::sleep(PAUSE_BETWEEN_TRIES),
            }
            tries += 1;
        }
    }

    fn exchange(
        &self,
        mut connection: BufReader<TcpStream>,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> io::Result<Answer> {
        http::write_request(connection.get_mut(), method, path, &self.authority, body)?;
        let (answer, keep_alive) = http::read_answer(&mut connection)?;
        if keep_alive {
            let mut idle = self.idle();
            if idle.len() < IDLE_CONNECTIONS_MAX {
                idle.push(connection);
            }
        }
        Ok(answer)
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let addresses: Vec<SocketAddr> = self.authority.to_socket_addrs()?.collect();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_TIME_MAX) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
                    stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
                    return Ok(BufReader::new(stream));
                }
                Err(problem) => last = problem,
            }
        }
        Err(last)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<BufReader<TcpStream>>> {
        // A list of connections is whole whatever a thread that held it did.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreachable(&self, problem: io::Error) -> ClientError {
        ClientError::Unreachable { authority: self.authority.clone(), problem }
    }
}

/// Whether the other side had closed the connection before it saw the request.
fn is_stale(problem: &io::Error) -> bool {
    matches!(problem.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Serves the given number of requests on each connection, then closes it without a word.
    fn forgetful_server(requests_per_connection: usize, connections: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        thread::spawn(move || {
            for stream in listener.incoming().take(connections) {
                let mut reader = BufReader::new(stream.expect("accepted"));
                for _ in 0..requests_per_connection {
                    if let Ok(Some(request)) = http::read_request(&mut reader) {
                        let answer = Answer::new(200, request.path);
                        http::write_answer(reader.get_mut(), &answer, true).expect("written");
                    }
                }
            }
        });
        address
    }

    #[test]
    fn a_kept_connection_that_went_stale_is_replaced() {
        let address = forgetful_server(1, 3);
        let client = Client::new(&format!("http://{address}/")).expect("an address");
        assert_eq!(client.get("/1").expect("answered"), Answer::new(200, "/1"));
        assert_eq!(client.post("/2", b"").expect("sent again on a new connection"), Answer::new(200, "/2"));
        assert_eq!(client.get("/3").expect("asked again on a new connection"), Answer::new(200, "/3"));
    }

    #[test]
    fn a_question_is_asked_again_when_a_new_connection_breaks() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        thread::spawn(move || {
            drop(listener.accept());
            let (stream, _) = listener.accept().expect("the second try");
            let mut reader = BufReader::new(stream);
            http::read_request(&mut reader).expect("a request");
            http::write_answer(reader.get_mut(), &Answer::new(200, "ok"), false).expect("written");
        });
        let client = Client::new(&format!("http://{address}")).expect("an address");
        assert_eq!(client.get("/").expect("the second try is answered"), Answer::new(200, "ok"));
    }

    #[test]
    fn nobody_there_is_said_with_the_address() {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let client = Client::new(&format!("http://{address}")).expect("an address");
        let problem = client.post("/", b"").expect_err("nobody listens there").to_string();
        assert!(problem.starts_with(&format!("no answer from http://{address}: ")), "{problem}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "127.0.0.1:80", "http://", "http://:80", "http://host", "http://host:x", "http://host:80/path"]
        {
            assert!(Client::new(text).is_err(), "{text}");
        }
    }
}
