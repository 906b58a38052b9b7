//! `[job.NAME]` and `[build.NAME]`.

use super::check::{Reference, Relation};
use super::model::{Build, JobSpec, Level, LinkSpec, Workload};
use super::reader::{Item, Reader, Table, is_name};
use super::{place, resources, watch};
use crate::quantity;
use crate::time::Span;
use std::collections::BTreeMap;

/// The most instances a job may want.
pub(super) const INSTANCES_MAX: u32 = 100_000;
/// The most ports an instance may listen on.
const PORTS_MAX: usize = 64;
/// How long after the stop signal an instance is killed, unless its job says otherwise.
const STOP_GRACE: Span = Span::seconds(10);

const FIELDS: &[&str] = &[
    "run",
    "directory",
    "environment",
    "ports",
    "instances",
    "resources",
    "links",
    "place",
    "health",
    "exclusive",
    "restart",
    "rollout",
    "stop_grace",
];

/// What is known of a job before its table is read.
pub(super) struct About<'a> {
    pub realm: &'a str,
    pub name: &'a str,
    pub base_directory: &'a str,
}

/// A command that the client runs first.
pub(super) fn build(reader: &mut Reader<'_>, name: &str, item: &Item<'_>) -> Option<Build> {
    reader.name(item.key_at, &item.path, "a build", name);
    let table = reader.table(item, &["run", "directory"])?;
    let run = required_command(reader, &table)?;
    let directory = table.get("directory").and_then(|item| reader.text(&item, "a directory"));
    Some(Build { name: name.into(), run, directory })
}

/// A job, with a default in place of whatever could not be read.
pub(super) fn job(
    reader: &mut Reader<'_>,
    about: &About<'_>,
    item: &Item<'_>,
    references: &mut Vec<Reference>,
) -> JobSpec {
    let mut spec = JobSpec { realm: about.realm.into(), name: about.name.into(), instances: 1, ..JobSpec::default() };
    let Some(table) = reader.table(item, FIELDS) else { return spec };
    if let Some(count) = table.get("instances").and_then(|item| reader.integer(&item, 0, INSTANCES_MAX)) {
        spec.instances = count;
    }
    spec.exclusive = table.get("exclusive").and_then(|item| reader.boolean(&item)).unwrap_or_default();
    if let Some(item) = table.get("place") {
        spec.place = place::place(reader, about.name, &item, references);
    }
    check_together(reader, table.item(), &spec);
    if let Some(item) = table.get("restart") {
        spec.restart = watch::restart(reader, &item);
    }
    if let Some(item) = table.get("rollout") {
        spec.rollout = watch::rollout(reader, &item);
        check_min_healthy(reader, &item, &spec);
    }
    spec.workload = workload(reader, about, &table, references);
    spec
}

fn check_min_healthy(reader: &mut Reader<'_>, item: &Item<'_>, spec: &JobSpec) {
    if let Some(least) = spec.rollout.min_healthy.filter(|least| *least > spec.instances) {
        let message = format!("min_healthy is {least}, more than the {} instances there should be", spec.instances);
        reader.fault(item.key_at, &item.path, message);
    }
}

/// All on one node, and more than one node may have.
fn check_together(reader: &mut Reader<'_>, item: &Item<'_>, spec: &JobSpec) {
    let mut near = spec.place.near.iter().filter(|near| near.hard && near.job == spec.name);
    let together = near.any(|near| near.within == Level::Node);
    if let Some(most) = spec.place.per_node_max.filter(|most| together && *most < spec.instances) {
        let all = spec.instances;
        let message = format!("its {all} instances must be on one node, and per_node_max lets a node have {most}");
        reader.fault(item.key_at, &format!("{}.place", item.path), message);
    }
}

fn required_command(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Vec<String>> {
    let Some(run) = table.get("run") else {
        if table.misnamed("run") {
            return None;
        }
        let expected = Some("what to run, like run = [\"./program\", \"--option\"]".to_owned());
        reader.note(table.item().key_at, &table.item().path, "missing field \"run\"", expected, None);
        return None;
    };
    Some(reader.command(&run))
}

fn workload(
    reader: &mut Reader<'_>,
    about: &About<'_>,
    table: &Table<'_>,
    references: &mut Vec<Reference>,
) -> Workload {
    let directory = table.get("directory").and_then(|item| reader.text(&item, "a directory"));
    let mut workload = Workload {
        run: required_command(reader, table).unwrap_or_default(),
        base_directory: joined(about.base_directory, directory.as_deref().unwrap_or_default()),
        environment: table.get("environment").map(|item| environment(reader, &item)).unwrap_or_default(),
        stop_grace: STOP_GRACE,
        ..Workload::default()
    };
    if let Some(grace) = table.get("stop_grace").and_then(|item| reader.amount(&item, quantity::span)) {
        workload.stop_grace = grace;
    }
    workload.health = table.get("health").and_then(|item| watch::health(reader, &item));
    workload.ports = ports(reader, table, &workload);
    if let Some(item) = table.get("resources") {
        (workload.resources, workload.gpu_models) = resources::resources(reader, &item);
    }
    workload.resources.ports = workload.ports.len() as u64;
    if let Some(item) = table.get("links") {
        workload.links = links(reader, about.name, &item, references);
    }
    watch::check_port(reader, table, &workload);
    workload
}

/// `path` as seen from `base`.
fn joined(base: &str, path: &str) -> String {
    match (base, path) {
        (base, "" | ".") => base.into(),
        ("", path) => path.into(),
        (_, path) if path.starts_with('/') => path.into(),
        (base, path) => format!("{}/{path}", base.trim_end_matches('/')),
    }
}

fn environment(reader: &mut Reader<'_>, item: &Item<'_>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for (name, item) in reader.entries(item, "a table of strings") {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("{name:?} cannot be the name of an environment variable");
            reader.fault(item.key_at, &item.path, message);
        }
        if let Some(value) = reader.text(&item, "a string") {
            environment.insert(name.into(), value);
        }
    }
    environment
}

/// The ports as declared, or as the command and the environment ask for them.
fn ports(reader: &mut Reader<'_>, table: &Table<'_>, workload: &Workload) -> Vec<String> {
    let asked = asked_ports(workload);
    let Some(item) = table.get("ports") else {
        let mut ports = Vec::new();
        for (variable, port) in asked {
            if !is_name(&port) {
                let message = format!("${{{variable}}} does not name a port; write it like ${{PORT_HTTP}}");
                reader.fault(table.item().key_at, &table.item().path, message);
            } else if !ports.contains(&port) {
                ports.push(port);
            }
        }
        return ports;
    };
    let mut ports = Vec::new();
    for item in reader.list(&item, "a list of names, like [\"http\"]") {
        let Some(name) = reader.text(&item, "the name of a port") else { continue };
        if reader.name(item.at(), &item.path, "a port", &name) {
            if ports.contains(&name) {
                reader.fault(item.at(), &item.path, format!("port {name:?} is named twice"));
            } else if ports.len() >= PORTS_MAX {
                reader.fault(item.at(), &item.path, format!("more than {PORTS_MAX} ports"));
            }
            ports.push(name);
        }
    }
    let at = table.get("run").unwrap_or_else(|| table.item().clone());
    for (variable, port) in asked.iter().filter(|(_, port)| !ports.contains(port)) {
        let message = format!("${{{variable}}} stands for port {port:?}, which is not among the ports");
        let expected = Some(format!("{port:?} in ports, or one of {}", ports.join(", "))).filter(|_| !ports.is_empty());
        let known = ports.iter().map(String::as_str);
        let suggestion = super::fault::did_you_mean(port, known).map(|port| format!("${{{}}}", port_variable(&port)));
        reader.note(at.at(), &at.path, message, expected, suggestion);
    }
    ports
}

/// The variable that a port's number is given in.
pub fn port_variable(port: &str) -> String {
    format!("PORT_{}", port.to_uppercase().replace('-', "_"))
}

/// Every `${PORT_X}` that an instance asks for, with the port's name, in the order of their first use.
fn asked_ports(workload: &Workload) -> Vec<(String, String)> {
    let mut asked: Vec<(String, String)> = Vec::new();
    let command = workload.health.iter().filter_map(|health| match &health.check {
        super::model::Check::Command { run } => Some(run),
        _ => None,
    });
    let texts = workload.run.iter().chain(workload.environment.values()).chain(command.flatten());
    for text in texts {
        for piece in text.split("${PORT_").skip(1) {
            let Some((suffix, _)) = piece.split_once('}') else { continue };
            let (variable, port) = (format!("PORT_{suffix}"), suffix.to_lowercase().replace('_', "-"));
            if asked.len() < PORTS_MAX && !asked.iter().any(|(known, _)| *known == variable) {
                asked.push((variable, port));
            }
        }
    }
    asked
}

fn links(
    reader: &mut Reader<'_>,
    job: &str,
    item: &Item<'_>,
    references: &mut Vec<Reference>,
) -> BTreeMap<String, LinkSpec> {
    let mut links = BTreeMap::new();
    for (to, item) in reader.entries(item, "a table of jobs, like { b = {} }") {
        let mut link = LinkSpec::default();
        let mut port_at = item.key_at;
        if let Some(table) = reader.table(&item, &["latency_p99", "bandwidth", "port"]) {
            link.latency_p99 = table.get("latency_p99").and_then(|item| reader.amount(&item, quantity::span));
            link.bandwidth_bits = table.get("bandwidth").and_then(|item| reader.amount(&item, quantity::bits));
            if let Some(item) = table.get("port") {
                port_at = item.at();
                link.port = reader.text(&item, "the name of a port of the job");
            }
        }
        if to == job {
            reader.fault(item.key_at, &item.path, format!("job {job:?} has a link to itself"));
        } else {
            references.push(Reference {
                from: job.into(),
                to: to.into(),
                relation: Relation::Link,
                at: item.key_at,
                path: item.path.clone(),
                port: link.port.clone(),
                port_at,
            });
        }
        links.insert(to.into(), link);
    }
    links
}
