//! What people want of a route: apply and remove.

use super::{Route, table};
use crate::behavior::Draft;
use messages::id::{JobId, RouteId};
use messages::job;
use messages::manifest::RouteSpec;
use messages::policy::{self, Change};
use messages::reason::{Reason, Refusal};
use messages::route::Event;

pub(super) fn apply(draft: &mut Draft<'_, Route>, ticket: u64, spec: &RouteSpec) {
    if repeated(draft, ticket) {
        return;
    }
    let how = match &draft.state.spec {
        None => "created",
        Some(known) if known == spec => "unchanged",
        Some(_) => "changed",
    };
    if how != "unchanged" {
        draft.record(Event::Applied { spec: spec.clone() });
    }
    let job = JobId::named(&spec.realm, &spec.to);
    if draft.state.job != Some(job) {
        leave(draft);
        draft.record(Event::Subscribed { job });
        table::subscribe(draft);
    }
    answer(draft, ticket, Ok(Change { what: title(spec), how: how.into() }));
}

pub(super) fn remove(draft: &mut Draft<'_, Route>, ticket: u64) {
    if repeated(draft, ticket) {
        return;
    }
    let outcome = match draft.state.spec.clone() {
        None => Err(Refusal::new(Reason::NotFound, "there is no such route")),
        Some(spec) => {
            leave(draft);
            draft.record(Event::Removed);
            Ok(Change { what: title(&spec), how: "removed".into() })
        }
    };
    answer(draft, ticket, outcome);
}

fn title(spec: &RouteSpec) -> String {
    if spec.host.is_empty() { format!("service {}/{}", spec.realm, spec.to) } else { format!("route {}", spec.name) }
}

/// Tells the present job that its endpoints do not matter any more. Should that be lost, the job is told when it speaks.
fn leave(draft: &mut Draft<'_, Route>) {
    let route = RouteId(draft.turn.me().id);
    if let Some(job) = draft.state.job {
        draft.turn.send(job, job::Message::Unsubscribe { route });
    }
}

/// Answers a ticket that was answered before. Nothing is done twice.
fn repeated(draft: &mut Draft<'_, Route>, ticket: u64) -> bool {
    let Some((_, outcome)) = draft.state.answers.iter().find(|(known, _)| *known == ticket).cloned() else {
        return false;
    };
    draft.turn.answer(policy::Message::Done { ticket, outcome });
    true
}

fn answer(draft: &mut Draft<'_, Route>, ticket: u64, outcome: Result<Change, Refusal>) {
    draft.record(Event::Answered { ticket, outcome: outcome.clone() });
    draft.turn.answer(policy::Message::Done { ticket, outcome });
}
