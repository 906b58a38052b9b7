//! The log read back: checked when it is opened, then folded into every actor's state, beside reading the same bytes.

use crate::log::{Log, open, read};
use crate::population::JobLife;
use crate::rounds::{in_turns, rate, timed};
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting, failed};
use actors::fold::Fold;
use messages::frame;
use std::fs;
use std::path::Path;

const PEER: &str = "read of the same bytes";
/// Jobs in the log.
const JOBS: u64 = 500;
/// Entries of one commit, over all shards.
const COMMIT_ENTRIES: usize = 5_000;
/// Opening and folding may be so much slower than reading: they check sums and chains, decode and apply.
const OPEN_SHARE_MIN: f64 = 0.005;
const FOLD_SHARE_MIN: f64 = 0.001;

/// Writes a log, then opens and folds it.
///
/// # Errors
/// When the disk does not allow it, or the log does not come back.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let directory = setting.directory()?;
    let path = directory.path().join("journal");
    let entries = write(&path, setting.count(200_000, 20_000))?;
    let mut opening = || {
        let (journal, took) = timed(|| open(&path));
        journal.map(|_| rate(entries, took))
    };
    let mut folding = || {
        let mut journal = open(&path)?;
        let (folded, took) = timed(|| {
            let mut fold = Fold::default();
            read(&mut journal, |position, bytes| {
                let (_, some) = frame::decode(bytes).map_err(|error| error.to_string())?;
                some.iter().try_for_each(|entry| fold.apply(entry, position)).map_err(|error| error.to_string())
            })?;
            Ok::<_, String>(fold)
        });
        let folded = folded?.entries();
        if folded != entries as u64 {
            return Err(format!("{entries} entries were written and {folded} folded"));
        }
        Ok(rate(entries, took))
    };
    let mut raw = || {
        let (bytes, took) = timed(|| read_all(&path));
        bytes.map(|_| rate(entries, took))
    };
    let rounds = setting.count(7, 3);
    let [opened, folded, limit] = in_turns(rounds, [&mut opening, &mut folding, &mut raw])?;
    let row = |name, value, share| Row::new(name, value, "entries/s").must(Must::AtLeast(share)).beside(PEER, limit);
    let rows = vec![row("fold.open", opened, OPEN_SHARE_MIN), row("fold.apply", folded, FOLD_SHARE_MIN)];
    Ok(Report { rows, faults: Vec::new() })
}

/// Writes a log of at least so many entries, and says how many it has.
fn write(path: &Path, count: usize) -> Result<usize, String> {
    let mut log = Log::begin(path)?;
    let lives: Vec<JobLife> = (0..JOBS).map(|number| JobLife::new(number, 4)).collect();
    let mut written = 0;
    for life in &lives {
        for envelope in life.bring_up() {
            log.deliver(life.id(), &envelope)?;
            written += 1;
        }
    }
    log.commit()?;
    let mut turn = 0;
    while written < count {
        for _ in 0..COMMIT_ENTRIES / lives.len() {
            for life in &lives {
                log.deliver(life.id(), &life.turn(turn))?;
                written += 1;
            }
            turn += 1;
        }
        log.commit()?;
    }
    Ok(written)
}

fn read_all(path: &Path) -> Result<usize, String> {
    let files = fs::read_dir(path).map_err(failed(path.display()))?;
    let mut length = 0;
    for file in files {
        let file = file.map_err(failed(path.display()))?.path();
        let bytes = fs::read(&file).map_err(failed(file.display()))?;
        length += std::hint::black_box(bytes).len();
    }
    Ok(length)
}
