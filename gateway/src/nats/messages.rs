//! Messages to actors over JetStream: a work queue from which one is gone when it was acknowledged.
//!
//! It is kept in the server's memory. The bus may lose anything, because who is owed asks again; a queue on disk would
//! make every message wait for a second write besides the one to the log, and save nothing that counts.

use super::connect::{self, connected};
use super::{NatsError, START_WITHIN};
use crate::host::{Bus, Done, Hear, chain};
use async_nats::connection::State;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Message};
use async_nats::{Client, Subject as Reply};
use futures::StreamExt;
use messages::codec;
use messages::envelope::{Address, Envelope};
use messages::subject::{Subject, Token};
use std::time::Duration;
use tokio::sync::mpsc;

/// Messages that may wait for the server; beyond it they are dropped.
const WAITING_MAX: usize = 4_096;
/// Messages that may be with the host without an acknowledgement.
const PENDING_MAX: usize = 4_096;
/// One that is not acknowledged for so long comes again, to whoever owns its shard then.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(5);
/// The most that the queue holds, and for how long; the oldest go first.
const QUEUE_BYTES_MAX: i64 = 64 << 20;
const QUEUE_AGE_MAX: Duration = Duration::from_secs(60);
/// Messages asked for at once, how long the request stands, and how often the server says that it does.
const BATCH_MAX: usize = 256;
const ASK_FOR: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The pause after a try that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How often it is looked whether the connection is lost.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The consumer that all hosts of a site share.
const CONSUMER: &str = "host";
/// What an acknowledgement says.
const ACK: &str = "+ACK";

/// Messages to actors, over a NATS server.
pub struct NatsBus {
    out: mpsc::Sender<Envelope>,
}

impl NatsBus {
    /// Connects, makes the queue when it is not there, and hands what comes to `hear` from then on.
    ///
    /// # Errors
    /// When the server does not answer, or there can be no such queue.
    pub async fn start(url: &str, name: &str, hear: Hear) -> Result<Self, NatsError> {
        let site = Token::new(name).map_err(|error| NatsError::Site(error.to_string()))?;
        let client = connect::connect(url, START_WITHIN).await?;
        let incoming =
            queue(&client, &site).await.map_err(|trouble| NatsError::JetStream { url: url.into(), trouble })?;
        let (out, waiting) = mpsc::channel(WAITING_MAX);
        let (acks, dealt_with) = mpsc::channel(PENDING_MAX);
        let carrier = Carrier { client, site, hear, waiting, acks, dealt_with };
        tokio::spawn(carrier.run(incoming));
        Ok(Self { out })
    }
}

impl Bus for NatsBus {
    fn send(&self, envelope: Envelope) {
        let to = envelope.to;
        if self.out.try_send(envelope).is_err() {
            tracing::warn!(%to, "the bus takes no more; a message was dropped and will be asked for again");
        }
    }
}

/// The queue's messages as they come.
async fn queue(client: &Client, site: &Token) -> Result<pull::Stream, String> {
    let config = Config {
        name: format!("orrery-{site}-msg"),
        description: Some("messages to the actors of an Orrery site, until they are dealt with".into()),
        subjects: vec![Subject::messages(site)],
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::Memory,
        discard: DiscardPolicy::Old,
        max_bytes: QUEUE_BYTES_MAX,
        max_age: QUEUE_AGE_MAX,
        num_replicas: 1,
        ..Config::default()
    };
    let stream = jetstream::new(client.clone()).get_or_create_stream(config).await.map_err(|error| chain(&error))?;
    let config = pull::Config {
        durable_name: Some(CONSUMER.into()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACKNOWLEDGE_WITHIN,
        max_ack_pending: i64::try_from(PENDING_MAX).unwrap_or(i64::MAX),
        memory_storage: true,
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer(CONSUMER, config).await.map_err(|error| chain(&error))?;
    let asking = consumer.stream().max_messages_per_batch(BATCH_MAX).expires(ASK_FOR).heartbeat(HEARTBEAT);
    asking.messages().await.map_err(|error| chain(&error))
}

/// Carries in both directions for as long as the process lives.
struct Carrier {
    client: Client,
    site: Token,
    hear: Hear,
    waiting: mpsc::Receiver<Envelope>,
    acks: mpsc::Sender<Reply>,
    dealt_with: mpsc::Receiver<Reply>,
}

impl Carrier {
    async fn run(mut self, mut incoming: pull::Stream) {
        while let Err(trouble) = self.carry(incoming).await {
            tracing::info!("messages to actors wait: {trouble}");
            // A server that was killed has forgotten the queue.
            incoming = loop {
                connected(&self.client).await;
                match queue(&self.client, &self.site).await {
                    Ok(incoming) => break incoming,
                    Err(trouble) => tracing::info!("messages to actors wait: {trouble}"),
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            };
        }
    }

    /// Carries until nobody sends any more, or the connection or the queue is lost.
    async fn carry(&mut self, mut incoming: pull::Stream) -> Result<(), String> {
        let client = self.client.clone();
        let lost = lost(&client);
        tokio::pin!(lost);
        loop {
            tokio::select! {
                () = &mut lost => return Err("the server is away".into()),
                envelope = self.waiting.recv() => {
                    let Some(envelope) = envelope else { return Ok(()) };
                    self.publish(envelope).await?;
                }
                Some(reply) = self.dealt_with.recv() => {
                    self.client.publish(reply, ACK.into()).await.map_err(|error| chain(&error))?;
                }
                message = incoming.next() => match message {
                    Some(Ok(message)) => self.hand_over(message),
                    Some(Err(error)) => return Err(chain(&error)),
                    None => return Err("the queue ended".into()),
                },
            }
        }
    }

    async fn publish(&self, envelope: Envelope) -> Result<(), String> {
        let Address::Actor(to) = envelope.to else { return Ok(()) };
        let bytes = codec::encode_envelope(&envelope);
        if bytes.len() > self.client.max_payload() {
            // The server would cut the connection. Every shard is in this process, so it need not travel.
            (self.hear)(envelope, Done::default());
            return Ok(());
        }
        let subject = Subject::Message { site: self.site.clone(), to };
        self.client.publish(subject.to_string(), bytes.into()).await.map_err(|error| chain(&error))
    }

    fn hand_over(&self, message: Message) {
        let acks = self.acks.clone();
        let reply = message.reply.clone();
        // One that finds no room is not acknowledged, comes again, and is then recognised.
        let done = Done::call(move || {
            let _comes_again = reply.map(|reply| acks.try_send(reply));
        });
        match codec::decode_envelope(&message.payload) {
            Ok(envelope) => (self.hear)(envelope, done),
            Err(error) => {
                tracing::warn!(subject = %message.subject, "what came over NATS is no message of ours: {error}");
                done.done();
            }
        }
    }
}

/// Waits until the connection is lost.
async fn lost(client: &Client) {
    while client.connection_state() == State::Connected {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
