//! Gangs: what is decided of one is decided of all of it, nobody of it starts alone, and none stays half-placed.

use super::Finding;
use super::given::Waits;
use super::placing::{Look, Placing};
use crate::verdict::Invariant;
use actors::fold::Fold;
use actors::job::{Job, Phase};
use messages::entry::Record;
use messages::envelope::Body;
use messages::id::JobId;
use messages::manifest::Level;
use messages::scheduler::{Ask, Event, Message};
use messages::{job, node};
use std::collections::BTreeSet;

impl Placing {
    /// After a turn of the scheduler all of a gang that waited have a place, or all wait, and then they must.
    pub(super) fn check_gangs(&self, record: &Record<Message, Event>, findings: &mut Vec<Finding>) {
        if matches!(record.input, Message::Reserve { .. }) {
            return;
        }
        let gangs = |placed: bool| {
            let of = move |event: &Event| {
                let (job, Ask { revision, gang, .. }) = match event {
                    Event::Placed { job, ask, .. } if placed => (job, ask),
                    Event::Unplaced { job, ask, .. } if !placed => (job, ask),
                    _ => return None,
                };
                gang.then_some((*job, *revision))
            };
            record.events.iter().filter_map(of).collect::<BTreeSet<(JobId, u32)>>()
        };
        for (job, revision) in gangs(true) {
            if self.gang(job, revision).next().is_some() {
                let message = format!("revision {revision} of {job}");
                findings.push((Invariant::Placement, "a gang is placed in part", message));
            }
        }
        for (job, revision) in gangs(false) {
            if let Some(node) = self.gang_taker(job, revision) {
                let message = format!("revision {revision} of {job}, the last of it on {node}");
                findings.push((Invariant::Placement, "a gang waits though there is room for all of it", message));
            }
        }
    }

    /// Who of a gang waits.
    fn gang(&self, job: JobId, revision: u32) -> impl Iterator<Item = &Waits> {
        let waiting = self.given.waiting.values();
        waiting.filter(move |waits| waits.gang && waits.number.is_some() && waits.class == (job, revision))
    }

    /// The node that would take the last of a gang, if all of it could be placed at once. Only asked where it does not
    /// matter who is where.
    pub(super) fn gang_taker(&self, job: JobId, revision: u32) -> Option<&str> {
        let needs = self.given.jobs.get(&job)?;
        let (place, workload) = (&needs.place, needs.workloads.get(&revision)?);
        let alone = place.near.is_empty() && place.apart.is_empty() && place.spread.is_empty();
        let willing = self.gang(job, revision).all(|waits| waits.refused.is_empty());
        if !alone || !willing || workload.resources.gpu_milli > 0 {
            return None;
        }
        let look = Look::new(&self.given, job, needs, revision);
        let mut left = self.gang(job, revision).count() as u64;
        for node in self.given.nodes.values().filter(|node| look.broken(node).is_none()) {
            let free = node.view.spec.capacity.minus(&node.used);
            let there = self.given.count(job, Level::Node, node.domain(Level::Node));
            let most = place.per_node_max.map_or(u64::MAX, |most| u64::from(most.saturating_sub(there)));
            left = left.saturating_sub(workload.resources.times_in(&free).min(most));
            if left == 0 {
                return Some(&node.view.spec.name);
            }
        }
        None
    }
}

/// Nobody of a gang is told to start before all of it have a place, and none keeps its place when one of them finds none.
pub(super) fn check_turn(record: &Record<job::Message, job::Event>, job: &Job, findings: &mut Vec<Finding>) {
    if !gathers(job) || live(job, Phase::Wanted) == 0 {
        return;
    }
    let starts = |(_, body): &(_, Body)| matches!(body, Body::Node(node::Message::Start { .. }));
    if record.head.sends.iter().any(starts) {
        let signature = "one of a gang is told to start before all have a place";
        findings.push((Invariant::Placement, signature, job.full_name()));
    }
    let unplaced = record.events.iter().any(|event| matches!(event, job::Event::Unplaceable { .. }));
    if unplaced && live(job, Phase::Starting) > 0 {
        let signature = "a gang keeps places though one of it finds none";
        findings.push((Invariant::Placement, signature, job.full_name()));
    }
}

/// Gangs of which some hold a place while others wait for one.
pub(super) fn half_placed(fold: &Fold) -> Vec<String> {
    let half = |job: &Job| gathers(job) && live(job, Phase::Wanted) > 0 && live(job, Phase::Starting) > 0;
    fold.jobs().filter(|(_, job)| half(job)).map(|(_, job)| job.full_name()).collect()
}

/// Whether a job is a gang that has not started yet, and nothing of it runs.
fn gathers(job: &Job) -> bool {
    let gang = job.spec.as_ref().is_some_and(|spec| spec.place.gang);
    gang && !job.mustered && live(job, Phase::Running) + live(job, Phase::Healthy) == 0
}

fn live(job: &Job, phase: Phase) -> usize {
    job.instances.values().filter(|one| one.live() && one.phase == phase).count()
}
