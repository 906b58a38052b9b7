//! The processes that a system under test runs, found where the kernel lists them and not by what Orrery says.

use std::path::Path;

/// A process of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its process id.
    pub pid: u32,
    /// The program it runs.
    pub program: String,
    /// The id of its instance.
    pub instance: String,
    /// The slot it fills, like `a/3`.
    pub label: String,
}

impl Workload {
    /// The first process of every workload whose home lies below a directory, in the order of their ids.
    pub fn all_below(directory: &Path) -> Vec<Workload> {
        let home = directory.canonicalize().unwrap_or_else(|_| directory.to_path_buf());
        let names = std::fs::read_dir("/proc").expect("a Linux machine").flatten().map(|entry| entry.file_name());
        let pids = names.filter_map(|name| name.to_str().and_then(|name| name.parse().ok()));
        let mut found: Vec<Workload> = pids.filter_map(|pid| Workload::of(pid, &home)).collect();
        found.sort_by_key(|workload| workload.pid);
        found
    }

    /// A variable of its environment.
    pub fn variable(&self, name: &str) -> Option<String> {
        let environment = std::fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        let environment = String::from_utf8_lossy(&environment);
        let value = environment.split('\0').find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_string)
    }

    fn of(pid: u32, home: &Path) -> Option<Workload> {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let environment = String::from_utf8_lossy(&environment);
        let variable = |name: &str| environment.split('\0').find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let program = command.split('\0').next().filter(|program| !program.is_empty())?;
        // What a workload starts itself carries its environment too; the first process is its supervisor's child.
        let parent = parent(pid).and_then(|parent| std::fs::read_to_string(format!("/proc/{parent}/cmdline")).ok())?;
        let supervised = parent.split('\0').nth(1) == Some("shim");
        (supervised && Path::new(variable("HOME")?).starts_with(home)).then(|| Workload {
            pid,
            program: program.to_string(),
            instance: variable("ORRERY_INSTANCE").unwrap_or_default().to_string(),
            label: variable("ORRERY_LABEL").unwrap_or_default().to_string(),
        })
    }
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}
