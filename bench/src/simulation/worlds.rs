//! Worlds large and small: how fast they run, what they take, and whether they come to the same again.

use super::{CORES, least, most, on_cores};
use crate::rounds::processor_time;
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
/// Seconds of an hour.
const HOUR: u64 = 3_600;
/// How long instances last so that a million start in a day, with one on each machine, in seconds.
const LASTS: (u64, u64) = (432, 1_296);
/// Every happening is played.
const AWAKE: Knobs = Knobs { store: Store::Wheel, rest: false };
/// Machines that have nothing to do but beat are not.
pub const RESTING: Knobs = Knobs { store: Store::Wheel, rest: true };
const SMALL: &str = include_str!("small.toml");

/// A world that ran, or a part of its time.
pub struct Ran {
    /// Processor time, in seconds.
    pub took: f64,
    /// Happenings.
    pub events: f64,
    /// Instances that were started.
    pub starts: f64,
}

/// Runs a world.
///
/// # Errors
/// When an invariant does not hold.
pub fn run(plan: &Plan, knobs: Knobs) -> Result<Ran, Fault> {
    let begun = processor_time();
    let verdict = simulator::run_with(plan, knobs);
    let took = processor_time() - begun;
    if let Some(found) = verdict.violations.first() {
        return Err(Fault::Failed(format!("{}: {}: {}", plan.scenario, found.signature, found.message)));
    }
    Ok(Ran { took, events: verdict.events as f64, starts: verdict.statistics.starts as f64 })
}

/// Ten thousand machines, or fewer where it must be quick.
const fn fewer(setting: &Setting) -> u32 {
    if setting.quick { MANY / 20 } else { MANY }
}

/// What so many seconds more take of a world that has run for a while, in which all has joined and was started.
fn further(world: impl Fn(u64) -> Big, first: u64, more: u64, knobs: Knobs) -> Result<Ran, Fault> {
    let (begun, whole) = (run(&world(first).plan(1), knobs)?, run(&world(first + more).plan(1), knobs)?);
    let (took, events, starts) = (whole.took - begun.took, whole.events - begun.events, whole.starts - begun.starts);
    match took > 0.0 {
        true => Ok(Ran { took, events, starts }),
        false => Err(Fault::Failed(format!("{more} s more of a world take no time that can be measured"))),
    }
}

/// Worlds of thousands of machines, each on one core.
pub fn large(setting: &Setting, report: &mut Report) -> Result<(), Fault> {
    let rows = &mut report.rows;
    // Later than the first runs end, so that there are starts in it.
    let (first, more) = (600, 600);
    let machines = fewer(setting);
    let busy = |seconds| Big::busy(machines, seconds, LASTS);
    let (played, passed) = (further(busy, first, more, AWAKE)?, further(busy, first, more, RESTING)?);
    let (passed, starts) = (passed.rate(), played.starts);
    let both = format!(
        "{machines} nodes, all invariants on, {starts} starts; {passed:.0} a second where quiet beats are passed over"
    );
    rows.push(least("simulation.events", played.rate(), "events/s", 1.5e6, 4e6).note(&both));
    rows.push(least("simulation.checked", played.rate(), "events/s", 1e6, 3e6).note(both));

    let idle = run(&Big::idle(MANY, HOUR).plan(1), RESTING)?;
    rows.push(least("simulation.hours", f64::from(MANY) / idle.took, "node-hours/s", 2e3, 2e4));
    day(setting, rows)?;

    let machines = if setting.quick { MANY } else { MOST };
    let hour = run(&Big::idle(machines, HOUR).plan(1), RESTING)?.took * f64::from(MOST / machines);
    let from = format!("{machines} nodes for an hour");
    rows.push(most("simulation.most", hour, "s", 60.0, 20.0).note(&from));
    rows.push(most("simulation.most.memory", peak()? / f64::from(1 << 30), "GiB", 8.0, 8.0).note(from));
    Ok(())
}

/// A part of a day, taken as often as it is in a day. It is later than the first snapshot, so that no more of the log is
/// kept at its end than at its beginning.
fn day(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let (first, part) = (setting.count(1_860, 600) as u64, setting.count(1_800, 600) as u64);
    let machines = fewer(setting);
    let faults = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX);
    let day = |seconds| Big::busy(machines, seconds, LASTS).troubled(faults(seconds / 10), faults(seconds / 900));
    let ran = further(day, first, part, RESTING)?;
    let parts = 24.0 * HOUR as f64 / part as f64 * f64::from(MANY / machines);
    let each = ran.took * 1e6 / ran.starts.max(1.0);
    let starts = ran.starts * parts;
    let note = format!("from {part} s of it with {machines} nodes; {starts:.0} starts in a day, {each:.0} us each");
    rows.push(most("simulation.day", ran.took * parts, "s", 120.0, 15.0).note(note));
    Ok(())
}

/// Worlds of five machines and forty faults.
pub fn small(setting: &Setting, report: &mut Report) -> Result<(), Fault> {
    let (scenario, rows) = (small_scenario()?, &mut report.rows);
    let seeds: Vec<u64> = (0..setting.count(2_000, 40) as u64).collect();
    let begun = processor_time();
    let passed = on_cores(&seeds, |seed| simulator::run(&simulator::plan(&scenario, *seed)).passed());
    // Each of the cores works for itself, so two of them take half of the processor time.
    let took = (processor_time() - begun) / CORES as f64;
    rows.push(least("simulation.seeds", seeds.len() as f64 * 60.0 / took, "seeds/min", 1e4, 3e4));
    let failed = passed.iter().filter(|passed| !**passed).count();
    rows.push(Row::new("simulation.seeds.failed", failed as f64, "seeds").must(Must::Zero));
    Ok(())
}

fn small_scenario() -> Result<Scenario, Fault> {
    let told = |faults: Vec<_>| faults.iter().map(|fault| format!("{fault}\n")).collect::<String>();
    Ok(scenario::read(SMALL, "small.toml").map_err(told)?)
}

/// The same worlds twice, in two ways.
pub fn pairs(setting: &Setting, report: &mut Report) -> Result<(), Fault> {
    let (scenario, rows) = (small_scenario()?, &mut report.rows);
    let pairs: Vec<u64> = (0..setting.count(100_000, 15) as u64).collect();
    let differ = on_cores(&pairs, |seed| differs(&scenario, *seed)).into_iter().filter(|differs| *differs).count();
    let note = "a heap and every beat, beside a wheel and rest";
    rows.push(least("simulation.pairs", pairs.len() as f64, "pairs", 1e5, 1e6).note(note));
    rows.push(Row::new("simulation.pairs.differ", differ as f64, "pairs").must(Must::Zero));
    Ok(())
}

/// Whether a seed comes to something else with a heap and without rest than with a wheel and rest.
fn differs(scenario: &Scenario, seed: u64) -> bool {
    let plan = simulator::plan(scenario, seed);
    let one = simulator::run_with(&plan, Knobs { store: Store::Heap, rest: false });
    one != simulator::run_with(&plan, RESTING)
}

impl Ran {
    fn rate(&self) -> f64 {
        self.events / self.took
    }
}

/// The most memory that this process ever had, in bytes.
fn peak() -> Result<f64, Fault> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.map(|kibibytes| kibibytes * 1_024.0).ok_or_else(|| Fault::Failed("the peak of memory is not told".into()))
}
