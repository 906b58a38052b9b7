//! The agent's hands: workloads as real processes on Linux.
//!
//! Every instance runs under a small supervising process of its own, the [shim](shim_main), which outlives the agent.
//! The driver prepares, starts, stops and observes; all it knows lies in files under `DATA/instances/`, so that an
//! agent killed at any instant and opened again finds what runs and adopts it. `records.rs` says in which order these
//! files come to be.
//!
//! CPU, memory and the number of processes are limited by cgroups. Use of disk is measured, not enforced. Network
//! bandwidth is neither: promises about it are the scheduler's, which does not overbook a node.
//!
//! The methods block for milliseconds: from async code, call them inside `spawn_blocking`. Under systemd, the agent's
//! unit needs `KillMode=process`, or a restart of the unit takes the shims along.

mod cgroups;
mod environment;
pub mod health;
mod launch;
mod lease;
mod logs;
mod moment;
mod ports;
mod process;
mod records;
mod settle;
mod shim;
mod spawn;
mod usage;
mod watch;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use cgroups::Hierarchies;
use ports::Ports;
use records::{Prepared, StateDirectory, Stop};
use settle::Found;

pub use environment::{SubstitutionError, port_variable};
pub use launch::{ExitReason, Launch, LogLimits, Resources, Stream};
pub use lease::Lease;
pub use logs::{Line, LogReader};
pub use moment::{boot_us, wall_us};
pub use records::{Durable, write_whole};
pub use shim::shim_main;
pub use spawn::StartError;
pub use usage::Usage;

/// Events that wait to be taken, before those who report them wait too.
const EVENTS_WAITING_MAX: usize = 1024;

/// Something about this machine that falls short, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Notice {
    /// A stable code.
    pub code: String,
    /// What is missing, and what follows.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// What this machine cannot keep of an instance's limits, and what to do.
#[must_use]
pub fn missing_limits() -> Vec<Notice> {
    Hierarchies::detect().1
}

/// What can be chosen when a driver is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program that has the `shim` subcommand; without one, this very program.
    pub shim_program: Option<PathBuf>,
    /// The ports to hand out.
    pub port_range: RangeInclusive<u16>,
}

impl Default for Options {
    fn default() -> Self {
        Options { shim_program: None, port_range: 20_000..=29_999 }
    }
}

/// A started instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The workload's pid.
    pub pid: i32,
    /// Its ports by name.
    pub ports: BTreeMap<String, u16>,
}

/// What is known of an instance now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The driver knows no such instance.
    Unknown,
    /// Its supervisor is bringing it up.
    Starting,
    /// It runs.
    Running {
        /// The workload's pid.
        pid: i32,
        /// Since when, in microseconds of the wall clock.
        since_us: u64,
    },
    /// It ran, or could not, and nothing of it is left running.
    Ended {
        /// Why.
        reason: ExitReason,
        /// When, in microseconds of the wall clock.
        at_us: u64,
    },
}

/// One entry of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// What was asked for.
    pub launch: Launch,
    /// Its ports by name.
    pub ports: BTreeMap<String, u16>,
    /// What it does.
    pub status: Status,
}

/// Something happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Its first process is gone; why follows when all of it is.
    Gone {
        /// The instance.
        instance: String,
    },
    /// All of it has ended.
    Ended {
        /// The instance.
        instance: String,
        /// Why.
        reason: ExitReason,
        /// When, in microseconds of the wall clock.
        at_us: u64,
    },
}

/// Why a driver's method failed.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// A file or directory of the driver's cannot be used.
    #[error("cannot use {path}; check that the disk has room and that the agent may write there")]
    State {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An instance that has not ended cannot be forgotten.
    #[error("instance {instance} has not ended; stop it first")]
    NotEnded {
        /// The instance.
        instance: String,
    },
}

/// A number that differs between data directories, by FNV-1a.
pub(crate) fn mixed(data_directory: &Path) -> u32 {
    let bytes = data_directory.as_os_str().as_encoded_bytes().iter();
    bytes.fold(2_166_136_261, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619))
}

/// Attaches the path to a system's error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> DriverError {
    let path = path.to_owned();
    move |source| DriverError::State { path, source }
}

/// Runs instances in one data directory. Clones are the same driver.
#[derive(Debug, Clone)]
pub struct Driver {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    data_directory: PathBuf,
    hierarchies: Hierarchies,
    ports: Ports,
    lease: Lease,
    /// Kept open, so that the program can be replaced on disk while the agent runs.
    shim_program: File,
    table: Mutex<BTreeMap<String, Known>>,
    runtime: Option<Handle>,
    sender: mpsc::Sender<Event>,
    receiver: Mutex<Option<mpsc::Receiver<Event>>>,
}

/// What need not be read again from disk.
#[derive(Debug)]
struct Known {
    prepared: Arc<Prepared>,
    disk: usage::DiskMeasure,
}

impl Driver {
    /// Opens the driver on a data directory, adopts what runs, and cleans up what a crash left in the middle.
    ///
    /// Inside a tokio runtime, [`Driver::events`] reports endings at once; without one, poll [`Driver::status`].
    pub fn open(data_directory: &Path, options: Options) -> Result<(Driver, Vec<Notice>), DriverError> {
        let instances = data_directory.join("instances");
        fs::create_dir_all(&instances).map_err(at(&instances))?;
        let data_directory = fs::canonicalize(data_directory).map_err(at(data_directory))?;
        let ports = Ports::open(&data_directory, options.port_range).map_err(at(&data_directory))?;
        let program = options.shim_program.unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
        let shim_program = File::open(&program).map_err(at(&program))?;
        let (hierarchies, mut notices) = Hierarchies::detect();
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        let inner = Arc::new(Inner {
            lease: Lease::of(&data_directory),
            data_directory,
            hierarchies,
            ports,
            shim_program,
            table: Mutex::new(BTreeMap::new()),
            runtime: Handle::try_current().ok(),
            sender,
            receiver: Mutex::new(Some(receiver)),
        });
        notices.extend(inner.adopt()?);
        Ok((Driver { inner }, notices))
    }

    /// The stream of events; the first caller gets it.
    #[must_use]
    pub fn events(&self) -> Option<mpsc::Receiver<Event>> {
        self.inner.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// All instances that were started and not forgotten.
    pub fn inventory(&self) -> Result<Vec<Instance>, DriverError> {
        let known: Vec<(String, Arc<Prepared>)> =
            self.inner.table().iter().map(|(instance, known)| (instance.clone(), known.prepared.clone())).collect();
        let entry = |(instance, prepared): (String, Arc<Prepared>)| {
            let status = self.status(&instance)?;
            Ok(Instance { launch: prepared.launch.clone(), ports: prepared.ports.clone(), status })
        };
        let entries: Result<Vec<Instance>, DriverError> = known.into_iter().map(entry).collect();
        Ok(entries?.into_iter().filter(|instance| instance.status != Status::Unknown).collect())
    }

    /// Starts an instance, once: asked again while it runs, it answers the same.
    pub fn start(&self, launch: Launch) -> Result<Started, StartError> {
        self.inner.start(launch)
    }

    /// Asks an instance to end: SIGTERM now, SIGKILL after the grace. Its supervisor sees to it, whatever becomes of us.
    pub fn stop(&self, instance: &str, grace: Duration) -> Result<(), DriverError> {
        let Some(directory) = self.inner.known_directory(instance) else { return Ok(()) };
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        directory.write_stop(&Stop { grace_ms }).map_err(at(directory.path()))?;
        // A supervisor that is not on record yet reads the request when it is.
        if let Some(pids) = directory.pids().map_err(at(directory.path()))?.filter(records::Pids::supervised) {
            let _ended_meanwhile = pids.shim.signal(rustix::process::Signal::TERM);
        }
        Ok(())
    }

    /// What an instance does now.
    pub fn status(&self, instance: &str) -> Result<Status, DriverError> {
        let Some(directory) = self.inner.known_directory(instance) else { return Ok(Status::Unknown) };
        match settle::look_and_bury(&directory).map_err(at(directory.path()))? {
            Found::Vacant(_) => Ok(Status::Unknown),
            Found::Starting => Ok(Status::Starting),
            Found::Running(pids) | Found::Dead(pids) => {
                Ok(Status::Running { pid: pids.workload.pid, since_us: pids.since_us })
            }
            Found::Ended(exit) => Ok(Status::Ended { reason: exit.reason, at_us: exit.at_us }),
        }
    }

    /// Removes all that is left of an ended instance: its directory, its ports, its cgroup.
    pub fn forget(&self, instance: &str) -> Result<(), DriverError> {
        let Some(directory) = self.inner.known_directory(instance) else { return Ok(()) };
        if !matches!(self.status(instance)?, Status::Ended { .. } | Status::Unknown) {
            return Err(DriverError::NotEnded { instance: instance.to_owned() });
        }
        let lock = settle::lock_soon(&directory).map_err(at(directory.path()))?;
        let Some(_lock) = lock else { return Err(DriverError::NotEnded { instance: instance.to_owned() }) };
        self.inner.discard(instance, &directory)
    }

    /// What an instance uses; `None` if there is no such instance.
    #[must_use]
    pub fn usage(&self, instance: &str) -> Option<Usage> {
        self.inner.usage(instance)
    }

    /// Where the live log file of a stream is; rotated ones lie beside it with `.1`, `.2` … appended.
    #[must_use]
    pub fn log_path(&self, instance: &str, stream: Stream) -> Option<PathBuf> {
        Some(self.inner.known_directory(instance)?.log(stream))
    }

    /// Opens an instance's output for reading: all that is kept, or the last lines of each stream.
    pub fn logs(
        &self,
        instance: &str,
        streams: &[Stream],
        last: Option<usize>,
    ) -> Result<Option<LogReader>, DriverError> {
        let Some(directory) = self.inner.known_directory(instance) else { return Ok(None) };
        LogReader::open(&directory, streams, last).map(Some).map_err(at(directory.path()))
    }

    /// What an instance has around it, for commands that look after its health.
    #[must_use]
    pub fn surroundings(&self, instance: &str) -> Option<health::Surroundings> {
        let prepared = self.inner.table().get(instance).map(|known| known.prepared.clone())?;
        Some(health::Surroundings {
            environment: prepared.environment.clone(),
            directory: prepared.directory.clone(),
            base_directory: prepared.launch.base_directory.clone(),
            entrances: prepared.group.entrances(),
        })
    }

    /// Sets the end of the node's lease, in microseconds of the boot clock ([`boot_us`]). When it passes, every
    /// exclusive instance is killed by its own supervisor.
    pub fn renew_lease(&self, deadline_us: u64) -> Result<(), DriverError> {
        self.inner.lease.renew(deadline_us).map_err(at(self.inner.lease.path()))
    }
}

impl Inner {
    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn directory(&self, instance: &str) -> StateDirectory {
        StateDirectory::new(self.data_directory.join("instances").join(instance))
    }

    fn known_directory(&self, instance: &str) -> Option<StateDirectory> {
        self.table().contains_key(instance).then(|| self.directory(instance))
    }

    fn remember(&self, prepared: Arc<Prepared>) {
        let known = Known { prepared: prepared.clone(), disk: usage::DiskMeasure::default() };
        self.table().insert(prepared.launch.instance.clone(), known);
    }

    /// Takes a directory out of sight at once, then apart. Its lock must be held.
    fn discard(&self, instance: &str, directory: &StateDirectory) -> Result<(), DriverError> {
        let doomed = self.data_directory.join("instances").join(format!("{}{instance}-{}", settle::DOOMED, wall_us()));
        fs::rename(directory.path(), &doomed).map_err(at(directory.path()))?;
        self.table().remove(instance);
        self.ports.release_all(instance);
        if let Err(error) = self.hierarchies.group(&self.data_directory, instance).remove() {
            tracing::warn!(instance, %error, "a cgroup could not be removed");
        }
        fs::remove_dir_all(&doomed).map_err(at(&doomed))
    }
}
