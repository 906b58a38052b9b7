//! One contract for every bus between actors: within the process, and over a real nats-server.

use async_nats::jetstream;
use gateway::host::{Bus, Done, Hear, InProcess};
use gateway::nats::NatsBus;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{CorrelationId, JobId};
use messages::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tests::nats::NatsServer;
use uuid::Uuid;

/// What was heard, in order, and which messages are acknowledged.
#[derive(Clone)]
struct Heard {
    ids: Arc<Mutex<Vec<MessageId>>>,
    acknowledges: Arc<dyn Fn(usize) -> bool + Send + Sync>,
}

impl Heard {
    /// Acknowledges the n-th message that is heard when this says so.
    fn new(acknowledges: impl Fn(usize) -> bool + Send + Sync + 'static) -> Self {
        Self { ids: Arc::default(), acknowledges: Arc::new(acknowledges) }
    }

    fn hear(&self) -> Hear {
        let heard = self.clone();
        Arc::new(move |envelope: Envelope, done: Done| {
            let mut ids = heard.ids.lock().unwrap_or_else(PoisonError::into_inner);
            ids.push(envelope.id);
            if (heard.acknowledges)(ids.len()) {
                done.done();
            }
        })
    }

    fn ids(&self) -> Vec<MessageId> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn until(&self, what: &str, holds: impl Fn(&[MessageId]) -> bool) {
        let begin = Instant::now();
        while !holds(&self.ids()) {
            assert!(begin.elapsed() < Duration::from_secs(30), "{what}: not in time; heard {}", self.ids().len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn message(number: u128) -> Envelope {
    let id = Uuid::from_u128(number);
    Envelope {
        id: MessageId::Outside(id),
        from: Address::Host,
        to: JobId::named("shop", &format!("job-{}", number % 7)).into(),
        correlation: CorrelationId(id),
        principal: Principal::system(),
        at: Timestamp(1),
        body: Body::Reply(Err(messages::reason::Refusal::new(messages::reason::Reason::NotFound, "a test"))),
    }
}

fn ids(numbers: std::ops::Range<u128>) -> BTreeSet<MessageId> {
    numbers.map(|number| message(number).id).collect()
}

fn has(heard: &[MessageId], wanted: &BTreeSet<MessageId>) -> bool {
    wanted.is_subset(&heard.iter().copied().collect())
}

async fn on(server: &NatsServer, heard: &Heard) -> NatsBus {
    NatsBus::start(&server.url(), "test", heard.hear()).await.expect("a bus starts on a server that runs")
}

async fn queued(server: &NatsServer) -> u64 {
    let client = async_nats::connect(server.url()).await.expect("the server answers");
    let mut stream = jetstream::new(client).get_stream("orrery-test-msg").await.expect("the queue is there");
    stream.info().await.expect("the server answers").state.messages
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_heard_at_least_once_and_leaves_nothing_behind() {
    let server = NatsServer::running();
    let (near, far) = (Heard::new(|_| true), Heard::new(|_| true));
    let buses: [(Box<dyn Bus>, Heard); 2] =
        [(Box::new(InProcess(near.hear())), near), (Box::new(on(&server, &far).await), far)];
    for (bus, heard) in buses {
        (0..1_000).for_each(|number| bus.send(message(number)));
        heard.until("everything is heard", |heard| has(heard, &ids(0..1_000))).await;
    }
    let begin = Instant::now();
    while queued(&server).await > 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "what was acknowledged is gone");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_comes_again_and_poison_does_not() {
    let server = NatsServer::running();
    // None of the first ten is acknowledged.
    let heard = Heard::new(|nth| nth > 10);
    let bus = on(&server, &heard).await;
    let client = async_nats::connect(server.url()).await.expect("the server answers");
    let subject = messages::subject::Subject::Message {
        site: messages::subject::Token::new("test").expect("this is a token"),
        to: JobId::named("shop", "a").into(),
    };
    client.publish(subject.to_string(), "poison".into()).await.expect("it can be published");
    client.flush().await.expect("and is");
    (0..10).for_each(|number| bus.send(message(number)));
    heard.until("everything comes twice", |heard| heard.len() >= 20 && has(&heard[10..], &ids(0..10))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(queued(&server).await, 0, "what was acknowledged is gone, and so is poison");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_holds_nobody_up_and_loses_messages_at_most() {
    let mut server = NatsServer::running();
    let heard = Heard::new(|_| true);
    let bus = on(&server, &heard).await;
    bus.send(message(0));
    heard.until("the first is heard", |heard| has(heard, &ids(0..1))).await;
    server.kill();
    let begin = Instant::now();
    (1..20_000).for_each(|number| bus.send(message(number)));
    assert!(begin.elapsed() < Duration::from_secs(5), "sending waits for nobody: {:?}", begin.elapsed());
    server.start();
    // Who is owed asks again.
    let begin = Instant::now();
    while !has(&heard.ids(), &ids(20_000..20_001)) {
        assert!(begin.elapsed() < Duration::from_secs(30), "the bus is not back");
        bus.send(message(20_000));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
