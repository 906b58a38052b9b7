//! The policy actor: the front door of a realm. Every command from outside is judged, recorded and passed on here.
//!
//! A command that declares something (apply, scale, stop, remove a route) takes its turn in a lane: the quota is
//! counted, the scheduler says whether all of it would fit, then all of it holds or none, and it is passed on to the
//! actors it concerns until each has answered. The rest is passed on at once. Commands about nodes belong to the realm
//! [`messages::policy::SYSTEM_REALM`].

mod evolve;
mod judge;
mod known;
mod orders;
mod progress;
mod quota;
mod submit;
#[cfg(test)]
mod tests;

use crate::behavior::{Behavior, Draft, Turn};
use crate::cedar::{self, Compiled};
use crate::retry::Retry;
use messages::envelope::{Address, MessageId};
use messages::id::{ActorId, Kind};
use messages::manifest::{JobSpec, RouteSpec};
use messages::policy::{Answer, Change, Event, Message, Mode, Quota, Request};
use messages::reason::Refusal;
use messages::resources::Resources;
use messages::scheduler::Placement;
use messages::shared::Shared;
use messages::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The first wait before something owed is asked for again.
pub const RETRY_FIRST: Span = Span::milliseconds(500);
/// How long the scheduler may take to say whether a command would fit.
pub const CHECK_MAX: Span = Span::seconds(10);
/// How many commands may be under way.
pub const TASKS_MAX: usize = 256;
/// How many commands that declare something may wait for their turn.
pub const LANE_MAX: usize = 16;
/// How many answers are remembered, for clients that ask again.
pub const ANSWERS_MAX: usize = 256;

/// What the policy actor knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    realm: String,
    rules: Rules,
    quota: Option<Quota>,
    jobs: Shared<BTreeMap<String, Shared<JobSpec>>>,
    routes: Shared<BTreeMap<String, RouteSpec>>,
    tasks: BTreeMap<u64, Task>,
    lane: VecDeque<u64>,
    answers: Shared<VecDeque<(MessageId, Result<Answer, Refusal>)>>,
}

/// The realm's policy in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Rules {
    /// The text that was set; [`cedar::DEFAULT_TEXT`] until then.
    text: Option<String>,
    mode: Mode,
    version: u64,
    /// The version that the scheduler has.
    noted: u64,
    retry: Retry,
    #[serde(skip)]
    compiled: Compiled,
}

/// A command under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    id: MessageId,
    client: Address,
    request: Request,
    verdict: String,
    stage: Stage,
    since: Timestamp,
    retry: Retry,
    changes: Vec<Change>,
    refusal: Option<Refusal>,
    /// Where its instances go at once, if it only holds when they do.
    planned: Vec<Placement>,
    /// What was declared before, to go back to where an actor refuses.
    jobs_before: BTreeMap<String, Option<Shared<JobSpec>>>,
    routes_before: BTreeMap<String, Option<RouteSpec>>,
}

/// How far a command has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Another is before it.
    Queued,
    /// The scheduler is asked whether it would fit.
    Checking,
    /// These have not answered yet.
    Passing(BTreeSet<ActorId>),
}

impl Policy {
    /// The realm's name; empty before the first command.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The policy's text.
    pub fn text(&self) -> &str {
        self.rules.text.as_deref().unwrap_or(cedar::DEFAULT_TEXT)
    }

    /// How the policy is applied.
    pub const fn mode(&self) -> Mode {
        self.rules.mode
    }

    /// Grows with every change of the policy.
    pub const fn version(&self) -> u64 {
        self.rules.version
    }

    /// The realm's quota.
    pub const fn quota(&self) -> Option<&Quota> {
        self.quota.as_ref()
    }

    /// How many more instances that need so much the quota allows; any number when it does not limit them.
    pub fn quota_left(&self, each: &Resources) -> Option<u64> {
        quota::left(self.quota.as_ref()?, &self.jobs, each)
    }

    /// The jobs as declared, by name.
    pub fn jobs(&self) -> &BTreeMap<String, Shared<JobSpec>> {
        &self.jobs
    }

    /// The routes as declared, by name.
    pub fn routes(&self) -> &BTreeMap<String, RouteSpec> {
        &self.routes
    }

    /// A command about which the scheduler is asked just now, and the jobs of which it is to say whether they fit.
    pub fn asked(&self, ticket: u64) -> Option<(&Request, Vec<JobSpec>)> {
        let task = self.tasks.get(&ticket).filter(|task| task.stage == Stage::Checking)?;
        Some((&task.request, progress::in_question(self, task)))
    }

    /// How many commands are under way.
    pub fn under_way(&self) -> usize {
        self.tasks.len()
    }

    fn answer_to(&self, id: MessageId) -> Option<&Result<Answer, Refusal>> {
        self.answers.iter().find(|(of, _)| *of == id).map(|(_, outcome)| outcome)
    }

    /// Whether a command was taken in, and is under way or was answered lately.
    pub fn knows(&self, id: MessageId) -> bool {
        self.in_progress(id) || self.answer_to(id).is_some()
    }

    fn take_in(&self, turn: &mut Turn<Self>, realm: &str, request: &Request, plan: Option<submit::Plan<'_>>) {
        match self.answer_to(turn.cause()) {
            Some(outcome) => turn.reply(turn.from(), outcome.clone()),
            None if self.in_progress(turn.cause()) => {}
            None => Draft::within(self, turn, |draft| submit::submit(draft, realm, request, plan)),
        }
    }

    fn in_progress(&self, id: MessageId) -> bool {
        self.tasks.values().any(|task| task.id == id)
    }
}

impl Task {
    /// When something has to be done about it by itself.
    fn due(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Queued => None,
            Stage::Checking => Some(self.retry.due.min(self.since.after(CHECK_MAX))),
            Stage::Passing(_) => Some(self.retry.due),
        }
    }
}

impl Behavior for Policy {
    const KIND: Kind = Kind::Policy;
    type Message = Message;
    type Event = Event;

    fn decide(&self, message: &Message, turn: &mut Turn<Self>) -> Result<(), Refusal> {
        match message {
            Message::Submit { realm, request } => self.take_in(turn, realm, request, None),
            Message::SubmitPlanned { realm, request, rests_on, placements } => {
                self.take_in(turn, realm, request, Some((*rests_on, placements)));
            }
            Message::Checked { ticket, outcome } => {
                let asked = self.tasks.get(ticket).is_some_and(|task| task.stage == Stage::Checking);
                if asked {
                    Draft::within(self, turn, |draft| progress::checked(draft, *ticket, outcome.clone()));
                }
            }
            Message::Done { ticket, outcome } => {
                if let (Some(task), Address::Actor(by)) = (self.tasks.get(ticket), turn.from())
                    && let Stage::Passing(owed) = &task.stage
                    && owed.contains(&by)
                {
                    let settled = Event::Settled { ticket: *ticket, by, outcome: outcome.clone() };
                    if owed.len() > 1 && !crate::mutant!(FirstAnswerCounts) {
                        turn.record(settled);
                    } else {
                        Draft::within(self, turn, |draft| progress::finish(draft, *ticket, settled));
                    }
                }
            }
            Message::RulesNoted { version } => {
                if *version > self.rules.noted {
                    turn.record(Event::RulesNoted { version: *version });
                }
            }
            Message::Wake { .. } => Draft::within(self, turn, progress::wake),
        }
        Ok(())
    }

    fn evolve(&mut self, event: &Event, at: Timestamp) {
        self.fold(event, at);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let owed = self.rules.noted < self.rules.version && !crate::mutant!(RulesSentOnce);
        let rules = owed.then_some(self.rules.retry.due);
        self.tasks.values().filter_map(Task::due).chain(rules).min()
    }

    fn wake(due: Timestamp) -> Message {
        Message::Wake { due }
    }

    fn repeated(&self, id: MessageId, turn: &mut Turn<Self>) {
        if let Some(outcome) = self.answer_to(id) {
            turn.reply(turn.from(), outcome.clone());
        }
    }
}
