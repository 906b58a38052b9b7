//! The live host: one process that owns the shards, keeps the log, passes messages on, and answers reads from the fold.

mod agents;
mod bus;
mod examine;
mod files;
mod look;
mod open;
mod recording;
mod shell;
mod up;
mod writer;

pub use bus::{Bus, Done, Hear, InProcess};
pub use examine::{Examined, examine};
pub use files::FileDisk;
pub use open::{export_from_nats, verify_offline, verify_on_nats};
pub use recording::Recording;
pub use up::{UpOptions, up};

use crate::clock;
use crate::driver::Driver;
use actix::Addr;
use actors::agent::Beat;
use actors::agent::detector::Detector;
use actors::agent::roll::Roll;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::ports::{AppendError, Log, Position};
use messages::agent::Order;
use messages::api::Verified;
use messages::entry::Entry;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, ClientId, CorrelationId, NodeId, PolicyId, SHARDS};
use messages::node::LeaseTerms;
use messages::policy::{self, Answer, Request};
use messages::reason::Refusal;
use messages::time::Timestamp;
use shell::{Deliver, Shell, Snapshots};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use uuid::Uuid;
use writer::{Job, READS_MAX, Writer};

/// How long a command may go without an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How long until a command without an answer is said again at first, and at most.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(250);
const ASK_AGAIN_MAX: Duration = Duration::from_secs(2);
/// How long a reader of the log waits until what was asked before is done.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// Entries a follower may lag behind before it misses some and must read them again.
const FOLLOW_MAX: usize = 4_096;

/// Why a command has no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitFault {
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No answer came in time. It may still take effect; ask again with the same id.
    #[error("no answer came in time; the command may still take effect")]
    Silent,
}

/// A point of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// After the frame at this position.
    Position(Position),
    /// After every entry up to this time.
    Time(Timestamp),
}

type Answered = (Result<Answer, Refusal>, Option<Position>);

/// The site: what every part of the live host shares. Clones are the same site.
#[derive(Clone)]
pub struct Site {
    inner: Arc<Inner>,
}

struct Inner {
    fold: RwLock<Fold>,
    shells: OnceLock<Vec<Addr<Shell>>>,
    bus: OnceLock<Box<dyn Bus>>,
    writer: Writer,
    detector: Mutex<Detector>,
    roll: Mutex<Roll>,
    /// Agents of which it was said that they know more than the log.
    told_behind: Mutex<BTreeSet<NodeId>>,
    agents: Mutex<BTreeMap<NodeId, mpsc::Sender<Order>>>,
    clients: Mutex<BTreeMap<ClientId, oneshot::Sender<Answered>>>,
    entries: broadcast::Sender<Arc<(Position, Entry)>>,
    routes: watch::Sender<u64>,
    failure: watch::Sender<Option<String>>,
    driver: OnceLock<Driver>,
    reads: Arc<Semaphore>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl Site {
    fn new(fold: Fold, writer: Writer, failure: watch::Sender<Option<String>>) -> Self {
        let mut detector = Detector::new(LeaseTerms::STANDARD);
        let mut roll = Roll::default();
        for (id, node) in fold.nodes() {
            roll.learn(NodeId(id.id), node.epoch(), node.session());
        }
        for (_, node) in fold.nodes().filter(|(_, node)| node.up()) {
            detector.expect(NodeId::named(node.name()), node.session(), node.epoch(), clock::now());
        }
        let inner = Inner {
            fold: RwLock::new(fold),
            shells: OnceLock::new(),
            bus: OnceLock::new(),
            writer,
            detector: Mutex::new(detector),
            roll: Mutex::new(roll),
            told_behind: Mutex::default(),
            agents: Mutex::default(),
            clients: Mutex::default(),
            entries: broadcast::channel(FOLLOW_MAX).0,
            routes: watch::channel(0).0,
            failure,
            driver: OnceLock::new(),
            reads: Arc::new(Semaphore::new(READS_MAX)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Hands a command to its realm's policy, and waits for the answer. The same id may be sent again.
    ///
    /// # Errors
    /// When it is refused, or no answer comes in time.
    pub async fn submit(
        &self,
        id: Uuid,
        principal: Principal,
        realm: String,
        request: Request,
    ) -> Result<(Answer, Position), SubmitFault> {
        let message = policy::Message::Submit { realm: realm.clone(), request };
        self.submit_message(id, principal, realm, message).await
    }

    /// Says something to a realm's policy that it answers, as [`Site::submit`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn submit_message(
        &self,
        id: Uuid,
        principal: Principal,
        realm: String,
        message: policy::Message,
    ) -> Result<(Answer, Position), SubmitFault> {
        let client = ClientId(Uuid::new_v4());
        let (sender, receiver) = oneshot::channel();
        locked(&self.inner.clients).insert(client, sender);
        let envelope = Envelope {
            id: MessageId::Outside(id),
            from: Address::Client(client),
            to: PolicyId::of_realm(&realm).into(),
            correlation: CorrelationId(id),
            principal,
            at: clock::now(),
            body: message.into(),
        };
        let asking = async {
            // The answer may have gone to a client that is no more, or nowhere: who is owed asks again.
            let mut wait = ASK_AGAIN_AFTER;
            loop {
                self.pass_on(envelope.clone(), None);
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(ASK_AGAIN_MAX);
            }
        };
        let answered = tokio::select! {
            answered = tokio::time::timeout(ANSWER_WITHIN, receiver) => answered,
            () = asking => return Err(SubmitFault::Silent),
        };
        locked(&self.inner.clients).remove(&client);
        let Ok(Ok((outcome, position))) = answered else { return Err(SubmitFault::Silent) };
        let position = position.unwrap_or_else(|| self.read(Fold::position));
        Ok((outcome?, position))
    }

    /// Reads the fold of everything durable.
    pub fn read<T>(&self, read: impl FnOnce(&Fold) -> T) -> T {
        read(&self.inner.fold.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The fold as it was.
    ///
    /// # Errors
    /// A sentence, when the log does not reach back so far or cannot be read.
    pub async fn fold_at(&self, at: AsOf) -> Result<Fold, String> {
        self.log(move |log| open::fold_at(log, at)).await
    }

    /// Entries of the log from a position on.
    ///
    /// # Errors
    /// A sentence, when the log cannot be read.
    pub async fn entries(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, String> {
        self.log(move |log| open::entries(log, from, limit)).await
    }

    /// The cells that the log begins with, when what was before was let go.
    ///
    /// # Errors
    /// A sentence, when the log cannot be read.
    pub async fn beginning(&self) -> Result<Vec<AnyCell>, String> {
        self.log(open::beginning).await
    }

    /// Every entry from now on, as it becomes durable.
    pub fn follow(&self) -> broadcast::Receiver<Arc<(Position, Entry)>> {
        self.inner.entries.subscribe()
    }

    /// The driver of the node in this process.
    pub fn driver(&self) -> Option<Driver> {
        self.inner.driver.get().cloned()
    }

    /// Folds the log anew, takes every turn again, and compares the result with the cells as they are.
    ///
    /// # Errors
    /// A sentence, when the log cannot be read or never comes to rest.
    pub async fn verify(&self) -> Result<Verified, String> {
        let shells = self.inner.shells.get().ok_or("the host has not started yet")?;
        let mut live = Vec::new();
        for shell in shells {
            live.extend(quiet(shell).await?);
        }
        self.log(move |log| open::verify(log, Some(live))).await
    }

    /// Reads the log, behind everything that waits to be written.
    async fn log<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut dyn Log) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let away = |_| "the log does not answer; what it is kept on may be away";
        let gone = |_| "the log's writer is gone".to_string();
        let turn = Arc::clone(&self.inner.reads).acquire_owned();
        let turn = tokio::time::timeout(READ_WITHIN, turn).await.map_err(away)?;
        let (begin, begun) = oneshot::channel();
        let (sender, receiver) = oneshot::channel();
        let job = Job::Read(Box::new(move |log| {
            // Nobody waits any more when this was asked too long ago.
            if begin.send(()).is_ok() {
                let _gone = sender.send(read(log));
            }
            drop(turn);
        }));
        self.inner.writer.send(job).map_err(|_| "the log's writer is gone")?;
        tokio::time::timeout(READ_WITHIN, begun).await.map_err(away)?.map_err(gone)?;
        receiver.await.map_err(gone)?
    }

    /// Takes in what became durable at a position.
    fn took_in(&self, position: Position, entries: Vec<Entry>) {
        let mut routes = false;
        {
            let mut fold = self.inner.fold.write().unwrap_or_else(PoisonError::into_inner);
            for entry in &entries {
                routes |= matches!(entry, Entry::Route(_));
                if let Err(error) = fold.apply(entry, position) {
                    self.fail(format!("stopped, because the log and its fold part: {error}"));
                }
            }
        }
        if routes {
            self.inner.routes.send_modify(|version| *version += 1);
        }
        for entry in entries {
            let _nobody_follows = self.inner.entries.send(Arc::new((position, entry)));
        }
    }

    /// Passes a message on to whom it is for. What cannot be passed on is dropped: who is owed asks again.
    fn pass_on(&self, envelope: Envelope, position: Option<Position>) {
        match envelope.to {
            Address::Actor(_) => self.to_actor(envelope),
            Address::Agent(node) => self.to_agent(node, envelope.body),
            Address::Client(client) => {
                if let (Some(waits), Body::Reply(outcome)) =
                    (locked(&self.inner.clients).remove(&client), envelope.body)
                {
                    let _gone = waits.send((outcome, position));
                }
            }
            Address::Host => {}
        }
    }

    fn to_actor(&self, envelope: Envelope) {
        if let Some(bus) = self.inner.bus.get() {
            bus.send(envelope);
        }
    }

    /// Hands a message that the bus carried to its shard. What is not done may come again.
    fn hand_over(&self, envelope: Envelope, done: Done) {
        let Address::Actor(actor) = envelope.to else {
            tracing::warn!(to = %envelope.to, "the bus carried a message that is for no actor");
            return done.done();
        };
        let shell = self.inner.shells.get().and_then(|shells| shells.get(usize::from(actor.shard())));
        if let Some(shell) = shell
            && shell.try_send(Deliver(envelope, done)).is_err()
        {
            tracing::warn!(%actor, "a shard's mailbox is full; a message was dropped and will be asked for again");
        }
    }

    fn to_agent(&self, node: NodeId, body: Body) {
        let Body::Agent(order) = body else { return };
        locked(&self.inner.detector).passing(node, &order, clock::now());
        locked(&self.inner.roll).passing(node, &order);
        let agent = locked(&self.inner.agents).get(&node).cloned();
        if let Some(agent) = agent
            && agent.try_send(order).is_err()
        {
            tracing::warn!(%node, "an agent does not take its orders; one was dropped and will be said again");
        }
    }

    /// Says something to a node actor, as its agent.
    fn say_as_agent(&self, node: NodeId, name: &str, message: messages::node::Message) {
        let id = Uuid::new_v4();
        let envelope = Envelope {
            id: MessageId::Outside(id),
            from: Address::Agent(node),
            to: node.into(),
            correlation: CorrelationId(id),
            principal: Principal::node(name),
            at: clock::now(),
            body: message.into(),
        };
        self.pass_on(envelope, None);
    }

    /// Answers an agent's sign of life.
    fn beat(&self, node: NodeId, beat: Beat) {
        let behind = locked(&self.inner.roll).check(node, beat);
        if let Some(told) = behind
            && locked(&self.inner.told_behind).insert(node)
        {
            tracing::error!(%node, "{told}");
        }
        let order = locked(&self.inner.detector).beat(node, beat, clock::now());
        let agent = locked(&self.inner.agents).get(&node).cloned();
        if let Some(agent) = agent {
            let _asked_again = agent.try_send(order);
        }
    }

    /// Tells the nodes whose agents fell silent.
    fn tell_silent(&self) {
        let silent = locked(&self.inner.detector).poll(clock::now());
        for (node, message) in silent {
            let id = Uuid::new_v4();
            let envelope = Envelope {
                id: MessageId::Outside(id),
                from: Address::Host,
                to: node.into(),
                correlation: CorrelationId(id),
                principal: Principal::system(),
                at: clock::now(),
                body: message.into(),
            };
            self.pass_on(envelope, None);
        }
    }

    /// The host cannot go on: says so once, and stops.
    fn fail(&self, why: String) {
        fail(&self.inner.failure, why);
    }
}

fn fail(failure: &watch::Sender<Option<String>>, why: String) {
    failure.send_if_modified(|failure| {
        let first = failure.is_none();
        failure.get_or_insert(why);
        first
    });
}

/// What to say when a frame was not appended.
fn unkept(error: &AppendError) -> String {
    match error {
        AppendError::Fenced { .. } => {
            format!("another control plane took this site over: {error}; this one has stopped")
        }
        _ => format!(
            "stopped, because the log cannot be kept: {error}; workloads go on, and `orrery up` takes them over"
        ),
    }
}

/// The cells of a shard once nothing of it is under way.
async fn quiet(shell: &Addr<Shell>) -> Result<Vec<(ActorId, Vec<u8>)>, String> {
    for _ in 0..100 {
        match shell.send(Snapshots).await {
            Ok(Some(cells)) => return Ok(cells),
            Ok(None) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("the shard never came to rest; try again when less happens".into())
}

const _: () = assert!(SHARDS <= 64);
