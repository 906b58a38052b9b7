//! How a rollout's state changes: one arm for each event.

use super::{ANSWERS_MAX, HISTORY_MAX, Line, RETRY_FIRST, Rollout, Standing};
use crate::retry::Retry;
use messages::reason::Reason;
use messages::rollout::Event;
use messages::time::Timestamp;

pub(super) fn evolve(rollout: &mut Rollout, event: &Event, at: Timestamp) {
    if let Some(line) = line(rollout, event, at) {
        if rollout.history.len() == HISTORY_MAX {
            rollout.history.pop_front();
        }
        rollout.history.push_back(line);
    }
    match event {
        Event::Begun { job, name, from, to, desired, exclusive, spec } => {
            rollout.job = Some(*job);
            name.clone_into(&mut rollout.name);
            (rollout.from, rollout.to, rollout.desired) = (*from, *to, *desired);
            rollout.exclusive = *exclusive;
            rollout.spec = spec.clone();
            rollout.standing = Standing::Rolling;
        }
        Event::StepBegun { step, reason, .. } => begin_step(rollout, *step, *reason, at),
        Event::WeightRaised { weight } => {
            rollout.traffic = *weight;
            rollout.healthy_since = Some(at);
        }
        Event::HealthRegained => rollout.healthy_since = Some(at),
        Event::HealthLost { .. } => wait(rollout, at),
        Event::Progressed { version, targets, desired, revisions } => {
            rollout.progress_version = *version;
            rollout.answered = rollout.answered.max(*targets);
            rollout.desired = *desired;
            revisions.clone_into(&mut rollout.revisions);
        }
        Event::Targeted { version } => {
            rollout.version = *version;
            rollout.retry = Retry::begin(at, RETRY_FIRST);
        }
        Event::TargetsRepeated => rollout.retry = rollout.retry.again(at, RETRY_FIRST),
        Event::Promoted => {
            rollout.promoted = true;
            rollout.standing = Standing::Rolling;
        }
        Event::Held => rollout.standing = Standing::Held,
        Event::Resumed => {
            rollout.standing = Standing::Rolling;
            if !crate::mutant!(ResumedAsItWas) {
                wait(rollout, at);
            }
        }
        Event::Settled => rollout.standing = Standing::Settled,
        Event::Reverted { .. } => {
            rollout.standing = Standing::Reverted;
            rollout.traffic = 0;
        }
        Event::Superseded { .. } => rollout.standing = Standing::Superseded,
        Event::Answered { ticket, outcome } => {
            if rollout.answers.len() == ANSWERS_MAX {
                rollout.answers.pop_front();
            }
            rollout.answers.push_back((*ticket, outcome.clone()));
        }
    }
}

fn begin_step(rollout: &mut Rollout, step: u32, reason: Reason, at: Timestamp) {
    if reason == Reason::GatePassed {
        rollout.passed = rollout.present().weight;
    }
    rollout.step = step;
    if crate::mutant!(PassedCountsAhead) {
        rollout.passed = rollout.present().weight;
    }
    wait(rollout, at);
}

/// The step waits for health, and its deadline runs.
fn wait(rollout: &mut Rollout, at: Timestamp) {
    rollout.waiting_since = at;
    rollout.healthy_since = None;
}

/// What of an event is worth a line of history.
fn line(rollout: &Rollout, event: &Event, at: Timestamp) -> Option<Line> {
    let (what, reason, evidence) = match event {
        Event::Begun { from, to, .. } => (format!("revision {from} to {to}"), Reason::Declared, String::new()),
        Event::StepBegun { step, weight, reason } => {
            let evidence = match reason {
                Reason::GatePassed => format!("healthy for {}", rollout.present().hold),
                _ => String::new(),
            };
            (format!("step {}: {weight}%", step + 1), *reason, evidence)
        }
        Event::WeightRaised { weight } => {
            let healthy = rollout.coming().map_or(0, |coming| coming.healthy);
            (format!("traffic {weight}%"), Reason::GatePassed, format!("{healthy} healthy"))
        }
        Event::HealthRegained => ("healthy again".into(), Reason::GatePassed, String::new()),
        Event::HealthLost { evidence } => ("waits for health".into(), Reason::Unhealthy, evidence.clone()),
        Event::Promoted => ("promoted".into(), Reason::Operator, String::new()),
        Event::Held => ("held".into(), Reason::Operator, String::new()),
        Event::Resumed => ("resumed".into(), Reason::Operator, String::new()),
        Event::Settled => (format!("settled at revision {}", rollout.to), Reason::GatePassed, String::new()),
        Event::Reverted { reason, evidence } => {
            (format!("reverted to revision {}", rollout.from), *reason, evidence.clone())
        }
        Event::Superseded { by } => {
            let evidence = by.map_or("the job was stopped".into(), |by| format!("revision {by} took its place"));
            ("superseded".into(), Reason::Declared, evidence)
        }
        Event::Progressed { .. } | Event::Targeted { .. } | Event::TargetsRepeated | Event::Answered { .. } => {
            return None;
        }
    };
    Some(Line { at, what, reason, evidence })
}
