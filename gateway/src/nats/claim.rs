//! Claiming shards: an unconditional frame, whose place in the stream shuts out whoever wrote before.

use super::append::Sent;
use super::log::{Inner, away};
use actors::ports::{AppendError, LogError, Position};
use actors::shard::Shard;
use futures::future::try_join_all;
use messages::frame;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How often a claim that came too late is made again.
const TRIES_MAX: usize = 16;
/// How often a claim without an answer is sent again.
const SENDS_MAX: usize = 12;

impl Inner {
    /// Claims shards. Of several who claim at once each one wins or knows that it lost.
    pub async fn claim(&mut self, shards: &[u16]) -> Result<Vec<u64>, AppendError> {
        let mut epochs: BTreeMap<u16, u64> = BTreeMap::new();
        let mut open = shards.to_vec();
        for _ in 0..TRIES_MAX {
            self.catch_up().await.map_err(unread)?;
            let frames = open.iter().map(|shard| (*shard, self.known(*shard).mark.epoch + 1));
            let claims: Vec<_> =
                frames.map(|(shard, epoch)| (shard, epoch, Shard::claim_frame(shard, epoch))).collect();
            let sent = claims.iter().map(|(shard, _, frame)| self.send_claim(*shard, frame));
            let positions = try_join_all(sent).await?;
            self.catch_up().await.map_err(unread)?;
            for ((shard, epoch, _), position) in claims.iter().zip(positions) {
                let known = self.known(*shard);
                if known.claim == position {
                    epochs.insert(*shard, *epoch);
                    self.owned.insert(*shard, *epoch);
                } else if known.claim > position && known.mark.epoch > *epoch {
                    return Err(AppendError::Fenced { shard: *shard, position: Position(known.claim) });
                }
            }
            open.retain(|shard| !epochs.contains_key(shard));
            if open.is_empty() {
                return Ok(shards.iter().filter_map(|shard| epochs.get(shard).copied()).collect());
            }
        }
        Err(AppendError::Failed("others claim the same shards again and again; stop them first".into()))
    }

    async fn send_claim(&self, shard: u16, frame: &[u8]) -> Result<u64, AppendError> {
        let id = format!("claim-{}", Uuid::new_v4());
        let mut trouble = String::new();
        for _ in 0..SENDS_MAX {
            self.connected().await;
            match self.send(shard, frame, &id, None).await {
                Sent::At(position) => return Ok(position),
                Sent::Never(trouble) => return Err(AppendError::Failed(trouble)),
                Sent::Doubt(error) => trouble = error,
            }
        }
        Err(AppendError::Unknown(format!("the claim of shard {shard} got no answer: {trouble}")))
    }

    /// Looks whether anybody else wrote to the stream. A server that is away says nothing about it.
    pub async fn still_owned(&mut self) -> Result<(), AppendError> {
        let end = match self.end().await {
            Ok(end) if end > self.last => end,
            Ok(_) | Err(LogError::Failed(_)) => return Ok(()),
            Err(error) => return Err(AppendError::Failed(error.to_string())),
        };
        let (ahead, mut foreign) = (self.ahead.clone(), None);
        let mut show = |position, bytes: &[u8]| {
            if !ahead.contains(&position) {
                let shard = frame::inspect(bytes).map_or(0, |(head, _)| head.shard);
                foreign = Some((shard, position));
            }
            Ok(foreign.is_none())
        };
        let walked = self.walk(self.last + 1, end, &mut show).await;
        match (foreign, walked) {
            (Some((shard, position)), _) => Err(AppendError::Fenced { shard, position: Position(position) }),
            (None, Err(LogError::Damaged(trouble))) => Err(AppendError::Failed(trouble)),
            _ => Ok(()),
        }
    }
}

fn unread(error: LogError) -> AppendError {
    AppendError::Failed(error.to_string())
}

/// What is unknown of a request.
pub(super) fn no_answer(error: &dyn std::error::Error) -> String {
    away(error).to_string()
}
