//! The rollout actor: brings one revision of one job in, step by step, and takes it back when it is not good.
//!
//! # Rules
//! * A step asks for its share of instances of the new revision. The old ones only give way for what passed the gate of
//!   an earlier step, down to `min_healthy`; an exclusive job's old ones give way first.
//! * The new revision gets a step's share of the traffic when it has the instances for it, healthy. Then it must stay so
//!   for the step's hold: that is the gate.
//! * As many failures as the job's spec allows, or a step that is not healthy by its deadline, and everything goes back:
//!   traffic first, then instances.
//! * A person can promote (all of it now, still gated by health), hold, resume and abort.

mod evolve;
mod gate;
mod person;
#[cfg(test)]
mod tests;

use crate::behavior::{Behavior, Draft, Turn};
use crate::retry::Retry;
use messages::id::{JobId, Kind, RolloutId};
use messages::manifest::{RolloutSpec, Step};
use messages::policy::Change;
use messages::reason::{Reason, Refusal};
use messages::rollout::{Event, Message, RevisionProgress};
use messages::time::{Span, Timestamp};
use messages::{job, manifest};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// After how long the job is told again the first time.
const RETRY_FIRST: Span = Span::seconds(1);
/// How many lines of its history a rollout keeps.
pub const HISTORY_MAX: usize = 64;
/// How many answers to commands a rollout remembers.
pub const ANSWERS_MAX: usize = 32;

/// How a rollout stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// It has not begun.
    #[default]
    Idle,
    /// It goes on by itself.
    Rolling,
    /// A person keeps it where it is.
    Held,
    /// Done: the job is at the new revision.
    Settled,
    /// The job is back at the old revision.
    Reverted,
    /// Another change took its place.
    Superseded,
}

impl Standing {
    /// The name for people and scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Rolling => "rolling",
            Self::Held => "held",
            Self::Settled => "settled",
            Self::Reverted => "reverted",
            Self::Superseded => "superseded",
        }
    }

    /// Whether it can still go one way or the other.
    pub const fn open(self) -> bool {
        matches!(self, Self::Rolling | Self::Held)
    }
}

/// A line of its history: what was decided, why, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What was decided, as `step 2: 50%`, `traffic 50%`, `reverted`.
    pub what: String,
    /// Why.
    pub reason: Reason,
    /// What was seen, in words.
    pub evidence: String,
}

/// What the rollout actor knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Whose revision; none before it began.
    pub job: Option<JobId>,
    /// The job's name, `realm/name`.
    pub name: String,
    /// The old revision.
    pub from: u32,
    /// The new revision.
    pub to: u32,
    /// Instances wanted.
    pub desired: u32,
    /// Whether the old stops before the new starts.
    pub exclusive: bool,
    /// How.
    pub spec: RolloutSpec,
    /// How it stands.
    pub standing: Standing,
    /// Which step it is at, from 0.
    pub step: u32,
    /// The weight in percent whose gate was passed last.
    pub passed: u32,
    /// The traffic of the new revision in percent.
    pub traffic: u32,
    /// Since when the step waits for health.
    pub waiting_since: Timestamp,
    /// Since when the step has the health it asks for, and the traffic.
    pub healthy_since: Option<Timestamp>,
    /// Whether a person asked for all of it now, so that there is no hold any more.
    pub promoted: bool,
    /// The version of the targets.
    pub version: u64,
    /// The version of the targets that the job has answered.
    pub answered: u64,
    /// The version of the job's progress taken in last.
    pub progress_version: u64,
    /// What there is of each revision.
    pub revisions: Vec<RevisionProgress>,
    /// What was decided and why, oldest first.
    pub history: VecDeque<Line>,
    retry: Retry,
    answers: VecDeque<(u64, Result<Change, Refusal>)>,
}

impl Behavior for Rollout {
    const KIND: Kind = Kind::Rollout;
    type Message = Message;
    type Event = Event;

    fn decide(&self, message: &Message, turn: &mut Turn<Self>) -> Result<(), Refusal> {
        let mut draft = Draft::new(self, turn);
        draft.hear(message);
        if !draft.turn.recorded().is_empty() || matches!(message, Message::Wake { .. }) {
            gate::advance(self, &mut draft);
            draft.tell_targets(self);
        }
        draft.end();
        Ok(())
    }

    fn evolve(&mut self, event: &Event, at: Timestamp) {
        evolve::evolve(self, event, at);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let retry = self.owed().then_some(self.retry.due);
        let gate = (self.standing == Standing::Rolling && !self.owed()).then(|| self.gate_due());
        let waits = self.standing == Standing::Rolling && self.healthy_since.is_none();
        let deadline = (waits && !crate::mutant!(NeverLate)).then(|| self.waiting_since.after(self.spec.deadline));
        [retry, gate.flatten(), deadline].into_iter().flatten().min()
    }

    fn wake(due: Timestamp) -> Message {
        Message::Wake { due }
    }
}

impl Draft<'_, Rollout> {
    fn hear(&mut self, message: &Message) {
        use Message as M;
        match message {
            M::Begin { job, name, from, to, desired, exclusive, spec } => {
                self.begin(*job, name, (*from, *to), *desired, *exclusive, spec);
            }
            M::Progress { version, targets, desired, revisions } => {
                self.progress(*version, *targets, *desired, revisions);
            }
            M::Promote { ticket } => person::promote(self, *ticket),
            M::Hold { ticket } => person::hold(self, *ticket),
            M::Resume { ticket } => person::resume(self, *ticket),
            M::Abort { ticket } => person::abort(self, *ticket),
            M::Wake { due: _ } => self.repeat_targets(),
            M::Supersede { job: _, by } => self.supersede(*by),
        }
    }

    fn begin(
        &mut self,
        job: JobId,
        name: &str,
        (from, to): (u32, u32),
        desired: u32,
        exclusive: bool,
        spec: &RolloutSpec,
    ) {
        if self.state.standing == Standing::Idle {
            let (name, spec) = (name.to_owned(), spec.clone());
            self.record(Event::Begun { job, name, from, to, desired, exclusive, spec });
            let weight = self.state.weight_of(0);
            self.record(Event::StepBegun { step: 0, weight, reason: Reason::Declared });
        } else if self.state.owed() {
            self.say_targets();
        }
    }

    fn progress(&mut self, version: u64, targets: u64, desired: u32, revisions: &[RevisionProgress]) {
        let rollout = RolloutId(self.turn.me().id);
        self.turn.answer(job::Message::ProgressNoted { rollout, version });
        let news = version > self.state.progress_version || crate::mutant!(OldProgressTaken);
        if news && self.state.standing != Standing::Idle {
            let revisions = revisions.to_vec();
            self.record(Event::Progressed { version, targets, desired, revisions });
        }
    }

    fn supersede(&mut self, by: Option<u32>) {
        if self.state.standing.open() || self.state.standing == Standing::Idle {
            if !crate::mutant!(SupersedeIgnored) {
                self.record(Event::Superseded { by });
            }
        } else if self.state.owed() {
            // The job has gone on without answering the last targets; this is the answer.
            let Rollout { progress_version: version, version: targets, desired, .. } = *self.state;
            let revisions = self.state.revisions.clone();
            self.record(Event::Progressed { version, targets, desired, revisions });
        }
        let rollout = RolloutId(self.turn.me().id);
        self.turn.answer(job::Message::RolloutOver { rollout });
    }

    /// Tells the job its targets when they are other than before the turn. Once it is over the job needs no more of
    /// them: how many instances are wanted then is its own affair.
    fn tell_targets(&mut self, before: &Rollout) {
        let over = before.standing != Standing::Idle && !before.standing.open();
        if over || self.state.standing == Standing::Superseded || self.state.targets() == before.targets() {
            return;
        }
        let version = self.state.version + 1;
        self.record(Event::Targeted { version });
        self.say_targets();
    }

    fn repeat_targets(&mut self) {
        if self.state.owed() && self.state.retry.due <= self.turn.now() {
            self.record(Event::TargetsRepeated);
            if !crate::mutant!(TargetsNotRepeated) {
                self.say_targets();
            }
        }
    }

    fn say_targets(&mut self) {
        let rollout = RolloutId(self.turn.me().id);
        let (Some(job), Some(targets)) = (self.state.job, self.state.targets()) else { return };
        let Targets { counts, weights, settled } = targets;
        let version = self.state.version;
        self.turn.send(job, job::Message::Targets { rollout, version, counts, weights, settled });
    }
}

/// What the job should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Revision and count.
    pub counts: Vec<(u32, u32)>,
    /// Revision and percentage of traffic.
    pub weights: Vec<(u32, u32)>,
    /// The revision the job is at from now on, when it is over.
    pub settled: Option<u32>,
}

impl Rollout {
    /// How many steps there are. The last always has all the weight.
    pub fn steps(&self) -> u32 {
        let given = u32::try_from(self.spec.steps.len()).unwrap_or(u32::MAX - 1);
        let whole = self.spec.steps.last().is_some_and(|step| step.weight >= 100);
        if whole { given } else { given + 1 }
    }

    /// A step: its weight and how long it must hold.
    pub fn step_at(&self, step: u32) -> Step {
        let last = manifest::Step { weight: 100, hold: Span(0) };
        let given = self.spec.steps.get(step as usize).copied().unwrap_or(last);
        Step { weight: given.weight.clamp(1, 100), hold: if self.promoted { Span(0) } else { given.hold } }
    }

    fn weight_of(&self, step: u32) -> u32 {
        self.step_at(step).weight
    }

    /// The present step.
    pub fn present(&self) -> Step {
        self.step_at(self.step)
    }

    /// The share of the wanted instances that a weight stands for, rounded up.
    pub fn share(&self, weight: u32) -> u32 {
        let share = (u64::from(self.desired) * u64::from(weight)).div_ceil(100);
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// What the job should have now; nothing before it began or once something else took its place.
    pub fn targets(&self) -> Option<Targets> {
        let (from, to, desired) = (self.from, self.to, self.desired);
        match self.standing {
            Standing::Idle | Standing::Superseded => None,
            Standing::Settled => {
                Some(Targets { counts: vec![(to, desired)], weights: vec![(to, 100)], settled: Some(to) })
            }
            Standing::Reverted => {
                Some(Targets { counts: vec![(from, desired)], weights: vec![(from, 100)], settled: Some(from) })
            }
            Standing::Rolling | Standing::Held => {
                let canary = self.share(self.present().weight);
                let passed = self.share(if crate::mutant!(BaselineTooEarly) { 100 } else { self.passed });
                let kept = self.spec.min_healthy.unwrap_or(desired).min(desired);
                let kept = if self.exclusive || crate::mutant!(MinHealthyIgnored) { 0 } else { kept };
                let baseline = desired.saturating_sub(canary).max(kept.saturating_sub(passed));
                let rest = if crate::mutant!(WeightsDoNotSum) { 100 } else { 100 - self.traffic };
                let weights = vec![(from, rest), (to, self.traffic)];
                Some(Targets { counts: vec![(from, baseline), (to, canary)], weights, settled: None })
            }
        }
    }

    /// Whether the job has not answered the targets yet.
    pub fn owed(&self) -> bool {
        self.targets().is_some() && self.answered < self.version
    }

    /// When the hold of the present step is over, if it has the health.
    fn gate_due(&self) -> Option<Timestamp> {
        let hold = if crate::mutant!(HoldIgnored) { Span(0) } else { self.present().hold };
        self.healthy_since.map(|since| since.after(hold))
    }

    /// What there is of the new revision.
    pub fn coming(&self) -> Option<&RevisionProgress> {
        self.revisions.iter().find(|known| known.revision == self.to)
    }

    /// The name for people: job and revision.
    pub fn title(&self) -> String {
        format!("{} revision {}", self.name, self.to)
    }
}
