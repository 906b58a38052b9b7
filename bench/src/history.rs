//! Logs in the simulator: a made-up day taken again byte for byte by `orrery sim replay --verify`, and 48 what-ifs over it.

use crate::log::{append, open};
use crate::rounds::{in_turns, timed};
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting, failed};
use messages::time::Span;
use serde_json::Value;
use simulator::history::change::{self, Change};
use simulator::history::day::Day;
use simulator::history::moment::{Moment, Reader, When};
use simulator::history::whatif::{compare, prepare};
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
    let part = setting.count(1, 10) as u64;
    let verified = verified(setting, part)?;
    let took = some_whatifs(&reduced(part), WHATIFS)?;
    let rows = vec![
        Row::new("history.verify", verified, "events/s").must(Must::AtLeast(1.0)).beside(PEER, VERIFY_MUST),
        Row::new("history.whatif_100_nodes", took, "s / 48").must(Must::AtMost(1.0)).beside(PEER, WHATIFS_MUST),
    ];
    Ok(Report { rows, faults: Vec::new() })
}

/// The day with less going on.
const fn reduced(part: u64) -> Day {
    Day { scalings: DAY.scalings / part, deaths: DAY.deaths / part, ..DAY }
}

/// Makes the day, or one with less going on, and takes it again: how many events a second.
///
/// # Errors
/// When the disk does not allow it, or an entry comes out otherwise.
pub fn verified(setting: &Setting, part: u64) -> Result<f64, Fault> {
    let directory = setting.directory()?;
    let path = directory.path().join("journal");
    let mut journal = open(&path)?;
    for batch in reduced(part).frames().chunks(BATCH) {
        let frames: Vec<Vec<u8>> = batch.iter().map(|(_, bytes)| bytes.clone()).collect();
        append(&mut journal, &frames)?;
    }
    drop(journal);
    let mut verifying = || verify(setting, &path);
    let [verified] = in_turns(setting.count(5, 2), [&mut verifying])?;
    Ok(verified)
}

/// How many seconds so many what-ifs over a day take, on all processors.
///
/// # Errors
/// When a run does not come to its end, or changes nothing.
pub fn some_whatifs(day: &Day, count: u64) -> Result<f64, Fault> {
    let moment = moment(&day.frames())?;
    let (run, took) = timed(|| whatifs(&moment, day.nodes, count));
    run?;
    Ok(took.as_secs_f64())
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

fn moment(frames: &[(actors::ports::Position, Vec<u8>)]) -> Result<Moment, String> {
    let mut reader = Reader::new(When::Frame(actors::ports::Position(0)), None, 1);
    for (position, bytes) in frames {
        reader.frame(*position, bytes)?;
    }
    reader.finish()
}

/// The control run, and so many days each with another node fewer, on all processors.
fn whatifs(moment: &Moment, nodes: u64, count: u64) -> Result<(), String> {
    let wrong = |faults: Vec<(usize, String)>| faults.into_iter().map(|(_, told)| told).collect::<String>();
    let control = prepare(moment, &Change::default()).map_err(wrong)?.to(moment.until);
    // A node on which nothing ever was makes no difference, but not all of them are such.
    let (next, differ) = (AtomicU64::new(0), AtomicU64::new(0));
    let one = |number: u64| -> Result<(), String> {
        let text = format!("[[remove]]\nnode = \"node-{}\"\nat = \"10m\"\n", number * 7 % nodes);
        let change = change::read(&text, "bench", &|name| Err(name.into())).map_err(|faults| format!("{faults:?}"))?;
        let changed = prepare(moment, &change).map_err(wrong)?.to(moment.until);
        let report = compare(moment, &control, &changed);
        differ.fetch_add(u64::from(report.placements_different.0 > 0), Ordering::Relaxed);
        if report.whole { Ok(()) } else { Err("a run was given up".into()) }
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
    })?;
    if differ.into_inner() > 0 { Ok(()) } else { Err("nothing changed".into()) }
}
