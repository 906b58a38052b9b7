//! How a simulated program behaves, as its command line says.
//!
//! `["./server", "--start=200ms", "--sick-after=3s", "--exit-after=10s", "--cannot-start"]`

use messages::manifest::Workload;
use messages::quantity;
use messages::time::Span;

/// How a program behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The longest it takes until it runs.
    pub start: Option<Span>,
    /// It fails its health check so long after it started.
    pub sick_after: Option<Span>,
    /// It exits with an error so long after it started.
    pub exit_after: Option<Span>,
    /// It cannot be started at all.
    pub cannot_start: bool,
}

impl Program {
    /// The behaviour of a workload's program.
    pub fn of(workload: &Workload) -> Self {
        let mut program = Self::default();
        for argument in &workload.run {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            let span = quantity::span(value).ok();
            match name {
                "--start" => program.start = span,
                "--sick-after" => program.sick_after = span,
                "--exit-after" => program.exit_after = span,
                "--cannot-start" => program.cannot_start = true,
                _ => {}
            }
        }
        program
    }

    /// Whether it never stays healthy.
    pub const fn bad(&self) -> bool {
        self.sick_after.is_some() || self.exit_after.is_some() || self.cannot_start
    }
}
