//! What clients asked of each job and were told, as a history: it must be linearizable. There must be one order of the
//! commands, which no two break that did not overlap, in which every answer is right and which ends with what is.
//!
//! The search is that of Wing and Gong, with the states already tried remembered, as Lowe does it.

use actors::cast::AnyCell;
use actors::fold::Fold;
use messages::id::JobId;
use messages::policy::{Answer, Request};
use messages::reason::Refusal;
use std::collections::{BTreeMap, BTreeSet};

/// The most commands of a job that are looked at.
const COMMANDS_MAX: usize = 63;

/// The commands of each job that were answered.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    jobs: BTreeMap<(String, String), Vec<Command>>,
}

/// A command and its answer: from when to when it was under way, what it wants, and how many it found.
#[derive(Clone, Debug)]
struct Command {
    from: u64,
    to: u64,
    wants: u32,
    found: Found,
}

/// What an answer says of how many instances were wanted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// There was no such job.
    Nothing,
    /// So many.
    Exactly(u32),
    /// Some.
    Some,
    /// There was such a job.
    Anything,
}

impl Found {
    /// What `how` says: the words of an answer to a command that wants `wants`.
    fn of(how: &str, wants: u32) -> Self {
        let scaled = how.strip_prefix("scaled ").and_then(|rest| rest.split(' ').next()).and_then(|n| n.parse().ok());
        match (how, scaled) {
            ("created", _) => Self::Nothing,
            ("unchanged", _) => Self::Exactly(wants),
            ("started", _) => Self::Exactly(0),
            ("stopped", _) => Self::Some,
            (_, Some(before)) => Self::Exactly(before),
            (_, None) => Self::Anything,
        }
    }

    const fn allows(self, state: Option<u32>) -> bool {
        match (self, state) {
            (Self::Nothing, None) | (Self::Anything, Some(_)) => true,
            (Self::Exactly(before), Some(state)) => before == state,
            (Self::Some, Some(state)) => state > 0,
            _ => false,
        }
    }
}

impl History {
    /// A command that was first given at `from` was answered at `to`.
    pub(super) fn answered(
        &mut self,
        realm: &str,
        request: &Request,
        outcome: &Result<Answer, Refusal>,
        (from, to): (u64, u64),
    ) {
        let Ok(answer) = outcome else { return };
        let wanted: Vec<(&String, u32)> = match request {
            Request::Apply { manifest } => manifest.jobs.values().map(|spec| (&spec.name, spec.instances)).collect(),
            Request::Scale { job, instances } => vec![(job, *instances)],
            Request::Stop { job } => vec![(job, 0)],
            _ => return,
        };
        for (name, wants) in wanted {
            let what = format!("job {realm}/{name}");
            let Some(change) = answer.changes.iter().find(|change| change.what == what) else { continue };
            let found = Found::of(&change.how, wants);
            let job = self.jobs.entry((realm.into(), name.clone())).or_default();
            job.push(Command { from, to, wants, found });
        }
    }

    /// Jobs whose commands fit into no order.
    pub(super) fn check(&self, fold: &Fold) -> Vec<String> {
        let broken = self.jobs.iter().filter(|((realm, name), commands)| {
            let last = match fold.cell(JobId::named(realm, name)) {
                Some(AnyCell::Job(cell)) if cell.state().spec.is_some() => Some(cell.state().desired),
                _ => None,
            };
            commands.len() <= COMMANDS_MAX && !linearizable(commands, last)
        });
        broken.map(|((realm, name), commands)| format!("{realm}/{name}: {commands:?}")).collect()
    }
}

/// Whether there is an order of commands, from nothing to `last`, in which every answer is right.
fn linearizable(commands: &[Command], last: Option<u32>) -> bool {
    let all: u64 = (1 << commands.len()) - 1;
    let mut tried = BTreeSet::new();
    let mut open = vec![(0_u64, None)];
    while let Some((done, state)) = open.pop() {
        if done == all && state == last {
            return true;
        }
        if !tried.insert((done, state)) {
            continue;
        }
        let left = || commands.iter().enumerate().filter(|(index, _)| done & (1 << index) == 0);
        let first_end = left().map(|(_, command)| command.to).min().unwrap_or(u64::MAX);
        for (index, command) in left().filter(|(_, command)| command.from <= first_end) {
            if command.found.allows(state) {
                open.push((done | (1 << index), Some(command.wants)));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(from: u64, to: u64, wants: u32, how: &str) -> Command {
        Command { from, to, wants, found: Found::of(how, wants) }
    }

    #[test]
    fn commands_that_overlap_may_take_effect_in_any_order() {
        let commands =
            [command(0, 1, 3, "created"), command(2, 9, 5, "scaled 4 to 5"), command(3, 8, 4, "scaled 3 to 4")];
        assert!(linearizable(&commands, Some(5)));
        assert!(!linearizable(&commands, Some(4)), "the answers say which came last");
    }

    #[test]
    fn an_answer_from_before_the_command_is_no_answer() {
        let commands =
            [command(0, 1, 3, "created"), command(2, 3, 4, "scaled 3 to 4"), command(4, 5, 5, "scaled 3 to 5")];
        assert!(!linearizable(&commands, Some(5)));
    }

    #[test]
    fn what_was_answered_is_not_lost() {
        let commands = [command(0, 1, 3, "created"), command(2, 3, 0, "stopped")];
        assert!(linearizable(&commands, Some(0)));
        assert!(!linearizable(&commands, Some(3)));
    }
}
