//! What a person asks of a rollout: promote, hold, resume, abort.

use super::{Rollout, Standing, gate};
use crate::behavior::Draft;
use messages::policy::{self, Change};
use messages::reason::{Reason, Refusal};
use messages::rollout::Event;

pub(super) fn promote(draft: &mut Draft<'_, Rollout>, ticket: u64) {
    handle(draft, ticket, "promote", |draft| {
        if draft.state.promoted {
            return Err(Refusal::new(Reason::WrongState, format!("{} was promoted already", draft.state.title())));
        }
        draft.record(Event::Promoted);
        let last = draft.state.steps() - 1;
        if draft.state.step < last {
            draft.record(Event::StepBegun { step: last, weight: 100, reason: Reason::Operator });
        }
        Ok(format!("revision {} promoted", draft.state.to))
    });
}

pub(super) fn hold(draft: &mut Draft<'_, Rollout>, ticket: u64) {
    handle(draft, ticket, "hold", |draft| {
        if draft.state.standing == Standing::Held {
            return Err(Refusal::new(Reason::WrongState, format!("{} is held already", draft.state.title()))
                .change("resume, promote or abort it"));
        }
        draft.record(Event::Held);
        Ok(format!("revision {} held at {}%", draft.state.to, draft.state.traffic))
    });
}

pub(super) fn resume(draft: &mut Draft<'_, Rollout>, ticket: u64) {
    handle(draft, ticket, "resume", |draft| {
        if draft.state.standing != Standing::Held {
            return Err(Refusal::new(Reason::WrongState, format!("{} goes on by itself", draft.state.title()))
                .change("hold it first"));
        }
        draft.record(Event::Resumed);
        Ok(format!("revision {} resumed", draft.state.to))
    });
}

pub(super) fn abort(draft: &mut Draft<'_, Rollout>, ticket: u64) {
    handle(draft, ticket, "abort", |draft| {
        let by = draft.turn.principal().name.clone();
        gate::revert(draft, Reason::Operator, format!("aborted by {by}"));
        Ok(format!("revision {} aborted, back to revision {}", draft.state.to, draft.state.from))
    });
}

/// Does what was asked for once, if the rollout is open, and answers; a ticket that was answered is answered again.
fn handle(
    draft: &mut Draft<'_, Rollout>,
    ticket: u64,
    verb: &str,
    act: impl FnOnce(&mut Draft<'_, Rollout>) -> Result<String, Refusal>,
) {
    if let Some((_, outcome)) = draft.state.answers.iter().find(|(known, _)| *known == ticket).cloned() {
        draft.turn.answer(policy::Message::Done { ticket, outcome });
        return;
    }
    let outcome = open(&draft.state, verb).and_then(|()| act(draft));
    let outcome = outcome.map(|how| Change { what: format!("rollout {}", draft.state.name), how });
    draft.record(Event::Answered { ticket, outcome: outcome.clone() });
    draft.turn.answer(policy::Message::Done { ticket, outcome });
}

fn open(state: &Rollout, verb: &str) -> Result<(), Refusal> {
    if state.job.is_none() {
        return Err(Refusal::new(Reason::NotFound, format!("there is no such rollout to {verb}"))
            .change("name a revision that is being rolled out; status shows it"));
    }
    if !state.standing.open() {
        let message = format!("cannot {verb} {}: it is over ({})", state.title(), state.standing.name());
        return Err(Refusal::new(Reason::WrongState, message).change("apply the job again to start a new rollout"));
    }
    Ok(())
}
