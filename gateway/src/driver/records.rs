//! The files of one instance's state directory, and the order in which they come to be.
//!
//! `lock` is held by the driver while it prepares and then by the shim for life, on one open file that the shim
//! inherits: it is never free in between. `launch.json` precedes the shim, `pid.json` precedes the workload's first
//! instruction, `exit.json` follows the death of the last process. So a kill at any instant leaves one of: nothing
//! ran (no `pid.json`, lock free), running (shim alive), ended (`exit.json`), or lost (`pid.json`, shim dead).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::cgroups::Group;
use super::launch::{ExitReason, Launch, Stream};
use super::process::{Process, boot_id};

/// `launch.json`: the launch with everything decided that the driver decides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prepared {
    /// As it was asked for.
    pub launch: Launch,
    /// Program and arguments, variables replaced.
    pub argv: Vec<String>,
    /// The whole environment of the workload.
    pub environment: BTreeMap<String, String>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Its ports by name.
    pub ports: BTreeMap<String, u16>,
    /// The node's lease, watched if the instance is exclusive.
    pub lease: PathBuf,
    /// Its cgroup in each hierarchy that can be used.
    pub group: Group,
}

/// `pid.json`: who runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pids {
    /// The supervising process.
    pub shim: Process,
    /// The workload's first process, leader of its process group.
    pub workload: Process,
    /// The machine's run in which these pids mean something.
    pub boot_id: String,
    /// When it started, by the wall clock.
    pub since_us: u64,
}

impl Pids {
    /// Whether the supervising process still runs.
    #[must_use]
    pub fn supervised(&self) -> bool {
        self.boot_id == boot_id() && self.shim.alive()
    }
}

/// `exit.json`: how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Why it ended.
    pub reason: ExitReason,
    /// When, by the wall clock.
    pub at_us: u64,
    /// Bytes of output that could not be written, for example to a full disk.
    #[serde(default)]
    pub log_bytes_lost: u64,
}

/// `stop.json`: a request to stop, which outlives who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// How long after SIGTERM it is killed.
    pub grace_ms: u64,
}

/// The state directory of one instance.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// Names the directory; touches nothing.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        StateDirectory { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The data directory of its agent, two levels above.
    #[must_use]
    pub fn agent(&self) -> &Path {
        self.path.parent().and_then(Path::parent).unwrap_or(&self.path)
    }

    /// The default working directory in it.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// The live log file of a stream.
    #[must_use]
    pub fn log(&self, stream: Stream) -> PathBuf {
        self.path.join(stream.file_name())
    }

    /// What the supervising process itself had to say.
    #[must_use]
    pub fn shim_log(&self) -> PathBuf {
        self.path.join("shim.log")
    }

    /// Takes the lock; `None` if somebody holds it, or if the directory was swept away meanwhile.
    pub fn try_lock(&self) -> io::Result<Option<File>> {
        let path = self.path.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        let held = file.metadata()?;
        let still_there = fs::metadata(&path).is_ok_and(|now| (now.dev(), now.ino()) == (held.dev(), held.ino()));
        Ok(still_there.then_some(file))
    }

    /// Reads `launch.json`.
    pub fn prepared(&self) -> io::Result<Option<Prepared>> {
        self.read("launch.json")
    }

    /// Reads `pid.json`.
    pub fn pids(&self) -> io::Result<Option<Pids>> {
        self.read("pid.json")
    }

    /// Reads `exit.json`.
    pub fn exit(&self) -> io::Result<Option<Exit>> {
        self.read("exit.json")
    }

    /// Reads `stop.json`.
    pub fn stop(&self) -> io::Result<Option<Stop>> {
        self.read("stop.json")
    }

    /// Writes `launch.json`.
    pub fn write_prepared(&self, prepared: &Prepared) -> io::Result<()> {
        self.write("launch.json", prepared)
    }

    /// Writes `pid.json`.
    pub fn write_pids(&self, pids: &Pids) -> io::Result<()> {
        self.write("pid.json", pids)
    }

    /// Writes `exit.json`.
    pub fn write_exit(&self, exit: &Exit) -> io::Result<()> {
        self.write("exit.json", exit)
    }

    /// Writes `stop.json`.
    pub fn write_stop(&self, stop: &Stop) -> io::Result<()> {
        self.write("stop.json", stop)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.path.join(name)) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(&self.path.join(name), &error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(value)?;
        write_whole(&self.path.join(name), &bytes, Durable::Yes)
    }
}

fn damaged(path: &Path, error: &serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} cannot be understood: {error}", path.display()))
}

/// Whether a written file must survive the machine, or only this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// Synced before it takes its name.
    Yes,
    /// Left to the kernel.
    No,
}

/// Writes a file so that a reader sees the old one or the whole new one.
pub fn write_whole(path: &Path, bytes: &[u8], durable: Durable) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".new-{}", std::process::id()));
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        if durable == Durable::Yes {
            file.sync_data()?;
        }
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _nothing_there = fs::remove_file(&temporary);
    }
    written
}
