//! Rollouts: one step after the other, each held for its time with the health it asks for, back only for a reason, and
//! all of the traffic shared out, no more and no less.

use super::Finding;
use crate::verdict::Invariant;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::rollout::Rollout;
use messages::entry::Record;
use messages::envelope::Body;
use messages::id::ActorId;
use messages::job;
use messages::reason::Reason;
use messages::rollout::{Event, Message};
use messages::time::Timestamp;
use std::collections::BTreeMap;

type Entry = Record<Message, Event>;

/// What rollouts have recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    rollouts: BTreeMap<ActorId, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    step: u32,
    /// Since when the step waits for health.
    waits: Timestamp,
    /// Since when it has the health and the traffic.
    healthy: Option<Timestamp>,
    held: bool,
    promoted: bool,
    progress: u64,
    /// Healthy instances and failures of the new revision, as the job told last.
    coming: (u32, u32),
}

impl Steps {
    /// An entry of a rollout was committed, and folded.
    pub(super) fn see(&mut self, record: &Entry, fold: &Fold, findings: &mut Vec<Finding>) {
        let actor = record.head.actor;
        let Some(AnyCell::Rollout(cell)) = fold.cell(actor) else { return };
        let (rollout, at) = (cell.state(), record.head.at);
        let seen = self.rollouts.entry(actor).or_default();
        for event in &record.events {
            if let Some((invariant, signature)) = seen.trouble(event, &record.input, rollout, at) {
                let message = format!("{} step {}: {event:?}", rollout.title(), seen.step);
                findings.push((invariant, signature, message));
            }
            seen.note(event, rollout, at);
        }
        for (_, body) in &record.head.sends {
            if let Body::Job(job::Message::Targets { weights, .. }) = body
                && weights.iter().map(|(_, weight)| weight).sum::<u32>() != 100
            {
                let message = format!("{}: {weights:?}", rollout.title());
                findings.push((Invariant::RolloutWeight, "the shares of traffic are not all of it", message));
            }
        }
    }
}

impl Seen {
    fn trouble(
        &self,
        event: &Event,
        input: &Message,
        rollout: &Rollout,
        at: Timestamp,
    ) -> Option<(Invariant, &'static str)> {
        let steps = Invariant::RolloutSteps;
        match event {
            Event::StepBegun { step, reason: Reason::GatePassed, .. } => {
                if *step != self.step + 1 {
                    return Some((steps, "a rollout leaves out a step"));
                }
                self.passes(rollout, at)
            }
            Event::Settled => self.passes(rollout, at),
            Event::Reverted { reason: Reason::GateFailed, .. } => {
                let few = self.coming.1 < rollout.spec.failures_max.max(1);
                few.then_some((steps, "a rollout goes back without the failures for it"))
            }
            Event::Reverted { reason: Reason::DeadlinePassed, .. } => {
                let early = self.healthy.is_some() || at < self.waits.after(rollout.spec.deadline);
                early.then_some((steps, "a rollout goes back before its deadline"))
            }
            Event::Progressed { version, .. } => {
                let again = matches!(input, Message::Supersede { .. });
                let old = *version < self.progress || (*version == self.progress && !again);
                old.then_some((Invariant::Once, "a rollout takes in old progress"))
            }
            _ => None,
        }
    }

    /// What is wrong with passing the gate of the present step now.
    fn passes(&self, rollout: &Rollout, at: Timestamp) -> Option<(Invariant, &'static str)> {
        let (given, promoted) = (rollout.spec.steps.get(self.step as usize), self.promoted);
        let weight = given.map_or(100, |step| step.weight.clamp(1, 100));
        let asked = (u64::from(rollout.desired) * u64::from(weight)).div_ceil(100);
        let hold = given.map(|step| step.hold).filter(|_| !promoted).unwrap_or_default();
        let early = self.healthy.is_none_or(|since| at < since.after(hold));
        let trouble = match () {
            () if self.held => "a rollout that is held goes on",
            () if early => "a rollout goes on before its hold is over",
            () if u64::from(self.coming.0) < asked => "a rollout goes on without the health for it",
            () => return None,
        };
        Some((Invariant::RolloutSteps, trouble))
    }

    fn note(&mut self, event: &Event, rollout: &Rollout, at: Timestamp) {
        match event {
            Event::StepBegun { step, .. } => (self.step, self.waits, self.healthy) = (*step, at, None),
            Event::WeightRaised { .. } | Event::HealthRegained => self.healthy = Some(at),
            Event::HealthLost { .. } => (self.waits, self.healthy) = (at, None),
            Event::Progressed { version, revisions, .. } => {
                self.progress = *version;
                let coming = revisions.iter().find(|known| known.revision == rollout.to);
                self.coming = coming.map_or((0, 0), |known| (known.healthy, known.failures));
            }
            Event::Promoted => (self.promoted, self.held) = (true, false),
            Event::Held => self.held = true,
            Event::Resumed => (self.held, self.waits, self.healthy) = (false, at, None),
            _ => {}
        }
    }
}

/// Rollouts that are not over though nobody holds them.
pub(super) fn open(fold: &Fold) -> Vec<String> {
    use actors::rollout::Standing;
    let open = fold.rollouts().filter(|(_, rollout)| rollout.standing == Standing::Rolling);
    open.map(|(_, rollout)| format!("{} is at step {}", rollout.title(), rollout.step)).collect()
}
