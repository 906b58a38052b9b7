//! Commands judged anew: whoever may do what, and whether what it declares has a place where it may be.

use super::{Backtest, Twins};
use crate::cedar::Verdict;
use crate::policy::Policy;
use crate::scheduler::check;
use messages::api::Becomes;
use messages::entry::{Head, Record};
use messages::envelope::MessageId;
use messages::id::{ActorId, PolicyId, SchedulerId};
use messages::manifest::JobSpec;
use messages::policy::{Event, Message, Mode, Request};
use messages::reason::Refusal;
use messages::scheduler::DEFAULT_SITE;

impl Backtest {
    /// Judges an entry of the realm's policy, which stands before it.
    pub(super) fn judge_command(&mut self, record: &Record<Message, Event>) {
        match &record.input {
            Message::Submit { realm, request } | Message::SubmitPlanned { realm, request, .. } => {
                if ActorId::from(PolicyId::of_realm(realm)) == record.head.actor && judged(record) {
                    self.judge_submitted(&record.head, request);
                }
            }
            Message::Checked { ticket, .. } if !self.flipped.contains(ticket) => {
                self.judge_checked(&record.head, *ticket);
            }
            _ => {}
        }
    }

    fn judge_submitted(&mut self, head: &Head, request: &Request) {
        let state = self.policy.state();
        let now = state.verdicts(&self.policies, &head.principal, &self.realm, request, head.at);
        let was = in_force(state, head, &self.realm, request).unwrap_or_else(|| vec![Verdict::unreadable(); now.len()]);
        let mode = state.mode();
        self.counts.commands += 1;
        let denied = was.iter().any(|verdict| verdict.denies(mode));
        let becomes = match (denied, now.iter().any(|(_, verdict)| verdict.denies(Mode::Enforce))) {
            (false, true) => Becomes::Forbidden,
            (true, false) => Becomes::Allowed,
            _ => return,
        };
        self.counts.flip(becomes);
        self.flipped.insert(head.sequence);
        for (was, (what, now)) in was.iter().zip(now) {
            let parts = match becomes {
                Becomes::Forbidden => now.denies(Mode::Enforce),
                Becomes::Allowed => was.denies(mode),
            };
            if parts {
                let flip = self.flip(head, was.worded(mode), now.words(), trace(head));
                self.note(becomes, &what, request.action(), flip);
            }
        }
    }

    /// The scheduler has said whether what a command declares would fit: it may only go where a policy lets it.
    fn judge_checked(&mut self, head: &Head, ticket: u64) {
        let Some((request, jobs)) = self.policy.state().asked(ticket) else { return };
        let Some(twins) = self.schedulers.get(&SchedulerId::of_site(DEFAULT_SITE).into()) else { return };
        let (was, now) = (check(twins.was.state(), &jobs), check(twins.under.state(), &jobs));
        let becomes = match (&was, &now) {
            (Ok(()), Err(_)) => Becomes::Forbidden,
            (Err(_), Ok(())) => Becomes::Allowed,
            _ => return,
        };
        let (action, culprits) = (request.action(), culprits(twins, becomes, jobs));
        self.counts.flip(becomes);
        for spec in culprits {
            let flip = self.flip(head, fits(&was), fits(&now), trace(head));
            self.note(becomes, &format!("job {}/{}", spec.realm, spec.name), action, flip);
        }
    }
}

/// Whether the command was judged in this turn, and not only heard again.
fn judged(record: &Record<Message, Event>) -> bool {
    let of = |event: &Event| match event {
        Event::Accepted { id, .. } | Event::Answered { id, .. } => Some(*id),
        _ => None,
    };
    record.events.iter().filter_map(of).any(|id| id == record.head.cause)
}

/// What the policy in force said of each thing that the command is about. None when it cannot be read.
fn in_force(state: &Policy, head: &Head, realm: &str, request: &Request) -> Option<Vec<Verdict>> {
    let verdicts = state.verdicts(state.in_force()?, &head.principal, realm, request, head.at);
    Some(verdicts.into_iter().map(|(_, verdict)| verdict).collect())
}

/// The jobs that by themselves fit under one policy alone; all, when it takes all of them.
fn culprits(twins: &Twins, becomes: Becomes, jobs: Vec<JobSpec>) -> Vec<JobSpec> {
    let refusing = match becomes {
        Becomes::Forbidden => &twins.under,
        Becomes::Allowed => &twins.was,
    };
    let alone = |spec: &&JobSpec| check(refusing.state(), std::slice::from_ref(spec)).is_err();
    let culprits: Vec<JobSpec> = jobs.iter().filter(alone).cloned().collect();
    if culprits.is_empty() { jobs } else { culprits }
}

fn fits(outcome: &Result<(), Refusal>) -> String {
    outcome.as_ref().map_or_else(|refusal| refusal.message.clone(), |()| "it fits where it may be".into())
}

/// The command that shows what came of a command.
fn trace(head: &Head) -> String {
    match head.cause {
        MessageId::Outside(id) => format!("orrery trace {id}"),
        _ => format!("orrery trace {}", head.correlation.0),
    }
}
