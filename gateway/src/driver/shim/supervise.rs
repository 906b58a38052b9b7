//! The supervisor's loop: output, signals, the lease, the end.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::launch::ExitReason;
use super::super::lease::Lease;
use super::super::moment::boot_us;
use super::super::process;
use super::super::records::{Prepared, StateDirectory};
use super::output::Output;

/// How often the lease is looked at, at least.
const LEASE_CHECK_US: u64 = 50_000;
/// How often the survivors of a kill are looked for.
const SWEEP_PAUSE: Duration = Duration::from_millis(5);
/// The signals the supervisor takes from its descriptor.
const SIGNALS: [libc::c_int; 4] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// How the workload ended.
pub struct Outcome {
    /// Why.
    pub reason: ExitReason,
    /// Output that could not be kept.
    pub log_bytes_lost: u64,
}

/// A stop request that is being carried out.
struct Stopping {
    kill_at_us: u64,
    forced: bool,
}

/// A running workload under supervision.
pub struct Supervision<'a> {
    directory: &'a StateDirectory,
    prepared: &'a Prepared,
    pid: i32,
    signals: OwnedFd,
    outputs: [Output; 2],
    lease: Option<Lease>,
    stopping: Option<Stopping>,
    lease_expired: bool,
    /// Rings when memory runs out; gone once it has.
    alarm: Option<OwnedFd>,
    out_of_memory: bool,
    ended: Option<libc::c_int>,
}

impl<'a> Supervision<'a> {
    /// Takes charge of a workload that has just become one.
    pub fn new(
        directory: &'a StateDirectory,
        prepared: &'a Prepared,
        pid: i32,
        signals: OwnedFd,
        outputs: [Output; 2],
    ) -> Self {
        let lease = prepared.launch.exclusive.then(|| Lease::at(prepared.lease.clone()));
        Supervision {
            directory,
            prepared,
            pid,
            signals,
            outputs,
            lease,
            stopping: None,
            lease_expired: false,
            alarm: prepared.group.out_of_memory_alarm(),
            out_of_memory: false,
            ended: None,
        }
    }

    /// Stays until the workload and everything it started are gone.
    pub fn run(&mut self) -> Outcome {
        if matches!(self.directory.stop(), Ok(Some(_))) {
            self.stop();
        }
        while self.ended.is_none() {
            self.check_lease();
            self.check_grace();
            self.wait();
            self.take_signals();
            self.check_alarm();
            for output in &mut self.outputs {
                output.pump();
            }
        }
        self.out_of_memory |= self.prepared.group.out_of_memory_kills() > 0;
        self.sweep();
        for output in &mut self.outputs {
            while output.pump() {}
        }
        let log_bytes_lost = self.outputs.iter().map(Output::lost_bytes).sum();
        Outcome { reason: self.reason(), log_bytes_lost }
    }

    /// Waits for output, a signal, or the next moment at which something must be looked at.
    fn wait(&self) {
        let now = boot_us();
        let kill = self.stopping.as_ref().filter(|stopping| !stopping.forced).map(|stopping| stopping.kill_at_us);
        let check = self.lease.as_ref().map(|lease| lease.deadline_us().unwrap_or(0).min(now + LEASE_CHECK_US));
        let timeout = kill.into_iter().chain(check).min().map(|at| {
            let micros = at.saturating_sub(now) + 1;
            Timespec {
                tv_sec: i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(micros % 1_000_000 * 1_000).unwrap_or(0),
            }
        });
        let mut watched = vec![PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN)];
        watched.extend(self.alarm.iter().map(|alarm| PollFd::from_borrowed_fd(alarm.as_fd(), PollFlags::IN)));
        let pipes = self.outputs.iter().filter_map(Output::descriptor);
        watched.extend(pipes.map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN)));
        let _interrupted = poll(&mut watched, timeout.as_ref());
    }

    fn take_signals(&mut self) {
        let mut information = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        loop {
            // SAFETY: the kernel writes whole records, and at most `size` bytes, into memory made for one record.
            let count = unsafe { libc::read(self.signals.as_raw_fd(), information.as_mut_ptr().cast(), size) };
            if usize::try_from(count) != Ok(size) {
                break;
            }
            // SAFETY: the kernel has just filled it.
            let signal = unsafe { information.assume_init_ref() }.ssi_signo;
            if i32::try_from(signal) == Ok(libc::SIGTERM) || i32::try_from(signal) == Ok(libc::SIGINT) {
                self.stop();
            }
        }
        self.reap();
    }

    /// Collects ended children, the workload's and adopted ones; answers whether any child is left.
    fn reap(&mut self) -> bool {
        loop {
            let mut status = 0;
            // SAFETY: waitpid writes one integer.
            match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
                0 => return true,
                -1 => return io::Error::last_os_error().kind() == io::ErrorKind::Interrupted,
                pid if pid == self.pid => self.ended = Some(status),
                _adopted => {}
            }
        }
    }

    /// Asks the workload to end; a later request may only shorten its grace.
    fn stop(&mut self) {
        let asked =
            self.directory.stop().ok().flatten().map_or(self.prepared.launch.stop_grace_ms, |stop| stop.grace_ms);
        let kill_at_us = boot_us().saturating_add(asked.saturating_mul(1_000));
        match &mut self.stopping {
            Some(stopping) => stopping.kill_at_us = stopping.kill_at_us.min(kill_at_us),
            None => {
                self.stopping = Some(Stopping { kill_at_us, forced: false });
                for signal in [libc::SIGTERM, libc::SIGCONT] {
                    let _already_gone = process::send(-self.pid, signal);
                }
            }
        }
    }

    fn check_grace(&mut self) {
        let due = self.stopping.as_mut().filter(|stopping| !stopping.forced && stopping.kill_at_us <= boot_us());
        if let Some(stopping) = due {
            stopping.forced = true;
            self.kill();
        }
    }

    /// A workload that lost one of its processes to want of memory is ended as a whole, not left half alive.
    fn check_alarm(&mut self) {
        let mut count = [0; 8];
        if self.alarm.as_ref().is_some_and(|alarm| rustix::io::read(alarm, &mut count).is_ok()) {
            self.alarm = None;
            self.out_of_memory = true;
            self.kill();
        }
    }

    fn check_lease(&mut self) {
        if self.lease.as_ref().is_some_and(|lease| !lease.held()) && !self.lease_expired {
            self.lease_expired = true;
            self.lease = None;
            self.kill();
        }
    }

    /// Kills everyone that can be reached: the process group, the cgroup, the children.
    fn kill(&self) {
        let _already_gone = process::send(-self.pid, libc::SIGKILL);
        self.prepared.group.kill_all();
        for pid in process::own_children() {
            let _already_gone = process::send(pid, libc::SIGKILL);
        }
    }

    /// Kills until nobody is left: orphans become children of this process one generation after the other.
    fn sweep(&mut self) {
        loop {
            self.kill();
            if !self.reap() && self.prepared.group.members().is_empty() {
                return;
            }
            std::thread::sleep(SWEEP_PAUSE);
        }
    }

    fn reason(&self) -> ExitReason {
        let status = self.ended.unwrap_or(0);
        let clean = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        if self.lease_expired {
            ExitReason::LeaseExpired
        } else if self.out_of_memory && !clean {
            ExitReason::OutOfMemory
        } else if let Some(stopping) = &self.stopping {
            ExitReason::Stopped { forced: stopping.forced }
        } else if libc::WIFSIGNALED(status) {
            ExitReason::Signal { signal: libc::WTERMSIG(status) }
        } else {
            ExitReason::Code { code: libc::WEXITSTATUS(status) }
        }
    }
}

/// Waits for children that are certain to end: those that never became a workload.
pub fn reap_everyone() {
    // SAFETY: waitpid with a null pointer keeps the status to itself.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
}

fn signal_set() -> libc::sigset_t {
    // SAFETY: a signal set is plain memory, emptied before use.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in SIGNALS {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

/// Keeps the signals for the descriptor; from here on none of them ends this process.
pub fn block_signals() -> io::Result<()> {
    let set = signal_set();
    // SAFETY: the set is initialised, the old one not asked for.
    match unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A descriptor from which the blocked signals are read.
pub fn signal_descriptor() -> io::Result<OwnedFd> {
    let set = signal_set();
    // SAFETY: the set is initialised, and the kernel's answer is a new descriptor of ours or -1.
    unsafe {
        match libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}
