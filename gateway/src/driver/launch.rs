//! What the driver is asked to run, and the ways in which it can end.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything the driver needs to run one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The instance's id; names its state directory and its cgroup.
    pub instance: String,
    /// What people call it, for example `a/3`.
    #[serde(default)]
    pub label: String,
    /// The realm it belongs to.
    #[serde(default)]
    pub realm: String,
    /// The job it is an instance of.
    #[serde(default)]
    pub job: String,
    /// The job's revision it runs.
    #[serde(default)]
    pub revision: u64,
    /// Program and arguments, `${NAME}` not yet replaced.
    pub run: Vec<String>,
    /// Where a relative `run[0]` and a relative `directory` start from.
    #[serde(default)]
    pub base_directory: PathBuf,
    /// The working directory; without one, `work/` in the state directory.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// Variables of the manifest, `${NAME}` not yet replaced.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Names of the ports it needs; `http` becomes `PORT_HTTP`.
    #[serde(default)]
    pub ports: Vec<String>,
    /// What it may use.
    #[serde(default)]
    pub resources: Resources,
    /// How long after SIGTERM it is killed, unless the stop says otherwise.
    #[serde(default = "default_stop_grace_ms")]
    pub stop_grace_ms: u64,
    /// Must never run twice: it dies with the node's lease.
    #[serde(default)]
    pub exclusive: bool,
    /// How its output is kept.
    #[serde(default)]
    pub log: LogLimits,
}

fn default_stop_grace_ms() -> u64 {
    10_000
}

/// What an instance may use; `None` is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Thousandths of a processor.
    pub cpu_milli: Option<u64>,
    /// Bytes of memory, page cache included.
    pub memory_bytes: Option<u64>,
    /// Bytes below its working directory. Reported, not enforced.
    pub disk_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// How much output is kept for each stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLimits {
    /// A file that would grow beyond this is rotated.
    pub max_bytes: u64,
    /// How many files are kept, the one being written included.
    pub files: u32,
}

impl Default for LogLimits {
    fn default() -> Self {
        LogLimits { max_bytes: 10 * 1024 * 1024, files: 4 }
    }
}

/// One of a workload's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// The name of the stream's live file in the state directory.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Stream::Out => "stdout.log",
            Stream::Err => "stderr.log",
        }
    }
}

/// Why an instance is no longer running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ExitReason {
    /// It ended by itself.
    Code {
        /// Its exit code.
        code: i32,
    },
    /// A signal that nobody asked Orrery for ended it.
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// It went over its memory limit.
    OutOfMemory,
    /// It was asked to stop.
    Stopped {
        /// It did not end within its grace and was killed.
        forced: bool,
    },
    /// The node's lease ran out, and it must never run twice.
    LeaseExpired,
    /// It never ran.
    CouldNotStart {
        /// What is missing, and what to do.
        why: String,
    },
    /// It is gone and left no record: its supervisor was killed, or the machine restarted.
    Lost {
        /// What is known.
        why: String,
    },
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Code { code } => write!(f, "exited with code {code}"),
            ExitReason::Signal { signal } => match signal_name(*signal) {
                Some(name) => write!(f, "killed by signal {signal} ({name})"),
                None => write!(f, "killed by signal {signal}"),
            },
            ExitReason::OutOfMemory => write!(f, "out of memory"),
            ExitReason::Stopped { forced: false } => write!(f, "stopped"),
            ExitReason::Stopped { forced: true } => write!(f, "stopped, killed after its grace"),
            ExitReason::LeaseExpired => write!(f, "lease expired"),
            ExitReason::CouldNotStart { why } => write!(f, "could not start: {why}"),
            ExitReason::Lost { why } => write!(f, "lost: {why}"),
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    const NAMES: [(i32, &str); 13] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
    ];
    NAMES.iter().find(|(number, _)| *number == signal).map(|(_, name)| *name)
}
