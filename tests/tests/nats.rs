//! The founding example with its log on a real nats-server, which is killed as rudely as the control plane.

use async_nats::{Client, HeaderMap};
use futures::StreamExt;
use serde_json::Value;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tests::nats::NatsServer;
use tests::{System, TOKEN};

/// How many instances of A were last wanted and acknowledged.
fn wanted(system: &System) -> u64 {
    let status = system.json(&["status"]).unwrap_or_default();
    let jobs = status["jobs"].as_array().cloned().unwrap_or_default();
    jobs.iter().find(|job| job["name"] == "a").and_then(|job| job["desired"].as_u64()).unwrap_or_default()
}

/// Whether the control plane answers with what it knows, and not with why it does not.
fn answers(system: &System) -> bool {
    system.json(&["status"]).is_some_and(|status| status["position"].as_u64() > Some(0))
}

fn scale(system: &System, count: u64) -> bool {
    system.orrery(&["job", "scale", "a", &count.to_string()]).status.success()
}

fn assert_replays(verified: &Value) {
    assert_eq!(verified["mismatches"].as_array().map(Vec::len), Some(0), "{verified}");
    assert!(verified["entries"].as_u64() > Some(0), "{verified}");
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        sleep(Duration::from_millis(100));
    }
}

/// A client as anybody could write it.
fn client<T>(server: &NatsServer, talk: impl AsyncFnOnce(Client) -> T) -> T {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async { talk(async_nats::connect(server.url()).await.expect("the server answers")).await })
}

#[test]
fn nothing_acknowledged_is_lost_when_server_and_control_plane_are_killed() {
    let mut server = NatsServer::running();
    let system = System::on_nats(&server.url());
    system.up(&["examples/abc.toml"]);
    system.eventually("all nine instances are healthy", System::whole);
    system.eventually("the route leads through A to B and C", |system| system.get(Some(TOKEN)).0 == 200);
    assert_eq!(system.get(None).0, 401);
    let before = system.pids("shop-b");

    assert!(scale(&system, 5));
    server.kill();
    assert_eq!(system.get(Some(TOKEN)).0, 200, "requests are served while the server is away");
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| scale(&system, 6));
        sleep(Duration::from_secs(3));
        server.start();
        asking.join().expect("the command ends")
    });
    assert!(asked, "a command waits for the server and is then answered");
    system.eventually("six instances of A are healthy", |system| system.healthy("a") == 6);

    system.kill();
    server.kill();
    server.start();
    system.up(&[]);
    system.eventually("the command line is answered", answers);
    assert_eq!(wanted(&system), 6, "what was acknowledged is there");
    assert!(scale(&system, 4));
    system.eventually("all nine instances are healthy again", System::whole);
    assert_eq!(system.pids("shop-b"), before, "B was never started again");
    assert_replays(&system.json(&["replay", "--verify"]).expect("verification answers"));
    let beside = system.json(&["replay", "--verify", "--nats", &server.url()]);
    assert_replays(&beside.expect("an auditor reads the stream beside it"));
}

#[test]
fn a_long_outage_is_waited_out() {
    let mut server = NatsServer::running();
    let system = System::on_nats(&server.url());
    system.up(&["examples/abc.toml"]);
    system.eventually("all nine instances are healthy", System::whole);
    server.kill();
    // Something must be written meanwhile: B is killed, and its end is news.
    let victim = system.pids("shop-b")[0];
    let killed = Command::new("kill").args(["-9", &victim.to_string()]).status();
    assert!(killed.expect("kill runs").success());
    sleep(Duration::from_secs(25));
    assert_eq!(system.exit_code(), None, "it waits: {}", system.said());
    assert!(answers(&system), "and tells what it knows");
    assert!(system.said().contains("is away"), "and says why: {}", system.said());
    server.start();
    system.eventually("the killed instance is replaced", |system| {
        system.whole() && !system.pids("shop-b").contains(&victim)
    });
    assert_replays(&system.json(&["replay", "--verify"]).expect("verification answers"));
}

#[test]
fn a_control_plane_waits_for_a_server_that_comes_and_gives_up_on_one_that_does_not() {
    let mut server = NatsServer::new();
    let system = System::on_nats(&server.url());
    system.up(&[]);
    sleep(Duration::from_secs(3));
    server.start();
    system.eventually("it is up", answers);
    assert!(system.said().contains("trying for"), "{}", system.said());
    system.kill();
    server.kill();
    system.up(&[]);
    let mut code = None;
    wait_for("it gives up", || {
        code = system.exit_code();
        code.is_some()
    });
    assert_eq!(code, Some(3), "{}", system.said());
    assert!(system.said().contains("nats-server -js"), "it says what to do: {}", system.said());
}

#[test]
fn a_second_control_plane_takes_over_and_the_first_stops() {
    let server = NatsServer::running();
    let (first, second) = (System::on_nats(&server.url()), System::on_nats(&server.url()));
    first.up(&[]);
    first.eventually("the first is up", answers);
    second.up(&[]);
    second.eventually("the second is up", answers);
    let mut code = None;
    wait_for("the first stops", || {
        code = first.exit_code();
        code.is_some()
    });
    assert_eq!(code, Some(3));
    assert!(first.said().contains("another control plane took this site over"), "{}", first.said());
    assert!(second.exit_code().is_none(), "{}", second.said());
    assert_replays(&second.json(&["replay", "--verify"]).expect("verification answers"));
}

#[test]
fn the_api_answers_on_nats_as_over_http_and_events_are_public() {
    let server = NatsServer::running();
    let system = System::on_nats(&server.url());
    system.up(&["examples/abc.toml"]);
    system.eventually("all nine instances are healthy", System::whole);
    client(&server, async |client| {
        let ask = async |path: &str, query: Option<&str>, body: &str| {
            let mut headers = HeaderMap::new();
            query.into_iter().for_each(|query| headers.insert("Orrery-Query", query));
            let subject = format!("orrery.on-premise.api.{path}");
            let answer = client.request_with_headers(subject, headers, body.to_string().into()).await;
            let answer = answer.expect("the API answers");
            let status = answer.headers.as_ref().and_then(|headers| headers.get("Orrery-Status")).cloned();
            let status = status.expect("an answer has a status").to_string();
            (status, serde_json::from_slice::<Value>(&answer.payload).unwrap_or_default())
        };
        let (status, mut over_nats) = ask("v1.status", None, "").await;
        let mut over_http = system.api("/v1/status");
        assert_eq!(status, "200");
        // The one answer is a moment later than the other.
        for answer in [&mut over_nats, &mut over_http] {
            answer["position"] = Value::Null;
            answer["at"] = Value::Null;
        }
        assert_eq!(over_nats, over_http);
        assert_eq!(ask("v1.why.b.0", Some("realm=shop"), "").await.1, system.api("/v1/why/b/0?realm=shop"));
        let (status, failure) = ask("v1.why.nobody.0", None, "").await;
        assert_eq!((status.as_str(), failure["reason"].as_str()), ("404", Some("not-found")), "{failure}");
        let (status, failure) = ask("v1.log", Some("follow=true"), "").await;
        assert_eq!(status, "400", "what never ends is refused at once: {failure}");

        let jetstream = async_nats::jetstream::new(client.clone());
        let stream = jetstream.get_stream("orrery-on-premise-event").await.expect("events have a stream");
        let config = async_nats::jetstream::consumer::pull::OrderedConfig::default();
        let consumer = stream.create_consumer(config).await.expect("anybody may listen");
        let mut messages = consumer.messages().await.expect("events come");
        let mut ids = std::collections::BTreeSet::new();
        let mut kinds = std::collections::BTreeSet::new();
        while ids.len() < 50 {
            let message = tokio::time::timeout(Duration::from_secs(10), messages.next()).await;
            let message = message.expect("events come").expect("and go on").expect("and are whole");
            let event: Value = serde_json::from_slice(&message.payload).expect("an event is JSON");
            assert_eq!(event["specversion"], "1.0");
            let name = event["type"].as_str().and_then(|kind| kind.rsplit('.').next()).expect("an event has a type");
            assert!(message.subject.ends_with(&format!(".{name}")), "{} {event}", message.subject);
            assert!(ids.insert(event["id"].as_str().expect("an event has an id").to_string()), "each once: {event}");
            kinds.extend(event["type"].as_str().and_then(|kind| kind.split('.').nth(1)).map(str::to_owned));
        }
        assert!(kinds.contains("job") && kinds.contains("node"), "{kinds:?}");
    });
}

#[test]
fn the_doctor_says_what_is_at_risk_on_the_server() {
    let monitor = tests::free_port();
    let mut server = NatsServer::with(&format!("http: 127.0.0.1:{monitor}"));
    server.start();
    let system = System::new();
    let monitor = format!("http://127.0.0.1:{monitor}");
    let looks = |server: &NatsServer, monitor: &str| {
        let looks = system.json(&["doctor", "--nats", &server.url(), "--nats-monitor", monitor]).unwrap_or_default();
        looks.as_array().cloned().unwrap_or_default()
    };
    let finding = |looks: &[Value], what: &str| {
        let look = looks.iter().find(|look| look["what"] == what);
        look.and_then(|look| look["finding"].as_str().map(str::to_owned))
    };
    let good = looks(&server, &monitor);
    for what in ["nats version", "jetstream", "nats sync", "nats log"] {
        assert!(finding(&good, what).is_some_and(|finding| finding != "bad"), "{what}: {good:?}");
    }
    assert_eq!(finding(&good, "nats sync").as_deref(), Some("good"), "{good:?}");
    server.kill();
    let away = looks(&server, &monitor);
    assert_eq!(finding(&away, "nats").as_deref(), Some("bad"), "{away:?}");
}
