//! A command goes on: its turn comes, it is checked, admitted, passed on until all have answered, and answered.

use super::{CHECK_MAX, Policy, Stage, Task, orders, quota};
use crate::behavior::Draft;
use messages::id::{ActorId, JobId, PolicyId, SchedulerId};
use messages::manifest::JobSpec;
use messages::policy::{Answer, Event, Request};
use messages::reason::{Reason, Refusal};
use messages::scheduler::{self, DEFAULT_SITE};

/// Begins the first in the lane, if it has not begun; and the next, as long as one is answered at once.
pub(super) fn begin_next(draft: &mut Draft<'_, Policy>) {
    let queued = |state: &Policy, ticket: &u64| state.tasks.get(ticket).is_some_and(|task| task.stage == Stage::Queued);
    let next = |state: &Policy| match crate::mutant!(LaneForgotten) {
        true => state.lane.iter().find(|ticket| queued(state, ticket)).copied(),
        false => state.lane.front().copied(),
    };
    while let Some(ticket) = next(&draft.state) {
        let Some(task) = draft.state.tasks.get(&ticket).filter(|task| task.stage == Stage::Queued) else { return };
        let request = task.request.clone();
        if let Err(refusal) = within_quota(&draft.state, &request) {
            answer(draft, ticket, Err(refusal));
            continue;
        }
        if doubtful(&draft.state, &request).is_empty() && task.planned.is_empty() {
            admit(draft, ticket);
        } else {
            draft.record(Event::CheckBegun { ticket });
            ask_scheduler(draft, ticket);
            if crate::mutant!(HalfApplied) {
                let first = orders::orders(&draft.state.realm, ticket, &request).into_iter().take(1);
                first.for_each(|(to, body)| draft.turn.send(to_address(to), body));
            }
            return;
        }
    }
}

const fn to_address(actor: ActorId) -> messages::envelope::Address {
    messages::envelope::Address::Actor(actor)
}

fn within_quota(state: &Policy, request: &Request) -> Result<(), Refusal> {
    let Some(quota) = &state.quota else { return Ok(()) };
    quota::check(&state.realm, quota, &state.jobs, &orders::declared(state, request))
}

/// The jobs of which it must be asked whether they fit: new ones, and those that want more or something else.
fn doubtful(state: &Policy, request: &Request) -> Vec<JobSpec> {
    let smaller = |spec: &JobSpec, before: &JobSpec| {
        let same = spec.workload == before.workload && spec.place == before.place;
        same && spec.instances <= before.instances
    };
    let declared = orders::declared(state, request).into_values();
    declared
        .filter(|spec| spec.instances > 0 && !state.jobs.get(&spec.name).is_some_and(|before| smaller(spec, before)))
        .collect()
}

fn me(draft: &Draft<'_, Policy>) -> PolicyId {
    PolicyId(draft.turn.me().id)
}

fn ask_scheduler(draft: &mut Draft<'_, Policy>, ticket: u64) {
    let (state, policy) = (&draft.state, me(draft));
    let Some(task) = state.tasks.get(&ticket) else { return };
    let (jobs, placements) = (in_question(state, task), task.planned.clone());
    let question = if placements.is_empty() {
        scheduler::Message::Check { policy, ticket, jobs }
    } else {
        scheduler::Message::Reserve { policy, ticket, jobs, placements }
    };
    draft.turn.send(SchedulerId::of_site(DEFAULT_SITE), question);
}

/// The jobs of a command that the scheduler is asked about: the doubtful ones, and all of which it is planned where their
/// instances go.
pub(super) fn in_question(state: &Policy, Task { request, planned, .. }: &Task) -> Vec<JobSpec> {
    let mut jobs = doubtful(state, request);
    let is_planned = |spec: &JobSpec| {
        let job = JobId::named(&spec.realm, &spec.name);
        planned.iter().any(|placement| placement.job == job)
    };
    let beside = orders::declared(state, request).into_values().filter(is_planned);
    let beside: Vec<JobSpec> = beside.filter(|spec| !jobs.iter().any(|one| one.name == spec.name)).collect();
    jobs.extend(beside);
    jobs
}

/// The scheduler has said whether it would fit.
pub(super) fn checked(draft: &mut Draft<'_, Policy>, ticket: u64, outcome: Result<(), Refusal>) {
    match outcome {
        Ok(()) => admit(draft, ticket),
        Err(refusal) => answer(draft, ticket, Err(refusal)),
    }
    begin_next(draft);
}

/// From now on it holds. It is passed on.
pub(super) fn admit(draft: &mut Draft<'_, Policy>, ticket: u64) {
    draft.record(Event::Admitted { ticket });
    if pass_on(draft, ticket) == 0 {
        conclude(draft, ticket);
    }
}

/// Says a command to all who have not answered yet; returns how many there are.
fn pass_on(draft: &mut Draft<'_, Policy>, ticket: u64) -> usize {
    let Some(task) = draft.state.tasks.get(&ticket) else { return 0 };
    let Stage::Passing(owed) = &task.stage else { return 0 };
    for (to, body) in orders::orders(&draft.state.realm, ticket, &task.request) {
        if owed.contains(&to) {
            draft.turn.send(to_address(to), body);
        }
    }
    owed.len()
}

/// The last that was owed has come.
pub(super) fn finish(draft: &mut Draft<'_, Policy>, ticket: u64, settled: Event) {
    draft.record(settled);
    conclude(draft, ticket);
    begin_next(draft);
}

fn conclude(draft: &mut Draft<'_, Policy>, ticket: u64) {
    let Some(task) = draft.state.tasks.get(&ticket) else { return };
    let outcome = match &task.refusal {
        Some(refusal) => Err(refusal.clone()),
        None => {
            let mut changes = task.changes.clone();
            changes.sort();
            Ok(Answer { changes, verdict: task.verdict.clone() })
        }
    };
    answer(draft, ticket, outcome);
}

fn answer(draft: &mut Draft<'_, Policy>, ticket: u64, outcome: Result<Answer, Refusal>) {
    let Some(task) = draft.state.tasks.get(&ticket) else { return };
    let (id, client, verdict) = (task.id, task.client, task.verdict.clone());
    draft.record(Event::Answered { ticket, id, verdict, outcome: outcome.clone() });
    draft.turn.reply(client, outcome);
}

/// Sends the rules to the scheduler.
pub(super) fn send_rules(draft: &mut Draft<'_, Policy>) {
    let state = &draft.state;
    let rules = scheduler::Message::Rules {
        realm: state.realm.clone(),
        policy: me(draft),
        version: state.version(),
        mode: state.mode(),
        text: state.text().to_string(),
    };
    draft.turn.send(SchedulerId::of_site(DEFAULT_SITE), rules);
}

/// Asks again for all that is owed and due.
pub(super) fn wake(draft: &mut Draft<'_, Policy>) {
    let now = draft.turn.now();
    let rules = &draft.state.rules;
    if rules.noted < rules.version && rules.retry.due <= now && !crate::mutant!(RulesSentOnce) {
        draft.record(Event::RulesSent);
        send_rules(draft);
    }
    let due = draft.state.tasks.iter().filter(|(_, task)| task.due().is_some_and(|due| due <= now));
    let due: Vec<u64> = due.map(|(ticket, _)| *ticket).collect();
    for ticket in due {
        let Some(task) = draft.state.tasks.get(&ticket) else { continue };
        let checking = task.stage == Stage::Checking;
        if checking && now >= task.since.after(CHECK_MAX) {
            let message = format!("the scheduler did not answer within {CHECK_MAX}, and nothing was applied");
            answer(draft, ticket, Err(Refusal::new(Reason::Waiting, message).change("try again")));
            continue;
        }
        draft.record(Event::AskedAgain { ticket });
        if checking {
            ask_scheduler(draft, ticket);
        } else if !crate::mutant!(PassedOnOnce) {
            pass_on(draft, ticket);
        }
    }
    begin_next(draft);
}
