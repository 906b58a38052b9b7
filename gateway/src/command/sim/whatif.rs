//! `sim whatif`: a recorded log run on from a moment, without and with a change, and where the two part.

use super::progress::Progress;
use crate::command::fault::Fault;
use crate::command::show::{Show, table};
use crate::host::Recording;
use actors::ports::Position;
use messages::api::{EXIT_DONE, EXIT_REFUSED};
use messages::time::{Span, Timestamp};
use simulator::history::change::{self, Change};
use simulator::history::heat::brief;
use simulator::history::moment::{Moment, Reader, When};
use simulator::history::report::{Below, Counted, Ended, Fidelity, Moved, Report, Waits};
use simulator::history::whatif::{Run, compare, prepare};
use simulator::text::TextFault;
use std::path::{Path, PathBuf};

/// A longer file is no change, in bytes.
const CHANGE_BYTES_MAX: u64 = 4 << 20;
/// So many rows of a kind are shown to people.
const SHOWN_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(in crate::command) struct SimWhatif {
    #[command(flatten)]
    pub stretch: Stretch,
    /// What is changed, in TOML; without one, only the control run is held against the record
    #[arg(long, value_name = "FILE")]
    pub change: Option<PathBuf>,
}

/// Which log, and which part of it.
#[derive(Debug, clap::Args)]
pub(in crate::command) struct Stretch {
    /// A data directory of `orrery up`, also while it runs, or a file made with `orrery log --export`
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// From this time (2026-01-31T09:30:00Z) or this position of the log on [default: its beginning]
    #[arg(long, value_name = "TIME|POSITION")]
    pub from: Option<String>,
    /// Until then [default: the end of the log]
    #[arg(long, value_name = "TIME|POSITION")]
    pub until: Option<String>,
    /// The seed of what nothing recorded gives
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
}

/// `orrery sim whatif`
pub(super) fn whatif(show: Show, arguments: &SimWhatif) -> Result<u8, Fault> {
    let file = arguments.change.as_deref();
    let name = file.map(|file| file.display().to_string()).unwrap_or_default();
    let text = file.map(|_| super::text_of(&name, CHANGE_BYTES_MAX)).transpose()?.unwrap_or_default();
    let change = parse(&text, &name, file)?;
    let mut progress = Progress::new(false);
    let moment = arguments.stretch.read(&mut progress)?;
    let impossible = |faults: Vec<(usize, String)>| {
        let faults = faults.into_iter().map(|(place, message)| TextFault::at(&name, &text, place, message));
        senseless(&name, &faults.collect::<Vec<_>>())
    };
    let control = prepare(&moment, &Change::default()).map_err(impossible)?;
    let changed = prepare(&moment, &change).map_err(impossible)?;
    let (control, changed) = std::thread::scope(|scope| {
        let other = scope.spawn(|| on(control, &moment, None));
        let changed = on(changed, &moment, Some(&mut progress));
        (other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), changed)
    });
    progress.clear();
    let report = compare(&moment, &control, &changed);
    show.answer(&report, |report| text_of(report, file.is_some()));
    Ok(if report.whole { EXIT_DONE } else { EXIT_REFUSED })
}

/// Runs to the end in steps, and says how far it is.
fn on(run: Run, moment: &Moment, mut progress: Option<&mut Progress>) -> Run {
    const STEPS: u64 = 200;
    let (from, until) = (moment.beginning.at, moment.until);
    let length = until.since(from).0;
    let mut run = run;
    for step in 1..STEPS {
        let at = from.after(Span(length / STEPS * step));
        if !run.world.run(at) {
            break;
        }
        let events = run.world.events();
        if let Some(progress) = &mut progress {
            progress.tell(|| format!("at {at}, {events} happenings, {} percent", step * 100 / STEPS));
        }
    }
    run.to(until)
}

impl Stretch {
    /// Reads the log, and stops for the moment.
    pub(super) fn read(&self, progress: &mut Progress) -> Result<Moment, Fault> {
        let from = self.from.as_deref().map_or(Ok(When::Frame(Position(0))), |text| when("--from", text))?;
        let until = self.until.as_deref().map(|text| when("--until", text)).transpose()?;
        let mut recording = Recording::open(&self.log).map_err(Fault::Unreachable)?;
        let mut reader = Reader::new(from, until, self.seed);
        recording.cells().map_err(Fault::Unreachable)?.into_iter().for_each(|cell| reader.insert(cell));
        let mut frames = 0_u64;
        recording
            .each(|position, bytes| {
                frames += 1;
                progress.tell(|| format!("{frames} frames read"));
                reader.frame(position, bytes)
            })
            .map_err(Fault::Unreachable)?;
        reader.finish().map_err(|trouble| Fault::Misuse(format!("{}: {trouble}", self.log.display())))
    }
}

fn when(option: &str, text: &str) -> Result<When, Fault> {
    if let Ok(position) = text.parse() {
        return Ok(When::Frame(Position(position)));
    }
    let moment = text.parse::<Timestamp>().map(When::Time);
    moment.map_err(|_| {
        Fault::Misuse(format!(
            "{option} {text:?} is neither a time like 2026-01-31T09:30:00Z nor a position of the log like 1700"
        ))
    })
}

fn parse(text: &str, name: &str, file: Option<&Path>) -> Result<Change, Fault> {
    let beside = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let load = |named: &str| {
        let path = beside.join(named);
        std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    change::read(text, name, &load).map_err(|faults| senseless(name, &faults))
}

fn senseless(name: &str, faults: &[TextFault]) -> Fault {
    let lines: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    Fault::Misuse(format!("the change {name} makes no sense{lines}"))
}

fn text_of(report: &Report, changed: bool) -> String {
    let mut text = format!("from {} to {}\n\n", report.from, report.until);
    text += &fidelity(&report.fidelity);
    if !report.whole {
        text += "\nMore happened than can be right, and a run was given up before its end.\n";
    }
    if !changed {
        return text;
    }
    if report.same() {
        text += "\nThe change makes no difference.\n";
    }
    text += &summary(report);
    text += &section("Placements that differ", placements(&report.placements, report.placements_different.0));
    text += &section("Moves and ends", counted("WHAT", &report.departures));
    text += &section("Found no place", counted("JOB AND REASON", &report.unplaceable));
    text += &section("Claims refused by nodes", counted("REASON", &report.refused_claims));
    text += &section("Below the healthy minimum", below(&report.below));
    text += &section("Rollouts that end otherwise", ended("ROLLOUT", &report.rollouts));
    text += &section("Commands that end otherwise", ended("COMMAND", &report.commands));
    let own = report.own_commands.iter().map(|one| vec![one.action.clone(), one.outcome.clone()]);
    let own: Vec<Vec<String>> = own.collect();
    let own = if own.is_empty() { String::new() } else { table(&["COMMAND", "OUTCOME"], &own) };
    text + &section("The change's own commands", own)
}

fn section(title: &str, rows: String) -> String {
    if rows.is_empty() { rows } else { format!("\n{title}\n{rows}") }
}

fn fidelity(fidelity: &Fidelity) -> String {
    let Fidelity { placements_same, placements, commands_same, commands, rollouts_same, rollouts, .. } = fidelity;
    let mut text = format!(
        "Without the change the planned world repeats the record in {placements_same} of {placements} placements,\n\
         {commands_same} of {commands} commands and {rollouts_same} of {rollouts} rollouts ({} entries, {} recorded).\n",
        fidelity.entries_control, fidelity.entries_recorded
    );
    for line in fidelity.different.iter().take(SHOWN_MAX / 2) {
        text += &format!("  {line}\n");
    }
    let left = fidelity.different.len().saturating_sub(SHOWN_MAX / 2);
    if left > 0 {
        text += &format!("  … and {left} more, with --json\n");
    }
    text
}

fn hours(milli: u64) -> String {
    format!("{}.{:03}", milli / 1_000, milli % 1_000)
}

fn time(milliseconds: Option<u64>) -> String {
    milliseconds.map_or_else(|| "-".into(), brief)
}

fn summary(report: &Report) -> String {
    let (waits, cost) = (&report.waits, &report.cost);
    let dips = |pick: fn(&Below) -> u64| brief(report.below.iter().map(pick).sum());
    let of = |pick: fn(&Waits) -> String| (pick(&waits.0), pick(&waits.1));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, (control, changed): (String, String)| rows.push(vec![what.into(), control, changed]);
    row(
        "placements that differ",
        ("-".into(), format!("{} of {}", report.placements_different.0, report.placements_different.1)),
    );
    row("became healthy", of(|waits| waits.healthy.to_string()));
    row("never became healthy", of(|waits| waits.never.to_string()));
    row("wanted to healthy, p50", of(|waits| time(waits.p50)));
    row("wanted to healthy, p99", of(|waits| time(waits.p99)));
    row("jobs below their minimum, in all", (dips(|below| below.milliseconds.0), dips(|below| below.milliseconds.1)));
    row("node hours", (hours(cost.0.node_milli_hours), hours(cost.1.node_milli_hours)));
    row("cpu hours reserved", (hours(cost.0.cpu_milli_hours), hours(cost.1.cpu_milli_hours)));
    row("memory GiB hours reserved", (hours(cost.0.memory_gib_milli_hours), hours(cost.1.memory_gib_milli_hours)));
    format!("\n{}", table(&["", "CONTROL", "CHANGED"], &rows))
}

fn none() -> String {
    "-".into()
}

fn placements(moved: &[Moved], all: u64) -> String {
    if moved.is_empty() {
        return String::new();
    }
    let word = |place: &Option<String>| place.clone().unwrap_or_else(none);
    let rows =
        moved.iter().take(SHOWN_MAX).map(|one| vec![one.instance.clone(), word(&one.control), word(&one.changed)]);
    let mut text = table(&["INSTANCE", "CONTROL", "CHANGED"], &rows.collect::<Vec<_>>());
    let left = all.saturating_sub(SHOWN_MAX as u64);
    if left > 0 {
        text += &format!("… and {left} more, with --json\n");
    }
    text
}

/// Only what differs, with what was said of it.
fn counted(what: &str, counted: &[Counted]) -> String {
    let differing = counted.iter().filter(|one| one.control != one.changed);
    let rows: Vec<Vec<String>> = differing
        .map(|one| {
            vec![
                one.what.clone(),
                one.control.to_string(),
                one.changed.to_string(),
                one.said.clone().unwrap_or_default(),
            ]
        })
        .collect();
    if rows.is_empty() { String::new() } else { table(&[what, "CONTROL", "CHANGED", ""], &rows) }
}

fn below(below: &[Below]) -> String {
    let rows: Vec<Vec<String>> = below
        .iter()
        .map(|one| {
            let side = |milliseconds: u64, missing: u32| {
                if milliseconds == 0 && missing == 0 {
                    none()
                } else {
                    format!("{}, {missing} missing", brief(milliseconds))
                }
            };
            vec![one.job.clone(), side(one.milliseconds.0, one.missing.0), side(one.milliseconds.1, one.missing.1)]
        })
        .collect();
    if rows.is_empty() { String::new() } else { table(&["JOB", "CONTROL", "CHANGED"], &rows) }
}

fn ended(what: &str, ended: &[Ended]) -> String {
    let word = |end: &Option<String>| end.clone().unwrap_or_else(none);
    let rows: Vec<Vec<String>> = ended
        .iter()
        .take(SHOWN_MAX)
        .map(|one| vec![one.what.clone(), word(&one.control), word(&one.changed)])
        .collect();
    if rows.is_empty() { String::new() } else { table(&[what, "CONTROL", "CHANGED"], &rows) }
}
