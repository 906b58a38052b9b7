//! A command comes in: it is judged, looked over, and answered at once or begun.

use super::{LANE_MAX, Policy, TASKS_MAX, known, orders, progress};
use crate::behavior::Draft;
use crate::cedar::{Circumstance, Party, Policies, Verdict};
use messages::id::{ActorId, PolicyId};
use messages::policy::{Answer, Change, Event, Mode, Request};
use messages::reason::{Reason, Refusal};
use messages::scheduler::Placement;

/// What a command must come to: the entry that its plan rests on, and where its instances go at once.
pub(super) type Plan<'a> = (u64, &'a [Placement]);

/// Takes a command in.
pub(super) fn submit(draft: &mut Draft<'_, Policy>, realm: &str, request: &Request, plan: Option<Plan<'_>>) {
    let verdict = draft.state.judge(draft.turn.principal(), realm, request, draft.turn.now());
    let words = verdict.worded(draft.state.mode());
    let admissible = admissible(draft, realm, request, &verdict).and_then(|()| untouched(draft, realm, plan));
    if let Err(refusal) = admissible {
        answer(draft, words, Err(refusal));
        return;
    }
    match request {
        Request::SetPolicy { text, mode } => {
            let (realm, text, mode) = (realm.to_string(), text.clone(), *mode);
            draft.record(Event::PolicySet { realm, text, mode });
            progress::send_rules(draft);
            let how = format!("version {}, mode {}", draft.state.version(), named(mode));
            answer_change(draft, words, "policy", how);
        }
        Request::SetQuota { quota } => {
            draft.record(Event::QuotaSet { quota: quota.clone() });
            let how = if quota.is_some() { "set" } else { "removed" };
            answer_change(draft, words, "quota", how.to_string());
        }
        _ => {
            let ticket = draft.turn.sequence();
            draft.record(Event::Accepted {
                ticket,
                id: draft.turn.cause(),
                client: draft.turn.from(),
                realm: realm.to_string(),
                request: request.clone(),
                verdict: words,
            });
            if let Some((_, placements)) = plan {
                draft.record(Event::Planned { ticket, placements: placements.to_vec() });
            }
            if orders::declares(request) {
                progress::begin_next(draft);
            } else {
                progress::admit(draft, ticket);
            }
        }
    }
}

const fn named(mode: Mode) -> &'static str {
    match mode {
        Mode::Audit => "audit",
        Mode::Shadow => "shadow",
        Mode::Enforce => "enforce",
    }
}

fn answer(draft: &mut Draft<'_, Policy>, verdict: String, outcome: Result<Answer, Refusal>) {
    let (ticket, id, client) = (draft.turn.sequence(), draft.turn.cause(), draft.turn.from());
    draft.record(Event::Answered { ticket, id, verdict, outcome: outcome.clone() });
    draft.turn.reply(client, outcome);
}

fn answer_change(draft: &mut Draft<'_, Policy>, verdict: String, what: &str, how: String) {
    let changes = vec![Change { what: what.to_string(), how }];
    answer(draft, verdict.clone(), Ok(Answer { changes, verdict }));
}

/// Whether a command may be taken in at all.
fn admissible(draft: &Draft<'_, Policy>, realm: &str, request: &Request, verdict: &Verdict) -> Result<(), Refusal> {
    let state = &draft.state;
    if ActorId::from(PolicyId::of_realm(realm)) != draft.turn.me() {
        return Err(Refusal::new(Reason::Invalid, format!("this is not the policy of realm {realm}")));
    }
    if verdict.denies(state.mode()) {
        let (who, action) = (draft.turn.principal(), request.action());
        let message = format!("{who} may not {action} {}: {}", orders::object(request), verdict.words());
        let change = format!("have a policy of realm {realm} permit action \"{action}\"");
        return Err(Refusal::new(verdict.reason(), message).change(change));
    }
    if state.tasks.len() >= TASKS_MAX || (orders::declares(request) && state.lane.len() >= LANE_MAX) {
        let message = format!("realm {realm} has {} commands under way already", state.tasks.len());
        return Err(Refusal::new(Reason::Overloaded, message).change("try again later"));
    }
    if let Request::SetPolicy { text, mode } = request {
        let policies = Policies::admit(text)?;
        return open_door(&policies, *mode, draft, realm);
    }
    known::check(state, realm, request)
}

/// Whether nothing was commanded in the realm since it was planned.
fn untouched(draft: &Draft<'_, Policy>, realm: &str, plan: Option<Plan<'_>>) -> Result<(), Refusal> {
    let Some((rests_on, _)) = plan else { return Ok(()) };
    let last = draft.turn.sequence() - 1;
    if last == rests_on {
        return Ok(());
    }
    let message = format!("realm {realm} was commanded something else since this was planned, and nothing was applied");
    let nearest = format!("the plan rests on entry {rests_on} of its policy, and the last one is {last}");
    Err(Refusal::new(Reason::Stale, message).nearest(nearest).change("plan it again"))
}

/// A policy that would not let whoever sets it set it again is not taken in.
fn open_door(policies: &Policies, mode: Mode, draft: &Draft<'_, Policy>, realm: &str) -> Result<(), Refusal> {
    let who = draft.turn.principal();
    let when = Circumstance::When(draft.turn.now());
    let verdict = policies.judge(&Party::user(who), "set-policy", &Party::realm(realm), when);
    if !verdict.denies(mode) || crate::mutant!(LockOutAllowed) {
        return Ok(());
    }
    let message = format!("this policy would lock {who} out: set-policy would be {}", verdict.words());
    Err(Refusal::new(verdict.reason(), message)
        .change("permit action \"set-policy\" for yourself, or set the policy in mode shadow first"))
}
