//! What nodes and the scheduler say of an instance.

use super::state::Phase;
use super::{Job, gang, tell};
use crate::behavior::Draft;
use messages::agent::{Ended, Observation};
use messages::id::{InstanceId, JobId, NodeId};
use messages::job::Event;
use messages::node;
use messages::reason::Reason;
use messages::scheduler::Unplaceable;
use messages::time::Span;

/// From so many failures of a slot in a row on, it had better come back on another node.
const FAILURES_BEFORE_AVOIDING: u32 = 3;

pub(super) fn unplaceable(draft: &mut Draft<'_, Job>, instance: InstanceId, why: &Unplaceable) -> Reason {
    let known = draft.state.instances.get(&instance).filter(|known| known.phase == Phase::Wanted);
    let (waits, news) = (known.is_some(), known.is_some_and(|known| known.unplaceable.as_ref() != Some(why)));
    if news {
        draft.record(Event::Unplaceable { instance, why: why.clone() });
    }
    if waits {
        gang::break_up(draft);
    }
    why.reason
}

pub(super) fn assigned(
    draft: &mut Draft<'_, Job>,
    instance: InstanceId,
    node: NodeId,
    node_name: &str,
    host: &str,
) -> Reason {
    match draft.state.instances.get(&instance) {
        Some(known) if known.phase == Phase::Wanted => {
            draft.record(Event::Assigned { instance, node, node_name: node_name.into(), host: host.into() });
            tell::start(draft, instance);
        }
        Some(known) if known.node == Some(node) => match known.phase {
            Phase::Stopping => stop(draft, node, instance, Reason::Stopped),
            _ => tell::start(draft, instance),
        },
        _ if crate::mutant!(StrangerKept) => {}
        _ => stop(draft, node, instance, Reason::Stale),
    }
    Reason::Declared
}

pub(super) fn observed(
    draft: &mut Draft<'_, Job>,
    instance: InstanceId,
    node: NodeId,
    version: u64,
    observation: Option<&Observation>,
) -> Reason {
    note(draft, node, instance, version);
    let Some(known) = draft.state.instances.get(&instance).filter(|known| known.node == Some(node)) else {
        stop_unless_wanted(draft, node, instance);
        return Reason::Stale;
    };
    if version <= known.observed && !crate::mutant!(TakeStaleObserved) {
        return Reason::Stale;
    }
    let (live, phase) = (known.live(), known.phase);
    draft.record(Event::Observed { instance, version, observation: observation.cloned() });
    match observation {
        Some(Observation::Unhealthy { evidence, .. }) if live => {
            fail(draft, instance, &Ended::new(Reason::Unhealthy, evidence.clone()));
            tell::stop(draft, instance);
        }
        Some(Observation::Ended(ended)) if live => {
            fail(draft, instance, ended);
            tell::stop(draft, instance);
        }
        Some(Observation::Ended(_)) if phase < Phase::Stopping => {
            draft.record(Event::Stopping { instance });
            tell::stop(draft, instance);
        }
        _ => {}
    }
    Reason::Declared
}

pub(super) fn released(
    draft: &mut Draft<'_, Job>,
    instance: InstanceId,
    node: NodeId,
    version: u64,
    ended: &Ended,
) -> Reason {
    note(draft, node, instance, version);
    let Some(known) = draft.state.instances.get(&instance) else { return Reason::Stale };
    let here = known.node == Some(node) || crate::mutant!(ReleasedByAnyNode);
    if !here && known.node.is_some() {
        return Reason::Stale;
    }
    let moved = known.retiring;
    if known.live() && here && !crate::mutant!(EndNotCounted) {
        fail(draft, instance, ended);
    }
    draft.record(Event::Gone { instance, ended: ended.clone() });
    moved.unwrap_or(ended.reason)
}

pub(super) fn move_away(draft: &mut Draft<'_, Job>, instance: InstanceId, node: NodeId) -> Reason {
    match draft.state.instances.get(&instance) {
        Some(known) if known.node == Some(node) => {
            if known.live() && !crate::mutant!(MoveAwayIgnored) {
                draft.record(Event::Retired { instance, because: Reason::NodeDrained });
            }
        }
        _ => stop_unless_wanted(draft, node, instance),
    }
    Reason::NodeDrained
}

/// A node is not emptied any more. What has not gone yet stays, and what was wanted instead is too much.
pub(super) fn stay(draft: &mut Draft<'_, Job>, instance: InstanceId, node: NodeId) -> Reason {
    let known = draft.state.instances.get(&instance);
    if known.is_some_and(|one| one.node == Some(node) && one.moving()) {
        draft.record(Event::Kept { instance });
    }
    Reason::ScaledDown
}

/// Records that a live instance ended or became sick unasked, and when its slot may come back.
fn fail(draft: &mut Draft<'_, Job>, instance: InstanceId, ended: &Ended) {
    let (state, now) = (&draft.state, draft.turn.now());
    let (Some(known), Some(spec)) = (state.instances.get(&instance), &state.spec) else { return };
    let lost = matches!(ended.reason, Reason::NodeLost | Reason::LeaseExpired | Reason::NodeDrained);
    let ran = known.started.map_or(Span(0), |started| now.since(started));
    let before = state.slots.get(&known.slot).map_or(0, |slot| slot.failures);
    let failures = match (lost, ran >= spec.restart.forget_after) {
        (true, _) => before,
        (false, true) => 1,
        (false, false) if crate::mutant!(FailuresForgotten) => 1,
        (false, false) => before.saturating_add(1),
    };
    let until = if lost || crate::mutant!(NoBackoff) { now } else { now.after(wait(draft, known.slot, failures)) };
    let avoids = lost || ended.reason == Reason::CouldNotStart || failures >= FAILURES_BEFORE_AVOIDING;
    draft.record(Event::Failed {
        instance,
        reason: ended.reason,
        evidence: evidence(&draft.state, instance, ended),
        counted: !lost && ended.reason != Reason::Stopped,
        failures,
        until,
        avoid: known_node(&draft.state, instance).filter(|_| avoids).into_iter().collect(),
    });
}

fn known_node(state: &Job, instance: InstanceId) -> Option<NodeId> {
    state.instances.get(&instance)?.node
}

/// Twice as long with each failure in a row, up to the bound, and up to an eighth more, so that not all come at once.
fn wait(draft: &Draft<'_, Job>, slot: u32, failures: u32) -> Span {
    let restart = draft.state.spec.as_ref().map(|spec| spec.restart.clone()).unwrap_or_default();
    let doublings = failures.saturating_sub(1).min(20);
    let longest = if crate::mutant!(BackoffUncapped) { Span(u64::MAX / 2) } else { restart.backoff_max };
    let wait = restart.backoff.times(1 << doublings).min(longest);
    let jitter = draft.turn.random(&format!("backoff/{slot}"), wait.0 / 8 + 1);
    Span(wait.0.saturating_add(jitter))
}

fn evidence(state: &Job, instance: InstanceId, ended: &Ended) -> String {
    let Some(known) = state.instances.get(&instance) else { return ended.detail.clone() };
    let code = ended.code.map(|code| format!(" {code}")).unwrap_or_default();
    let place = if known.node_name.is_empty() { String::new() } else { format!(" on {}", known.node_name) };
    format!("{}{place}: {}{code}: {}", state.label(known.slot), ended.reason, ended.detail)
}

fn note(draft: &mut Draft<'_, Job>, node: NodeId, instance: InstanceId, version: u64) {
    draft.turn.send(node, node::Message::Noted { instance, version });
}

/// A node speaks of an instance that the job does not have there. If the job still waits for a place for it, the node
/// will say where it is, and is answered then.
fn stop_unless_wanted(draft: &mut Draft<'_, Job>, node: NodeId, instance: InstanceId) {
    let wanted = draft.state.instances.get(&instance).is_some_and(|known| known.phase == Phase::Wanted);
    if !wanted {
        stop(draft, node, instance, Reason::Stale);
    }
}

fn stop(draft: &mut Draft<'_, Job>, node: NodeId, instance: InstanceId, because: Reason) {
    let job = JobId(draft.turn.me().id);
    draft.turn.send(node, node::Message::Stop { instance, job, because });
}
