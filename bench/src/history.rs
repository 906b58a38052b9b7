//! Logs in the simulator: a made-up day taken again byte for byte by `orrery sim replay --verify`, and 48 what-ifs over it.

use crate::log::{append, open};
use crate::rounds::{in_turns, timed};
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting, failed};
use actors::ports::Position;
use messages::time::Span;
use serde_json::Value;
use simulator::history::change::{self, Change};
use simulator::history::day::Day;
use simulator::history::moment::{Moment, Reader, When};
use simulator::history::whatif::{Run, compare, prepare};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// What must be reached, as the row's peer.
const PEER: &str = "must";
const VERIFY_MUST: f64 = 1_000_000.0;
/// 48 what-ifs over a day of ten thousand nodes: this many seconds.
const WHATIFS_MUST: f64 = 600.0;
const WHATIFS: u64 = 48;
/// Frames of one batch.
const BATCH: usize = 1_000;

/// A day of a hundred nodes.
const DAY: Day = Day {
    nodes: 100,
    jobs: 100,
    instances: 10,
    length: Span::seconds(24 * 3_600),
    scalings: 4_000,
    deaths: 8_000,
    crashes: 20,
    seed: 7,
};

/// Takes the day again, and runs it on with changes.
///
/// # Errors
/// When the disk does not allow it, or an entry comes out otherwise.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let frames = reduced(setting).frames();
    let verified = verified(setting, &frames)?;
    let took = some_whatifs(&frames, WHATIFS)?.all(WHATIFS, WHATIFS);
    let rows = vec![
        Row::new("history.verify", verified, "events/s").must(Must::AtLeast(1.0)).beside(PEER, VERIFY_MUST),
        Row::new("history.whatif_100_nodes", took, "s / 48").must(Must::AtMost(1.0)).beside(PEER, WHATIFS_MUST),
    ];
    Ok(Report { rows, faults: Vec::new() })
}

/// The day, with less going on where it must be quick.
pub const fn reduced(setting: &Setting) -> Day {
    let part = setting.count(1, 10) as u64;
    Day { scalings: DAY.scalings / part, deaths: DAY.deaths / part, ..DAY }
}

/// Takes a day again: how many events a second.
///
/// # Errors
/// When the disk does not allow it, or an entry comes out otherwise.
pub fn verified(setting: &Setting, frames: &[(Position, Vec<u8>)]) -> Result<f64, Fault> {
    let directory = setting.directory()?;
    let path = directory.path().join("journal");
    let mut journal = open(&path)?;
    for batch in frames.chunks(BATCH) {
        let frames: Vec<Vec<u8>> = batch.iter().map(|(_, bytes)| bytes.clone()).collect();
        append(&mut journal, &frames)?;
    }
    drop(journal);
    let mut verifying = || verify(setting, &path);
    let [verified] = in_turns(setting.count(5, 2), [&mut verifying])?;
    Ok(verified)
}

/// How many seconds what-ifs take: the control run, which there is once, and those that were run with a change.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    control: f64,
    changed: f64,
}

impl Took {
    /// What so many would take, of which some were run.
    pub fn all(self, run: u64, count: u64) -> f64 {
        self.control + self.changed * count as f64 / run as f64
    }
}

/// How many seconds so many what-ifs over a day take, on all processors.
///
/// # Errors
/// When a run does not come to its end, or changes nothing.
pub fn some_whatifs(frames: &[(Position, Vec<u8>)], count: u64) -> Result<Took, Fault> {
    let moment = moment(frames)?;
    let (control, alone) = timed(|| prepare(&moment, &Change::default()).map(|run| run.to(moment.until)));
    let control = control.map_err(wrong)?;
    let (run, took) = timed(|| whatifs(&moment, &control, count));
    run?;
    Ok(Took { control: alone.as_secs_f64(), changed: took.as_secs_f64() })
}

fn wrong(faults: Vec<(usize, String)>) -> String {
    faults.into_iter().map(|(_, told)| told).collect()
}

/// The rate that `orrery sim replay --verify` tells of itself, opening and reading included.
fn verify(setting: &Setting, path: &Path) -> Result<f64, String> {
    let orrery = setting.build.join("orrery");
    let mut command = Command::new(&orrery);
    command.args(["sim", "replay", "--verify", "--json"]).arg(path);
    let output = command.output().map_err(failed(orrery.display()))?;
    let told: Value = serde_json::from_slice(&output.stdout).map_err(failed("orrery sim replay"))?;
    match (told["verdict"].as_str(), told["events_per_second"].as_f64()) {
        (Some("same"), Some(rate)) => Ok(rate),
        _ => Err(format!("the day does not come out the same: {told}")),
    }
}

fn moment(frames: &[(Position, Vec<u8>)]) -> Result<Moment, String> {
    let mut reader = Reader::new(When::Frame(Position(0)), None, 1);
    for (position, bytes) in frames {
        reader.frame(*position, bytes)?;
    }
    reader.finish()
}

/// So many days each with a node fewer, on all processors, held against the control run. Only nodes on which
/// something was placed are taken away, since without any other the day is what it was; once each of them was, they
/// are taken away later.
fn whatifs(moment: &Moment, control: &Run, count: u64) -> Result<(), String> {
    let used: BTreeSet<&str> = moment.recorded.placements.values().map(String::as_str).collect();
    let used: Vec<&str> = used.into_iter().collect();
    if used.is_empty() {
        return Err("nothing was placed".into());
    }
    let next = AtomicU64::new(0);
    let one = |number: u64| -> Result<(), String> {
        let (node, minutes) = (used[number as usize % used.len()], 10 * (1 + number / used.len() as u64));
        let text = format!("[[remove]]\nnode = \"{node}\"\nat = \"{minutes}m\"\n");
        let change = change::read(&text, "bench", &|name| Err(name.into())).map_err(|faults| format!("{faults:?}"))?;
        let changed = prepare(moment, &change).map_err(wrong)?.to(moment.until);
        let report = compare(moment, control, &changed);
        let changed = report.whole && report.placements_different.0 > 0;
        if changed { Ok(()) } else { Err(format!("nothing changed without {node} from {minutes} minutes on")) }
    };
    std::thread::scope(|scope| {
        let work = || {
            let mine = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            mine.take_while(|number| *number < count).try_for_each(one)
        };
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        let ends = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err("a run panicked".into())));
        ends.collect::<Result<(), String>>()
    })
}
