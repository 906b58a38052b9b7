//! The node's lease as a file: one deadline on the boot clock, which every exclusive instance's shim watches itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::moment::boot_us;
use super::process::boot_id;
use super::records::{Durable, write_whole};

/// Where the lease is kept, and what it says.
#[derive(Debug, Clone)]
pub struct Lease {
    path: PathBuf,
}

impl Lease {
    /// The lease of the node whose data directory this is.
    #[must_use]
    pub fn of(data_directory: &Path) -> Lease {
        Lease { path: data_directory.join("lease") }
    }

    /// The lease in this file.
    #[must_use]
    pub fn at(path: PathBuf) -> Lease {
        Lease { path }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets the deadline, in microseconds of the boot clock. Need not outlive the machine: after a restart nothing runs.
    pub fn renew(&self, deadline_us: u64) -> io::Result<()> {
        write_whole(&self.path, format!("{deadline_us} {}\n", boot_id()).as_bytes(), Durable::No)
    }

    /// The deadline; `None` if there is none from this run of the machine.
    #[must_use]
    pub fn deadline_us(&self) -> Option<u64> {
        let text = fs::read_to_string(&self.path).ok()?;
        let (deadline, boot) = text.trim().split_once(' ')?;
        (boot == boot_id()).then(|| deadline.parse().ok()).flatten()
    }

    /// Whether the lease is held now.
    #[must_use]
    pub fn held(&self) -> bool {
        self.deadline_us().is_some_and(|deadline| boot_us() < deadline)
    }
}
