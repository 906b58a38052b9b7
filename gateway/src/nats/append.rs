//! Appending frames: each names the frame of its shard that it follows, and a lost answer is looked up in the stream.

use super::claim::no_answer;
use super::log::{Inner, follow};
use actors::ports::{AppendError, Position};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::RawMessageErrorKind;
use futures::future::join_all;
use messages::frame::{self, FrameHead};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

/// The pause after a try that came to nothing; it grows up to the longest.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// After how many tries it is said that a frame still waits.
const TELL_EVERY: u32 = 10;
/// How often the stream may seem to be gone before it is believed: a server that starts finds its streams first.
const GONE_MAX: u32 = 20;

/// What became of a message.
pub(super) enum Sent {
    /// It lies at this position.
    At(u64),
    /// Not known, or not taken: look whether it is there.
    Doubt(String),
    /// It will never be taken.
    Never(String),
}

/// What the stream says of a frame in doubt.
enum Found {
    At(u64),
    Absent,
    Rival(u64),
    Lost(String),
    Gone,
    Silent(String),
}

struct Flight<'a> {
    head: FrameHead,
    bytes: &'a [u8],
    /// The position of the shard's last frame.
    follows: u64,
}

impl Inner {
    /// Appends frames; those of different shards are under way together. Waits for a server that is away.
    pub async fn append(&mut self, frames: &[Vec<u8>]) -> Vec<Result<Position, AppendError>> {
        let mut shards = BTreeSet::new();
        let flights: Vec<_> = frames.iter().map(|frame| self.admit(frame, &mut shards)).collect();
        let settled = flights.into_iter().map(async |flight| match flight {
            Ok(flight) => self.settle(&flight).await,
            Err(error) => Err(error),
        });
        let outcomes = join_all(settled).await;
        frames.iter().zip(outcomes).map(|(frame, outcome)| outcome.and_then(|at| self.took(at, frame))).collect()
    }

    fn admit<'a>(&self, bytes: &'a [u8], shards: &mut BTreeSet<u16>) -> Result<Flight<'a>, AppendError> {
        let (head, _) = frame::inspect(bytes).map_err(|error| AppendError::Failed(error.to_string()))?;
        if !shards.insert(head.shard) {
            return Err(AppendError::Failed(format!("two frames of shard {} at once", head.shard)));
        }
        let known = self.known(head.shard);
        // Another owner's epoch is never written with, although its claim was read.
        if self.owned.get(&head.shard) != Some(&head.epoch) || head.epoch < known.mark.epoch {
            return Err(AppendError::Fenced { shard: head.shard, position: Position(known.claim) });
        }
        known.mark.check(bytes).map_err(AppendError::Failed)?;
        let most = self.frame_bytes_max();
        if bytes.len() > most {
            let length = bytes.len();
            let text = format!("a frame of {length} bytes is longer than the {most} that the NATS server takes");
            return Err(AppendError::Failed(format!("{text}; raise max_payload in its configuration")));
        }
        Ok(Flight { head, bytes, follows: known.last })
    }

    /// Notes that a frame of ours lies at a position.
    fn took(&mut self, position: u64, bytes: &[u8]) -> Result<Position, AppendError> {
        follow(&mut self.shards, position, bytes).map_err(AppendError::Failed)?;
        self.ahead.insert(position);
        while self.ahead.remove(&(self.last + 1)) {
            self.last += 1;
        }
        Ok(Position(position))
    }

    /// Sends a frame until it is known to be there, or known never to be.
    async fn settle(&self, flight: &Flight<'_>) -> Result<u64, AppendError> {
        let shard = flight.head.shard;
        let id = id_of(&flight.head);
        let (mut tries, mut gone) = (0u32, 0u32);
        loop {
            self.connected().await;
            let doubt = match self.send(shard, flight.bytes, &id, Some(flight.follows)).await {
                Sent::At(position) => return Ok(position),
                Sent::Never(trouble) => return Err(AppendError::Failed(trouble)),
                Sent::Doubt(trouble) => trouble,
            };
            let trouble = match self.find(flight).await {
                Found::At(position) => return Ok(position),
                Found::Rival(position) => return Err(AppendError::Fenced { shard, position: Position(position) }),
                Found::Lost(trouble) => return Err(AppendError::Failed(trouble)),
                Found::Gone if gone >= GONE_MAX => {
                    return Err(AppendError::Failed("the stream of the log is gone from the NATS server".into()));
                }
                Found::Gone => "the stream of the log is not there".to_string(),
                Found::Silent(trouble) => trouble,
                Found::Absent => doubt,
            };
            gone = if trouble.starts_with("the stream") { gone + 1 } else { 0 };
            tries += 1;
            if tries.is_multiple_of(TELL_EVERY) {
                tracing::warn!(shard, tries, "a frame still waits to be kept: {trouble}");
            }
            tokio::time::sleep((PAUSE * (1 << tries.min(6))).min(PAUSE_MAX)).await;
        }
    }

    /// Publishes a frame once.
    pub async fn send(&self, shard: u16, bytes: &[u8], id: &str, follows: Option<u64>) -> Sent {
        let name = &self.stream.cached_info().config.name;
        let mut message = PublishMessage::build().payload(bytes.to_vec().into()).message_id(id).expected_stream(name);
        if let Some(follows) = follows {
            message = message.expected_last_subject_sequence(follows);
        }
        let sending = match self.context.send_publish(self.subject(shard), message).await {
            Ok(sending) => sending,
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                return Sent::Never(format!(
                    "the NATS server takes no frame of {} bytes; raise max_payload",
                    bytes.len()
                ));
            }
            Err(error) => return Sent::Doubt(no_answer(&error)),
        };
        match sending.await {
            // Whether a message sent twice is the same is looked up, not believed.
            Ok(ack) if ack.duplicate && follows.is_some() => Sent::Doubt("it was sent twice".into()),
            Ok(ack) => Sent::At(ack.sequence),
            Err(error) => Sent::Doubt(crate::host::chain(&error)),
        }
    }

    /// Looks in the stream, through its leader, for a frame in doubt: what follows the frame that it should follow?
    async fn find(&self, flight: &Flight<'_>) -> Found {
        let subject = self.subject(flight.head.shard);
        match self.stream.get_first_raw_message_by_subject(&subject, flight.follows + 1).await {
            Ok(message) if *message.payload == *flight.bytes => return Found::At(message.sequence),
            Ok(message) => return Found::Rival(message.sequence),
            Err(error) => match error.kind() {
                RawMessageErrorKind::NoMessageFound => {}
                kind => return unfound(&kind),
            },
        }
        let last = match self.stream.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => message.sequence,
            Err(error) => match error.kind() {
                RawMessageErrorKind::NoMessageFound => 0,
                kind => return unfound(&kind),
            },
        };
        if last < flight.follows {
            let shard = flight.head.shard;
            let text = format!("shard {shard} ends at position {last}, and ended at {} before", flight.follows);
            return Found::Lost(format!("the NATS server lost frames that it had acknowledged: {text}"));
        }
        Found::Absent
    }
}

fn unfound(kind: &RawMessageErrorKind) -> Found {
    match kind {
        RawMessageErrorKind::JetStream(error) if error.error_code().0 == 10_059 => Found::Gone,
        kind => Found::Silent(kind.to_string()),
    }
}

/// The id of a frame's message: its place, and the chain that it continues.
fn id_of(head: &FrameHead) -> String {
    let mut id = format!("{}-{}-{}-", head.shard, head.epoch, head.sequence);
    head.previous.iter().take(8).for_each(|byte| {
        let _text_takes_all = write!(id, "{byte:02x}");
    });
    id
}
