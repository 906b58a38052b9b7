//! The rows of a change, a function for each.

use super::read::{Fields, Reader};
use super::{Edit, Given, How, Nodes, Wrong};
use crate::scenario::mode_of;
use messages::manifest::{self, Format};
use messages::policy::{Quota, Request};
use messages::quantity;
use messages::resources::Resources;

/// Reads one kind of row.
type Parse = fn(&mut Reader<'_>, &mut Fields<'_>) -> Option<Edit>;

/// Every kind of row.
pub(super) const NAMES: [&str; 9] =
    ["remove", "add", "resize", "apply", "scale", "policy", "quota", "fault", "command"];

/// Nodes one row may add.
const ADDED_MAX: u32 = 100_000;
/// The faults that a planned world knows.
const FAULTS: &str = "machine-crash, partition, agent-crash, control-crash, workload-dies, workload-sick";

/// What reads the rows of a name.
pub(super) fn of(name: &str) -> Option<Parse> {
    Some(match name {
        "remove" => remove,
        "add" => add,
        "resize" => resize,
        "apply" => apply,
        "scale" => scale,
        "policy" => policy,
        "quota" => quota,
        "fault" => fault,
        "command" => command,
        _ => return None,
    })
}

fn nodes(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Nodes> {
    if let Some(name) = reader.text(fields, "node") {
        return Some(Nodes::Named(name));
    }
    if let Some(rack) = reader.text(fields, "rack") {
        return Some(Nodes::Rack(rack));
    }
    reader.text(fields, "site").map(Nodes::Site)
}

fn needed_nodes(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Nodes> {
    let found = nodes(reader, fields);
    if found.is_none() {
        reader.fault(fields.place, "which nodes? expected one of node, rack, site".into());
    }
    found
}

fn resources(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Given {
    Given {
        cpu_milli: reader.parsed(fields, "cpu", "cores like \"4\" or \"500m\"", |text| quantity::cpu(text).ok()),
        memory_bytes: reader.parsed(fields, "memory", "bytes like \"8GiB\"", |text| quantity::bytes(text).ok()),
        disk_bytes: reader.parsed(fields, "disk", "bytes like \"100GiB\"", |text| quantity::bytes(text).ok()),
        ..Given::default()
    }
}

fn remove(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Edit> {
    let named = nodes(reader, fields);
    let shape = resources(reader, fields);
    let drained = reader.parsed(fields, "drained", "true or false", |text| text.parse().ok()).unwrap_or(false);
    let shaped = (shape != Given::default()).then_some(Nodes::Shaped(shape));
    let Some(nodes) = named.or(shaped) else {
        reader
            .fault(fields.place, "which nodes? expected node, rack or site, or their shape: cpu, memory, disk".into());
        return None;
    };
    Some(Edit::Remove { nodes, drained })
}

fn add(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Edit> {
    let place = fields.place;
    let like = reader.text(fields, "like");
    let within = |text: &str| text.parse().ok().filter(|count| (1..=ADDED_MAX).contains(count));
    let count = reader.parsed(fields, "count", "a number from 1 to 100000", within).unwrap_or(1);
    let name = reader.text(fields, "name").unwrap_or_else(|| "added".into());
    let (rack, site, region) =
        (reader.text(fields, "rack"), reader.text(fields, "site"), reader.text(fields, "region"));
    let given = Given { rack, site, region, ..resources(reader, fields) };
    if like.is_none() && (given.cpu_milli.is_none() || given.memory_bytes.is_none()) {
        reader.fault(place, "what is it like? expected like = \"NODE\", or cpu and memory".into());
        return None;
    }
    Some(Edit::Add { like, count, name, given })
}

fn resize(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Edit> {
    let nodes = needed_nodes(reader, fields);
    let given = resources(reader, fields);
    if given == Given::default() {
        reader.fault(fields.place, "to what? expected cpu, memory or disk".into());
    }
    Some(Edit::Resize { nodes: nodes?, given })
}

fn apply(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Edit> {
    let (place, text) = reader.file_or_text(fields, "manifest")?;
    match manifest::read(&text, "manifest", Format::Toml) {
        Ok(mut manifest) => {
            manifest.build.clear();
            Some(Edit::Command { realm: manifest.realm.clone(), request: Box::new(Request::Apply { manifest }) })
        }
        Err(faults) => {
            for fault in faults {
                reader.fault(place, format!("manifest, line {}: {}", fault.line, fault.sentence()));
            }
            None
        }
    }
}

/// A job as it is named, `job` or `realm/job`: its realm and its name.
fn job(text: &str) -> (String, String) {
    let (realm, job) = text.split_once('/').unwrap_or(("", text));
    (realm.into(), job.into())
}

fn scale(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Edit> {
    let name = reader.needed(fields, "job", "JOB or REALM/JOB");
    if !fields.has("instances") {
        reader.fault(fields.place, "field \"instances\" is missing; expected a number".into());
    }
    let instances = reader.count(fields, "instances");
    let (realm, job) = job(&name?);
    Some(Edit::Command { realm, request: Box::new(Request::Scale { job, instances: instances? }) })
}

fn policy(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Edit> {
    let realm = reader.text(fields, "realm").unwrap_or_default();
    let mode = reader.parsed(fields, "mode", "audit, shadow or enforce", mode_of).unwrap_or_default();
    let (place, text) = reader.file_or_text(fields, "text")?;
    if let Err(refusal) = actors::cedar::Policies::admit(&text) {
        reader.fault(place, refusal.message);
        return None;
    }
    Some(Edit::Command { realm, request: Box::new(Request::SetPolicy { text, mode }) })
}

fn quota(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Edit> {
    let realm = reader.text(fields, "realm").unwrap_or_default();
    let none = reader.parsed(fields, "none", "true or false", |text| text.parse().ok()).unwrap_or(false);
    let instances = reader.count(fields, "instances").map(u64::from);
    let given = resources(reader, fields);
    if !none && instances.is_none() && given == Given::default() {
        reader.fault(fields.place, "which quota? expected instances, cpu, memory or disk, or none = true".into());
        return None;
    }
    let resources = Resources {
        cpu_milli: given.cpu_milli.unwrap_or(0),
        memory_bytes: given.memory_bytes.unwrap_or(0),
        disk_bytes: given.disk_bytes.unwrap_or(0),
        ..Resources::default()
    };
    let quota = (!none).then_some(Quota { instances, resources });
    Some(Edit::Command { realm, request: Box::new(Request::SetQuota { quota }) })
}

fn fault(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Edit> {
    let place = fields.place;
    let what = reader.needed(fields, "what", FAULTS)?;
    let lasts = reader.span(fields, "lasts").unwrap_or(10_000_000);
    let what = match what.as_str() {
        "machine-crash" => Wrong::MachineCrash(needed_nodes(reader, fields)?),
        "partition" | "agent-crash" | "agent-pause" => Wrong::Partition(needed_nodes(reader, fields)?),
        "control-crash" => Wrong::ControlCrash,
        "workload-dies" | "workload-sick" => {
            let job = reader.needed(fields, "job", "JOB or REALM/JOB");
            let slot = reader.count(fields, "slot").unwrap_or(0);
            if what == "workload-dies" { Wrong::WorkloadDies(job?, slot) } else { Wrong::WorkloadSick(job?, slot) }
        }
        other => {
            reader.fault(place, format!("a what-if knows no fault {other:?}; known are {FAULTS}"));
            return None;
        }
    };
    Some(Edit::Fault { what, lasts })
}

fn shift(text: &str) -> Option<i64> {
    let (sign, length) = text.strip_prefix('-').map_or((1, text), |length| (-1, length));
    let span = quantity::span(length.strip_prefix('+').unwrap_or(length)).ok()?;
    i64::try_from(span.0).ok().map(|span| span * sign)
}

fn command(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Edit> {
    let place = fields.place;
    let action = reader.text(fields, "action");
    let job = reader.text(fields, "job");
    let dropped = reader.parsed(fields, "drop", "true", |text| (text == "true").then_some(How::Drop));
    let shifted = reader.parsed(fields, "shift", "a time like \"10s\" or \"-10s\"", shift).map(How::Shift);
    let counted = reader.count(fields, "instances").map(How::Instances);
    let scaled = reader.count(fields, "percent").map(How::Percent);
    let Some(how) = dropped.or(shifted).or(counted).or(scaled) else {
        reader.fault(place, "what becomes of it? expected drop = true, shift, instances or percent".into());
        return None;
    };
    Some(Edit::Recorded { action, job, how })
}
