//! From what is wanted to what there is: which instances come, which go, and in what order.

use super::state::{Instance, Phase};
use super::{Job, WITHDRAW_WAIT_MAX, count, gang, tell};
use crate::behavior::Draft;
use messages::agent::Ended;
use messages::id::{InstanceId, JobId, NodeId, SchedulerId};
use messages::job::Event;
use messages::reason::Reason;
use messages::scheduler::{self, DEFAULT_SITE};
use messages::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Brings the job nearer to what is wanted. Whatever it starts or retires is for the reason given.
pub(super) fn settle(before: &Job, draft: &mut Draft<'_, Job>, because: Reason) {
    restart_next(draft);
    for revision in revisions(&draft.state) {
        shrink(draft, revision, because);
    }
    give_up_unplaced(draft);
    let mut wanted = come_back(draft);
    for revision in revisions(&draft.state) {
        grow(draft, revision, because, &mut wanted);
    }
    if !wanted.is_empty() {
        tell::place(draft, &wanted);
    }
    gang::muster(draft);
    withdraw(draft);
    tell::endpoints(before, draft);
    stop_withdrawn(draft);
    tell::progress(before, draft);
}

/// When there is something to do, or to say again.
pub(super) fn deadline(job: &Job) -> Option<Timestamp> {
    let instances = job.instances.values().filter_map(|one| match one.phase {
        Phase::Wanted | Phase::Starting | Phase::Stopping => Some(one.retry.due),
        Phase::Leaving => Some(one.since.after(WITHDRAW_WAIT_MAX)),
        Phase::Running | Phase::Healthy => None,
    });
    let waits = job.waiting().filter(|(slot, _)| free(job, *slot)).map(|(_, waiting)| waiting.until);
    let routes = tell::owed_routes(job).map(|(_, due)| due);
    let rollout = job.rollout.iter().filter(|rollout| rollout.owed()).map(|rollout| rollout.retry.due);
    let dismissed = job.dismissed.values().map(|dismissal| dismissal.retry.due);
    instances.chain(waits).chain(routes).chain(rollout).chain(dismissed).min()
}

/// Whether a slot has no instance, not even one that is still to be released.
fn free(job: &Job, slot: u32) -> bool {
    if crate::mutant!(RestartWithoutRelease) {
        return !job.in_slot(slot).any(|(_, one)| one.phase < Phase::Stopping);
    }
    job.in_slot(slot).next().is_none()
}

fn revisions(job: &Job) -> BTreeSet<u32> {
    let mut revisions: BTreeSet<u32> = job.counts.keys().copied().collect();
    revisions.extend(job.instances.values().map(|one| one.revision));
    revisions.extend(job.waiting().map(|(_, waiting)| waiting.revision));
    revisions
}

fn target(job: &Job, revision: u32) -> u32 {
    job.counts.get(&revision).copied().unwrap_or(0)
}

/// Instances that count towards what is wanted, and slots that are to come back.
fn have(job: &Job, revision: u32) -> u32 {
    let live = job.instances.values().filter(|one| one.revision == revision && one.live());
    let waits = job.waiting().filter(|(_, waiting)| waiting.revision == revision);
    count(live).saturating_add(count(waits))
}

/// Gives up what is too much of a revision: slots that wait first, then the least healthy, then the highest slots.
fn shrink(draft: &mut Draft<'_, Job>, revision: u32, because: Reason) {
    let excess = have(&draft.state, revision).saturating_sub(target(&draft.state, revision)) as usize;
    if excess == 0 {
        return;
    }
    let waits = draft.state.waiting().filter(|(_, waiting)| waiting.revision == revision).map(|(slot, _)| slot);
    let mut waits: Vec<u32> = waits.collect();
    waits.sort_unstable_by_key(|slot| Reverse(*slot));
    waits.truncate(excess);
    let left = excess - waits.len();
    for slot in waits {
        draft.record(Event::Dropped { slot });
    }
    let live = draft.state.instances.iter().filter(|(_, one)| one.revision == revision && one.live());
    let mut live: Vec<(bool, Phase, Reverse<u32>, InstanceId)> =
        live.map(|(id, one)| (one.healthy(), one.phase, Reverse(one.slot), *id)).collect();
    live.sort_unstable();
    if crate::mutant!(HealthyGoFirst) {
        live.reverse();
    }
    for (_, _, _, instance) in live.into_iter().take(left) {
        draft.record(Event::Retired { instance, because: why_less(&draft.state, revision, because) });
    }
}

fn why_less(job: &Job, revision: u32, because: Reason) -> Reason {
    match because {
        Reason::RolledBack | Reason::Operator | Reason::ScaledDown => because,
        _ if revision != job.settled || job.under_way().is_some() => Reason::RolledOut,
        _ => Reason::ScaledDown,
    }
}

/// Lets slots come back whose wait is over and whose last instance was released.
fn come_back(draft: &mut Draft<'_, Job>) -> Vec<InstanceId> {
    let now = draft.turn.now();
    let state = &draft.state;
    let due = state.waiting().filter(|(slot, waiting)| waiting.until <= now && free(state, *slot));
    let due: Vec<(u32, u32, Reason, Vec<NodeId>)> =
        due.map(|(slot, waiting)| (slot, waiting.revision, waiting.reason, waiting.avoid.clone())).collect();
    due.into_iter().map(|(slot, revision, because, avoid)| want(draft, slot, revision, because, avoid)).collect()
}

/// Fills up what is missing of a revision: keeps what was to go but has not gone, then wants new instances.
fn grow(draft: &mut Draft<'_, Job>, revision: u32, because: Reason, wanted: &mut Vec<InstanceId>) {
    let mut missing = target(&draft.state, revision).saturating_sub(have(&draft.state, revision));
    if missing == 0 {
        return;
    }
    let may_stay = |one: &Instance| {
        one.revision == revision
            && one.phase < Phase::Leaving
            && one.ended.is_none()
            && one.retiring.is_some_and(counts_only)
    };
    let kept: Vec<InstanceId> =
        draft.state.instances.iter().filter(|(_, one)| may_stay(one)).map(|(id, _)| *id).collect();
    for instance in kept.into_iter().take(missing as usize) {
        draft.record(Event::Kept { instance });
        missing -= 1;
    }
    let mut used: BTreeSet<u32> = draft.state.instances.values().map(|one| one.slot).collect();
    used.extend(draft.state.waiting().map(|(slot, _)| slot));
    let mut slot = 0;
    for _ in 0..missing {
        if draft.state.exclusive() && !crate::mutant!(ExclusiveSurges) && count(used.iter()) >= draft.state.desired {
            return;
        }
        while !used.insert(slot) {
            slot += 1;
        }
        let avoid = drained(&draft.state);
        let why = if avoid.is_empty() { because } else { Reason::NodeDrained };
        wanted.push(want(draft, slot, revision, why, avoid));
    }
}

/// Whether an instance is to go for no other reason than that there are too many.
const fn counts_only(because: Reason) -> bool {
    matches!(because, Reason::ScaledDown | Reason::RolledOut | Reason::RolledBack)
}

/// Nodes that the job is asked to leave.
fn drained(job: &Job) -> Vec<NodeId> {
    let drained = job.instances.values().filter(|one| one.retiring == Some(Reason::NodeDrained));
    drained.filter_map(|one| one.node).collect::<BTreeSet<_>>().into_iter().collect()
}

fn want(draft: &mut Draft<'_, Job>, slot: u32, revision: u32, because: Reason, avoid: Vec<NodeId>) -> InstanceId {
    let incarnation = draft.state.incarnations + 1;
    let instance = InstanceId::of(JobId(draft.turn.me().id), slot, incarnation);
    draft.record(Event::Wanted { instance, slot, incarnation, revision, avoid, because });
    instance
}

/// Takes the next instance that is to be restarted, once the replacement of the last is healthy. A sick one need not
/// wait.
fn restart_next(draft: &mut Draft<'_, Job>) {
    while let Some(instance) = draft.state.restarts.front().copied() {
        let state = &draft.state;
        let one = state.instances.get(&instance).filter(|one| one.live());
        let restarting = state.instances.values().any(|one| one.retiring == Some(Reason::Operator));
        let may = one.is_none_or(|one| {
            crate::mutant!(RestartsAllAtOnce) || !one.healthy() || (!restarting && state.healthy() >= state.desired)
        });
        if !may {
            return;
        }
        let live = one.is_some();
        draft.record(Event::RestartDue { instance });
        if live {
            draft.record(Event::Retired { instance, because: Reason::Operator });
        }
    }
}

/// Lets go of what is to go and has no place yet. Its slot is free at once, for what comes instead.
fn give_up_unplaced(draft: &mut Draft<'_, Job>) {
    let unplaced = draft.state.instances.iter().filter(|(_, one)| one.retiring.is_some() && one.phase == Phase::Wanted);
    for instance in unplaced.map(|(id, _)| *id).collect::<Vec<_>>() {
        draft.turn.send(SchedulerId::of_site(DEFAULT_SITE), scheduler::Message::Withdraw { instance });
        let ended = Ended::new(Reason::Stopped, "it was not placed yet");
        draft.record(Event::Gone { instance, ended });
    }
}

/// Takes out of service what is to go and may: sick ones first, then the highest slots.
fn withdraw(draft: &mut Draft<'_, Job>) {
    let state = &draft.state;
    let going = state.instances.iter().filter(|(_, one)| one.retiring.is_some() && one.phase < Phase::Leaving);
    let mut going: Vec<(bool, Reverse<u32>, InstanceId)> =
        going.map(|(id, one)| (one.healthy(), Reverse(one.slot), *id)).collect();
    going.sort_unstable();
    for (healthy, _, instance) in going {
        let Some(one) = draft.state.instances.get(&instance) else { continue };
        if !healthy || spared(&draft.state, one) {
            draft.record(Event::Withdrawn { instance });
        }
    }
}

/// Whether a healthy instance can be spared. An exclusive job stops first; otherwise enough others must be healthy, or
/// its room must be needed for what cannot be placed. A revision that comes in never takes room below the minimum; on
/// the way back it may.
fn spared(job: &Job, one: &Instance) -> bool {
    if job.exclusive() || crate::mutant!(ForgetMinHealthy) {
        return true;
    }
    let because = one.retiring.unwrap_or(Reason::Stopped);
    let min_healthy = job.spec.as_ref().and_then(|spec| spec.rollout.min_healthy);
    let floor = match because {
        Reason::RolledOut | Reason::RolledBack => min_healthy.unwrap_or(job.desired).min(job.desired),
        _ => job.desired,
    };
    let stuck = job.instances.values().any(|one| one.phase == Phase::Wanted && one.unplaceable.is_some());
    job.healthy() > floor || (stuck && !matches!(because, Reason::NodeDrained | Reason::RolledOut))
}

/// Stops what is out of service once every route knows, or had the time to.
fn stop_withdrawn(draft: &mut Draft<'_, Job>) {
    let now = draft.turn.now();
    let known = tell::owed_routes(&draft.state).next().is_none() || crate::mutant!(StopBeforeWithdrawn);
    let leaving = draft
        .state
        .instances
        .iter()
        .filter(|(_, one)| one.phase == Phase::Leaving && (known || one.since.after(WITHDRAW_WAIT_MAX) <= now));
    for instance in leaving.map(|(id, _)| *id).collect::<Vec<_>>() {
        draft.record(Event::Stopping { instance });
        tell::stop(draft, instance);
    }
}
