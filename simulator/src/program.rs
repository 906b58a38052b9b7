//! How a simulated program behaves, as its command line says.
//!
//! `["./server", "--start=200ms", "--sick-after=3s", "--exit-after=10s..60s", "--grow=64MiB", "--ignore-stop",
//! "--cannot-start", "--latency=5ms..2s", "--errors=20"]`

use crate::answers::Answers;
use messages::manifest::Workload;
use messages::quantity;
use messages::time::Span;

/// A program that may take longer than this to start is not counted on.
const START_GOOD: Span = Span::seconds(60);

/// How a program behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The longest it takes until it runs.
    pub start: Option<Span>,
    /// It fails its health check so long after it started: a shortest and a longest time.
    pub sick_after: Option<(Span, Span)>,
    /// It exits with an error so long after it started: a shortest and a longest time.
    pub exit_after: Option<(Span, Span)>,
    /// It takes so many bytes of memory more every second, until the kernel kills it.
    pub grow: Option<u64>,
    /// What its answers to health checks are like, when they are not always good.
    pub answers: Option<Answers>,
    /// It does not stop when it is asked to, and must be killed.
    pub ignore_stop: bool,
    /// It cannot be started at all.
    pub cannot_start: bool,
}

impl Program {
    /// The behaviour of a workload's program.
    pub fn of(workload: &Workload) -> Self {
        Self::told(&workload.run)
    }

    /// The behaviour that a command line asks for.
    pub fn told(arguments: &[String]) -> Self {
        let mut program = Self::default();
        for argument in arguments {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            let span = quantity::span(value).ok();
            match name {
                "--start" => program.start = span,
                "--sick-after" => program.sick_after = spans(value),
                "--exit-after" => program.exit_after = spans(value),
                "--grow" => program.grow = quantity::bytes(value).ok().filter(|rate| *rate > 0),
                "--latency" => {
                    let answers = spans(value).map(|takes| Answers { takes, ..program.answers.unwrap_or_default() });
                    program.answers = answers.or(program.answers);
                }
                "--errors" => {
                    let errors = value.parse().ok().filter(|errors| *errors <= 1_000);
                    let answers = errors.map(|errors| Answers { errors, ..program.answers.unwrap_or_default() });
                    program.answers = answers.or(program.answers);
                }
                "--ignore-stop" => program.ignore_stop = true,
                "--cannot-start" => program.cannot_start = true,
                _ => {}
            }
        }
        program
    }

    /// Whether it never stays healthy.
    pub const fn bad(&self) -> bool {
        let slow = matches!(self.start, Some(start) if start.0 > START_GOOD.0);
        let ends = self.sick_after.is_some() || self.exit_after.is_some() || self.grow.is_some();
        ends || self.answers.is_some() || self.cannot_start || slow
    }
}

/// A time, or a shortest and a longest like `5s..60s`.
fn spans(text: &str) -> Option<(Span, Span)> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let (low, high) = (quantity::span(low).ok()?, quantity::span(high).ok()?);
    (low <= high).then_some((low, high))
}

/// How long memory that grows so fast takes to fill this room, in microseconds.
pub fn fills_after(memory_bytes: u64, rate: u64) -> u64 {
    let takes = u128::from(memory_bytes) * 1_000_000 / u128::from(rate.max(1));
    u64::try_from(takes).unwrap_or(u64::MAX)
}
