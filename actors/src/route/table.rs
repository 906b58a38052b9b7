//! Taking in what the job says, and asking for it.

use super::Route;
use crate::behavior::Draft;
use messages::envelope::Endpoint;
use messages::id::{JobId, RouteId};
use messages::job;
use messages::reason::Reason;
use messages::route::Event;

pub(super) fn endpoints(
    draft: &mut Draft<'_, Route>,
    job: JobId,
    version: u64,
    endpoints: &[Endpoint],
    weights: &[(u32, u32)],
) {
    let route = RouteId(draft.turn.me().id);
    if draft.state.job != Some(job) && !crate::mutant!(OldJobHeeded) {
        draft.turn.send(job, job::Message::Unsubscribe { route });
        return;
    }
    draft.turn.send(job, job::Message::EndpointsNoted { route, version });
    let stale = draft.state.table.as_ref().is_some_and(|table| version <= table.version);
    if stale && !crate::mutant!(TakeStaleEndpoints) {
        return;
    }
    let weights = if crate::mutant!(WeightsDropped) { &[] } else { weights };
    let mut taken = endpoints.to_vec();
    if crate::mutant!(SickServes) {
        taken.iter_mut().for_each(|endpoint| endpoint.healthy = true);
    }
    draft.record(Event::TableChanged { version, endpoints: taken, weights: weights.to_vec() });
    let healthy = draft.state.healthy().next().is_some();
    match &draft.state.dark {
        Some(_) if healthy && !crate::mutant!(DarkForever) => draft.record(Event::LitUp),
        known if !healthy && !crate::mutant!(DarkNotTold) => {
            let (reason, detail) = why_dark(&draft.state, endpoints);
            if known.as_ref().is_none_or(|known| (known.reason, &known.detail) != (reason, &detail)) {
                draft.record(Event::WentDark { reason, detail });
            }
        }
        _ => {}
    }
}

fn why_dark(state: &Route, endpoints: &[Endpoint]) -> (Reason, String) {
    let to = state.spec.as_ref().map_or("", |spec| &spec.to);
    match endpoints.len() {
        0 => (Reason::Waiting, format!("no instance of {to} runs")),
        count => (Reason::Unhealthy, format!("none of the {count} instances of {to} that run is healthy")),
    }
}

/// Asks the job for its endpoints.
pub(super) fn subscribe(draft: &mut Draft<'_, Route>) {
    let route = RouteId(draft.turn.me().id);
    if let Some(job) = draft.state.job {
        draft.turn.send(job, job::Message::Subscribe { route });
    }
}

pub(super) fn ask_again(draft: &mut Draft<'_, Route>) {
    if draft.state.job.is_some() && draft.state.table.is_none() && draft.state.retry.due <= draft.turn.now() {
        draft.record(Event::SubscriptionRepeated);
        if !crate::mutant!(SubscribedOnce) {
            subscribe(draft);
        }
    }
}
