//! The processes of a live system, found where the kernel lists them, by the directory they work in.

use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Its id.
    pub pid: i32,
    /// When it was started, in ticks of the kernel: an id is used again.
    pub started: u64,
    /// The slot it fills, like `web/0`, if it is a workload.
    pub label: Option<String>,
    /// Its instance, if it is a workload.
    pub instance: Option<String>,
    /// Whether it can do something: it is neither stopped nor dead.
    pub moves: bool,
}

/// Every process that works below a directory, or was told of it.
pub(super) fn below(directory: &Path) -> Vec<Process> {
    let mark = format!("{}/", directory.display());
    pids().filter_map(|pid| of(pid, &mark)).collect()
}

/// Its workloads: the first process of each.
pub(super) fn workloads(directory: &Path) -> Vec<Process> {
    let mut found: Vec<Process> = below(directory).into_iter().filter(|one| one.label.is_some()).collect();
    found.retain(|one| parent(one.pid).is_some_and(is_shim));
    found.sort_by(|one, other| (&one.label, one.pid).cmp(&(&other.label, other.pid)));
    found
}

/// Whether it is still the same process, and can do something.
pub(super) fn moves(process: &Process) -> bool {
    stat(process.pid).is_some_and(|(started, moves)| started == process.started && moves)
}

/// Sends a process a signal, if it is still there.
pub(super) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _it_is_gone = kill_process(pid, signal);
    }
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn file(pid: i32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

fn of(pid: i32, mark: &str) -> Option<Process> {
    let environment = std::fs::read(file(pid, "environ")).unwrap_or_default();
    let environment = String::from_utf8_lossy(&environment);
    let told = std::fs::read(file(pid, "cmdline")).ok()?;
    let told = String::from_utf8_lossy(&told).replace('\0', "/") + "/";
    let variable = |name: &str| environment.split('\0').find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
    let home = variable("HOME").is_some_and(|home| format!("{home}/").starts_with(mark));
    if !home && !told.contains(mark) {
        return None;
    }
    let (started, moves) = stat(pid)?;
    let text = |name: &str| variable(name).filter(|_| home).map(str::to_owned);
    Some(Process { pid, started, label: text("ORRERY_LABEL"), instance: text("ORRERY_INSTANCE"), moves })
}

/// When it was started, and whether it can do something.
fn stat(pid: i32) -> Option<(u64, bool)> {
    let text = std::fs::read_to_string(file(pid, "stat")).ok()?;
    // Its name stands in brackets and may be anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let moves = !matches!(fields.first().copied(), Some("Z" | "X" | "T" | "t"));
    Some((fields.get(19)?.parse().ok()?, moves))
}

fn parent(pid: i32) -> Option<i32> {
    let status = std::fs::read_to_string(file(pid, "status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn is_shim(pid: i32) -> bool {
    std::fs::read_to_string(file(pid, "cmdline")).is_ok_and(|told| told.split('\0').nth(1) == Some("shim"))
}
