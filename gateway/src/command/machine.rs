//! What this machine is, as far as it was not told.

use super::arguments::Machine;
use super::fault::Fault;
use messages::gpu::WHOLE;
use messages::manifest::{Tag, did_you_mean};
use messages::node::NodeSpec;
use messages::quantity::{self, QuantityError};
use messages::resources::{Dimension, Resources};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a node can give in network bandwidth and ports, which nobody measures.
const NETWORK_BITS: u64 = 1_000_000_000;
/// As many as the driver hands out.
const PORTS: u64 = 10_000;

/// An amount from the command line.
pub(super) fn amount(
    flag: &str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Result<u64, QuantityError>,
) -> Result<Option<u64>, Fault> {
    text.map(read).transpose().map_err(|error| Fault::Misuse(format!("{flag}: {error}")))
}

/// The node that this machine makes; `data` is where its instances work.
pub(super) fn node(machine: &Machine, data: &Path) -> Result<NodeSpec, Fault> {
    let name = match &machine.name {
        Some(name) => name.clone(),
        None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    let cores = || u64::try_from(std::thread::available_parallelism().map_or(1, usize::from)).unwrap_or(1);
    let memory = || {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        memory_total(&text)
            .ok_or_else(|| Fault::Unreachable("cannot tell how much memory there is; give --memory".into()))
    };
    let disk =
        || disk_free(data).ok_or_else(|| Fault::Unreachable("cannot tell how much disk is free; give --disk".into()));
    let cpu_milli = amount("--cpu", machine.cpu.as_deref(), quantity::cpu)?;
    let memory_bytes = amount("--memory", machine.memory.as_deref(), quantity::bytes)?;
    let disk_bytes = amount("--disk", machine.disk.as_deref(), quantity::bytes)?;
    let mut capacity = Resources {
        cpu_milli: cpu_milli.unwrap_or_else(|| cores() * 1_000),
        memory_bytes: memory_bytes.map_or_else(memory, Ok)?,
        disk_bytes: disk_bytes.map_or_else(disk, Ok)?,
        network_bits: NETWORK_BITS,
        ports: PORTS,
        ..Resources::default()
    };
    for given in &machine.capacity {
        let (dimension, amount) = resource("--capacity", given)?;
        capacity.set(dimension, amount);
    }
    if !capacity.gpu_milli.is_multiple_of(WHOLE) {
        return Err(Fault::Misuse("--capacity gpus: a machine has whole GPUs; jobs may take parts of one".into()));
    }
    Ok(NodeSpec {
        name,
        host: machine.host.to_string(),
        rack: machine.rack.clone(),
        site: machine.site.clone(),
        region: machine.region.clone(),
        tags: machine.tags.iter().map(|tag| key_and_value(tag)).collect::<Result<BTreeMap<_, _>, _>>()?,
        capacity,
        gpu_model: machine.gpu_model.clone().unwrap_or_default(),
        taints: machine.taints.iter().map(|taint| name_and_value(taint)).collect::<Result<BTreeMap<_, _>, _>>()?,
    })
}

/// An amount of a resource from the command line, like `gpus=4` or `license.x=3`.
pub(super) fn resource<'t>(flag: &str, text: &'t str) -> Result<(Dimension<'t>, u64), Fault> {
    let wrong = |why: String| Fault::Misuse(format!("{flag} {text:?}: {why}"));
    let (name, amount) =
        text.split_once('=').ok_or_else(|| wrong("write it like gpus=4, disk_io=500MB/s or license.x=3".into()))?;
    let known = Dimension::FIXED.map(Dimension::name);
    let dimension = Dimension::of_name(name).ok_or_else(|| match did_you_mean(name, known) {
        Some(other) => wrong(format!("there is no resource {name:?}; did you mean {other:?}?")),
        None => {
            wrong(format!("expected one of {}, or a name with a dot of your own, like license.x", known.join(", ")))
        }
    })?;
    Ok((dimension, dimension.read(amount).map_err(|error| wrong(error.to_string()))?))
}

/// A taint; its value is empty where there is none.
fn name_and_value(text: &str) -> Result<(String, String), Fault> {
    match Tag::parse(text) {
        Some(Tag { key, value, negated: false }) => Ok((key, value.unwrap_or_default())),
        _ => Err(Fault::Misuse(format!("--taint {text:?} is not a taint; write it like dedicated=ml or closed"))),
    }
}

fn key_and_value(text: &str) -> Result<(String, String), Fault> {
    match Tag::parse(text) {
        Some(Tag { key, value: Some(value), negated: false }) => Ok((key, value)),
        _ => Err(Fault::Misuse(format!("--tag {text:?} is not a tag; write it like disk=ssd"))),
    }
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

/// What is free on the file system that a directory is on, or will be on.
fn disk_free(directory: &Path) -> Option<u64> {
    let absolute: PathBuf = std::path::absolute(directory).ok()?;
    let there = absolute.ancestors().find(|ancestor| ancestor.exists())?;
    let known = rustix::fs::statvfs(there).ok()?;
    known.f_bavail.checked_mul(known.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_what_the_kernel_says() {
        assert_eq!(memory_total("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(memory_total("nonsense"), None);
    }

    #[test]
    fn the_disk_of_a_directory_that_is_not_there_yet_is_that_of_its_parent() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(disk_free(&directory.path().join("not/there/yet")).is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn a_capacity_is_a_resource_and_an_amount_of_it() {
        let (gpus, added) = (resource("--capacity", "gpus=4"), resource("--capacity", "license.x=3"));
        assert!(matches!(gpus, Ok((Dimension::Gpus, 4_000))) && matches!(added, Ok((Dimension::Named(_), 3))));
        for (text, said) in [("gpu=4", "did you mean \"gpus\""), ("gpus", "write it like"), ("disk_io=5", "no unit")] {
            let fault = resource("--capacity", text).expect_err("this is none");
            assert!(fault.to_string().contains(said), "{fault}");
        }
    }

    #[test]
    fn a_tag_has_a_key_and_a_value() {
        assert!(key_and_value("disk=ssd").is_ok());
        assert!(key_and_value("disk").is_err());
        assert!(key_and_value("!disk=ssd").is_err());
    }
}
