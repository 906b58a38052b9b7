//! What can only be checked once everything is read: that what is named exists, and that no `near` leads in a circle.

use super::fault::{Stretch, did_you_mean};
use super::model::{Affinity, Manifest};
use super::reader::Reader;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

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

/// Nobody must be near a job that must be apart from them at least as far.
pub(super) fn one_sided(reader: &mut Reader<'_>, manifest: &Manifest, references: &[Reference]) {
    for reference in references.iter().filter(|edge| edge.relation == Relation::Near && edge.from != edge.to) {
        let Reference { from, to, at, path, .. } = reference;
        let (Some(one), Some(other)) = (manifest.jobs.get(from), manifest.jobs.get(to)) else { continue };
        let mut near = one.place.near.iter().filter(|near| near.hard && near.job == *to);
        let apart = |near: &&Affinity| {
            let mut hard = other.place.apart.iter().filter(|apart| apart.hard && apart.job == *from);
            hard.any(|apart| near.within <= apart.within)
        };
        if let Some(near) = near.find(apart) {
            let within = near.within.name();
            let message = format!("must be in the {within} of job {to:?}, which must be apart from job {from:?} there");
            reader.fault(*at, path, message);
        }
    }
}

/// The most circles that are told of one manifest.
const CIRCLES_MAX: usize = 20;

/// Who is to be near whom.
type Edges<'r> = BTreeMap<&'r str, Vec<&'r Reference>>;

/// No chain of `near` may come back to where it began; a job near itself is no chain.
pub(super) fn cycles(reader: &mut Reader<'_>, references: &[Reference]) {
    let mut edges: Edges<'_> = BTreeMap::new();
    for reference in references.iter().filter(|edge| edge.relation == Relation::Near && edge.from != edge.to) {
        edges.entry(&reference.from).or_default().push(reference);
    }
    peel(&mut edges);
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let mut circles = 0;
    for start in edges.keys().copied() {
        if circles == CIRCLES_MAX || told.contains(start) {
            continue;
        }
        let Some(chain) = chain_back(start, &edges) else { continue };
        circles += 1;
        let members: Vec<&str> = chain.iter().map(|edge| edge.from.as_str()).collect();
        let sentence = format!("{} -> {start}", members.join(" -> "));
        told.extend(members);
        let (at, path) = (chain[0].at, &chain[0].path);
        reader.fault(at, path, format!("each of these jobs is to be near the next, in a circle: {sentence}"));
    }
}

/// Takes away every job that is in no circle because all it is near to has been taken away.
fn peel(edges: &mut Edges<'_>) {
    let mut wanted_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for edge in edges.values().flatten() {
        wanted_by.entry(&edge.to).or_default().push(&edge.from);
        *open.entry(&edge.from).or_default() += 1;
    }
    let mut free: Vec<&str> = wanted_by.keys().copied().filter(|job| !open.contains_key(job)).collect();
    while let Some(job) = free.pop() {
        for from in wanted_by.remove(job).unwrap_or_default() {
            if let Some(left) = open.get_mut(from) {
                *left -= 1;
                if *left == 0 {
                    free.push(from);
                }
            }
        }
    }
    edges.retain(|job, _| open.get(job).is_some_and(|left| *left > 0));
}

/// The shortest chain from `start` back to it.
fn chain_back<'r>(start: &str, edges: &Edges<'r>) -> Option<Vec<&'r Reference>> {
    let mut reached: BTreeMap<&str, &Reference> = BTreeMap::new();
    let mut front = VecDeque::from([start]);
    while let Some(from) = front.pop_front() {
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
                front.push_back(&edge.to);
            }
        }
    }
    None
}
