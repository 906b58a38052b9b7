//! What can only be checked once everything is read: that what is named exists, and that no `near` leads in a circle.

use super::fault::{Stretch, did_you_mean};
use super::model::Manifest;
use super::reader::Reader;
use std::collections::{BTreeMap, BTreeSet};

/// How one thing names another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Link,
    Near,
    Apart,
    Route,
}

/// A place where a job is named.
pub(super) struct Reference {
    pub from: String,
    pub to: String,
    pub relation: Relation,
    pub at: Stretch,
    pub path: String,
    pub port: Option<String>,
    pub port_at: Stretch,
}

/// Every job and port that is named must be there.
pub(super) fn references(reader: &mut Reader<'_>, manifest: &Manifest, references: &[Reference]) {
    let known: Vec<&str> = manifest.jobs.keys().map(String::as_str).collect();
    for reference in references {
        let Reference { to, at, path, .. } = reference;
        let Some(job) = manifest.jobs.get(to) else {
            let suggestion = did_you_mean(to, known.iter().copied());
            let expected = (suggestion.is_none() && !known.is_empty()).then(|| format!("one of {}", known.join(", ")));
            reader.note(*at, path, format!("there is no job {to:?} in this manifest"), expected, suggestion);
            continue;
        };
        let ports = &job.workload.ports;
        let connects = matches!(reference.relation, Relation::Link | Relation::Route);
        if let Some(port) = reference.port.as_ref().filter(|port| !ports.contains(port)) {
            let suggestion = did_you_mean(port, ports.iter().map(String::as_str));
            let expected = (!ports.is_empty()).then(|| format!("one of {}", ports.join(", ")));
            reader.note(reference.port_at, path, format!("job {to:?} has no port {port:?}"), expected, suggestion);
        } else if connects && ports.is_empty() {
            let expected = Some(format!("${{PORT_HTTP}} in the run of {to:?}, or ports = [\"http\"]"));
            reader.note(*at, path, format!("job {to:?} listens on no port"), expected, None);
        }
    }
}

/// No chain of `near` may come back to where it began; a job near itself is no chain.
pub(super) fn cycles(reader: &mut Reader<'_>, references: &[Reference]) {
    let mut edges: BTreeMap<&str, Vec<&Reference>> = BTreeMap::new();
    for reference in references.iter().filter(|edge| edge.relation == Relation::Near && edge.from != edge.to) {
        edges.entry(&reference.from).or_default().push(reference);
    }
    let mut told: BTreeSet<Vec<&str>> = BTreeSet::new();
    for start in edges.keys().copied() {
        let Some(chain) = chain_back(start, &edges) else { continue };
        let mut members: Vec<&str> = chain.iter().map(|edge| edge.from.as_str()).collect();
        let sentence = format!("{} -> {start}", members.join(" -> "));
        members.sort_unstable();
        if told.insert(members) {
            let first = chain[0];
            reader.fault(
                first.at,
                &first.path,
                format!("each of these jobs is to be near the next, in a circle: {sentence}"),
            );
        }
    }
}

/// The shortest chain from `start` back to it.
fn chain_back<'r>(start: &str, edges: &BTreeMap<&'r str, Vec<&'r Reference>>) -> Option<Vec<&'r Reference>> {
    let mut reached: BTreeMap<&str, &Reference> = BTreeMap::new();
    let mut front = vec![start];
    while let Some(from) = (!front.is_empty()).then(|| front.remove(0)) {
        for edge in edges.get(from).into_iter().flatten() {
            if edge.to == start {
                let mut chain = vec![*edge];
                while let Some(before) = chain.last().and_then(|edge| reached.get(edge.from.as_str())) {
                    chain.push(*before);
                }
                chain.reverse();
                return Some(chain);
            }
            if !reached.contains_key(edge.to.as_str()) {
                reached.insert(&edge.to, edge);
                front.push(&edge.to);
            }
        }
    }
    None
}
