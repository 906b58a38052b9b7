//! What an agent must know of itself after a restart: its assignments, its lease, and which boot this is.

use messages::agent::Assignment;
use messages::id::InstanceId;
use messages::time::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Files beside the driver's. Losing one costs a health check after a restart, not a workload.
pub struct Records {
    directory: PathBuf,
}

impl Records {
    /// The records in a data directory.
    pub fn open(data: &Path) -> io::Result<Self> {
        let directory = data.join("assignments");
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    fn path(&self, instance: InstanceId) -> PathBuf {
        self.directory.join(format!("{instance}.json"))
    }

    /// Keeps an assignment.
    pub fn keep(&self, assignment: &Assignment) -> io::Result<()> {
        replace(&self.path(assignment.instance), &serde_json::to_vec(assignment)?)
    }

    /// An assignment that was kept.
    pub fn read(&self, instance: InstanceId) -> Option<Assignment> {
        serde_json::from_slice(&fs::read(self.path(instance)).ok()?).ok()
    }

    /// Lets go of an assignment, and of the file of its links.
    pub fn drop(&self, instance: InstanceId) {
        let _was_not_there = fs::remove_file(self.path(instance));
        let _was_not_there = fs::remove_file(self.links_path(instance));
    }

    fn links_path(&self, instance: InstanceId) -> PathBuf {
        self.directory.join(format!("{instance}.links.json"))
    }

    /// Keeps the addresses of an instance's links, by the names of the jobs, where the instance can read them.
    pub fn keep_links(&self, instance: InstanceId, links: &BTreeMap<String, String>) -> io::Result<PathBuf> {
        let path = self.links_path(instance);
        replace(&path, &serde_json::to_vec(links)?)?;
        fs::canonicalize(path)
    }

    /// Keeps the end of the lease.
    pub fn keep_lease(&self, until: Timestamp) {
        let path = self.directory.join("lease");
        if let Err(error) = replace(&path, until.0.to_string().as_bytes()) {
            tracing::warn!(%error, "the lease's record could not be written");
        }
    }

    /// The end of the lease that was kept.
    pub fn lease(&self) -> Option<Timestamp> {
        fs::read_to_string(self.directory.join("lease")).ok()?.trim().parse().ok().map(Timestamp)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    fs::rename(&part, path)
}

/// The id of this boot of the machine, as the kernel tells it.
pub fn boot_id() -> Uuid {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Uuid::parse_str(text.trim()).unwrap_or_default()
}
