//! What people and rollouts want of a job: apply, scale, restart, stop, and targets.

use super::{INSTANCES_MAX, Job, gang, tell};
use crate::behavior::Draft;
use messages::id::{InstanceId, JobId, RolloutId};
use messages::job::Event;
use messages::manifest::JobSpec;
use messages::policy::{self, Change};
use messages::reason::{Reason, Refusal};
use messages::rollout;
use std::collections::BTreeMap;

pub(super) fn apply(draft: &mut Draft<'_, Job>, ticket: u64, spec: &JobSpec) -> Reason {
    if repeated(draft, ticket) {
        return Reason::Declared;
    }
    let outcome = within_bounds(spec.instances).map(|()| adopt(draft, spec));
    let outcome = outcome.map(|how| Change { what: format!("job {}/{}", spec.realm, spec.name), how });
    answer(draft, ticket, outcome);
    Reason::Declared
}

/// Takes a declaration in, and says how it differs from what was.
fn adopt(draft: &mut Draft<'_, Job>, spec: &JobSpec) -> String {
    let before = draft.state.clone();
    let same = |revision: u32| before.workloads.get(&revision).map(|workload| &**workload) == Some(&spec.workload);
    if before.spec.as_deref() == Some(spec) && same(before.target()) && before.desired == spec.instances {
        return "unchanged".into();
    }
    let revision = match (before.target(), before.settled) {
        (target, _) if target > 0 && same(target) => target,
        (_, settled) if settled > 0 && same(settled) => settled,
        _ if crate::mutant!(RevisionReused) => before.revision.max(1),
        _ => before.revision + 1,
    };
    draft.record(Event::Applied { spec: spec.clone(), revision });
    if revision != before.target() {
        turn_to(draft, revision, before.desired == 0);
    }
    match &before.spec {
        None => "created".into(),
        Some(_) if revision == before.settled && revision != before.target() => format!("back to revision {revision}"),
        Some(_) if revision != before.target() => format!("revision {revision}"),
        Some(_) if before.desired == 0 && spec.instances > 0 => "started".into(),
        Some(_) if before.desired != spec.instances => format!("scaled {} to {}", before.desired, spec.instances),
        Some(_) => "updated".into(),
    }
}

/// Goes to another revision than the one it is at or going to: at once when nothing of the job runs, by a rollout
/// otherwise.
fn turn_to(draft: &mut Draft<'_, Job>, revision: u32, was_stopped: bool) {
    dismiss(draft, Some(revision));
    let state = &draft.state;
    let from = state.settled;
    let runs = state.instances.values().any(|instance| instance.live() && instance.placed());
    let nothing_runs = !runs || gang::gathers(state);
    if revision == from || from == 0 || was_stopped || state.desired == 0 || nothing_runs {
        draft.record(Event::Settled { revision });
        return;
    }
    let rollout = RolloutId::of(JobId(draft.turn.me().id), revision);
    draft.record(Event::RolloutBegun { rollout, from, to: revision });
    tell::begin(draft);
}

/// Lets a rollout that is under way know that it lost its purpose.
fn dismiss(draft: &mut Draft<'_, Job>, by: Option<u32>) {
    let Some(rollout) = draft.state.under_way().map(|engagement| engagement.rollout) else { return };
    draft.record(Event::RolloutDismissed { rollout, by });
    tell::supersede(draft, rollout, by);
}

pub(super) fn scale(draft: &mut Draft<'_, Job>, ticket: u64, instances: u32) -> Reason {
    if repeated(draft, ticket) {
        return Reason::ScaledUp;
    }
    let before = draft.state.desired;
    let outcome = known(draft).and_then(|what| within_bounds(instances).map(|()| what)).map(|what| {
        if before == instances {
            return Change { what, how: "unchanged".into() };
        }
        draft.record(Event::Scaled { instances });
        Change { what, how: format!("scaled {before} to {instances}") }
    });
    answer(draft, ticket, outcome);
    if instances < before { Reason::ScaledDown } else { Reason::ScaledUp }
}

pub(super) fn stop(draft: &mut Draft<'_, Job>, ticket: u64) -> Reason {
    if repeated(draft, ticket) {
        return Reason::Operator;
    }
    let outcome = known(draft).map(|what| {
        if draft.state.desired == 0 {
            return Change { what, how: "unchanged".into() };
        }
        dismiss(draft, None);
        draft.record(Event::Scaled { instances: 0 });
        draft.record(Event::Settled { revision: draft.state.settled });
        Change { what, how: "stopped".into() }
    });
    answer(draft, ticket, outcome);
    Reason::Operator
}

pub(super) fn restart(draft: &mut Draft<'_, Job>, ticket: u64, slot: Option<u32>) -> Reason {
    if repeated(draft, ticket) {
        return Reason::Operator;
    }
    let outcome = known(draft).and_then(|what| {
        let wanted = |at: u32| slot.is_none_or(|slot| slot == at);
        let live = draft.state.instances.iter().filter(|(_, instance)| instance.live() && wanted(instance.slot));
        let mut by_slot: Vec<(u32, InstanceId)> = live.map(|(id, instance)| (instance.slot, *id)).collect();
        by_slot.sort_unstable();
        by_slot.retain(|(_, id)| !draft.state.restarts.contains(id));
        let waits: Vec<u32> = draft.state.waiting().map(|(slot, _)| slot).filter(|slot| wanted(*slot)).collect();
        let count = by_slot.len() + waits.len();
        if count == 0 {
            return Err(nothing_to_restart(&draft.state, slot));
        }
        for slot in waits {
            draft.record(Event::Hastened { slot });
        }
        let instances = by_slot.into_iter().map(|(_, id)| id).collect();
        draft.record(Event::RestartQueued { instances });
        Ok(Change { what, how: format!("restarting {count}") })
    });
    answer(draft, ticket, outcome);
    Reason::Operator
}

fn nothing_to_restart(state: &Job, slot: Option<u32>) -> Refusal {
    let name = state.full_name();
    let slots: Vec<String> = state.instances.values().map(|instance| instance.slot.to_string()).collect();
    let message = match slot {
        Some(slot) => format!("job {name} has no instance in slot {slot} that could be restarted"),
        None => format!("job {name} has no instance that could be restarted"),
    };
    let refusal = Refusal::new(if slot.is_some() { Reason::NotFound } else { Reason::WrongState }, message);
    if slots.is_empty() { refusal } else { refusal.nearest(format!("slots {}", slots.join(", "))) }
}

pub(super) fn targets(
    draft: &mut Draft<'_, Job>,
    rollout: RolloutId,
    version: u64,
    counts: &[(u32, u32)],
    weights: &[(u32, u32)],
    settled: Option<u32>,
) -> Reason {
    let Some(engagement) = draft.state.rollout.as_ref().filter(|engagement| engagement.rollout == rollout) else {
        let by = draft.state.under_way().map(|engagement| engagement.to);
        tell::supersede(draft, rollout, by);
        return Reason::RolledOut;
    };
    let (back, dismissed) = (settled == Some(engagement.from), draft.state.dismissed.get(&rollout));
    if let Some(dismissal) = dismissed {
        let by = dismissal.by;
        tell::supersede(draft, rollout, by);
    } else if engagement.over || engagement.targets.is_some_and(|known| version <= known) {
        tell::progress_again(draft);
    } else {
        let known = |revision: u32| draft.state.workloads.contains_key(&revision);
        let counts = bounded(counts, known);
        let weights = weights.to_vec();
        let settled = settled.filter(|revision| [engagement.from, engagement.to].contains(revision));
        draft.record(Event::Targeted { rollout, version, counts, weights, settled });
    }
    if back { Reason::RolledBack } else { Reason::RolledOut }
}

/// Counts of revisions that there are, each within the bound.
fn bounded(counts: &[(u32, u32)], known: impl Fn(u32) -> bool) -> Vec<(u32, u32)> {
    let counts: BTreeMap<u32, u32> = counts.iter().copied().collect();
    counts.into_iter().filter(|(revision, _)| known(*revision)).map(|(r, n)| (r, n.min(INSTANCES_MAX))).collect()
}

pub(super) fn rollout_over(draft: &mut Draft<'_, Job>, rollout: RolloutId) -> Reason {
    if draft.state.dismissed.contains_key(&rollout) {
        draft.record(Event::RolloutEnded { rollout });
    }
    Reason::RolledOut
}

/// Answers a ticket that was answered before. Nothing is done twice.
fn repeated(draft: &mut Draft<'_, Job>, ticket: u64) -> bool {
    if crate::mutant!(TicketForgotten) {
        return false;
    }
    let Some((_, outcome)) = draft.state.answers.iter().find(|(known, _)| *known == ticket).cloned() else {
        return false;
    };
    draft.turn.answer(policy::Message::Done { ticket, outcome });
    true
}

fn answer(draft: &mut Draft<'_, Job>, ticket: u64, outcome: Result<Change, Refusal>) {
    draft.record(Event::Answered { ticket, outcome: outcome.clone() });
    draft.turn.answer(policy::Message::Done { ticket, outcome });
}

fn known(draft: &Draft<'_, Job>) -> Result<String, Refusal> {
    if draft.state.spec.is_none() {
        return Err(Refusal::new(Reason::NotFound, "there is no such job").change("apply a manifest that declares it"));
    }
    Ok(format!("job {}", draft.state.full_name()))
}

fn within_bounds(instances: u32) -> Result<(), Refusal> {
    if instances <= INSTANCES_MAX {
        return Ok(());
    }
    let message = format!("a job can have at most {INSTANCES_MAX} instances, and {instances} are asked for");
    Err(Refusal::new(Reason::Invalid, message).change(format!("ask for {INSTANCES_MAX} or fewer")))
}

/// The same as `rollout::Message::Begin`, from what the job knows.
pub(super) fn begin_message(job: &Job, id: JobId) -> Option<rollout::Message> {
    let (engagement, spec) = (job.under_way()?, job.spec.as_ref()?);
    Some(rollout::Message::Begin {
        job: id,
        name: job.full_name(),
        from: engagement.from,
        to: engagement.to,
        desired: job.desired,
        exclusive: job.exclusive(),
        spec: spec.rollout.clone(),
    })
}
