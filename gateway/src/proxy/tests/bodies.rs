//! Bodies of any size both ways, and connections that leave HTTP.

use std::time::Duration;

use http::StatusCode;
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::*;

const MEGABYTES: usize = 20;

/// Sends every frame back as it arrives.
async fn echo() -> Upstream {
    Upstream::start(|request| async move { Response::new(request.into_body().boxed()) }).await
}

#[tokio::test]
async fn twenty_megabytes_flow_both_ways_at_once() {
    let upstream = echo().await;
    let (front, tables) = front(vec![upstream.endpoint("1", 1)]).await;
    for chunked in [true, false] {
        let stream = TcpStream::connect(front.address()).await.expect("the front listens");
        let (mut reading, mut writing) = stream.into_split();
        let length = MEGABYTES << 20;
        let framing = match chunked {
            true => "Transfer-Encoding: chunked".to_owned(),
            false => format!("Content-Length: {length}"),
        };
        let head = format!("POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n{framing}\r\n\r\n");
        let writer = tokio::spawn(async move {
            writing.write_all(head.as_bytes()).await.expect("written");
            let megabyte = vec![b'x'; 1 << 20];
            for _ in 0..MEGABYTES {
                if chunked {
                    writing.write_all(b"100000\r\n").await.expect("written");
                }
                writing.write_all(&megabyte).await.expect("written");
                if chunked {
                    writing.write_all(b"\r\n").await.expect("written");
                }
            }
            if chunked {
                writing.write_all(b"0\r\n\r\n").await.expect("written");
            }
            writing
        });
        let mut answer = Vec::new();
        reading.read_to_end(&mut answer).await.expect("read to the end");
        writer.await.expect("everything was taken");
        let payload = answer.iter().filter(|byte| **byte == b'x').count();
        // Heads hold an x or two.
        assert!((length..length + 8).contains(&payload), "{payload} of {length}");
    }
    let usage = tables.usage();
    assert_eq!(usage[0].reading.bytes_up, 2 * (MEGABYTES << 20) as u64);
    assert_eq!(usage[0].reading.bytes_down, usage[0].reading.bytes_up);
}

#[tokio::test]
async fn the_first_part_of_an_answer_does_not_wait_for_the_rest() {
    let upstream = Upstream::start(|_| async move {
        let first = futures::stream::iter([Ok(Frame::data(Bytes::from_static(b"first")))]);
        let forever = futures::stream::pending::<Result<Frame<Bytes>, hyper::Error>>();
        let parts = futures::StreamExt::chain(first, forever);
        Response::new(BodyExt::boxed(StreamBody::new(parts)))
    });
    let upstream = upstream.await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let mut stream = TcpStream::connect(front.address()).await.expect("the front listens");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await.expect("written");
    let mut seen = Vec::new();
    while !seen.ends_with(b"first\r\n") {
        assert_ne!(stream.read_buf(&mut seen).await.expect("still open"), 0);
    }
}

/// Accepts any upgrade and then sends back what it gets.
async fn upgrading() -> Upstream {
    Upstream::start(|mut request| async move {
        let asked = request.headers().get("upgrade").cloned();
        let mut reply = whole("");
        let Some(protocol) = asked else {
            return whole("no upgrade asked");
        };
        *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        reply.headers_mut().insert("upgrade", protocol);
        reply.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(&mut request).await.expect("upgraded");
            let (mut reading, mut writing) = tokio::io::split(TokioIo::new(upgraded));
            tokio::io::copy(&mut reading, &mut writing).await.expect("echoed");
            writing.shutdown().await.expect("closed");
        });
        reply
    })
    .await
}

async fn open_websocket(front: &Handle) -> TcpStream {
    let mut stream = TcpStream::connect(front.address()).await.expect("the front listens");
    let head = "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.expect("a whole head"));
    }
    let answer = String::from_utf8(answer).expect("text");
    assert_eq!(status(&answer), "101", "{answer}");
    assert!(answer.contains("upgrade: websocket") && answer.contains("connection: upgrade"), "{answer}");
    stream
}

#[tokio::test]
async fn a_websocket_carries_bytes_both_ways_until_it_is_closed() {
    let upstream = upgrading().await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let mut stream = open_websocket(&front).await;
    for message in ["\u{81}hello", "GET / HTTP/1.1\r\n\r\n", "bye"] {
        stream.write_all(message.as_bytes()).await.expect("written");
        let mut back = vec![0; message.len()];
        stream.read_exact(&mut back).await.expect("echoed");
        assert_eq!(back, message.as_bytes());
    }
    stream.shutdown().await.expect("closed");
    assert_eq!(stream.read(&mut [0; 1]).await.expect("closed in order"), 0);
}

#[tokio::test]
async fn a_refused_upgrade_ends_the_connection_and_h2c_is_not_offered_on() {
    let upstream = Upstream::named("a").await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    for protocol in ["websocket", "h2c"] {
        let head = format!("GET /1 HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n");
        let second = "GET /2 HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n";
        let answer =
            tokio::time::timeout(Duration::from_secs(10), exchange(front.address(), format!("{head}{second}")));
        let answer = answer.await.expect("the connection ends by itself");
        assert!(answer.contains("a GET /1\n") && !answer.contains("/2"), "{answer}");
        assert!(!answer.contains("upgrade: h2c"), "{answer}");
    }
}

#[tokio::test]
async fn a_drain_waits_for_a_tunnel_until_its_limit() {
    let upstream = upgrading().await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let mut stream = open_websocket(&front).await;
    let drained = front.shutdown(Duration::from_millis(200)).await;
    assert!(!drained, "the tunnel was still open");
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "and was cut");
}
