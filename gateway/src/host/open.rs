//! Opening the log, and reading it: shards for the host, folds for readers, verification for auditors.

use super::files::FileDisk;
use super::{AsOf, chain};
use crate::clock;
use crate::nats::JetStreamLog;
use actors::cast::AnyCell;
use actors::cell::CellError;
use actors::fold::Fold;
use actors::journal::Journal;
use actors::journal::snapshot::Snapshot;
use actors::ports::{Log, Position};
use actors::shard::Shard;
use messages::api::{Mismatch, Verified};
use messages::entry::Entry;
use messages::frame;
use messages::id::{ActorId, SHARDS};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The most mismatches that are told.
const MISMATCHES_TOLD_MAX: usize = 100;

/// A log, owned, with its shards and their fold.
pub struct Opened {
    /// The log.
    pub log: Box<dyn Log>,
    /// Every shard, claimed.
    pub shards: Vec<Shard>,
    /// The fold of all of it.
    pub fold: Fold,
}

/// Claims every shard of a log, and folds it.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn own(mut log: Box<dyn Log>) -> Result<Opened, String> {
    let mut shards: Vec<Shard> = (0..SHARDS).map(Shard::new).collect();
    let mut fold = Fold::default();
    if let Some(base) = log.base().map_err(|error| error.to_string())? {
        for mark in &base.shards {
            if let Some(shard) = shards.get_mut(usize::from(mark.shard)) {
                shard.resume(mark.frames, mark.chain, mark.epoch);
            }
        }
        for cell in cells(&base)? {
            if let Some(shard) = shards.get_mut(usize::from(cell.id().shard())) {
                shard.insert(cell.clone());
            }
            fold.insert(cell);
        }
    }
    let numbers: Vec<u16> = (0..SHARDS).collect();
    let epochs = log.claim(&numbers).map_err(|error| error.to_string())?;
    let first = log.first();
    visit(&mut *log, first, |position, bytes| {
        let (head, _) = frame::inspect(bytes).map_err(|error| error.to_string())?;
        let shard = shards.get_mut(usize::from(head.shard)).ok_or("a frame is of no shard there is")?;
        for entry in shard.replay(bytes).map_err(|error| error.to_string())? {
            fold.apply(&entry, position).map_err(|error| error.to_string())?;
        }
        Ok(true)
    })?;
    clock::not_before(fold.cells().map(AnyCell::at).max().unwrap_or_default());
    for (shard, epoch) in shards.iter_mut().zip(epochs) {
        shard.own(epoch);
        shard.limit_frames(log.frame_bytes_max());
    }
    Ok(Opened { log, shards, fold })
}

/// Opens the journal in the files of a data directory.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn files(data: &Path) -> Result<Journal<FileDisk>, String> {
    let directory = data.join("journal");
    let disk = FileDisk::own(&directory).map_err(|error| {
        format!(
            "cannot open the journal in {}: {error}; check that it may be written, or give another --data",
            directory.display()
        )
    })?;
    let journal = Journal::open(disk).map_err(|error| format!("{} in {}", chain(&error), directory.display()))?;
    if let Some(torn) = journal.torn() {
        tracing::warn!(
            file = torn.file,
            kept = torn.kept,
            cut = torn.cut,
            "the journal ended in a torn write, which was cut off"
        );
    }
    for note in journal.notes() {
        tracing::info!("journal: {note}");
    }
    Ok(journal)
}

fn cells(snapshot: &Snapshot) -> Result<Vec<AnyCell>, String> {
    let restored = snapshot.cells.iter().map(|(id, bytes)| AnyCell::restore(*id, bytes));
    restored.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// Shows every frame from a position on until `show` says false or fails.
fn visit(
    log: &mut dyn Log,
    from: Position,
    mut show: impl FnMut(Position, &[u8]) -> Result<bool, String>,
) -> Result<(), String> {
    let mut trouble = None;
    let read = log.read(from, &mut |position, bytes| {
        show(position, bytes).unwrap_or_else(|error| {
            trouble = Some(format!("frame {position}: {error}"));
            false
        })
    });
    read.map_err(|error| error.to_string())?;
    trouble.map_or(Ok(()), Err)
}

/// A fold that begins where the log does.
fn begin(log: &mut dyn Log) -> Result<Fold, String> {
    let mut fold = Fold::default();
    beginning(log)?.into_iter().for_each(|cell| fold.insert(cell));
    Ok(fold)
}

/// The cells that the log begins with, when what was before was let go.
pub fn beginning(log: &mut dyn Log) -> Result<Vec<AnyCell>, String> {
    let base = log.base().map_err(|error| error.to_string())?;
    base.map_or(Ok(Vec::new()), |base| cells(&base))
}

/// The fold as it was.
pub fn fold_at(log: &mut dyn Log, at: AsOf) -> Result<Fold, String> {
    let first = log.first();
    if let AsOf::Position(position) = at
        && position.0 + 1 < first.0
    {
        return Err(format!("the log begins at position {first}; {position} lies before it"));
    }
    let mut fold = begin(log)?;
    visit(log, first, |position, bytes| {
        if matches!(at, AsOf::Position(last) if position > last) {
            return Ok(false);
        }
        let (_, entries) = frame::decode(bytes).map_err(|error| error.to_string())?;
        for entry in entries {
            if matches!(at, AsOf::Time(last) if entry.head().at > last) {
                return Ok(false);
            }
            fold.apply(&entry, position).map_err(|error| error.to_string())?;
        }
        Ok(true)
    })?;
    Ok(fold)
}

/// At most `limit` entries from a position on, whole frames only.
pub fn entries(log: &mut dyn Log, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, String> {
    let mut found = Vec::new();
    visit(log, from, |position, bytes| {
        let (_, entries) = frame::decode(bytes).map_err(|error| error.to_string())?;
        found.extend(entries.into_iter().map(|entry| (position, entry)));
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// Folds the log anew and takes every turn again; compares with cells and with the latest snapshot where there are any.
pub fn verify(log: &mut dyn Log, live: Option<Vec<(ActorId, Vec<u8>)>>) -> Result<Verified, String> {
    let mut fold = begin(log)?;
    let snapshot = log.snapshot().cloned();
    let mut mismatches = Vec::new();
    let first = log.first();
    let mut checked = snapshot.is_none();
    let mut live = Live::read(live.unwrap_or_default())?;
    for actor in fold.cells().map(AnyCell::id).collect::<Vec<_>>() {
        mismatches.extend(live.compare(actor, &fold));
    }
    visit(log, first, |position, bytes| {
        if let Some(snapshot) = snapshot.as_ref().filter(|snapshot| !checked && position > snapshot.position) {
            checked = true;
            mismatches.extend(differing("snapshot", &snapshot.cells, &fold));
        }
        let (_, entries) = frame::decode(bytes).map_err(|error| error.to_string())?;
        for entry in entries {
            let differs = fold.verify(&entry, position).map_err(|error| error.to_string())?;
            mismatches.extend(live.compare(entry.head().actor, &fold));
            mismatches.extend(differs.map(|mismatch| Mismatch {
                actor: mismatch.actor.to_string(),
                sequence: mismatch.sequence,
                position: mismatch.position.0,
                recorded: mismatch.recorded,
                retaken: mismatch.retaken,
            }));
        }
        Ok(true)
    })?;
    mismatches.extend(live.left(&fold));
    mismatches.truncate(MISMATCHES_TOLD_MAX);
    Ok(Verified {
        entries: fold.entries(),
        actors: fold.cells().count() as u64,
        mismatches,
        position: log.position().0,
    })
}

/// Live cells, each as of the entry it was at: the log goes on while it is verified.
struct Live(BTreeMap<ActorId, (u64, Vec<u8>)>);

impl Live {
    fn read(cells: Vec<(ActorId, Vec<u8>)>) -> Result<Self, String> {
        let at = |(id, bytes): (ActorId, Vec<u8>)| Ok((id, (AnyCell::restore(id, &bytes)?.sequence(), bytes)));
        let cells: Result<_, CellError> = cells.into_iter().map(at).collect();
        cells.map(Self).map_err(|error| error.to_string())
    }

    /// Compares a cell once the fold is where the cell was.
    fn compare(&mut self, actor: ActorId, fold: &Fold) -> Vec<Mismatch> {
        let reached = |(sequence, _): &(u64, Vec<u8>)| fold.cell(actor).map(AnyCell::sequence) == Some(*sequence);
        if !self.0.get(&actor).is_some_and(reached) {
            return Vec::new();
        }
        let cell = self.0.remove(&actor).map(|(_, bytes)| (actor, bytes));
        differing("live state", cell.as_slice(), fold)
    }

    /// What knows more than the log tells.
    fn left(self, fold: &Fold) -> Vec<Mismatch> {
        let left = self.0.into_iter().filter(|(_, (sequence, _))| *sequence > 0);
        differing("live state", &left.map(|(id, (_, bytes))| (id, bytes)).collect::<Vec<_>>(), fold)
    }
}

fn differing(what: &str, cells: &[(ActorId, Vec<u8>)], fold: &Fold) -> Vec<Mismatch> {
    let folded = |id: ActorId| fold.cell(id).map(AnyCell::snapshot);
    let differs = |(id, bytes): &&(ActorId, Vec<u8>)| folded(*id).as_ref() != Some(bytes);
    let told = |(id, _): &(ActorId, Vec<u8>)| Mismatch {
        actor: id.to_string(),
        sequence: fold.cell(*id).map_or(0, AnyCell::sequence),
        position: fold.position().0,
        recorded: format!("its {what}"),
        retaken: format!("the fold of its entries: {:?}", fold.cell(*id)),
    };
    cells.iter().filter(differs).map(told).collect()
}

/// Verifies the journal of a data directory that no control plane has open.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn verify_offline(data: &Path) -> Result<Verified, String> {
    verify(&mut files(data)?, None)
}

/// Verifies the log of a site on a NATS server, whether a control plane uses it or not. Waits for its answers.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn verify_on_nats(url: &str, site: &str) -> Result<Verified, String> {
    let mut log = JetStreamLog::existing(url, site, Duration::ZERO).map_err(|error| error.to_string())?;
    verify(&mut log, None)
}

/// Writes the log of a site on a NATS server to a file, and says how many frames it has. Waits for its answers.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn export_from_nats(url: &str, site: &str, to: &Path) -> Result<u64, String> {
    let mut log = JetStreamLog::existing(url, site, Duration::ZERO).map_err(|error| error.to_string())?;
    super::Recording::export(&mut log, to)
}
