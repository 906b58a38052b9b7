//! Limits that bite: one cgroup per instance, in whichever hierarchies this machine offers.
//!
//! A controller is used where it is found: in the unified hierarchy (v2) if it can be enabled there, else in its own
//! (v1). A unified hierarchy without controllers still serves to kill a whole group at once.

mod detect;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use serde::{Deserialize, Serialize};

use super::launch::Resources;
use super::process;

pub use detect::Hierarchies;

/// How long a quota lasts before it is filled again.
const CPU_PERIOD_US: u64 = 100_000;
/// The least quota the kernel takes.
const CPU_QUOTA_US_MIN: u64 = 1_000;

/// A resource the kernel can hold a group to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Controller {
    /// Processor time, limited.
    Cpu,
    /// Processor time, counted (v1 only; v2 counts it everywhere).
    Cpuacct,
    /// Memory.
    Memory,
    /// Processes and threads.
    Pids,
}

impl Controller {
    const ALL: [Controller; 4] = [Controller::Cpu, Controller::Cpuacct, Controller::Memory, Controller::Pids];

    fn name(self) -> &'static str {
        match self {
            Controller::Cpu => "cpu",
            Controller::Cpuacct => "cpuacct",
            Controller::Memory => "memory",
            Controller::Pids => "pids",
        }
    }
}

/// One instance's directories in the hierarchies; recorded with the launch, so that any later agent finds them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its directory in the unified hierarchy.
    pub unified: Option<PathBuf>,
    /// The controllers that are enabled there.
    pub enabled: BTreeSet<Controller>,
    /// Its directories in hierarchies of one controller.
    pub legacy: BTreeMap<Controller, PathBuf>,
}

impl Group {
    /// Whether this resource is held or counted by the kernel.
    #[must_use]
    pub fn has(&self, controller: Controller) -> bool {
        self.enabled.contains(&controller) || self.legacy.contains_key(&controller)
    }

    /// Makes the directories and sets the limits.
    pub fn create(&self, resources: &Resources) -> io::Result<()> {
        for directory in self.directories() {
            fs::create_dir_all(directory).map_err(|error| named(directory, &error))?;
        }
        if let Some(milli) = resources.cpu_milli {
            let quota = (milli * CPU_PERIOD_US / 1_000).max(CPU_QUOTA_US_MIN);
            self.set_unified(Controller::Cpu, "cpu.max", &format!("{quota} {CPU_PERIOD_US}"))?;
            self.set_legacy(Controller::Cpu, "cpu.cfs_period_us", &CPU_PERIOD_US.to_string())?;
            self.set_legacy(Controller::Cpu, "cpu.cfs_quota_us", &quota.to_string())?;
        }
        if let Some(bytes) = resources.memory_bytes {
            self.limit_memory(&bytes.to_string())?;
        }
        if let Some(pids) = resources.pids {
            self.set_unified(Controller::Pids, "pids.max", &pids.to_string())?;
            self.set_legacy(Controller::Pids, "pids.max", &pids.to_string())?;
        }
        Ok(())
    }

    fn limit_memory(&self, bytes: &str) -> io::Result<()> {
        self.set_unified(Controller::Memory, "memory.max", bytes)?;
        self.set_legacy(Controller::Memory, "memory.limit_in_bytes", bytes)?;
        // Kernels without swap accounting lack these; then there is nothing to forbid.
        let _without_swap = self.set_unified(Controller::Memory, "memory.swap.max", "0");
        let _without_swap = self.set_legacy(Controller::Memory, "memory.memsw.limit_in_bytes", bytes);
        let _older_kernel = self.set_unified(Controller::Memory, "memory.oom.group", "1");
        Ok(())
    }

    fn set_unified(&self, controller: Controller, file: &str, value: &str) -> io::Result<()> {
        match &self.unified {
            Some(directory) if self.enabled.contains(&controller) => set(&directory.join(file), value),
            _ => Ok(()),
        }
    }

    fn set_legacy(&self, controller: Controller, file: &str, value: &str) -> io::Result<()> {
        self.legacy.get(&controller).map_or(Ok(()), |directory| set(&directory.join(file), value))
    }

    fn directories(&self) -> impl Iterator<Item = &PathBuf> {
        self.unified.iter().chain(self.legacy.values())
    }

    /// The files a process writes `0` to in order to join.
    #[must_use]
    pub fn entrances(&self) -> Vec<PathBuf> {
        self.directories().map(|directory| directory.join("cgroup.procs")).collect()
    }

    /// Moves a process in.
    pub fn admit(&self, pid: i32) -> io::Result<()> {
        self.entrances().iter().try_for_each(|entrance| set(entrance, &pid.to_string()))
    }

    /// Everyone in it.
    #[must_use]
    pub fn members(&self) -> BTreeSet<i32> {
        let files = self.entrances();
        let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
        texts.flat_map(|text| text.lines().filter_map(|line| line.trim().parse().ok()).collect::<Vec<i32>>()).collect()
    }

    /// Sends SIGKILL to everyone in it; answers how many there were.
    pub fn kill_all(&self) -> usize {
        if let Some(directory) = &self.unified {
            let _older_kernel = set(&directory.join("cgroup.kill"), "1");
        }
        let members = self.members();
        members.iter().for_each(|pid| {
            let _already_gone = process::send(*pid, libc::SIGKILL);
        });
        members.len()
    }

    /// How often the kernel killed a member for want of memory.
    #[must_use]
    pub fn out_of_memory_kills(&self) -> u64 {
        let unified = self.unified.iter().map(|directory| directory.join("memory.events"));
        let legacy = self.legacy.get(&Controller::Memory).map(|directory| directory.join("memory.oom_control"));
        unified.chain(legacy).filter_map(|file| keyed(&file, "oom_kill")).sum()
    }

    /// A descriptor that becomes readable when memory runs out, where the kernel does not end the whole group by itself.
    #[must_use]
    pub fn out_of_memory_alarm(&self) -> Option<OwnedFd> {
        let directory = self.legacy.get(&Controller::Memory)?;
        let alarm = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?;
        let control = fs::File::open(directory.join("memory.oom_control")).ok()?;
        let request = format!("{} {}", alarm.as_raw_fd(), control.as_raw_fd());
        set(&directory.join("cgroup.event_control"), &request).ok()?;
        Some(alarm)
    }

    /// Processor time used so far, in microseconds.
    #[must_use]
    pub fn cpu_us(&self) -> Option<u64> {
        if let Some(directory) = self.legacy.get(&Controller::Cpuacct) {
            return number(&directory.join("cpuacct.usage")).map(|nanos| nanos / 1_000);
        }
        keyed(&self.unified.as_ref()?.join("cpu.stat"), "usage_usec")
    }

    /// Memory that could not be taken back without hurting it, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<u64> {
        let (directory, file, reclaimable) = match self.legacy.get(&Controller::Memory) {
            Some(directory) => (directory, "memory.usage_in_bytes", "total_inactive_file"),
            None if self.enabled.contains(&Controller::Memory) => {
                (self.unified.as_ref()?, "memory.current", "inactive_file")
            }
            None => return None,
        };
        let cached = keyed(&directory.join("memory.stat"), reclaimable).unwrap_or(0);
        number(&directory.join(file)).map(|used| used.saturating_sub(cached))
    }

    /// Removes the directories. Those just emptied take the kernel a moment, so it is tried for a while.
    pub fn remove(&self) -> io::Result<()> {
        for directory in self.directories() {
            remove_empty(directory)?;
        }
        Ok(())
    }
}

fn remove_empty(directory: &Path) -> io::Result<()> {
    let mut tries_left = 200;
    loop {
        match fs::remove_dir(directory) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if tries_left == 0 => return Err(named(directory, &error)),
            Err(_) => tries_left -= 1,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn set(file: &Path, value: &str) -> io::Result<()> {
    let written = fs::OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|mut open| io::Write::write_all(&mut open, value.as_bytes()));
    written.map_err(|error| io::Error::new(error.kind(), format!("writing {value} to {}: {error}", file.display())))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number beside a key in a file of `key number` lines.
fn keyed(file: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}
