//! Where and how thoroughly it is measured, and what a group reports.

use crate::row::Row;
use rustix::fs::statfs;
use std::path::{Path, PathBuf};

/// The file system that lies in memory, by its number.
const TMPFS: i64 = 0x0102_1994;

/// What every group is told.
#[derive(Debug)]
pub struct Setting {
    /// Fewer and shorter rounds.
    pub quick: bool,
    /// This program, for children of its own.
    pub program: PathBuf,
    /// The directory of this build: `orrery` is there, and it lies on a real disk.
    pub build: PathBuf,
    /// A list of pods to replay instead of those of the trace.
    pub workload: Option<PathBuf>,
    /// The orders they arrive in.
    pub orders: Option<PathBuf>,
    /// Where to draw instead of measuring.
    pub draw: Option<PathBuf>,
    /// The parts of a group to measure; all of them when there is none.
    pub parts: Vec<String>,
}

/// What a group found.
#[derive(Debug, Default)]
pub struct Report {
    /// What was measured.
    pub rows: Vec<Row>,
    /// What could not be measured, and why.
    pub faults: Vec<Fault>,
}

/// Why something was not measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A program is missing or cannot start.
    #[error("{program} is missing or does not start: {remedy}")]
    Missing {
        /// Which program.
        program: &'static str,
        /// What it said, and what to do.
        remedy: String,
    },
    /// Something else of the world was not as it should be.
    #[error("{0}")]
    Failed(String),
}

impl From<String> for Fault {
    fn from(what: String) -> Self {
        Self::Failed(what)
    }
}

impl Setting {
    /// Finds this build.
    ///
    /// # Errors
    /// When this program does not know where it is.
    pub fn find(quick: bool) -> Result<Self, Fault> {
        let program = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
        let build = program.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { quick, program, build, workload: None, orders: None, draw: None, parts: Vec::new() })
    }

    /// Whether a part of a group is to be measured.
    pub fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }

    /// So many, or fewer when it must be quick.
    pub const fn count(&self, whole: usize, quick: usize) -> usize {
        if self.quick { quick } else { whole }
    }

    /// A new directory beside the build, gone when dropped.
    ///
    /// # Errors
    /// When it cannot be made, or would lie in memory, where a sync is for nothing.
    pub fn directory(&self) -> Result<tempfile::TempDir, Fault> {
        let made = tempfile::Builder::new().prefix("bench-").tempdir_in(&self.build);
        let failed = |error: &dyn std::fmt::Display| {
            Fault::Failed(format!("no directory can be made in {}: {error}", self.build.display()))
        };
        let made = made.map_err(|error| failed(&error))?;
        let filesystem = statfs(made.path()).map_err(|error| failed(&error))?;
        if filesystem.f_type == TMPFS {
            return Err(failed(&"it lies in memory; set CARGO_TARGET_DIR to a directory on a disk"));
        }
        Ok(made)
    }
}

/// An error of the world with what was tried.
pub fn failed<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}
