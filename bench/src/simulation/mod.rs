//! The simulator: how fast worlds run, how big they may be, and whether they come to the same again. The peer of each
//! row is what must be reached; what is aimed at stands beside it. None of it fails a run.

use crate::fold;
use crate::people::number;
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting};
use simulator::big::Big;
use simulator::plan::Plan;
use simulator::scenario::{self, Scenario};
use simulator::world::Knobs;
use simulator::world::queue::Store;
use std::fs;

/// Machines of the rows that say ten thousand, and of the one that says a hundred thousand.
const MANY: u32 = 10_000;
const MOST: u32 = 100_000;
/// Seconds of an hour, and hours of a day.
const HOUR: u64 = 3_600;
/// How long instances last so that a million start in a day, with one on each machine, in seconds.
const LASTS: (u64, u64) = (432, 1_296);
/// Threads of the rows that say two cores.
const CORES: u64 = 2;
const SMALL: &str = include_str!("small.toml");

/// Measures worlds large and small.
///
/// # Errors
/// When a world or the log does not come out as it must.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let mut rows = Vec::new();
    large(setting, &mut rows)?;
    small(setting, &mut rows)?;
    let verified = fold::verified(setting)?;
    rows.push(judged("simulation.verify", verified, "entries/s", 1e6, 3e6));
    Ok(Report { rows, faults: Vec::new() })
}

/// A row beside what must be reached and what is aimed at.
fn judged(name: &str, value: f64, unit: &'static str, must: f64, aim: f64) -> Row {
    Row::new(name, value, unit).beside(format!("must be; the aim is {}", number(aim)), must)
}

/// A world that ran.
struct Ran {
    /// Processor time, in seconds.
    took: f64,
    events: f64,
    starts: f64,
}

fn run(plan: &Plan, knobs: Knobs) -> Result<Ran, Fault> {
    let begun = processor_time();
    let verdict = simulator::run_with(plan, knobs);
    let took = processor_time() - begun;
    if let Some(found) = verdict.violations.first() {
        return Err(Fault::Failed(format!("{}: {}: {}", plan.scenario, found.signature, found.message)));
    }
    Ok(Ran { took, events: verdict.events as f64, starts: verdict.statistics.starts as f64 })
}

fn large(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let awake = Knobs { store: Store::Wheel, rest: false };
    let resting = Knobs { store: Store::Wheel, rest: true };
    let seconds = setting.count(120, 60) as u64;
    let beats = run(&Big::busy(MANY, seconds, LASTS).plan(1), awake)?;
    rows.push(judged("simulation.events", beats.events / beats.took, "events/s", 1.5e6, 4e6));
    rows.push(judged("simulation.checked", beats.events / beats.took, "events/s", 1e6, 3e6));

    let idle = run(&Big::idle(MANY, HOUR).plan(1), resting)?;
    rows.push(judged("simulation.hours", f64::from(MANY) / idle.took, "node-hours/s", 2e3, 2e4));

    // A part of a day, the joining and the first starts left out, and the rest taken as often as it is in a day.
    let (first, part) = (60, setting.count(1_800, 240) as u64);
    let faults = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX) / 10;
    let day = |seconds| Big::busy(MANY, seconds, LASTS).troubled(faults(seconds), 2).plan(1);
    let (begun, whole) = (run(&day(first), resting)?, run(&day(first + part), resting)?);
    let parts = (24 * HOUR - first) as f64 / part as f64;
    let scaled = |of: fn(&Ran) -> f64| of(&begun) + (of(&whole) - of(&begun)) * parts;
    rows.push(judged("simulation.day", scaled(|ran| ran.took), "s", 120.0, 15.0));
    rows.push(Row::new("simulation.day.starts", scaled(|ran| ran.starts), "starts"));

    let most = run(&Big::idle(if setting.quick { MANY } else { MOST }, HOUR).plan(1), resting)?;
    rows.push(judged("simulation.most", most.took, "s", 60.0, 20.0));
    rows.push(judged("simulation.most.memory", peak()? / f64::from(1 << 30), "GiB", 8.0, 8.0));
    Ok(())
}

fn small(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let scenario = scenario::read(SMALL, "small.toml")
        .map_err(|faults| faults.iter().map(|fault| format!("{fault}\n")).collect::<String>())?;
    let seeds = setting.count(2_000, 200) as u64;
    let begun = processor_time();
    let of_core = |core: u64| core..;
    let runs = spread(|core| {
        let mine = of_core(core).step_by(CORES as usize).take_while(|seed| *seed < seeds);
        mine.map(|seed| simulator::run(&simulator::plan(&scenario, seed))).filter(|verdict| !verdict.passed()).count()
    });
    let took = processor_time() - begun;
    // Each of the cores works for itself, so two of them take half of the processor time.
    rows.push(judged("simulation.seeds", seeds as f64 * 60.0 * CORES as f64 / took, "seeds/min", 1e4, 3e4));
    rows.push(Row::new("simulation.seeds.failed", runs as f64, "seeds").must(Must::Zero));

    let pairs = setting.count(2_000, 100) as u64;
    let mismatches = spread(|core| {
        let mine = of_core(core).step_by(CORES as usize).take_while(|seed| *seed < pairs);
        mine.filter(|seed| differs(&scenario, *seed)).count()
    });
    rows.push(judged("simulation.pairs", pairs as f64, "pairs", 1e5, 1e6));
    rows.push(Row::new("simulation.pairs.differ", mismatches as f64, "pairs").must(Must::Zero));
    Ok(())
}

/// Whether a seed comes to something else with a heap and without rest than with a wheel and rest.
fn differs(scenario: &Scenario, seed: u64) -> bool {
    let plan = simulator::plan(scenario, seed);
    let one = simulator::run_with(&plan, Knobs { store: Store::Heap, rest: false });
    one != simulator::run_with(&plan, Knobs { store: Store::Wheel, rest: true })
}

/// The sum over all cores of what each finds.
fn spread(work: impl Fn(u64) -> usize + Sync) -> usize {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..CORES).map(|core| scope.spawn(move || work(core))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
    })
}

/// Processor time of this process so far, in seconds: on a busy machine it says more than the clock on the wall.
fn processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory that this process ever had, in bytes.
fn peak() -> Result<f64, Fault> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kilobytes.ok_or_else(|| "/proc/self/status has no VmHWM".to_string())? * 1_024.0)
}
