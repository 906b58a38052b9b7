//! Recognising processes on Linux: who a pid is, whether it still lives, and who belongs to an instance.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::OnceLock;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// The variable every workload carries, by which what it left behind is found.
pub const INSTANCE_VARIABLE: &str = "ORRERY_INSTANCE";
/// The variable that says which agent runs a process: the agent's data directory.
pub const AGENT_VARIABLE: &str = "ORRERY_AGENT";

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
}

impl Process {
    /// Identifies the process that has this pid now.
    #[must_use]
    pub fn of(pid: i32) -> Option<Process> {
        stat(pid).map(|stat| Process { pid, start_ticks: stat.start_ticks })
    }

    /// Whether it still runs; one that has ended and awaits its parent does not.
    #[must_use]
    pub fn alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.start_ticks == self.start_ticks && !stat.ended())
    }

    /// A handle that becomes readable when it ends; `None` if it has ended.
    #[must_use]
    pub fn handle(&self) -> Option<OwnedFd> {
        let handle = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::NONBLOCK).ok()?;
        self.alive().then_some(handle)
    }

    /// Sends a signal to it and to nobody else; `false` if it has ended.
    #[must_use]
    pub fn signal(&self, signal: Signal) -> bool {
        self.handle().is_some_and(|handle| pidfd_send_signal(handle, signal).is_ok())
    }

    /// Frees its entry if it is an ended child of this process.
    pub fn reap(&self) {
        let ended = stat(self.pid).is_some_and(|stat| stat.start_ticks == self.start_ticks && stat.ended());
        if let (true, Some(pid)) = (ended, Pid::from_raw(self.pid)) {
            let _not_our_child = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
        }
    }
}

/// What `/proc/PID/stat` says, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Stat {
    /// One letter: R, S, D, Z …
    pub state: u8,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Clock ticks of processor time, user and system.
    pub cpu_ticks: u64,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// Pages of memory in use.
    pub resident_pages: u64,
}

impl Stat {
    fn ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// Reads `/proc/PID/stat`; `None` if there is no such process.
#[must_use]
pub fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in the second field may hold blanks and brackets, so fields count from the last bracket.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let small = |index: usize| fields.get(index).and_then(|field| field.parse::<i32>().ok());
    Some(Stat {
        state: *fields.first()?.as_bytes().first()?,
        parent: small(1)?,
        group: small(2)?,
        cpu_ticks: number(11)? + number(12)?,
        start_ticks: number(19)?,
        resident_pages: number(21)?,
    })
}

/// The kernel's name for this run of the machine.
#[must_use]
pub fn boot_id() -> &'static str {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    BOOT_ID.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
    })
}

/// All pids there are.
#[must_use]
pub fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Children of this process, which must be single-threaded.
#[must_use]
pub fn own_children() -> Vec<i32> {
    let own = std::process::id();
    match fs::read_to_string(format!("/proc/self/task/{own}/children")) {
        Ok(text) => text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect(),
        Err(_) => {
            let is_child = |pid: &i32| stat(*pid).is_some_and(|stat| u32::try_from(stat.parent) == Ok(own));
            pids().into_iter().filter(is_child).collect()
        }
    }
}

/// Kills every process that carries both variables of an instance; answers how many there were. The instance's id alone
/// does not do: two agents of one machine, each of a control plane of its own, may both run an instance of that id.
///
/// The handle is taken before the variables are read, so a pid that is reused meanwhile is not hit.
pub fn kill_carriers(instance: &str, agent: &Path) -> usize {
    let wanted = [format!("{INSTANCE_VARIABLE}={instance}"), format!("{AGENT_VARIABLE}={}", agent.display())];
    let mut found = 0;
    for pid in pids() {
        let Some(handle) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            continue;
        };
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { continue };
        let carries = |entry: &String| environment.split(|byte| *byte == 0).any(|one| one == entry.as_bytes());
        if wanted.iter().all(carries) {
            found += usize::from(pidfd_send_signal(handle, Signal::KILL).is_ok());
        }
    }
    found
}

/// Sends a signal to a pid, without looking who it is; for groups, the pid is negative.
pub fn send(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes two integers and touches no memory of ours.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let text = "12 (a) b) (c) S 1 12 12 0 -1 0 0 0 0 0 7 5 0 0 20 0 1 0 4242 0 99 0";
        let stat = parse_stat(text).expect("a well-formed line");
        assert_eq!(
            (stat.parent, stat.group, stat.cpu_ticks, stat.start_ticks, stat.resident_pages),
            (1, 12, 12, 4242, 99)
        );
    }

    #[test]
    fn this_process_is_alive_and_a_later_one_with_its_pid_is_not_it() {
        let own = i32::try_from(std::process::id()).expect("pids are small");
        let process = Process::of(own).expect("this process exists");
        assert!(process.alive());
        assert!(!Process { start_ticks: process.start_ticks + 1, ..process }.alive());
    }
}
