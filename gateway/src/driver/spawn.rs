//! Starting an instance exactly once, in steps any of which may be the last.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::environment::{self, SubstitutionError};
use super::launch::{ExitReason, Launch};
use super::ports::PortError;
use super::records::{Prepared, StateDirectory};
use super::settle::{Found, look, look_and_bury};
use super::{DriverError, Inner, Started, at, shim, watch};

/// The longest id of an instance.
const INSTANCE_LENGTH_MAX: usize = 64;
/// How long a start may take that somebody else has begun.
const OTHER_START_TRIES: u32 = 1_000;
const OTHER_START_PAUSE: Duration = Duration::from_millis(10);

/// Why an instance was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its id cannot name a directory.
    #[error("`{0}` cannot be an instance's id; use letters, digits and hyphens, 64 at most")]
    BadInstance(String),
    /// Two of its ports have the same variable.
    #[error("ports `{first}` and `{second}` would both be {variable}; rename one")]
    PortNames {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// Their variable.
        variable: String,
    },
    /// A `${NAME}` cannot be replaced.
    #[error(transparent)]
    Substitution(#[from] SubstitutionError),
    /// No port is free.
    #[error(transparent)]
    Port(#[from] PortError),
    /// It must never run twice, and the node holds no lease.
    #[error("instance {0} is exclusive, and this node holds no lease now")]
    NoLease(String),
    /// The program cannot be run; this is recorded as its end.
    #[error("{0}")]
    CouldNotStart(String),
    /// It ran before; an instance runs once.
    #[error("this instance has ended ({reason}); start a new one")]
    Ended {
        /// How it ended.
        reason: ExitReason,
    },
    /// Somebody else is starting it and does not get done.
    #[error("instance {0} is being started by another process, which takes too long")]
    Busy(String),
    /// The supervisor did not come up.
    #[error("the supervisor of instance {instance} failed: {said}")]
    Shim {
        /// The instance.
        instance: String,
        /// What it said.
        said: String,
    },
    /// The driver's files cannot be used.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

impl Inner {
    pub(super) fn start(self: &Arc<Self>, launch: Launch) -> Result<Started, StartError> {
        check(&launch)?;
        let instance = launch.instance.clone();
        let directory = self.directory(&instance);
        let lock = match self.enter(&directory, &instance)? {
            Entered::Alone(lock) => lock,
            Entered::Before(started) => return Ok(started),
        };
        let prepared = match self.prepare(launch, &directory) {
            Ok(prepared) => Arc::new(prepared),
            Err(error) => {
                self.discard(&instance, &directory)?;
                return Err(error);
            }
        };
        self.remember(prepared.clone());
        let said = match self.spawn(&prepared, &directory, lock) {
            Ok(said) => said,
            Err(error) => {
                self.discard_vacant(&instance, &directory)?;
                return Err(at(directory.path())(error).into());
            }
        };
        watch::begin(self, &instance);
        match look_and_bury(&directory).map_err(at(directory.path()))? {
            Found::Ended(exit) if !said => match exit.reason {
                ExitReason::CouldNotStart { why } => Err(StartError::CouldNotStart(why)),
                reason => Err(StartError::Ended { reason }),
            },
            _ => match directory.pids().map_err(at(directory.path()))? {
                Some(pids) => Ok(Started { pid: pids.workload.pid, ports: prepared.ports.clone() }),
                None => {
                    let said = fs::read_to_string(directory.shim_log()).unwrap_or_default();
                    self.discard_vacant(&instance, &directory)?;
                    Err(StartError::Shim { instance, said: said.trim().to_owned() })
                }
            },
        }
    }

    /// Removes what a supervisor left that did not come up.
    fn discard_vacant(&self, instance: &str, directory: &StateDirectory) -> Result<(), DriverError> {
        match look(directory).map_err(at(directory.path()))? {
            Found::Vacant(_lock) => self.discard(instance, directory),
            _ => Ok(()),
        }
    }

    /// Makes the state directory and takes its lock, or finds that the instance was started before.
    fn enter(self: &Arc<Self>, directory: &StateDirectory, instance: &str) -> Result<Entered, StartError> {
        let io = |error| at(directory.path())(error);
        for _ in 0..OTHER_START_TRIES {
            match fs::create_dir(directory.path()) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error).into()),
                _ => {}
            }
            match look_and_bury(directory) {
                Ok(Found::Vacant(lock)) => return Ok(Entered::Alone(lock)),
                Ok(Found::Running(pids) | Found::Dead(pids)) => {
                    let Some(prepared) = directory.prepared().map_err(io)? else { continue };
                    let ports = prepared.ports.clone();
                    if self.known_directory(instance).is_none() {
                        self.remember(Arc::new(prepared));
                        watch::begin(self, instance);
                    }
                    return Ok(Entered::Before(Started { pid: pids.workload.pid, ports }));
                }
                Ok(Found::Ended(exit)) => return Err(StartError::Ended { reason: exit.reason }),
                Ok(Found::Starting) => std::thread::sleep(OTHER_START_PAUSE),
                // Swept away between the two steps.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(error).into()),
            }
        }
        Err(StartError::Busy(instance.to_owned()))
    }

    /// Decides everything that is the driver's to decide, and writes it down.
    fn prepare(&self, launch: Launch, directory: &StateDirectory) -> Result<Prepared, StartError> {
        if launch.exclusive && !self.lease.held() {
            return Err(StartError::NoLease(launch.instance));
        }
        // A start that was cut off may have left claims.
        if directory.path().join("launch.json").exists() {
            self.ports.release_all(&launch.instance);
        }
        let mut ports = BTreeMap::new();
        for name in &launch.ports {
            ports.insert(name.clone(), self.ports.claim(&launch.instance)?);
        }
        let work = directory.work();
        fs::create_dir_all(&work).map_err(at(&work))?;
        let home = launch.directory.as_ref().map_or_else(|| work.clone(), |path| launch.base_directory.join(path));
        let environment = environment::build(&launch, &home, &self.data_directory, &ports)?;
        let argv = environment::arguments(&launch.run, &environment)?;
        let group = self.hierarchies.group(&self.data_directory, &launch.instance);
        let lease = self.lease.path().to_owned();
        let prepared = Prepared { launch, argv, environment, directory: home, ports, lease, group };
        directory.write_prepared(&prepared).map_err(at(directory.path()))?;
        Ok(prepared)
    }

    /// Starts the supervisor, which takes the lock over, and waits for its word; `false` if it ended without.
    fn spawn(&self, prepared: &Prepared, directory: &StateDirectory, lock: File) -> io::Result<bool> {
        let (mut word, ready) = io::pipe()?;
        let program = PathBuf::from(format!("/proc/self/fd/{}", self.shim_program.as_raw_fd()));
        let handed_over: [RawFd; 2] = [lock.as_raw_fd(), ready.as_raw_fd()];
        let mut command = Command::new(program);
        command.arg0("orrery").arg("shim").arg(directory.path());
        command.args(["--lock-fd", &handed_over[0].to_string(), "--ready-fd", &handed_over[1].to_string()]);
        command.arg(&prepared.launch.label).current_dir("/").env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(directory.shim_log())?);
        let detach = move || {
            rustix::process::setsid()?;
            for descriptor in handed_over {
                // SAFETY: both are open in the parent, which keeps them until the child has begun.
                if unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        };
        // SAFETY: the closure only makes system calls; it neither allocates nor locks.
        unsafe { command.pre_exec(detach) };
        let _reaped_by_its_watch = command.spawn()?;
        drop((lock, ready));
        wait_for_word(&mut word)
    }
}

enum Entered {
    Alone(File),
    Before(Started),
}

/// The supervisor says one line once the workload runs, or ends.
fn wait_for_word(word: &mut PipeReader) -> io::Result<bool> {
    let mut said = Vec::new();
    word.read_to_end(&mut said)?;
    Ok(said == shim::READY)
}

fn check(launch: &Launch) -> Result<(), StartError> {
    let id = &launch.instance;
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain || id.is_empty() || id.len() > INSTANCE_LENGTH_MAX {
        return Err(StartError::BadInstance(id.clone()));
    }
    let mut variables: BTreeMap<String, &String> = BTreeMap::new();
    for second in &launch.ports {
        let variable = environment::port_variable(second);
        if let Some(first) = variables.insert(variable.clone(), second) {
            return Err(StartError::PortNames { first: first.clone(), second: second.clone(), variable });
        }
    }
    Ok(())
}
