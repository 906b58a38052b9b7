//! What an instance uses: processor time and memory as the kernel counts them, disk as a walk finds it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Inner;
use super::moment::boot_us;
use super::process;

/// A walk through a working directory is good for this long.
const DISK_GOOD_FOR_US: u64 = 15_000_000;
/// A walk ends here, so that a directory with millions of files does not cost more than it tells.
const DISK_ENTRIES_MAX: usize = 200_000;
/// Bytes in a block as `stat` counts them.
const BLOCK_BYTES: u64 = 512;

/// What an instance uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since it started, in microseconds.
    pub cpu_us: u64,
    /// Memory now, without cache that could be dropped.
    pub memory_bytes: u64,
    /// Disk below its working directory, as of the last walk.
    pub disk_bytes: u64,
}

/// The last walk through a working directory.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DiskMeasure {
    taken: Option<(u64, u64)>,
}

impl Inner {
    pub(super) fn usage(&self, instance: &str) -> Option<Usage> {
        let (prepared, measure) = self.table().get(instance).map(|known| (known.prepared.clone(), known.disk))?;
        let now = boot_us();
        let disk_bytes = match measure.taken {
            Some((at, bytes)) if now < at + DISK_GOOD_FOR_US => bytes,
            _ => {
                let bytes = disk_bytes(prepared.directory.clone());
                if let Some(known) = self.table().get_mut(instance) {
                    known.disk.taken = Some((now, bytes));
                }
                bytes
            }
        };
        let pids = self.directory(instance).pids().ok().flatten();
        let by_process = || pids.map(|pids| group_usage(pids.workload.pid)).unwrap_or_default();
        let (cpu_us, memory_bytes) = match (prepared.group.cpu_us(), prepared.group.memory_bytes()) {
            (Some(cpu), Some(memory)) => (cpu, memory),
            (cpu, memory) => {
                let summed = by_process();
                (cpu.unwrap_or(summed.0), memory.unwrap_or(summed.1))
            }
        };
        Some(Usage { cpu_us, memory_bytes, disk_bytes })
    }
}

/// Where the kernel does not count: the sum over the processes of the group that are alive.
fn group_usage(group: i32) -> (u64, u64) {
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    let page_bytes = rustix::param::page_size() as u64;
    let members = process::pids().into_iter().filter_map(process::stat).filter(|stat| stat.group == group);
    members.fold((0, 0), |(cpu_us, memory), stat| {
        (cpu_us + stat.cpu_ticks * 1_000_000 / ticks_per_second, memory + stat.resident_pages * page_bytes)
    })
}

fn disk_bytes(root: PathBuf) -> u64 {
    let mut open = vec![root];
    let (mut bytes, mut entries) = (0, 0);
    while let Some(directory) = open.pop() {
        let Ok(children) = fs::read_dir(directory) else { continue };
        for child in children.flatten() {
            let Ok(metadata) = child.metadata() else { continue };
            bytes += metadata.blocks() * BLOCK_BYTES;
            entries += 1;
            if metadata.is_dir() {
                open.push(child.path());
            }
        }
        if entries > DISK_ENTRIES_MAX {
            break;
        }
    }
    bytes
}
