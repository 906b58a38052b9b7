//! Runs the seeds of a scenario on several processors, each seed twice, and says how far it is.

use crate::clock;
use crate::command::show::Show;
use serde::Serialize;
use simulator::scenario::Scenario;
use simulator::verdict::{Invariant, Statistics, Verdict, Violation};
use simulator::world::context::TraceLine;
use std::io::{IsTerminal, Write};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How often a terminal is told how far it is.
const TERMINAL_EVERY: Duration = Duration::from_millis(200);
/// How often anything else is told.
const LINES_EVERY: Duration = Duration::from_secs(10);

/// Which seeds are run, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeds {
    /// The first.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// How many at a time.
    pub jobs: Option<u16>,
    /// Whether each is run again, to compare.
    pub twice: bool,
    /// Whether a line is shown for everything that happens.
    pub trace: bool,
}

/// What came of all seeds, in their order, and how long it took.
pub(super) struct Outcome {
    /// A verdict for each seed.
    pub verdicts: Vec<Verdict>,
    /// How long it took.
    pub wall: Duration,
}

impl Seeds {
    /// Runs the seeds of a scenario.
    pub fn run(&self, scenario: &Scenario, show: Show) -> Outcome {
        let begun = clock::monotonic();
        let jobs = self.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get), usize::from);
        let next = AtomicU64::new(0);
        let mut verdicts = std::thread::scope(|scope| {
            let (sender, receiver) = channel();
            for _ in 0..jobs {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    let mine = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                    for index in mine.take_while(|index| *index < self.count) {
                        if sender.send(self.one(scenario, self.from + index, show)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            self.gather(scenario, &receiver)
        });
        verdicts.sort_by_key(|verdict| verdict.seed);
        Outcome { verdicts, wall: Duration::from_micros(clock::monotonic().since(begun).0) }
    }

    /// Takes in verdicts until there are no more, and says how far it is.
    fn gather(&self, scenario: &Scenario, receiver: &Receiver<Verdict>) -> Vec<Verdict> {
        let mut progress = Progress::new(self.trace);
        let (mut verdicts, mut failed) = (Vec::new(), 0_u64);
        loop {
            match receiver.recv_timeout(progress.every) {
                Ok(verdict) => {
                    failed += u64::from(!verdict.passed());
                    verdicts.push(verdict);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress.tell(|| format!("{}: {} of {} seeds, {failed} failed", scenario.name, verdicts.len(), self.count));
        }
        progress.clear();
        verdicts
    }

    fn one(&self, scenario: &Scenario, seed: u64, show: Show) -> Verdict {
        let mut first = attempt(scenario, seed, self.trace.then_some(show));
        if self.twice {
            let second = attempt(scenario, seed, None);
            if first != second {
                let message = format!("log hash {}, then {}", first.log_hash, second.log_hash);
                first.violations.push(violation(Invariant::Repeats, "a second run comes out otherwise", message));
            }
        }
        first
    }
}

/// Runs one seed. A run that panics has failed, and the others go on.
fn attempt(scenario: &Scenario, seed: u64, trace: Option<Show>) -> Verdict {
    let plan = simulator::plan(scenario, seed);
    let run = || match trace {
        Some(show) => {
            plan.faults.iter().for_each(|fault| tell_fault(fault, show));
            simulator::run_observed(&plan, |line| tell(line, show))
        }
        None => simulator::run(&plan),
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
        Verdict {
            scenario: scenario.name.clone(),
            seed,
            plan_hash: plan.hash(),
            events: 0,
            log_hash: String::new(),
            violations: vec![violation(Invariant::Panics, "the run panics", said.to_owned())],
            statistics: Statistics::default(),
            marks: std::collections::BTreeMap::new(),
        }
    })
}

fn violation(invariant: Invariant, signature: &str, message: String) -> Violation {
    Violation { invariant, signature: signature.into(), message, at: 0, entries: 0 }
}

/// A line of a trace, for programs.
#[derive(Serialize)]
struct Traced<'a> {
    at: u64,
    actor: &'a str,
    what: &'a str,
}

fn tell(line: &TraceLine, show: Show) {
    if show.json {
        show.line(&Traced { at: line.at, actor: &line.actor, what: &line.what });
    } else {
        show.text(&format!("{:>12} {:<48} {}\n", line.at, line.actor, line.what));
    }
}

fn tell_fault(fault: &simulator::plan::Fault, show: Show) {
    let what = format!("{:?} of {} {} for {}us", fault.trouble, fault.target, fault.when, fault.lasts);
    tell(&TraceLine { at: fault.when.earliest(), actor: "plan".into(), what }, show);
}

/// What is said on standard error while it takes long.
pub(super) struct Progress {
    terminal: bool,
    quiet: bool,
    every: Duration,
    told_at: messages::time::Timestamp,
}

impl Progress {
    /// Says nothing when it is to be quiet.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let every = if terminal { TERMINAL_EVERY } else { LINES_EVERY };
        Self { terminal, quiet, every, told_at: clock::monotonic() }
    }

    /// Says how far it is, unless that was said a moment ago.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let now = clock::monotonic();
        if self.quiet || Duration::from_micros(now.since(self.told_at).0) < self.every {
            return;
        }
        self.told_at = now;
        let line = if self.terminal { format!("\r\x1b[K{}", line()) } else { line() + "\n" };
        let _nobody_reads_it = std::io::stderr().write_all(line.as_bytes());
    }

    /// Removes what was said from a terminal.
    pub fn clear(&self) {
        if self.terminal && !self.quiet {
            let _nobody_reads_it = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
