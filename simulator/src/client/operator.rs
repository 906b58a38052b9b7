//! What operators do at the worst moment: commands that a fault gives through clients of its own.

use super::Clients;
use crate::plan::trouble::operator::{Blunder, Operator};
use crate::plan::{Operation, Plan};
use crate::world::context::Context;
use messages::manifest::Manifest;
use messages::policy::Request;
use std::collections::BTreeMap;

/// The first client of the first fault; each fault has so many numbers for itself.
const FIRST: u32 = 10_000;
const CLIENTS_OF_FAULT: u32 = 8;
/// How often something is done in quick succession.
const FLAPS: u32 = 4;
/// How often an impatient client says the same, and how long it waits each time, in microseconds.
const IMPATIENT: (u64, u64) = (24, 2_000);

/// What a fault knows of the world it begins in.
struct Moment<'p> {
    plan: &'p Plan,
    now: u64,
    until: u64,
    machine: Option<String>,
    /// A job, how many instances it wants, and whether a rollout of it is under way.
    job: Option<(String, u32, bool)>,
}

/// Commands, each with its client's number among those of the fault.
type Commands = Vec<(u32, u64, Request)>;

impl Clients {
    /// An operator's fault begins and lasts until then.
    pub fn blunder(&mut self, (id, what): (u64, Operator), machines: &[usize], until: u64, cx: &mut Context) {
        let plan = std::sync::Arc::clone(&cx.plan);
        let machine = machines.first().map(|machine| plan.machines[*machine].spec.name.clone());
        let job = chosen_job(what, cx);
        let moment = Moment { plan: &plan, now: cx.now(), until, machine, job };
        let (refused, commands) = match what.blunder {
            Blunder::RepeatedCommand => return self.repeat(what.choice, cx),
            Blunder::ImpatientClient => return self.hurry(id, &moment, cx),
            Blunder::Nonsense => (true, moment.nonsense()),
            Blunder::Rollback => (false, moment.rollback(what.choice)),
            _ => (false, moment.commands(what)),
        };
        for (client, at, request) in commands {
            let operation = Operation { at: at.min(until), client: client_of(id, client), request, refused };
            self.give(operation, what.name(), cx);
        }
    }

    /// An answered command is given again with the same id.
    fn repeat(&mut self, choice: u64, cx: &mut Context) {
        let Some(index) = choice.checked_rem(self.answered.len() as u64) else { return };
        let envelope = self.answered[usize::try_from(index).unwrap_or(0)].clone();
        cx.bite("repeated-command");
        cx.send(envelope, u64::MAX - choice % 1_000);
    }

    /// A command is given, and again and again before its answer can come.
    fn hurry(&mut self, id: u64, moment: &Moment<'_>, cx: &mut Context) {
        let Some((job, instances, _)) = moment.job.clone() else { return };
        let (request, client) = (Request::Scale { job, instances }, client_of(id, 0));
        let operation = Operation { at: moment.now, client, request, refused: false };
        let number = self.give(operation, "impatient-client", cx);
        for attempt in 1..IMPATIENT.0 {
            let attempt_at = moment.now + attempt * IMPATIENT.1;
            let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
            let event = crate::world::Event::Client { client, operation: number, attempt };
            cx.queue.at(attempt_at, event);
        }
    }
}

fn client_of(id: u64, client: u32) -> u32 {
    FIRST + u32::try_from(id).unwrap_or(0) * CLIENTS_OF_FAULT + client
}

/// The job that an operator has to do with; one with a rollout, if it is about rollouts and there is one.
fn chosen_job(what: Operator, cx: &Context) -> Option<(String, u32, bool)> {
    let rolls = matches!(what.blunder, Blunder::AbortMidway | Blunder::ForgottenHold);
    let manifests = cx.plan.operations.iter().filter_map(|operation| match &operation.request {
        Request::Apply { manifest } => Some(names(&cx.plan.realm, manifest)),
        _ => None,
    });
    let names: BTreeMap<_, _> = manifests.flatten().collect();
    let jobs = cx.oracle.fold().jobs().filter_map(|(actor, job)| {
        let name: &String = names.get(&actor.id)?;
        Some((name.clone(), job.desired, job.under_way().is_some()))
    });
    let mut jobs: Vec<(String, u32, bool)> = jobs.collect();
    if rolls && jobs.iter().any(|(_, _, rolls)| *rolls) {
        jobs.retain(|(_, _, rolls)| *rolls);
    }
    jobs.sort();
    let index = what.choice.checked_rem(jobs.len() as u64)?;
    jobs.into_iter().nth(usize::try_from(index).ok()?)
}

fn names<'m>(realm: &str, manifest: &'m Manifest) -> Vec<(uuid::Uuid, &'m String)> {
    manifest.jobs.keys().map(|name| (messages::id::JobId::named(realm, name).0, name)).collect()
}

impl Moment<'_> {
    fn commands(&self, what: Operator) -> Commands {
        let node = self.machine.clone().unwrap_or_default();
        let drain = || Request::Drain { node: node.clone() };
        let cordon = || Request::Cordon { node: node.clone() };
        let uncordon = || Request::Uncordon { node: node.clone() };
        match what.blunder {
            // Each client ends with opening the node, so that it is open in the end in whatever order they come.
            Blunder::ContradictoryNode => {
                vec![(0, self.now, drain()), (1, self.now, uncordon()), (2, self.now, cordon())]
                    .into_iter()
                    .chain((0..3).map(|client| (client, self.until, uncordon())))
                    .collect()
            }
            Blunder::FlappingDrain => {
                let flap = |_| [(0, self.now, drain()), (0, self.now, uncordon()), (0, self.now, cordon())];
                (0..FLAPS).flat_map(flap).chain([(0, self.now, uncordon())]).collect()
            }
            _ => self.of_job(what),
        }
    }

    fn of_job(&self, what: Operator) -> Commands {
        let Some((job, desired, _)) = self.job.clone() else { return Vec::new() };
        let scale = |instances: u32| Request::Scale { job: job.clone(), instances };
        match what.blunder {
            Blunder::ContradictoryScale => {
                vec![(0, self.now, scale(desired + 1)), (1, self.now, scale(desired.saturating_sub(1)))]
            }
            Blunder::FlappingScale => (0..FLAPS)
                .flat_map(|_| [(0, self.now, scale(desired + 1)), (0, self.now, scale(desired.saturating_sub(1)))])
                .chain([(0, self.now, scale(desired))])
                .collect(),
            Blunder::RestartStorm => {
                (0..FLAPS).map(|client| (client, self.now, Request::Restart { job: job.clone(), slot: None })).collect()
            }
            Blunder::AbortMidway => vec![(0, self.now, Request::Abort { job, revision: 0 })],
            Blunder::ForgottenHold => vec![
                (0, self.now, Request::Hold { job: job.clone(), revision: 0 }),
                (0, self.until, Request::Resume { job, revision: 0 }),
            ],
            _ => Vec::new(),
        }
    }

    /// A manifest that was applied before is applied again.
    fn rollback(&self, choice: u64) -> Commands {
        let before = self.plan.operations.iter().filter(|operation| operation.at < self.now && !operation.refused);
        let applied: Vec<&Request> = before
            .map(|operation| &operation.request)
            .filter(|request| matches!(request, Request::Apply { .. }))
            .collect();
        let index = choice.checked_rem(applied.len() as u64).and_then(|index| usize::try_from(index).ok());
        index.map(|index| (0, self.now, applied[index].clone())).into_iter().collect()
    }

    /// Commands about what is not there.
    fn nonsense(&self) -> Commands {
        let (job, node) = ("no-such-job".to_string(), "no-such-node".to_string());
        vec![
            (0, self.now, Request::Scale { job: job.clone(), instances: 3 }),
            (1, self.now, Request::Restart { job: job.clone(), slot: Some(99) }),
            (2, self.now, Request::Drain { node: node.clone() }),
            (3, self.now, Request::Uncordon { node }),
            (4, self.now, Request::Abort { job, revision: 7 }),
        ]
    }
}

/// Remembered so that it can be given again: answered commands, the latest last.
pub(super) const ANSWERED_MAX: usize = 32;
