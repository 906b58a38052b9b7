//! Logs: taken again byte for byte, and run on otherwise.

use super::{least, most};
use crate::history;
use crate::setting::{Fault, Report, Setting};
use messages::time::Span;
use simulator::history::day::Day;

/// Hours of a day, and how many what-ifs are asked for.
const HOURS: f64 = 24.0;
const WHATIFS: u64 = 48;

/// A part of a day of ten thousand nodes, with an instance on each, of which a million start in a day.
const PART: Day = Day {
    nodes: 10_000,
    jobs: 1_000,
    instances: 10,
    length: Span::seconds(3_600),
    scalings: 100,
    deaths: 41_000,
    crashes: 20,
    seed: 7,
};

/// Measures what is done with logs.
pub fn measure(setting: &Setting, report: &mut Report) -> Result<(), Fault> {
    let rows = &mut report.rows;
    let verified = history::verified(setting, &history::reduced(setting).frames())?;
    rows.push(least("simulation.verify", verified, "events/s", 1e6, 3e6).note("on both cores, reading included"));

    // Where it must be quick, fewer nodes, counted as often as they are in ten thousand.
    let few = setting.count(1, 20) as u64;
    let day = Day {
        nodes: PART.nodes / few,
        jobs: PART.jobs / few,
        scalings: PART.scalings / few,
        deaths: PART.deaths / few,
        crashes: PART.crashes / few,
        ..PART
    };
    let tried = setting.count(4, 2) as u64;
    let took = history::some_whatifs(&day.frames(), tried)?;
    let whole = took.all(tried, WHATIFS) * few as f64 * HOURS;
    let note = format!("from the control run and {tried} over an hour of {} nodes, on both cores", day.nodes);
    rows.push(most("simulation.whatifs", whole, "s / 48", 600.0, 120.0).note(note));
    Ok(())
}
