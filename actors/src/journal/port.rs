//! The journal as the log of a host: every append is synced before its outcome is told.

use super::snapshot::Snapshot;
use super::{Journal, JournalError};
use crate::ports::{AppendError, Disk, Log, LogError, Position};
use messages::frame::{self, ENTRIES_BYTES_MAX, HEADER_BYTES, TRAILER_BYTES};
use std::collections::BTreeSet;

impl<D: Disk + Send> Log for Journal<D> {
    fn claim(&mut self, shards: &[u16]) -> Result<Vec<u64>, AppendError> {
        let epochs = self.claim_all(shards).map_err(|error| AppendError::Failed(told(&error)))?;
        self.sync().map_err(|error| AppendError::Unknown(told(&error)))?;
        Ok(epochs)
    }

    fn append(&mut self, frames: &[Vec<u8>]) -> Vec<Result<Position, AppendError>> {
        let mut shards = BTreeSet::new();
        let checked: Vec<_> = frames.iter().map(|frame| self.admit(frame, &mut shards)).collect();
        let sound = frames.iter().zip(&checked).filter(|(_, checked)| checked.is_ok());
        let sound: Vec<&Vec<u8>> = sound.map(|(frame, _)| frame).collect();
        if sound.is_empty() {
            return checked.into_iter().map(|checked| checked.map(|()| self.position())).collect();
        }
        let appended = Self::append(self, &sound).map_err(|error| AppendError::Failed(told(&error)));
        let appended = appended
            .and_then(|positions| self.sync().map(|()| positions).map_err(|error| AppendError::Unknown(told(&error))));
        let mut positions = appended.map(Vec::into_iter);
        let mut outcome = |()| match &mut positions {
            Ok(positions) => positions.next().ok_or_else(|| AppendError::Unknown("a frame has no position".into())),
            Err(error) => Err(error.clone()),
        };
        checked.into_iter().map(|checked| checked.and_then(&mut outcome)).collect()
    }

    fn read(&mut self, from: Position, show: &mut dyn FnMut(Position, &[u8]) -> bool) -> Result<(), LogError> {
        Self::read(self, from, show).map_err(|error| broken(&error))
    }

    fn first(&self) -> Position {
        Self::first(self)
    }

    fn position(&self) -> Position {
        Self::position(self)
    }

    fn base(&mut self) -> Result<Option<Snapshot>, LogError> {
        Self::base(self).map_err(|error| broken(&error))
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        Self::snapshot(self)
    }

    fn keep_snapshot(&mut self, snapshot: Snapshot) -> Result<(), LogError> {
        Self::keep_snapshot(self, snapshot).map_err(|error| broken(&error))
    }

    fn frame_bytes_max(&self) -> usize {
        HEADER_BYTES + ENTRIES_BYTES_MAX + TRAILER_BYTES
    }

    /// Its files are locked, so nobody else can claim. It is quiet, so it vouches for its last batch; where it cannot,
    /// the next append will say why.
    fn still_owned(&mut self) -> Result<(), AppendError> {
        if !self.vouched && self.poison.is_none() {
            self.vouch().unwrap_or_default();
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), LogError> {
        self.vouch().map_err(|error| broken(&error))
    }
}

impl<D: Disk> Journal<D> {
    fn admit(&self, bytes: &[u8], shards: &mut BTreeSet<u16>) -> Result<(), AppendError> {
        let (head, _) = frame::inspect(bytes).map_err(|error| AppendError::Failed(error.to_string()))?;
        let mark = self.mark(head.shard);
        if !shards.insert(head.shard) {
            return Err(AppendError::Failed(format!("two frames of shard {} at once", head.shard)));
        }
        if head.epoch < mark.epoch {
            return Err(AppendError::Fenced { shard: head.shard, position: self.position() });
        }
        mark.check(bytes).map(|_| ()).map_err(AppendError::Failed)
    }
}

fn broken(error: &JournalError) -> LogError {
    match error {
        JournalError::Damaged { .. } | JournalError::Missing { .. } => LogError::Damaged(told(error)),
        _ => LogError::Failed(told(error)),
    }
}

fn told(error: &JournalError) -> String {
    error.to_string()
}
