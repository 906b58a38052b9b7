//! `sim replay --verify`: a recorded log taken again by this build's actors, each entry compared byte for byte.

use super::progress::Progress;
use super::seeds;
use crate::clock;
use crate::command::fault::Fault;
use crate::command::show::Show;
use crate::host::Recording;
use actors::cast::AnyCell;
use messages::api::{EXIT_DONE, EXIT_REFUSED};
use messages::id::ActorId;
use serde::Serialize;
use simulator::history::verify::{Mismatch, Piece, Taken, verify};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Frames are taken again in pieces of about so many bytes: enough for all processors, little enough for the memory.
const PIECE_BYTES: usize = 64 << 20;
/// The most mismatches that are told.
const TOLD_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(in crate::command) struct SimReplay {
    /// A data directory of `orrery up`, also while it runs, or a file made with `orrery log --export`
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// Compare every entry with what this build's actors make of the same inputs
    #[arg(long, required = true)]
    pub verify: bool,
    /// How many actors at a time [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
}

/// What came of a log.
#[derive(Debug, Default, Serialize)]
struct Replayed {
    log: String,
    verdict: &'static str,
    frames: u64,
    entries: u64,
    events: u64,
    actors: u64,
    bytes: u64,
    /// Entries of older versions that were brought up to today's.
    older: u64,
    different: u64,
    milliseconds: u64,
    events_per_second: u64,
    mismatches: Vec<Mismatch>,
}

/// `orrery sim replay --verify`
pub(super) fn replay(show: Show, arguments: &SimReplay) -> Result<u8, Fault> {
    let done = again(&arguments.log, seeds::jobs(arguments.jobs))?;
    show.answer(&done, text);
    Ok(if done.different == 0 { EXIT_DONE } else { EXIT_REFUSED })
}

/// How many entries a log has, and how many of them come out otherwise.
pub(super) fn same(log: &Path) -> Result<(u64, u64), Fault> {
    again(log, seeds::jobs(None)).map(|done| (done.entries, done.different))
}

fn again(log: &Path, jobs: usize) -> Result<Replayed, Fault> {
    let begun = clock::monotonic();
    let mut recording = Recording::open(log).map_err(Fault::Unreachable)?;
    let mut replay = Replay { jobs, cells: BTreeMap::new(), progress: Progress::new(false), done: Replayed::default() };
    for cell in recording.cells().map_err(Fault::Unreachable)? {
        replay.cells.insert(cell.id(), cell);
    }
    let mut piece = Piece::default();
    recording
        .each(|position, bytes| {
            piece.push(position, bytes).map_err(|trouble| trouble.to_string())?;
            replay.done.frames += 1;
            replay.done.bytes += bytes.len() as u64;
            if piece.bytes() >= PIECE_BYTES { replay.take(&std::mem::take(&mut piece)) } else { Ok(()) }
        })
        .map_err(Fault::Unreachable)?;
    let wrong = |trouble| Fault::Unreachable(format!("{}: {trouble}", log.display()));
    replay.take(&piece).map_err(wrong)?;
    replay.progress.clear();
    let took = clock::monotonic().since(begun).0.max(1);
    let mut done = replay.done;
    done.log = log.display().to_string();
    done.verdict = if done.different == 0 { "same" } else { "different" };
    done.actors = replay.cells.len() as u64;
    done.milliseconds = took / 1_000;
    done.events_per_second = u64::try_from(u128::from(done.events) * 1_000_000 / u128::from(took)).unwrap_or(u64::MAX);
    Ok(done)
}

/// A log in the middle of being taken again.
struct Replay {
    jobs: usize,
    cells: BTreeMap<ActorId, AnyCell>,
    progress: Progress,
    done: Replayed,
}

impl Replay {
    /// Takes a piece again, several actors at a time.
    fn take(&mut self, piece: &Piece) -> Result<(), String> {
        let actors = piece.actors();
        let cells: Vec<Mutex<AnyCell>> = actors
            .iter()
            .map(|actor| Mutex::new(self.cells.remove(actor).unwrap_or_else(|| AnyCell::new(*actor))))
            .collect();
        let next = AtomicUsize::new(0);
        let parts = std::thread::scope(|scope| {
            let work = || {
                let mut parts = Vec::new();
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    parts.push(verify(&mut cell.lock().unwrap_or_else(PoisonError::into_inner), piece));
                }
                parts
            };
            let others: Vec<_> = (1..self.jobs).map(|_| scope.spawn(work)).collect();
            let mut parts = work();
            for other in others {
                parts.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            parts
        });
        for part in parts {
            self.note(part.map_err(|trouble| trouble.to_string())?);
        }
        for cell in cells {
            let cell = cell.into_inner().unwrap_or_else(PoisonError::into_inner);
            self.cells.insert(cell.id(), cell);
        }
        let (entries, different) = (self.done.entries, self.done.different);
        self.progress.tell(|| format!("{entries} entries taken again, {different} different"));
        Ok(())
    }

    fn note(&mut self, part: Taken) {
        let done = &mut self.done;
        done.entries += part.entries;
        done.events += part.events;
        done.older += part.older;
        done.different += part.different;
        done.mismatches.extend(part.mismatches);
        done.mismatches.sort_by(|one, other| (one.position, &one.actor).cmp(&(other.position, &other.actor)));
        done.mismatches.truncate(TOLD_MAX);
    }
}

fn text(done: &Replayed) -> String {
    let Replayed { frames, entries, events, actors, different, older, milliseconds, events_per_second, .. } = done;
    let size = format!("{entries} entries with {events} events of {actors} actors, in {frames} frames");
    let speed = format!("{milliseconds} ms, {events_per_second} events/s");
    let raised =
        if *older > 0 { format!("\n{older} entries are of older versions and were brought up") } else { String::new() };
    if *different == 0 {
        return format!("same: {size}\nevery entry comes out byte for byte as it was recorded ({speed}){raised}\n");
    }
    let mut text = format!("different: {different} of {size} ({speed}){raised}\n");
    for Mismatch { position, actor, sequence, byte, difference, .. } in &done.mismatches {
        text += &format!(
            "\nframe {position}, {actor}, entry {sequence}: from byte {byte} on this build makes it otherwise\n"
        );
        text += "(- recorded, + this build)\n";
        text += difference;
    }
    let left = different.saturating_sub(done.mismatches.len() as u64);
    if left > 0 {
        text += &format!("\n{left} more differ\n");
    }
    text
}
