//! The supervising process of one instance: small, single-threaded, detached, and all that a workload needs to go on.
//!
//! It outlives the agent and the control plane, and a workload never outlives it. It holds the instance's lock for
//! life, keeps its output, obeys stop requests, watches the lease, tells how it ended and leaves nothing behind.

mod child;
mod output;
mod program;
mod supervise;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use rustix::io::{FdFlags, fcntl_setfd};

use super::launch::ExitReason;
use super::moment::wall_us;
use super::process::{Process, boot_id};
use super::records::{Exit, Pids, Prepared, StateDirectory};
use child::{Child, SpawnError};
use supervise::{Outcome, Supervision};

/// What the shim tells the driver once the workload runs, or never will.
pub(super) const READY: &[u8] = b"ready\n";

/// Runs `orrery shim STATE_DIR [--lock-fd N] [--ready-fd N] [LABEL]`; answers the exit code of the process.
///
/// The descriptors are the driver's: an open file with the instance's lock, and a pipe that waits for one line. By
/// hand, without them, the shim takes the lock itself.
#[must_use]
pub fn shim_main(arguments: &[OsString]) -> i32 {
    let Some(call) = Call::parse(arguments) else {
        eprintln!("usage: orrery shim STATE_DIR [--lock-fd N] [--ready-fd N]");
        return 2;
    };
    match run(call) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("orrery shim: {error}");
            3
        }
    }
}

struct Call {
    directory: StateDirectory,
    lock: Option<File>,
    ready: Option<File>,
}

impl Call {
    fn parse(arguments: &[OsString]) -> Option<Call> {
        let mut arguments = arguments.iter();
        let directory = StateDirectory::new(PathBuf::from(arguments.next()?));
        let mut call = Call { directory, lock: None, ready: None };
        while let Some(argument) = arguments.next() {
            match argument.to_str()? {
                "--lock-fd" => call.lock = Some(inherited(arguments.next()?)?),
                "--ready-fd" => call.ready = Some(inherited(arguments.next()?)?),
                _label => {}
            }
        }
        Some(call)
    }
}

/// Takes a descriptor over from the driver, and keeps it from the workload.
fn inherited(number: &OsString) -> Option<File> {
    let number: RawFd = number.to_str()?.parse().ok().filter(|number| *number > 2)?;
    // SAFETY: the driver opened this descriptor for us and nobody else in this process knows its number; one that is
    // not open is recognised by the next call.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC).ok()?;
    Some(File::from(descriptor))
}

fn run(call: Call) -> io::Result<()> {
    let Call { directory, lock, ready } = call;
    let lock = match lock {
        Some(lock) => lock,
        None => directory.try_lock()?.ok_or_else(|| io::Error::other("this instance has a supervisor already"))?,
    };
    if directory.exit()?.is_some() || directory.pids()?.is_some() {
        return Err(io::Error::other("this instance was started before"));
    }
    let prepared = directory.prepared()?.ok_or_else(|| io::Error::other("there is no launch.json"))?;
    become_supervisor()?;
    let outcome = match start(&directory, &prepared) {
        Ok(mut supervision) => {
            tell(ready, READY);
            supervision.run()
        }
        Err(why) => {
            supervise::reap_everyone();
            Outcome { reason: ExitReason::CouldNotStart { why }, log_bytes_lost: 0 }
        }
    };
    let removed = prepared.group.remove();
    directory.write_exit(&Exit { reason: outcome.reason, at_us: wall_us(), log_bytes_lost: outcome.log_bytes_lost })?;
    drop(lock);
    removed
}

/// The driver may be gone by now; then nobody waits for this line.
fn tell(ready: Option<File>, line: &[u8]) {
    if let Some(mut ready) = ready {
        let _nobody_waits = ready.write_all(line);
    }
}

/// Orphans of the workload become children of this process, and the kernel prefers others when memory runs out.
fn become_supervisor() -> io::Result<()> {
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own))?;
    let _needs_root = std::fs::write("/proc/self/oom_score_adj", "-500");
    let _cosmetic = rustix::thread::set_name(c"orrery-shim");
    supervise::block_signals()
}

/// Brings the workload up, in an order that leaves no moment in which it runs without a record.
fn start<'a>(directory: &'a StateDirectory, prepared: &'a Prepared) -> Result<Supervision<'a>, String> {
    let sentence = |what: &str, error: &io::Error| format!("{what}: {error}");
    let program = program::resolve(prepared)?;
    let signals = supervise::signal_descriptor().map_err(|error| sentence("cannot listen for signals", &error))?;
    prepared.group.create(&prepared.launch.resources).map_err(|error| sentence("cannot set up its cgroup", &error))?;
    let logs = output::Logs::open(directory, &prepared.launch.log)
        .map_err(|error| sentence("cannot open its logs", &error))?;
    let child = Child::fork(prepared, &program).map_err(|error| sentence("cannot make a process", &error))?;
    let (pid, waiting, outputs) = child.apart();
    let recorded = prepared.group.admit(pid).and_then(|()| record(directory, pid));
    if let Err(error) = recorded {
        waiting.dismiss(pid);
        return Err(sentence("cannot record its start", &error));
    }
    match waiting.release() {
        Ok(()) => Ok(Supervision::new(directory, prepared, pid, signals, logs.attach(outputs))),
        Err(SpawnError { step, error }) => Err(program::explain(prepared, &program, step, &error)),
    }
}

fn record(directory: &StateDirectory, pid: i32) -> io::Result<()> {
    let gone = || io::Error::other("the process ended before it began");
    let workload = Process::of(pid).ok_or_else(gone)?;
    let shim = Process::of(rustix::process::getpid().as_raw_nonzero().get()).ok_or_else(gone)?;
    directory.write_pids(&Pids { shim, workload, boot_id: boot_id().to_owned(), since_us: wall_us() })
}
