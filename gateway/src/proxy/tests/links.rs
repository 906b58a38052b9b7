//! Links between jobs.

use std::time::Duration;

use super::*;

fn service(endpoints: Vec<Endpoint>) -> Tables {
    let tables = Tables::new();
    let backends = Backends { endpoints, weights: Default::default() };
    let services = [("shop/b".to_owned(), backends)].into();
    tables.publish(&Table { services, ..Table::default() }).expect("a sound table");
    tables
}

async fn link(tables: &Tables, mode: LinkMode) -> LinkHandle {
    let served = serve_link(loopback().await, "shop/b", tables.clone(), mode).await;
    served.expect("a bound listener")
}

/// A server that is not HTTP: says `greeting` first, then sends everything back.
async fn raw(greeting: &'static [u8]) -> Upstream {
    let listener = loopback().await;
    let address = listener.local_addr().expect("bound");
    let requests = Arc::new(AtomicU64::new(0));
    let counted = requests.clone();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            connections.spawn(async move {
                stream.write_all(greeting).await?;
                let (mut reading, mut writing) = stream.split();
                tokio::io::copy(&mut reading, &mut writing).await
            });
        }
    });
    Upstream { address, requests, task }
}

#[tokio::test]
async fn an_http_link_spreads_requests_and_passes_them_on_unchanged() {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    let tables = service(vec![one.endpoint("1", 1), two.endpoint("2", 1)]);
    let link = link(&tables, LinkMode::Auto).await;
    let mut client = Client::connect(link.address()).await;
    for _ in 0..20 {
        assert_eq!(client.send("GET", "/", b"").await.0, 200);
    }
    assert_eq!((one.count(), two.count()), (10, 10), "over one connection");
    one.kill();
    for _ in 0..20 {
        assert_eq!(client.send("GET", "/", b"").await.0, 200);
    }
    let head =
        "GET //a/../b%2fc HTTP/1.1\r\nHost: anything\r\nX-Orrery-Principal: user:ann\r\nConnection: close\r\n\r\n";
    let answer = exchange(link.address(), head).await;
    assert!(answer.contains("two GET //a/../b%2fc\n"), "{answer}");
    assert!(answer.contains("x-orrery-principal: user:ann\n") && answer.contains("host: anything\n"));
    let reading = link.reading();
    assert_eq!(reading.by_class[1], 41);
    assert!(reading.latency_p99_us >= reading.latency_p50_us && reading.latency_p50_us.is_some());
}

#[tokio::test]
async fn a_tcp_link_fails_over_to_a_live_instance() {
    let live = raw(b"").await;
    let mut dead = live.endpoint("1", 1);
    dead.address = dead_address().await;
    let tables = service(vec![dead, live.endpoint("2", 1)]);
    let link = link(&tables, LinkMode::Tcp).await;
    for _ in 0..4 {
        let mut stream = TcpStream::connect(link.address()).await.expect("the link listens");
        stream.write_all(b"PING\r\n").await.expect("written");
        let mut back = [0; 6];
        stream.read_exact(&mut back).await.expect("echoed");
        assert_eq!(&back, b"PING\r\n");
        stream.shutdown().await.expect("closed");
        assert_eq!(stream.read(&mut back).await.expect("closed in order"), 0);
    }
    let reading = link.reading();
    assert!(reading.retries >= 1 && reading.failures == reading.retries, "{reading:?}");
    assert_eq!((reading.bytes_up, reading.bytes_down), (24, 24));
}

#[tokio::test]
async fn an_auto_link_lets_other_protocols_through() {
    let greeter = raw(b"220 hello\r\n").await;
    let tables = service(vec![greeter.endpoint("1", 1)]);
    let link = link(&tables, LinkMode::Auto).await;
    // The server speaks first.
    let mut silent = TcpStream::connect(link.address()).await.expect("the link listens");
    let mut greeting = [0; 11];
    silent.read_exact(&mut greeting).await.expect("greeted after the silence");
    assert_eq!(&greeting, b"220 hello\r\n");
    // The client speaks first, and not HTTP: Redis' protocol.
    let mut redis = TcpStream::connect(link.address()).await.expect("the link listens");
    redis.write_all(b"*1\r\n$4\r\nPING\r\n").await.expect("written");
    let mut back = [0; 25];
    redis.read_exact(&mut back).await.expect("greeted and echoed");
    assert!(back.ends_with(b"*1\r\n$4\r\nPING\r\n"));
}

#[tokio::test]
async fn a_link_to_nothing_says_so() {
    let tables = service(Vec::new());
    let http = link(&tables, LinkMode::Auto).await;
    let answer = get(http.address(), "/").await;
    assert!(answer.contains("\"reason\":\"no-healthy-endpoint\""), "{answer}");
    tables.publish(&Table::default()).expect("an empty table");
    let answer = get(http.address(), "/").await;
    assert!(answer.contains("\"reason\":\"no-service\""), "{answer}");
    let tcp = link(&tables, LinkMode::Tcp).await;
    assert_eq!(exchange(tcp.address(), "PING").await, "");
    assert!(tcp.shutdown(Duration::from_secs(5)).await);
}
