//! `sim`: scenarios tried in made-up worlds. Seeds are run in `sim/seeds.rs`, and told of in `sim/report.rs`.

mod arguments;
mod blast;
mod diff;
mod explain;
mod interrupt;
mod live;
mod page;
mod progress;
mod replay;
mod report;
mod search;
mod seeds;
mod shrink;
mod step;
mod subject;
mod trace;
mod whatif;

pub(super) use arguments::SimCommand;
pub(in crate::command) use blast::SimBlast;
pub(in crate::command) use replay::SimReplay;
pub(in crate::command) use whatif::SimWhatif;

use super::fault::Fault;
use super::show::{Show, table};
use crate::driver::{Durable, write_whole};
use arguments::SimRun;
use messages::api::{EXIT_DONE, EXIT_REFUSED};
use report::Report;
use seeds::Seeds;
use serde::Serialize;
use simulator::scenario::{self, Scenario};
use std::io::Read;

/// How many seeds are run when nothing is said.
const SEEDS: u64 = 100;
/// A longer file is no scenario, in bytes.
const SCENARIO_BYTES_MAX: u64 = 4 << 20;
/// A name this much like another may have been meant.
const MEANT_MIN: f64 = 0.7;

/// `orrery sim`
pub(super) fn sim(show: Show, command: &SimCommand) -> Result<u8, Fault> {
    match command {
        SimCommand::List => list(show),
        SimCommand::Run(run) if run.plan.is_some() => subject::run(show, run),
        SimCommand::Run(run) => self::run(show, run),
        SimCommand::Replay(arguments) => replay::replay(show, arguments),
        SimCommand::Whatif(arguments) => whatif::whatif(show, arguments),
        SimCommand::Blast(arguments) => blast::blast(show, arguments),
        SimCommand::Search(search) => search::search(show, search),
        SimCommand::Explain(explain) => explain::explain(show, explain),
        SimCommand::Trace(asked) => trace::trace(show, asked),
        SimCommand::Live(live) => live::live(show, live),
        SimCommand::Program(program) => live::program(program),
        SimCommand::Step(step) => step::step(show, step),
        SimCommand::Diff(diff) => diff::diff(show, diff),
        SimCommand::Shrink(shrink) => shrink::shrink(show, shrink),
    }
}

/// A scenario in the list.
#[derive(Serialize)]
struct Listed {
    name: String,
    about: String,
}

fn list(show: Show) -> Result<u8, Fault> {
    let listed = |(name, text): &(&str, &str)| {
        let Scenario { name, about, .. } = read(text, name)?;
        Ok(Listed { name, about })
    };
    let listed: Vec<Listed> = scenario::OWN.iter().map(listed).collect::<Result<_, Fault>>()?;
    show.answer(&listed, |listed| {
        let rows: Vec<_> = listed.iter().map(|one| vec![one.name.clone(), one.about.clone()]).collect();
        table(&["SCENARIO", "WHAT GOES ON"], &rows)
    });
    Ok(EXIT_DONE)
}

fn run(show: Show, run: &SimRun) -> Result<u8, Fault> {
    let count = run.seeds.unwrap_or(if run.trace || run.report.is_some() { 1 } else { SEEDS });
    if run.trace && count != 1 {
        return Err(Fault::Misuse("--trace shows one seed: say which with --from, and leave out --seeds".into()));
    }
    if run.from.checked_add(count).is_none() {
        return Err(Fault::Misuse(format!("there are no {count} seeds from {} on", run.from)));
    }
    if run.report.is_some() && (count != 1 || run.scenarios.len() != 1 || run.scenarios == ["all"]) {
        let misuse =
            "--report draws one seed of one scenario: name it, say which seed with --from, and leave out --seeds";
        return Err(Fault::Misuse(misuse.into()));
    }
    let scenarios = load_all(&run.scenarios)?;
    let seeds = Seeds { from: run.from, count, jobs: run.jobs, twice: !run.once, trace: run.trace };
    let mut reports = Vec::new();
    for (name, scenario) in &scenarios {
        let outcome = match &run.report {
            Some(page) => page::outcome(name, scenario, page, run)?,
            None => seeds.run(scenario, show),
        };
        let report = Report::of(name, scenario, &seeds, outcome);
        if show.json {
            report.line(show);
        }
        reports.push(report);
    }
    if !show.json {
        let drawn = run.report.as_ref().map(|page| format!("drawn in {}\n", page.display()));
        show.text(&(report::text(&reports) + &drawn.unwrap_or_default()));
    }
    Ok(if reports.iter().all(Report::passed) { EXIT_DONE } else { EXIT_REFUSED })
}

/// The scenarios of these names or in these files, or all that come with Orrery. All are read before the first is run,
/// which may take long.
fn load_all(names: &[String]) -> Result<Vec<(&str, Scenario)>, Fault> {
    let all = names.is_empty() || names == ["all"];
    let names: Vec<&str> = if all {
        scenario::OWN.iter().map(|(name, _)| *name).collect()
    } else {
        names.iter().map(String::as_str).collect()
    };
    names.into_iter().map(|name| load(name).map(|scenario| (name, scenario))).collect()
}

/// The scenario of this name, or in this file.
fn load(name: &str) -> Result<Scenario, Fault> {
    if let Some(text) = scenario::own(name) {
        return read(text, name);
    }
    let file = std::path::Path::new(name);
    let is_name = !file.exists() && !name.contains('/') && !name.contains('.');
    if is_name {
        return Err(Fault::Misuse(format!("there is no scenario {name:?}{}", meant(name))));
    }
    read(&text_of(name, SCENARIO_BYTES_MAX)?, name)
}

/// The text of a file that is not too long.
fn text_of(name: &str, bytes_max: u64) -> Result<String, Fault> {
    let unreadable = |why: String| Fault::Unreachable(format!("cannot read {name}: {why}"));
    let mut text = String::new();
    let open = std::fs::File::open(name).map_err(|error| unreadable(error.to_string()))?;
    open.take(bytes_max + 1).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > bytes_max {
        return Err(unreadable(format!("it is longer than {bytes_max} bytes")));
    }
    Ok(text)
}

/// Writes a file whole or not at all, and says what could not be written. What is no plain file is written to as it is.
fn write(path: &std::path::Path, text: &str) -> Result<(), Fault> {
    let unwritable = |error: std::io::Error| Fault::Unreachable(format!("cannot write {}: {error}", path.display()));
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(unwritable)?;
    }
    if std::fs::metadata(path).is_ok_and(|known| !known.is_file()) {
        return std::fs::write(path, text).map_err(unwritable);
    }
    write_whole(path, text.as_bytes(), Durable::No).map_err(unwritable)
}

fn read(text: &str, name: &str) -> Result<Scenario, Fault> {
    scenario::read(text, name).map_err(|faults| {
        let lines: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        Fault::Misuse(format!("the scenario {name} makes no sense{lines}"))
    })
}

/// What was probably meant, or where to look.
fn meant(name: &str) -> String {
    let alike = |known: &str| strsim::jaro_winkler(name, known);
    let nearest =
        scenario::OWN.iter().map(|(known, _)| *known).max_by(|one, other| alike(one).total_cmp(&alike(other)));
    match nearest.filter(|nearest| alike(nearest) >= MEANT_MIN) {
        Some(nearest) => format!("; did you mean {nearest:?}?"),
        None => ": give a file, or a name from `orrery sim list`".into(),
    }
}
