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
    /// Whether some of them are late or wrong.
    pub answers_fail: bool,
    /// It does not stop when it is asked to, and must be killed.
    pub ignore_stop: bool,
    /// It cannot be started at all.
    pub cannot_start: bool,
}

impl Program {
    /// The behaviour of a workload's program. Whether its answers fail is known by how its health is checked.
    pub fn of(workload: &Workload) -> Self {
        let program = Self::told(&workload.run);
        let health = workload.health.as_ref();
        let fails = |answers: &Answers| health.is_some_and(|health| answers.may_fail(health));
        Self { answers_fail: program.answers.as_ref().is_some_and(fails), ..program }
    }

    /// The behaviour that a command line asks for; what makes no sense is passed over.
    pub fn told(arguments: &[String]) -> Self {
        let mut program = Self::default();
        arguments.iter().for_each(|argument| _ = program.take(argument));
        program
    }

    /// What is wrong with the first argument that makes no sense.
    pub fn wrong(arguments: &[String]) -> Option<String> {
        let mut program = Self::default();
        let (argument, expected) =
            arguments.iter().find_map(|argument| Some((argument, program.take(argument).err()?)))?;
        Some(format!("{argument:?} makes no sense to a simulated program; expected {expected}"))
    }

    /// Takes in an argument; what was expected, when it makes no sense.
    fn take(&mut self, argument: &str) -> Result<(), &'static str> {
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        let answers = self.answers.unwrap_or_default();
        let range = || spans(value).ok_or("a time like 5s, or a shortest and a longest like 5s..60s");
        match name {
            "--start" => self.start = Some(quantity::span(value).map_err(|_| "a time like 200ms")?),
            "--sick-after" => self.sick_after = Some(range()?),
            "--exit-after" => self.exit_after = Some(range()?),
            "--latency" => self.answers = Some(Answers { takes: range()?, ..answers }),
            "--errors" => {
                let errors = value.parse().ok().filter(|errors| *errors <= 1_000);
                self.answers = Some(Answers { errors: errors.ok_or("a number of a thousand")?, ..answers });
            }
            "--grow" => {
                let rate = quantity::bytes(value).ok().filter(|rate| *rate > 0);
                self.grow = Some(rate.ok_or("bytes like 64MiB")?);
            }
            "--ignore-stop" => self.ignore_stop = true,
            "--cannot-start" => self.cannot_start = true,
            _ => {}
        }
        Ok(())
    }

    /// Whether it never stays healthy.
    pub const fn bad(&self) -> bool {
        let slow = matches!(self.start, Some(start) if start.0 > START_GOOD.0);
        let ends = self.sick_after.is_some() || self.exit_after.is_some() || self.grow.is_some();
        ends || self.answers_fail || self.cannot_start || slow
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

#[cfg(test)]
mod tests {
    use super::Program;
    use messages::manifest::{Check, Health, Workload};
    use messages::time::Span;

    #[test]
    fn answers_are_held_against_a_program_only_where_they_may_be_late_or_wrong() {
        let second = Span::seconds(1);
        let check = Check::Tcp { port: None };
        let health = Health { check, every: second, timeout: second, failures_max: 3, grace: second };
        let bad = |argument: &str, health: Option<Health>| {
            Program::of(&Workload { run: vec!["./web".into(), argument.into()], health, ..Workload::default() }).bad()
        };
        for argument in ["--errors=0", "--latency=1ms..1s"] {
            assert!(!bad(argument, Some(health.clone())), "{argument}");
        }
        for argument in ["--errors=1", "--latency=1ms..1001ms"] {
            assert!(bad(argument, Some(health.clone())) && !bad(argument, None), "{argument}");
        }
    }

    #[test]
    fn an_argument_that_makes_no_sense_is_told() {
        let wrong = |argument: &str| Program::wrong(&["./web".into(), argument.into()]);
        for argument in [
            "--latency=5s..1ms",
            "--latency=",
            "--latency=-5ms",
            "--errors=5000",
            "--errors=-1",
            "--start=abc",
            "--grow=abc",
            "--exit-after=9s..1s",
            "--sick-after",
        ] {
            assert!(wrong(argument).is_some_and(|told| told.contains(argument)), "{argument}");
        }
        for argument in ["--latency=0ms..1h", "--errors=1000", "--start=1s", "--revision=2", "--exit-after=5s"] {
            assert_eq!(wrong(argument), None);
        }
    }
}
