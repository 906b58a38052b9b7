//! A site's log in a JetStream stream: one frame a message, whose stream sequence is the frame's position.

use super::connect::{connect, connected};
use super::{NatsError, stream};
use actors::journal::snapshot::{ShardMark, Snapshot};
use actors::ports::{AppendError, Log, LogError, Position};
use async_nats::Client;
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{Context, ContextBuilder};
use futures::StreamExt;
use messages::frame;
use messages::subject::{Subject, Token};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How long one request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the next frame of a read may take.
const FRAME_WITHIN: Duration = Duration::from_secs(20);
/// What a message is allowed besides its frame: headers.
const HEADERS_BYTES_MAX: usize = 1_024;

/// Is shown the frame at a position; says whether it wants more.
type Show<'s> = &'s mut dyn FnMut(u64, &[u8]) -> Result<bool, LogError>;

/// The log of a site on a NATS server. Owned by the thread that writes it; its connection has a thread of its own.
pub struct JetStreamLog {
    runtime: Option<Runtime>,
    pub(super) inner: Inner,
}

/// What is known of a shard.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// Its chain.
    pub mark: ShardMark,
    /// The position of its last frame; zero when it has none.
    pub last: u64,
    /// The position of the claim that its epoch is from.
    pub claim: u64,
}

pub(super) struct Inner {
    pub client: Client,
    pub context: Context,
    pub stream: Stream,
    pub site: Token,
    pub shards: BTreeMap<u16, Known>,
    /// The epochs that this owner claimed shards with.
    pub owned: BTreeMap<u16, u64>,
    /// Every frame up to here is known.
    pub last: u64,
    /// Frames of our own behind a place where something else may lie.
    pub ahead: BTreeSet<u64>,
}

impl fmt::Debug for JetStreamLog {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("JetStreamLog").field("site", &self.inner.site).field("last", &self.inner.last).finish()
    }
}

impl JetStreamLog {
    /// Opens the log of a site, made if it is not there, and checks all of it. Waits for a server that is away for as
    /// long as `patience`.
    ///
    /// # Errors
    /// When no server answers, it has no JetStream, or the log in it is damaged.
    pub fn open(url: &str, site: &str, patience: Duration) -> Result<Self, NatsError> {
        Self::begin(url, site, patience, true)
    }

    /// Opens the log of a site to read it, when it is there.
    ///
    /// # Errors
    /// As [`JetStreamLog::open`]; also when there is none.
    pub fn existing(url: &str, site: &str, patience: Duration) -> Result<Self, NatsError> {
        Self::begin(url, site, patience, false)
    }

    fn begin(url: &str, site: &str, patience: Duration, make: bool) -> Result<Self, NatsError> {
        let site = Token::new(site).map_err(|error| NatsError::Site(error.to_string()))?;
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("nats").enable_all().build();
        let runtime = runtime
            .map_err(|error| NatsError::Away { url: url.into(), trouble: format!("no thread for it: {error}") })?;
        let opened = runtime.block_on(async {
            let client = connect(url, patience).await?;
            let context = ContextBuilder::new().timeout(ANSWER_WITHIN).ack_timeout(ANSWER_WITHIN).build(client.clone());
            let stream = match make {
                true => stream::open(&context, url, &site).await?,
                false => stream::existing(&context, url, &site).await?,
            };
            let (shards, owned, ahead) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
            let mut inner = Inner { client, context, stream, site, shards, owned, last: 0, ahead };
            inner.catch_up().await?;
            Ok(inner)
        });
        match opened {
            Ok(inner) => Ok(Self { runtime: Some(runtime), inner }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Where a shard is.
    pub fn mark(&self, shard: u16) -> ShardMark {
        self.inner.known(shard).mark
    }

    fn wait<T>(&mut self, work: impl AsyncFnOnce(&mut Inner) -> Result<T, AppendError>) -> Result<T, AppendError> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work(&mut self.inner)),
            None => Err(AppendError::Failed("the log is closed".into())),
        }
    }
}

impl Drop for JetStreamLog {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Log for JetStreamLog {
    fn claim(&mut self, shards: &[u16]) -> Result<Vec<u64>, AppendError> {
        self.wait(async |inner| inner.claim(shards).await)
    }

    fn append(&mut self, frames: &[Vec<u8>]) -> Vec<Result<Position, AppendError>> {
        let outcomes = self.wait(async |inner| Ok(inner.append(frames).await));
        outcomes.unwrap_or_else(|error| frames.iter().map(|_| Err(error.clone())).collect())
    }

    fn read(&mut self, from: Position, show: &mut dyn FnMut(Position, &[u8]) -> bool) -> Result<(), LogError> {
        let Some(runtime) = &self.runtime else { return Err(LogError::Failed("the log is closed".into())) };
        let to = self.position().0;
        runtime.block_on(self.inner.walk(from.0.max(1), to, &mut |position, bytes| {
            frame::inspect(bytes).map_err(|error| damaged(position, &error.to_string()))?;
            Ok(show(Position(position), bytes))
        }))
    }

    fn first(&self) -> Position {
        Position(1)
    }

    fn position(&self) -> Position {
        Position(self.inner.ahead.last().copied().unwrap_or_default().max(self.inner.last))
    }

    /// The stream keeps everything.
    fn base(&mut self) -> Result<Option<Snapshot>, LogError> {
        Ok(None)
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        None
    }

    fn keep_snapshot(&mut self, _: Snapshot) -> Result<(), LogError> {
        Err(LogError::Failed("a log on NATS keeps every frame and no snapshots".into()))
    }

    fn frame_bytes_max(&self) -> usize {
        self.inner.frame_bytes_max()
    }

    fn still_owned(&mut self) -> Result<(), AppendError> {
        self.wait(async |inner| inner.still_owned().await)
    }

    fn close(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}

pub(super) fn damaged(position: u64, trouble: &str) -> LogError {
    LogError::Damaged(format!("the log is damaged at position {position}: {trouble}; restore it from a backup"))
}

impl Inner {
    pub fn known(&self, shard: u16) -> Known {
        let new = || Known { mark: ShardMark::new(shard), ..Known::default() };
        self.shards.get(&shard).copied().unwrap_or_else(new)
    }

    pub fn subject(&self, shard: u16) -> String {
        Subject::Log { site: self.site.clone(), shard }.to_string()
    }

    pub fn frame_bytes_max(&self) -> usize {
        self.client.max_payload().saturating_sub(HEADERS_BYTES_MAX)
    }

    /// The position of the last frame there is, as the leader of the stream says.
    pub async fn end(&self) -> Result<u64, LogError> {
        let info = self.stream.get_info().await.map_err(|error| away(&error))?;
        if info.state.first_sequence > 1 {
            let trouble =
                format!("the log begins at position {}; what was before it is gone", info.state.first_sequence);
            return Err(LogError::Damaged(format!("{trouble}; restore it from a backup")));
        }
        Ok(info.state.last_sequence)
    }

    /// Reads what is new, and checks that it continues each shard.
    pub async fn catch_up(&mut self) -> Result<(), LogError> {
        let end = self.end().await?;
        if end < self.last {
            let trouble = format!("it ends at {end}, and ended at {} before", self.last);
            return Err(damaged(end, &trouble));
        }
        let mut shards = std::mem::take(&mut self.shards);
        let mut show = |position, bytes: &[u8]| {
            follow(&mut shards, position, bytes).map(|()| true).map_err(|trouble| damaged(position, &trouble))
        };
        let walked = self.walk(self.last + 1, end, &mut show).await;
        self.shards = shards;
        walked?;
        self.last = end;
        self.ahead = self.ahead.split_off(&(end + 1));
        Ok(())
    }

    /// Shows every frame from one position to another, each once and in order.
    pub async fn walk(&self, from: u64, to: u64, show: Show<'_>) -> Result<(), LogError> {
        if from > to {
            return Ok(());
        }
        let config = pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
            ..pull::OrderedConfig::default()
        };
        let consumer = self.stream.create_consumer(config).await.map_err(|error| away(&error))?;
        let mut messages = consumer.messages().await.map_err(|error| away(&error))?;
        for expected in from..=to {
            let message = tokio::time::timeout(FRAME_WITHIN, messages.next()).await;
            let message = match message {
                Ok(Some(message)) => message.map_err(|error| away(&error))?,
                Ok(None) | Err(_) => return Err(LogError::Failed("the NATS server does not answer a read".into())),
            };
            let info = message.info().map_err(|error| damaged(expected, &error.to_string()))?;
            if info.stream_sequence != expected {
                return Err(damaged(expected, &format!("position {} comes in its place", info.stream_sequence)));
            }
            if !show(expected, &message.payload)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits until the server is there.
    pub async fn connected(&self) {
        connected(&self.client).await;
    }
}

/// Takes in a frame of the stream. A claim that came too late is there, counts in the chain, and claims nothing.
pub(super) fn follow(shards: &mut BTreeMap<u16, Known>, position: u64, bytes: &[u8]) -> Result<(), String> {
    let (head, length) = frame::inspect(bytes).map_err(|error| error.to_string())?;
    if length != bytes.len() {
        return Err("there is more than a frame".into());
    }
    let new = || Known { mark: ShardMark::new(head.shard), ..Known::default() };
    let known = shards.entry(head.shard).or_insert_with(new);
    let late = head.claim && head.epoch <= known.mark.epoch;
    if !late {
        known.mark.check(bytes)?;
    }
    if head.claim && !late {
        known.claim = position;
    }
    known.mark.pass(&head, bytes);
    known.last = position;
    Ok(())
}

pub(super) fn away(error: &dyn std::error::Error) -> LogError {
    LogError::Failed(format!("the NATS server does not answer: {}", crate::host::chain(error)))
}
