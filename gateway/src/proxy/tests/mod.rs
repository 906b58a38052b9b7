//! The proxies over real sockets: a front, real endpoints, and clients that write bytes.

mod bodies;
mod failing;
mod fronts;
mod links;
mod sharing;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

type Reply = Response<BoxBody<Bytes, hyper::Error>>;

/// A real endpoint, in a task of its own.
struct Upstream {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Upstream {
    async fn start<F, T>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> T + Clone + Send + 'static,
        T: Future<Output = Reply> + Send + 'static,
    {
        let listener = loopback().await;
        let address = listener.local_addr().expect("bound");
        let requests = Arc::new(AtomicU64::new(0));
        let counted = requests.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, counted) = (answer.clone(), counted.clone());
                let service = service_fn(move |request| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let builder = hyper::server::conn::http1::Builder::new();
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                connections.spawn(connection.with_upgrades());
            }
        });
        Self { address, requests, task }
    }

    /// Answers every request with `name`, the path it saw and the headers it saw.
    async fn named(name: &'static str) -> Self {
        Self::start(move |request| async move {
            let mut text = format!("{name} {} {}\n", request.method(), request.uri());
            for (header, value) in request.headers() {
                text.push_str(&format!("{header}: {}\n", value.to_str().unwrap_or("?")));
            }
            whole(text)
        })
        .await
    }

    fn count(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Dies as a process does: the listener and every connection at once.
    fn kill(&self) {
        self.task.abort();
    }

    fn endpoint(&self, instance: &str, revision: u32) -> Endpoint {
        Endpoint {
            instance: instance.to_owned(),
            label: format!("a/{instance}"),
            address: self.address,
            revision,
            healthy: true,
        }
    }
}

fn whole(text: impl Into<Bytes>) -> Reply {
    Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed())
}

async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback")
}

/// An address where nobody listens.
async fn dead_address() -> SocketAddr {
    loopback().await.local_addr().expect("bound")
}

fn route(name: &str, host: &str, prefix: &str, endpoints: Vec<Endpoint>) -> Route {
    Route {
        name: name.to_owned(),
        host: host.to_owned(),
        prefix: prefix.to_owned(),
        permit: Vec::new(),
        backends: Backends { endpoints, weights: Default::default() },
    }
}

/// A front for `a.test` with these endpoints.
async fn front(endpoints: Vec<Endpoint>) -> (Handle, Tables) {
    let tables = Tables::new();
    let table = Table { routes: vec![route("a", "a.test", "/", endpoints)], ..Table::default() };
    tables.publish(&table).expect("a sound table");
    (ingress(&tables, TokenBook::default()).await, tables)
}

async fn ingress(tables: &Tables, book: TokenBook) -> Handle {
    let served = serve_ingress(loopback().await, tables.clone(), book, Patience::default()).await;
    served.expect("a bound listener")
}

/// Writes `bytes` and reads until the other side closes.
async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the front listens");
    stream.write_all(bytes.as_ref()).await.expect("written");
    let mut answer = Vec::new();
    // A reset after the answer is as good an end as a close.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: SocketAddr, path: &str) -> String {
    let text = format!("GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    exchange(address, text).await
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

/// A client connection that is kept, over which requests go one after the other.
struct Client(hyper::client::conn::http1::SendRequest<Full<Bytes>>);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the front listens");
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.expect("an open connection");
        tokio::spawn(connection);
        Self(sender)
    }

    async fn send(&mut self, method: &str, path: &str, body: &'static [u8]) -> (u16, Bytes) {
        self.0.ready().await.expect("the connection is kept");
        let request = Request::builder().method(method).uri(path).header("host", "a.test");
        let request = request.body(Full::new(Bytes::from_static(body))).expect("a request");
        let response = self.0.send_request(request).await.expect("an answer");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a whole body");
        (status, body.to_bytes())
    }
}
