//! A whole log as the live host keeps it: 64 shards with one writer over the journal on real files.

use crate::setting::failed;
use actors::journal::Journal;
use actors::ports::{Disk, Position};
use actors::shard::Shard;
use gateway::host::FileDisk;
use messages::envelope::Envelope;
use messages::frame;
use messages::id::{ActorId, SHARDS};
use std::path::Path;

use crate::population::NOW;

/// A journal and the shards that write it.
pub struct Log {
    /// The journal.
    pub journal: Journal<FileDisk>,
    shards: Vec<Shard>,
}

impl Log {
    /// Begins a log in an empty directory.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn begin(directory: &Path) -> Result<Self, String> {
        let mut journal = open(directory)?;
        let numbers: Vec<u16> = (0..SHARDS).collect();
        let claimed = journal.claim_all(&numbers).and_then(|epochs| journal.sync().map(|()| epochs));
        let epochs = claimed.map_err(|error| error.to_string())?;
        let mut shards: Vec<Shard> = numbers.iter().map(|number| Shard::new(*number)).collect();
        read(&mut journal, |_, bytes| {
            let (head, _) = frame::inspect(bytes).map_err(|error| error.to_string())?;
            shards[usize::from(head.shard)].replay(bytes).map_err(|error| error.to_string()).map(|_| ())
        })?;
        for (shard, epoch) in shards.iter_mut().zip(epochs) {
            shard.own(epoch);
        }
        Ok(Self { journal, shards })
    }

    /// The shard of an actor.
    pub fn shard(&mut self, id: ActorId) -> &mut Shard {
        &mut self.shards[usize::from(id.shard())]
    }

    /// Hands a message to the actor of this id; what comes of it waits for a frame.
    ///
    /// # Errors
    /// When the shard refuses it.
    pub fn deliver(&mut self, id: ActorId, envelope: &Envelope) -> Result<(), String> {
        self.shard(id).deliver(envelope, None, NOW).map_err(|error| error.to_string())
    }

    /// Makes everything that waits durable, a frame of each shard in one batch, as the host does.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn commit(&mut self) -> Result<(), String> {
        loop {
            let frames: Vec<Vec<u8>> = self.shards.iter_mut().filter_map(Shard::take_frame).collect();
            if frames.is_empty() {
                return Ok(());
            }
            append(&mut self.journal, &frames)?;
            for shard in &mut self.shards {
                drop(shard.committed());
            }
        }
    }
}

/// Opens the journal of a directory, which checks all of it.
///
/// # Errors
/// When the disk fails or the journal is damaged.
pub fn open(directory: &Path) -> Result<Journal<FileDisk>, String> {
    let disk = FileDisk::own(directory).map_err(failed(directory.display()))?;
    Journal::open(disk).map_err(|error| error.to_string())
}

/// Appends frames as one batch and waits until they are durable.
///
/// # Errors
/// When the disk fails.
pub fn append<D: Disk>(journal: &mut Journal<D>, frames: &[Vec<u8>]) -> Result<(), String> {
    journal.append(frames).and_then(|_| journal.sync()).map_err(|error| error.to_string())
}

/// Shows every frame of a journal.
///
/// # Errors
/// What `show` said, or what is wrong with the journal.
pub fn read<D: Disk>(
    journal: &mut Journal<D>,
    mut show: impl FnMut(Position, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let mut trouble = None;
    let from = journal.first();
    let walked = journal.read(from, |position, bytes| {
        trouble = show(position, bytes).err();
        trouble.is_none()
    });
    walked.map_err(|error| error.to_string())?;
    trouble.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::JobLife;
    use actors::fold::Fold;

    #[test]
    fn what_was_committed_is_there_when_the_log_is_opened_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut log = Log::begin(directory.path()).expect("an empty directory");
        for number in 0..50 {
            let life = JobLife::new(number, 2);
            for envelope in life.bring_up() {
                log.deliver(life.id(), &envelope).expect("a job");
            }
        }
        log.commit().expect("written");
        drop(log);
        let mut fold = Fold::default();
        let mut journal = open(directory.path()).expect("a sound journal");
        read(&mut journal, |position, bytes| {
            let (_, entries) = frame::decode(bytes).map_err(|error| error.to_string())?;
            entries.iter().try_for_each(|entry| fold.apply(entry, position)).map_err(|error| error.to_string())
        })
        .expect("every entry follows");
        assert_eq!((fold.entries(), fold.jobs().filter(|(_, job)| job.healthy() == 2).count()), (250, 50));
    }
}
