//! Holding room for what was planned: decided by the same rules as when a job asks, all in one turn, and only if every
//! instance goes where the plan says.
//!
//! When the jobs ask, they are answered with the room that is held for them. So what a plan says of the instances that a
//! command calls for at once is true, whoever else asks for room in the meantime.

use super::filter::Survey;
use super::view::ClusterView;
use super::{Scheduler, check, select};
use crate::behavior::Turn;
use messages::id::JobId;
use messages::manifest::{JobSpec, Workload};
use messages::reason::{Reason, Refusal};
use messages::scheduler::{Ask, Decision, Event, Placement};
use messages::shared::Shared;
use std::collections::BTreeMap;

/// The jobs of a plan, and a look at the cluster to which what is decided is added.
struct Desk<'a> {
    view: ClusterView<'a>,
    surveys: BTreeMap<JobId, Survey<'a>>,
}

/// What each job runs, shared by all its instances.
fn workloads(jobs: &[JobSpec]) -> Vec<Shared<Workload>> {
    jobs.iter().map(|spec| spec.workload.clone().into()).collect()
}

impl<'a> Desk<'a> {
    fn new(state: &'a Scheduler, jobs: &'a [JobSpec], workloads: &'a [Shared<Workload>]) -> Self {
        let view = check::beside(state, jobs);
        let wants = jobs.iter().zip(workloads).map(|(spec, workload)| check::want(spec, workload));
        let surveys = wants.map(|want| (want.job, Survey::new(&view, want))).collect();
        Self { view, surveys }
    }

    /// Where an instance goes beside all before it. None for a job that is none of these.
    fn decide(&mut self, job: JobId, ask: &Ask) -> Option<Decision> {
        let survey = self.surveys.get(&job)?;
        let decision = select::decide(&self.view, survey, ask, &[]);
        if let Some(id) = decision.chosen
            && let Some(node) = self.view.state.cluster.node(id)
        {
            self.view.place(job, &survey.want.workload.resources, node);
        }
        Some(decision)
    }
}

/// Where instances of these jobs go, each beside those before it, in the order in which that is decided: one that waits for
/// company comes after it. Those that fit nowhere are left out.
pub fn places(state: &Scheduler, jobs: &[JobSpec], asks: &[(JobId, Ask)]) -> Vec<Placement> {
    let workloads = workloads(jobs);
    let mut desk = Desk::new(state, jobs, &workloads);
    let mut left: Vec<&(JobId, Ask)> = asks.iter().collect();
    let mut placements = Vec::new();
    loop {
        let before = left.len();
        left.retain(|(job, ask)| match desk.decide(*job, ask).and_then(|decision| decision.chosen) {
            Some(node) => {
                placements.push(Placement { job: *job, ask: ask.clone(), node });
                false
            }
            None => true,
        });
        if left.len() == before || left.is_empty() {
            return placements;
        }
    }
}

/// Holds room for the placements, all of them or none.
pub(super) fn reserve(
    state: &Scheduler,
    jobs: &[JobSpec],
    placements: &[Placement],
    turn: &mut Turn<Scheduler>,
) -> Result<(), Refusal> {
    let workloads = workloads(jobs);
    let mut desk = Desk::new(state, jobs, &workloads);
    let mut decided = Vec::new();
    for Placement { job, ask, node } in placements {
        let held = state.cluster.place_of(ask.instance);
        if held == Some(*node) {
            continue;
        }
        let waiting = state.waiting.get(&ask.instance).map(|waiting| waiting.ask.revision);
        let taken = held.is_some() || waiting.is_some_and(|revision| revision != ask.revision);
        let decision = if taken { None } else { desk.decide(*job, ask) };
        match decision {
            Some(decision) if decision.chosen == Some(*node) => decided.push((*job, ask, decision)),
            other => return Err(otherwise(state, other, ask, *node)),
        }
    }
    for (spec, workload) in jobs.iter().zip(&workloads) {
        let want = check::want(spec, workload);
        let mine = decided.iter().filter(|(job, ..)| *job == want.job);
        let asks: Vec<Ask> = mine.map(|(_, ask, _)| (*ask).clone()).collect();
        state.learn(&want, &asks, turn);
    }
    for (job, ask, decision) in decided {
        let Some(survey) = desk.surveys.get(&job) else { continue };
        let resources = survey.want.workload.resources.clone();
        turn.record(Event::Placed { job, ask: ask.clone(), resources, decision });
    }
    Ok(())
}

/// What is said when an instance would not go where it was planned.
fn otherwise(state: &Scheduler, decision: Option<Decision>, ask: &Ask, planned: messages::id::NodeId) -> Refusal {
    let name = |id| state.cluster.node(id).map_or("a node that is gone", super::NodeState::name);
    let (label, planned) = (&ask.label, name(planned));
    let now = match decision {
        Some(Decision { chosen: Some(node), .. }) => format!("{label} would go to {} now", name(node)),
        Some(Decision { unplaceable: Some(why), .. }) => why.message,
        _ => format!("{label} was asked for otherwise already"),
    };
    let message = format!("{label} would not go to {planned} any more, as was planned; nothing was applied");
    Refusal::new(Reason::Stale, message).nearest(now).change("plan it again")
}
