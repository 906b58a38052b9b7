//! The gate of each step: health, failures, hold and deadline, and what follows from them.

use super::{Rollout, Standing};
use crate::behavior::Draft;
use messages::reason::Reason;
use messages::rollout::Event;
use messages::time::Span;

/// Goes on, or back, as far as what is known allows, until there is something to tell the job.
pub(super) fn advance(before: &Rollout, draft: &mut Draft<'_, Rollout>) {
    for _ in 0..=before.steps() {
        let events = draft.turn.recorded().len();
        advance_once(draft);
        if draft.turn.recorded().len() == events || draft.state.targets() != before.targets() {
            return;
        }
    }
}

fn advance_once(draft: &mut Draft<'_, Rollout>) {
    if !draft.state.standing.open() || fail(draft) {
        return;
    }
    health(draft);
    if draft.state.standing == Standing::Rolling || crate::mutant!(HeldGoesOn) {
        pass(draft);
    }
}

/// How long a step may wait for health.
fn patience(state: &Rollout) -> Span {
    if crate::mutant!(ImpatientDeadline) { Span(state.spec.deadline.0 / 4) } else { state.spec.deadline }
}

/// Reverts when there were too many failures, or the step took too long.
fn fail(draft: &mut Draft<'_, Rollout>) -> bool {
    let (state, now) = (&draft.state, draft.turn.now());
    let coming = state.coming();
    let old = state.revisions.iter().map(|known| known.failures).max().filter(|_| crate::mutant!(OldFailuresCount));
    let failures = old.unwrap_or_else(|| coming.map_or(0, |coming| coming.failures));
    let evidence = coming.and_then(|coming| coming.evidence.clone());
    let failures_max = state.spec.failures_max.max(1);
    if failures >= failures_max && !crate::mutant!(ForgetFailures) {
        let seen = evidence.unwrap_or_else(|| "no evidence was kept".into());
        revert(draft, Reason::GateFailed, format!("{failures} of {failures_max} failures: {seen}"));
        return true;
    }
    let late = state.standing == Standing::Rolling
        && state.healthy_since.is_none()
        && !healthy_enough(state)
        && now >= state.waiting_since.after(patience(state))
        && !crate::mutant!(NeverLate);
    if late {
        let healthy = coming.map_or(0, |coming| coming.healthy);
        let asked = state.share(state.present().weight);
        let seen = evidence.map(|evidence| format!("; {evidence}")).unwrap_or_default();
        let waited = state.spec.deadline;
        revert(draft, Reason::DeadlinePassed, format!("{healthy} of {asked} healthy after {waited}{seen}"));
    }
    late
}

/// Goes back to the old revision.
pub(super) fn revert(draft: &mut Draft<'_, Rollout>, reason: Reason, evidence: String) {
    draft.record(Event::Reverted { reason, evidence });
}

/// Whether the job, having taken in what this step asks for, has it healthy.
fn healthy_enough(state: &Rollout) -> bool {
    let asked = state.share(state.present().weight);
    if state.promoted && crate::mutant!(PromoteSkipsHealth) {
        return true;
    }
    !state.owed() && state.coming().map_or(0, |coming| coming.healthy) >= asked
}

/// Follows the health of the new revision: traffic when it is there, a new hold when it was lost.
fn health(draft: &mut Draft<'_, Rollout>) {
    let state = &draft.state;
    let enough = healthy_enough(state);
    let asked = state.share(state.present().weight);
    let healthy = state.coming().map_or(0, |coming| coming.healthy);
    match state.healthy_since {
        None if enough || crate::mutant!(WeightBeforeHealthy) => {
            let weight = state.present().weight;
            if weight == state.traffic {
                draft.record(Event::HealthRegained);
            } else {
                draft.record(Event::WeightRaised { weight });
            }
        }
        Some(_) if healthy < asked && !crate::mutant!(HealthLostIgnored) => {
            draft.record(Event::HealthLost { evidence: format!("{healthy} of {asked} healthy") });
        }
        _ => {}
    }
}

/// Passes the gate when the hold is over.
fn pass(draft: &mut Draft<'_, Rollout>) {
    let (state, now) = (&draft.state, draft.turn.now());
    let over = state.gate_due().is_some_and(|due| due <= now);
    if !over || state.owed() || state.traffic != state.present().weight {
        return;
    }
    let next = state.step + 1 + u32::from(crate::mutant!(StepSkipped));
    if next >= state.steps() {
        draft.record(Event::Settled);
    } else {
        let weight = state.weight_of(next);
        draft.record(Event::StepBegun { step: next, weight, reason: Reason::GatePassed });
    }
}
