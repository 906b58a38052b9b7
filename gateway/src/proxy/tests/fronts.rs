//! The strict front, byte by byte.

use super::*;

#[tokio::test]
async fn every_spelling_of_a_path_meets_the_same_route() {
    let (open, denied) = (Upstream::named("open").await, Upstream::named("denied").await);
    let tables = Tables::new();
    let mut deny = route("deny", "a.test", "/deny", vec![denied.endpoint("2", 1)]);
    deny.permit = vec!["group:staff".to_owned()];
    let routes = vec![route("a", "a.test", "/", vec![open.endpoint("1", 1)]), deny];
    tables.publish(&Table { routes, ..Table::default() }).expect("a sound table");
    let front = ingress(&tables, TokenBook::default()).await;
    for path in [
        "/deny",
        "/x/../deny",
        "//deny",
        "/%64eny",
        "/./deny",
        "/deny/",
        "/x/%2e%2e/deny?q=1",
        "/deny;x",
        "http://a.test/x/../deny",
    ] {
        let answer = get(front.address(), path).await;
        assert_eq!(status(&answer), "401", "{path}: {answer}");
    }
    for path in ["/../deny", "/a%2fdeny", "/a%5cdeny", "/a\\deny", "/a%00", "/%zz", "/..;/deny", "*"] {
        let answer = get(front.address(), path).await;
        assert_eq!(status(&answer), "400", "{path}: {answer}");
        assert!(answer.contains("\"reason\":\"bad-path\""), "{path}: {answer}");
    }
    let answer = get(front.address(), "/a/./b//c/../%41?x=/../y").await;
    assert!(answer.contains("open GET /a/b/A?x=/../y\n"), "{answer}");
    assert_eq!((open.count(), denied.count()), (1, 0));
}

#[tokio::test]
async fn a_loose_head_is_refused_with_its_reason_and_the_connection_ends() {
    let upstream = Upstream::named("a").await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    for (head, reason) in [
        ("GET / HTTP/1.1\r\n\r\n", "missing-host"),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n", "many-hosts"),
        ("GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "bad-host"),
        ("GET / HTTP/1.1\r\nHost: a@a.test\r\n\r\n", "bad-host"),
        (
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "length-beside-chunked",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            "length-beside-chunked",
        ),
        ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "many-lengths"),
        ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "many-lengths"),
        ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: -3\r\n\r\nabc", "bad-length"),
        (
            "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "bad-transfer-encoding",
        ),
        ("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: identity\r\n\r\n", "bad-transfer-encoding"),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nX: a\r\n b\r\n\r\n", "folded-header"),
        ("GET / HTTP/1.1\r\nHost : a.test\r\n\r\n", "bad-header-name"),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nX: a\0\r\n\r\n", "bad-header-value"),
        ("GET / HTTP/1.1\nHost: a.test\n\n", "bad-line-ending"),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nX-Orrery-Refusal: bad-host\r\n\r\n", "reserved-header"),
        ("GET /\tx HTTP/1.1\r\nHost: a.test\r\n\r\n", "bad-request-line"),
    ] {
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let close = if reason == "bad-host" { "" } else { smuggled };
        let head = head.replacen("\r\nHost: a", "\r\nConnection: close\r\nHost: a", usize::from(reason == "bad-host"));
        let answer = exchange(front.address(), format!("{head}{close}")).await;
        assert_eq!(status(&answer), "400", "{head:?}: {answer}");
        assert!(answer.contains(&format!("\"reason\":\"{reason}\"")), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head:?}: {answer}");
    }
    let huge = format!("GET / HTTP/1.1\r\nHost: a.test\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    assert_eq!(status(&exchange(front.address(), huge).await), "431");
    assert_eq!(upstream.count(), 0, "nothing of it reached an endpoint");
}

#[tokio::test]
async fn a_faulty_request_after_good_ones_is_answered_in_its_turn() {
    let upstream = Upstream::named("a").await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let good = "POST /1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc";
    let chunked = "POST /2 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let faulty = "GET /3 HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n";
    let after = "GET /4 HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let answer = exchange(front.address(), [good, chunked, faulty, after].concat()).await;
    let order: Vec<_> = ["POST /1", "POST /2", "many-hosts"].iter().map(|&part| answer.find(part)).collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{answer}");
    assert!(!answer.contains("/4"), "{answer}");
}

#[tokio::test]
async fn requests_arriving_byte_by_byte_are_read_alike() {
    let upstream = Upstream::named("a").await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let text = "POST /1 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(front.address()).await.expect("the front listens");
    stream.set_nodelay(true).expect("an option of TCP");
    for byte in text.as_bytes() {
        stream.write_all(&[*byte]).await.expect("written");
        tokio::task::yield_now().await;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered and closed");
    assert!(answer.contains("a POST /1\n") && answer.contains("a GET /2\n"), "{answer}");
}

#[tokio::test]
async fn unknown_places_and_methods_are_refused() {
    let upstream = Upstream::named("a").await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let ask = |head: &str| exchange(front.address(), format!("{head}\r\nConnection: close\r\n\r\n"));
    assert!(ask("GET / HTTP/1.1\r\nHost: b.test").await.contains("\"reason\":\"no-route\""));
    assert_eq!(status(&ask("CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80").await), "405");
    assert_eq!(status(&ask("TRACE / HTTP/1.1\r\nHost: a.test").await), "405");
    assert_eq!(status(&ask("GET / HTTP/1.0\r\nHost: a.test").await), "200");
    let head = ask("HEAD / HTTP/1.1\r\nHost: a.test").await;
    assert!(head.contains("content-length: ") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn http2_without_tls_reaches_the_same_routes() {
    let upstream = Upstream::named("a").await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let stream = TcpStream::connect(front.address()).await.expect("the front listens");
    let executor = hyper_util::rt::TokioExecutor::new();
    let shaken = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.expect("http2 is spoken");
    tokio::spawn(connection);
    let request = Request::get("http://a.test/x/../y").body(Full::<Bytes>::default());
    let response = sender.send_request(request.expect("a request")).await.expect("an answer");
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    assert!(body.starts_with(b"a GET /y\n"), "{body:?}");
}
