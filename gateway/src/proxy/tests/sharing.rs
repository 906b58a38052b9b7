//! Who gets how much, who may enter, and what endpoints are told.

use super::*;

const WEIGHTED_REQUESTS: u64 = 1_000;

fn weighted(endpoints: Vec<Endpoint>, weights: &[(u32, u32)]) -> Table {
    let mut route = route("a", "a.test", "/", endpoints);
    route.backends.weights = weights.iter().copied().collect();
    Table { routes: vec![route], ..Table::default() }
}

#[tokio::test]
async fn a_canary_gets_exactly_its_weight_of_a_thousand_requests() {
    let (old, new) = (Upstream::named("old").await, Upstream::named("new").await);
    let tables = Tables::new();
    let endpoints = vec![old.endpoint("1", 1), old.endpoint("2", 1), new.endpoint("3", 2)];
    let table = weighted(endpoints, &[(1, 93), (2, 7)]);
    tables.publish(&table).expect("a sound table");
    let front = ingress(&tables, TokenBook::default()).await;
    let mut client = Client::connect(front.address()).await;
    for count in 1..=WEIGHTED_REQUESTS {
        assert_eq!(client.send("GET", "/", b"").await.0, 200);
        assert!(new.count() * 100 < count * 7 + 100, "never more than its weight, at {count}");
        if count % 100 == 0 {
            tables.publish(&table).expect("the same table again changes nothing");
        }
    }
    assert_eq!((old.count(), new.count()), (930, 70));
    assert_eq!(tables.served("a"), [(1, 930), (2, 70)].into());
}

#[tokio::test]
async fn a_canary_inherits_nothing_when_the_baseline_dies() {
    let new = Upstream::named("new").await;
    let mut gone = new.endpoint("1", 1);
    gone.address = dead_address().await;
    let tables = Tables::new();
    let table = weighted(vec![gone, new.endpoint("2", 2)], &[(1, 90), (2, 10)]);
    tables.publish(&table).expect("a sound table");
    let front = ingress(&tables, TokenBook::default()).await;
    let mut client = Client::connect(front.address()).await;
    let mut refused = 0;
    for _ in 0..100 {
        refused += u64::from(client.send("GET", "/", b"").await.0 == 502);
    }
    assert_eq!((new.count(), refused), (10, 90));
}

#[tokio::test]
async fn without_a_healthy_endpoint_the_answer_says_so() {
    let upstream = Upstream::named("a").await;
    let mut sick = upstream.endpoint("1", 1);
    sick.healthy = false;
    let (front, _tables) = front(vec![sick]).await;
    let answer = get(front.address(), "/").await;
    assert_eq!(status(&answer), "503");
    assert!(answer.contains("\"reason\":\"no-healthy-endpoint\""), "{answer}");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_guarded_route_asks_for_a_token_and_says_what_is_missing() {
    let upstream = Upstream::named("a").await;
    let tables = Tables::new();
    let mut table = weighted(vec![upstream.endpoint("1", 1)], &[]);
    table.routes[0].permit = vec!["group:staff".to_owned()];
    tables.publish(&table).expect("a sound table");
    let text = "[token.ann]\nsecret='ann-token'\ngroups=['staff']\n[token.bob]\nsecret='bob-token'";
    let front = ingress(&tables, TokenBook::parse(text).expect("a sound file")).await;
    let ask = |header: &str| {
        let text = format!("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n{header}\r\n");
        exchange(front.address(), text)
    };

    let none = ask("").await;
    assert_eq!(status(&none), "401");
    assert!(none.contains("www-authenticate: Bearer realm=\"orrery\"") && none.contains("token-missing"));
    let wrong = ask("Authorization: Bearer nobody\r\n").await;
    assert_eq!(status(&wrong), "401");
    assert!(wrong.contains("error=\"invalid_token\"") && wrong.contains("token-unknown"));
    let bob = ask("Authorization: Bearer bob-token\r\n").await;
    assert_eq!(status(&bob), "403");
    assert!(bob.contains("\"route\":\"a\"") && bob.contains("\"needed\":[\"group:staff\"]"), "{bob}");
    assert_eq!(upstream.count(), 0);

    let forged = "Authorization: Bearer ann-token\r\nX-Orrery-Principal: user:root\r\nX_Orrery_Groups: root\r\n";
    let ann = ask(forged).await;
    assert_eq!(status(&ann), "200");
    assert!(ann.contains("x-orrery-principal: user:ann\n") && ann.contains("x-orrery-groups: staff\n"));
    assert!(!ann.contains("root") && !ann.contains("ann-token"), "{ann}");
}

#[tokio::test]
async fn endpoints_learn_the_origin_from_the_proxy_only() {
    let upstream = Upstream::named("a").await;
    let (front, _tables) = front(vec![upstream.endpoint("1", 1)]).await;
    let lies = "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nVia: 1.1 liar\r\nX-Forwarded-Proto: https\r\nConnection: close, X-Private\r\nX-Private: 1\r\nX-Kept: 1\r\nTE: trailers\r\n";
    let answer = exchange(front.address(), format!("GET /p?q=%20 HTTP/1.1\r\nHost: A.test:80\r\n{lies}\r\n")).await;
    assert_eq!(status(&answer), "200");
    for line in [
        "a GET /p?q=%20\n",
        "x-forwarded-for: 127.0.0.1\n",
        "x-forwarded-proto: http\n",
        "x-forwarded-host: A.test:80\n",
        "host: A.test:80\n",
        "via: 1.1 orrery\n",
        "x-kept: 1\n",
    ] {
        assert!(answer.contains(line), "{line:?} in {answer}");
    }
    for gone in ["6.6.6.6", "liar", "https", "x-private", "\nte: "] {
        assert!(!answer.contains(gone), "{gone:?} in {answer}");
    }
}
