//! A gang: a job whose instances start together or not at all.
//!
//! They ask for places all at once, and none is told to start before every one of them has its place. When one finds
//! none any more, because its node refused it or was lost, the others give their places up, and all ask again together:
//! so a gang never holds room for long in which nothing runs. Once all have started, each that is lost is replaced by
//! itself.

use super::state::Phase;
use super::{Job, count, tell};
use crate::behavior::Draft;
use messages::id::InstanceId;
use messages::job::Event;
use messages::reason::Reason;

/// Whether its instances wait for each other.
pub(super) fn gathers(job: &Job) -> bool {
    let gang = job.spec.as_ref().is_some_and(|spec| spec.place.gang);
    gang && !job.mustered && !job.instances.values().any(|one| one.endpoint()) && !crate::mutant!(GangStartsOneByOne)
}

/// Who asks for a place when these are to: of a gang all that have none, once there are as many as are wanted.
pub(super) fn asking(job: &Job, wanted: &[InstanceId]) -> Vec<InstanceId> {
    if !gathers(job) || wanted.is_empty() {
        return wanted.to_vec();
    }
    let all = job.instances.iter().filter(|(_, one)| one.live() && one.phase == Phase::Wanted).map(|(id, _)| *id);
    if complete(job) { all.collect() } else { Vec::new() }
}

/// Whether there are as many instances as are wanted, none of them on its way out.
fn complete(job: &Job) -> bool {
    count(job.instances.values().filter(|one| one.live())) == job.counts.values().sum::<u32>()
}

/// One of them finds no place: the others do not keep theirs.
pub(super) fn break_up(draft: &mut Draft<'_, Job>) {
    if !gathers(&draft.state) || crate::mutant!(GangKeepsPlaces) {
        return;
    }
    let held = draft.state.instances.iter().filter(|(_, one)| one.live() && one.phase == Phase::Starting);
    for instance in held.map(|(id, _)| *id).collect::<Vec<_>>() {
        draft.record(Event::Retired { instance, because: Reason::GangIncomplete });
    }
}

/// Tells all of them to start, once all have a place.
pub(super) fn muster(draft: &mut Draft<'_, Job>) {
    let state = &draft.state;
    let placed = state.instances.values().filter(|one| one.live()).all(|one| one.phase == Phase::Starting);
    if state.desired == 0 || !gathers(state) || !complete(state) || !placed {
        return;
    }
    let live = state.instances.iter().filter(|(_, one)| one.live()).map(|(id, _)| *id);
    let live: Vec<InstanceId> = live.collect();
    draft.record(Event::Mustered);
    live.into_iter().for_each(|instance| tell::start(draft, instance));
}
