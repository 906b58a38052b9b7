//! Endpoints that die, break off, stay silent or leave.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::Notify;

use super::*;

/// Clients that ask at once, and how often each does.
const CLIENTS: usize = 16;
const REQUESTS_EACH: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_an_endpoint_under_load_fails_no_safe_request() {
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    let (front, tables) = front(vec![one.endpoint("1", 1), two.endpoint("2", 1)]).await;
    let address = front.address();
    let progress = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let progress = progress.clone();
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            for _ in 0..REQUESTS_EACH {
                let (status, body) = client.send("GET", "/", b"").await;
                assert_eq!(status, 200, "{body:?}");
                progress.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    while progress.load(Ordering::SeqCst) < (CLIENTS * REQUESTS_EACH / 4) as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    one.kill();
    while let Some(client) = clients.join_next().await {
        client.expect("no request of this client failed");
    }
    assert!(one.count() > 0 && two.count() > 0);
    assert_eq!(tables.served("a"), [(1, (CLIENTS * REQUESTS_EACH) as u64)].into());
    assert!(tables.usage()[0].reading.failures > 0, "the kill was noticed");
}

/// Accepts, reads a request, and ends the connection without a word.
async fn breaking_off() -> Upstream {
    let listener = loopback().await;
    let address = listener.local_addr().expect("bound");
    let requests = Arc::new(AtomicU64::new(0));
    let counted = requests.clone();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            if stream.read(&mut head).await.unwrap_or(0) > 0 {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    Upstream { address, requests, task }
}

#[tokio::test]
async fn a_safe_request_is_repeated_elsewhere_and_a_post_is_not() {
    let (bad, good) = (breaking_off().await, Upstream::named("good").await);
    let (front, tables) = front(vec![bad.endpoint("1", 1), good.endpoint("2", 1)]).await;
    let mut client = Client::connect(front.address()).await;
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        for _ in 0..4 {
            assert_eq!(client.send(method, "/", b"").await.0, 200, "{method}");
        }
    }
    assert!(bad.count() > 0 && good.count() == 20);
    let mut broken = 0;
    for _ in 0..4 {
        let before = bad.count() + good.count();
        let (status, body) = client.send("POST", "/", b"x").await;
        assert_eq!(bad.count() + good.count(), before + 1, "a post reaches one endpoint only");
        if status == 502 {
            assert!(body.starts_with(b"{\"reason\":\"endpoint-broke-off\""), "{body:?}");
            broken += 1;
        }
    }
    assert!(broken > 0);
    assert!(tables.usage()[0].reading.retries > 0);
}

#[tokio::test]
async fn a_post_goes_elsewhere_when_no_connection_can_be_made() {
    let good = Upstream::start(|request| async move { Response::new(request.into_body().boxed()) });
    let good = good.await;
    let mut dead = good.endpoint("1", 1);
    dead.address = dead_address().await;
    let (front, tables) = front(vec![dead, good.endpoint("2", 1)]).await;
    let mut client = Client::connect(front.address()).await;
    for _ in 0..10 {
        assert_eq!(client.send("POST", "/", b"payload").await, (200, Bytes::from_static(b"payload")));
    }
    let failures = tables.usage()[0].reading.failures;
    assert!((1..10).contains(&failures), "set aside after it refused: {failures} failures");
}

#[tokio::test]
async fn tries_are_bounded_and_the_answer_says_so() {
    let mut endpoints = Vec::new();
    for instance in ["1", "2", "3", "4", "5"] {
        let upstream = Upstream::named("x").await;
        let mut endpoint = upstream.endpoint(instance, 1);
        endpoint.address = dead_address().await;
        endpoints.push(endpoint);
    }
    let (front, tables) = front(endpoints).await;
    let answer = get(front.address(), "/").await;
    assert_eq!(status(&answer), "502");
    assert!(answer.contains("\"reason\":\"endpoints-unreachable\""), "{answer}");
    assert_eq!(tables.usage()[0].reading.tries, 3);
}

#[tokio::test]
async fn an_endpoint_that_restarts_on_its_port_is_found_again() {
    let upstream = Upstream::named("before").await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let mut client = Client::connect(front.address()).await;
    assert_eq!(client.send("POST", "/", b"x").await.0, 200);
    upstream.kill();
    let address = upstream.address;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    assert_eq!(client.send("GET", "/", b"").await.0, 204);
}

#[tokio::test]
async fn a_silent_endpoint_is_given_up_after_its_time() {
    let upstream = Upstream::start(|_| std::future::pending()).await;
    let tables = Tables::new();
    let routes = vec![route("a", "a.test", "/", vec![upstream.endpoint("1", 1)])];
    tables.publish(&Table { routes, ..Table::default() }).expect("a sound table");
    let patience = Patience { head: Duration::from_millis(100), ..Patience::default() };
    let front = serve_ingress(loopback().await, tables, TokenBook::default(), patience).await;
    let answer = get(front.expect("a bound listener").address(), "/").await;
    assert_eq!(status(&answer), "504");
    assert!(answer.contains("\"reason\":\"endpoint-slow\""), "{answer}");
}

#[tokio::test]
async fn a_removed_endpoint_finishes_what_it_began_and_gets_nothing_new() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = Arc::new(AtomicBool::new(true));
    let (seen, go, hold) = (entered.clone(), leave.clone(), held.clone());
    let old = Upstream::start(move |_| {
        let (seen, go, hold) = (seen.clone(), go.clone(), hold.clone());
        async move {
            if hold.load(Ordering::SeqCst) {
                seen.notify_one();
                go.notified().await;
            }
            whole("old")
        }
    })
    .await;
    let new = Upstream::named("new").await;
    let (front, tables) = front(vec![old.endpoint("1", 1)]).await;
    let address = front.address();
    let slow = tokio::spawn(async move { get(address, "/").await });
    entered.notified().await;
    let routes = vec![route("a", "a.test", "/", vec![new.endpoint("2", 1)])];
    tables.publish(&Table { routes, ..Table::default() }).expect("a sound table");
    for _ in 0..10 {
        assert!(get(address, "/").await.contains("new GET /"));
    }
    leave.notify_one();
    assert!(slow.await.expect("answered").ends_with("old"));
    assert_eq!(old.count(), 1);
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish_and_takes_no_more() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (seen, go) = (entered.clone(), leave.clone());
    let upstream = Upstream::start(move |_| {
        let (seen, go) = (seen.clone(), go.clone());
        async move {
            seen.notify_one();
            go.notified().await;
            whole("done")
        }
    })
    .await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let address = front.address();
    let idle = Client::connect(address).await;
    let slow = tokio::spawn(async move { get(address, "/").await });
    entered.notified().await;
    let ending = tokio::spawn(front.shutdown(Duration::from_secs(20)));
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    leave.notify_one();
    assert!(slow.await.expect("answered").ends_with("done"));
    assert!(ending.await.expect("no panic"), "everything finished");
    drop(idle);
}
