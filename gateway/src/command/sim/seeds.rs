//! Runs the seeds of a scenario on several processors, each seed twice, and says how far it is.

use super::progress::Progress;
use crate::clock;
use crate::command::show::Show;
use simulator::plan::Plan;
use simulator::run::{Judge, caught, judge};
use simulator::scenario::Scenario;
use simulator::verdict::{Invariant, Verdict, Violation};
use simulator::world::context::TraceLine;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

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

/// How many things are done at a time.
pub(super) fn jobs(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get), usize::from)
}

/// Does something for each number below `count`, so many at a time. What comes of it is in the order of the numbers.
/// `tell` is shown each as soon as it is there, and nothing when none came for `every`.
pub(super) fn spread<T: Send>(
    count: u64,
    jobs: usize,
    every: Duration,
    work: impl Fn(u64) -> T + Sync,
    mut tell: impl FnMut(Option<&T>),
) -> Vec<T> {
    let next = AtomicU64::new(0);
    let mut done = std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..jobs {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                let mine = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                for number in mine.take_while(|number| *number < count) {
                    if sender.send((number, work(number))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut done = Vec::new();
        loop {
            match receiver.recv_timeout(every) {
                Ok(one) => {
                    tell(Some(&one.1));
                    done.push(one);
                }
                Err(RecvTimeoutError::Timeout) => tell(None),
                Err(RecvTimeoutError::Disconnected) => break done,
            }
        }
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, one)| one).collect()
}

impl Seeds {
    /// Runs the seeds of a scenario.
    pub fn run(&self, scenario: &Scenario, show: Show) -> Outcome {
        let begun = clock::monotonic();
        let mut progress = Progress::new(self.trace);
        let every = progress.every;
        let (mut done, mut failed) = (0_u64, 0_u64);
        let run = |index| self.one(scenario, self.from + index, show);
        let verdicts = spread(self.count, jobs(self.jobs), every, run, |verdict: Option<&Verdict>| {
            done += u64::from(verdict.is_some());
            failed += u64::from(verdict.is_some_and(|verdict| !verdict.passed()));
            progress.tell(|| format!("{}: {done} of {} seeds, {failed} failed", scenario.name, self.count));
        });
        progress.clear();
        Outcome { verdicts, wall: Duration::from_micros(clock::monotonic().since(begun).0) }
    }

    fn one(&self, scenario: &Scenario, seed: u64, show: Show) -> Verdict {
        let plan = simulator::plan(scenario, seed);
        one(&plan, self.trace.then_some(show), self.twice)
    }
}

/// Runs a plan, and once more to compare.
pub(super) fn one(plan: &Plan, trace: Option<Show>, twice: bool) -> Verdict {
    let mut first = attempt(plan, trace);
    if twice {
        compare(plan, &mut first);
    }
    first
}

/// Runs a plan once more. Another verdict is a violation.
pub(super) fn compare(plan: &Plan, first: &mut Verdict) {
    let second = attempt(plan, None);
    if *first != second {
        let message = format!("log hash {}, then {}", first.log_hash, second.log_hash);
        first.violations.push(violation(Invariant::Repeats, "a second run comes out otherwise", message));
    }
}

/// Runs a plan, and shows a line for everything that happens if that is wanted. A run that panics has failed.
fn attempt(plan: &Plan, trace: Option<Show>) -> Verdict {
    match trace {
        Some(show) => {
            plan.faults.iter().for_each(|fault| tell_fault(fault, show));
            caught(plan, || simulator::run_observed(plan, |line| tell(line, show)))
        }
        None => judge(plan, Judge::default()),
    }
}

fn violation(invariant: Invariant, signature: &str, message: String) -> Violation {
    Violation { invariant, signature: signature.into(), message, at: 0, entries: 0 }
}

fn tell(line: &TraceLine, show: Show) {
    if show.json {
        show.line(line);
    } else {
        show.text(&format!("{:>12} {:<48} {}\n", line.at, line.actor, line.what));
    }
}

fn tell_fault(fault: &simulator::plan::Fault, show: Show) {
    let what = format!("{:?} of {} {} for {}us", fault.trouble, fault.target, fault.when, fault.lasts);
    tell(&TraceLine { at: fault.when.earliest(), actor: "plan".into(), what }, show);
}
