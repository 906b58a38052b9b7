//! Entries made durable: the journal's group commit on real files, beside a loop that writes and syncs by hand on the
//! same disk.

use crate::log::{Log, append};
use crate::population::JobLife;
use crate::rounds::{in_turns, rate, timed};
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting, failed};
use messages::codec::encode_entry;
use messages::envelope::Envelope;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Entries of one frame, and how many times the loop's entries a second group commit of them must reach.
const GROUPS: [(usize, f64); 2] = [(64, 8.0), (100, 10.0)];
/// One sync of the journal may cost so much more than one by hand: it carries headers, sums and the chain.
const SYNC_SHARE_MIN: f64 = 0.5;
/// The largest of them.
const FRAME_ENTRIES: usize = 100;

/// What is written, ready before the clock runs.
struct Prepared {
    job: JobLife,
    log: Log,
    number: u64,
    syncs: usize,
    /// The bytes of one entry.
    entry: Vec<u8>,
}

/// Frames of one, 64 and 100 entries, each synced; then the whole way from message to durable.
///
/// # Errors
/// When the disk does not allow it.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let directory = setting.directory()?;
    let mut prepared = Prepared::new(&directory.path().join("journal"), setting.count(200, 40))?;
    let by_hand = directory.path().join("by-hand");
    let mut file = OpenOptions::new().create(true).append(true).open(&by_hand).map_err(failed(by_hand.display()))?;
    let rounds = setting.count(9, 3);
    let mut rows = Vec::new();
    rows.push(syncs(&mut prepared, &mut file, rounds, 1)?);
    for (size, times) in GROUPS {
        let entry = prepared.entry.clone();
        let count = prepared.syncs;
        let mut ours = || Ok(prepared.appends(size)? * size as f64);
        let mut raw = || write_and_sync(&mut file, &entry, count);
        let [value, limit] = in_turns(rounds, [&mut ours, &mut raw])?;
        let row = Row::new(format!("journal.append.{size}"), value, "entries/s").must(Must::AtLeast(times));
        rows.push(row.beside("write and sync of each entry", limit));
    }
    rows.push(syncs(&mut prepared, &mut file, rounds, FRAME_ENTRIES)?);
    rows.push(whole_way(&mut prepared, &mut file, rounds)?);
    Ok(Report { rows, faults: Vec::new() })
}

/// Frames of one size, beside writing and syncing the same bytes.
fn syncs(prepared: &mut Prepared, file: &mut File, rounds: usize, size: usize) -> Result<Row, Fault> {
    let (frame, count) = (prepared.frames(size, 1)?.concat(), prepared.syncs);
    // The frame that was taken for its length is part of the chain, so it goes into the journal as well.
    append(&mut prepared.log.journal, std::slice::from_ref(&frame))?;
    let mut ours = || prepared.appends(size);
    let mut raw = || write_and_sync(file, &frame, count);
    let [value, limit] = in_turns(rounds, [&mut ours, &mut raw])?;
    let row = Row::new(format!("journal.sync.{size}"), value, "syncs/s").must(Must::AtLeast(SYNC_SHARE_MIN));
    Ok(row.beside("write and sync of the same bytes", limit))
}

/// Messages to a job in its shard, until what they caused is durable.
fn whole_way(prepared: &mut Prepared, file: &mut File, rounds: usize) -> Result<Row, Fault> {
    let (entry, count) = (prepared.entry.clone(), prepared.syncs);
    let mut ours = || {
        let told = prepared.messages(count * FRAME_ENTRIES);
        let id = prepared.job.id();
        let log = &mut prepared.log;
        let (done, took) = timed(|| {
            told.chunks(FRAME_ENTRIES).try_for_each(|some| {
                some.iter().try_for_each(|envelope| log.deliver(id, envelope))?;
                log.commit()
            })
        });
        done.map(|()| rate(told.len(), took))
    };
    let mut raw = || write_and_sync(file, &entry, count);
    let [value, limit] = in_turns(rounds, [&mut ours, &mut raw])?;
    let row = Row::new("journal.turns.100", value, "entries/s").must(Must::AtLeast(5.0));
    Ok(row.beside("write and sync of each entry", limit))
}

impl Prepared {
    fn new(directory: &Path, syncs: usize) -> Result<Self, Fault> {
        let (job, mut log) = (JobLife::new(1, 4), Log::begin(directory)?);
        for envelope in job.bring_up() {
            log.deliver(job.id(), &envelope)?;
        }
        log.commit()?;
        let mut prepared = Self { job, log, number: 0, syncs, entry: Vec::new() };
        let told = prepared.messages(1);
        let shard = prepared.log.shard(prepared.job.id());
        for envelope in &told {
            shard.deliver(envelope, None, crate::population::NOW).map_err(|error| error.to_string())?;
        }
        let frame = shard.take_frame().ok_or_else(|| "a turn made no frame".to_owned())?;
        for entry in shard.committed().entries {
            encode_entry(&entry, &mut prepared.entry);
        }
        append(&mut prepared.log.journal, &[frame])?;
        Ok(prepared)
    }

    fn messages(&mut self, count: usize) -> Vec<Envelope> {
        let first = self.number;
        self.number += count as u64;
        (first..self.number).map(|number| self.job.turn(number)).collect()
    }

    /// So many frames of so many entries each, in their chain. All of them must go into the journal, in this order.
    fn frames(&mut self, size: usize, count: usize) -> Result<Vec<Vec<u8>>, String> {
        let told = self.messages(size * count);
        let id = self.job.id();
        let mut frames = Vec::with_capacity(count);
        for some in told.chunks(size) {
            some.iter().try_for_each(|envelope| self.log.deliver(id, envelope))?;
            frames.extend(self.log.shard(id).take_frame());
            drop(self.log.shard(id).committed());
        }
        Ok(frames)
    }

    /// How many frames of so many entries a second become durable.
    fn appends(&mut self, size: usize) -> Result<f64, String> {
        let frames = self.frames(size, self.syncs)?;
        let journal = &mut self.log.journal;
        let (done, took) = timed(|| frames.iter().try_for_each(|frame| append(journal, std::slice::from_ref(frame))));
        done.map(|()| rate(frames.len(), took))
    }
}

/// How often a second these bytes are written and synced.
fn write_and_sync(file: &mut File, bytes: &[u8], count: usize) -> Result<f64, String> {
    let (done, took) = timed(|| (0..count).try_for_each(|_| file.write_all(bytes).and_then(|()| file.sync_data())));
    done.map(|()| rate(count, took)).map_err(failed("cannot write and sync a file"))
}
