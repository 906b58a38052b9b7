//! What is said on standard error while it takes long: one line that changes, or now and then a line.

use crate::clock;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// How often a terminal is told how far it is.
const TERMINAL_EVERY: Duration = Duration::from_millis(200);
/// How often anything else is told.
const LINES_EVERY: Duration = Duration::from_secs(10);

/// What is said on standard error while it takes long.
pub(super) struct Progress {
    terminal: bool,
    quiet: bool,
    /// How often.
    pub every: Duration,
    told_at: messages::time::Timestamp,
}

impl Progress {
    /// Nothing has been said yet. Says nothing at all when `quiet`.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let every = if terminal { TERMINAL_EVERY } else { LINES_EVERY };
        Self { terminal, quiet, every, told_at: clock::monotonic() }
    }

    /// Says it, if it is time to.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let now = clock::monotonic();
        if self.quiet || Duration::from_micros(now.since(self.told_at).0) < self.every {
            return;
        }
        self.told_at = now;
        let line = if self.terminal { format!("\r\x1b[K{}", line()) } else { line() + "\n" };
        let _nobody_reads_it = std::io::stderr().write_all(line.as_bytes());
    }

    /// Says something that stays.
    pub fn say(&self, lines: &str) {
        self.clear();
        let _nobody_reads_it = writeln!(std::io::stderr(), "{lines}");
    }

    /// Leaves nothing of the line that changes.
    pub fn clear(&self) {
        if self.terminal && !self.quiet {
            let _nobody_reads_it = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
