//! How a policy's state follows from its events.

use super::{ANSWERS_MAX, Policy, RETRY_FIRST, Stage, Task, orders};
use crate::cedar::Compiled;
use crate::retry::Retry;
use messages::id::{ActorId, JobId, RouteId};
use messages::policy::{Change, Event, Request};
use messages::reason::Refusal;
use messages::scheduler::Placement;
use messages::shared::Shared;
use messages::time::Timestamp;
use std::collections::BTreeMap;

impl Policy {
    pub(super) fn fold(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Accepted { ticket, id, client, realm, request, verdict } => {
                self.realm.clone_from(realm);
                if orders::declares(request) {
                    self.lane.push_back(*ticket);
                }
                let task = Task {
                    id: *id,
                    client: *client,
                    request: request.clone(),
                    verdict: verdict.clone(),
                    stage: Stage::Queued,
                    since: at,
                    retry: Retry::begin(at, RETRY_FIRST),
                    changes: Vec::new(),
                    refusal: None,
                    planned: Vec::new(),
                    jobs_before: BTreeMap::new(),
                    routes_before: BTreeMap::new(),
                };
                self.tasks.insert(*ticket, task);
            }
            Event::CheckBegun { ticket } => self.enter(*ticket, Stage::Checking, at),
            Event::Admitted { ticket } => {
                let Some(task) = self.tasks.get(ticket) else { return };
                let owed = orders::orders(&self.realm, *ticket, &task.request).into_iter().map(|(actor, _)| actor);
                let owed = Stage::Passing(owed.collect());
                self.enter(*ticket, owed, at);
                self.declare(*ticket);
            }
            Event::AskedAgain { ticket } => self.ask_again(*ticket, at),
            Event::Settled { ticket, by, outcome } => self.settle(*ticket, *by, outcome),
            Event::Answered { ticket, id, outcome, .. } => {
                self.tasks.remove(ticket);
                self.lane.retain(|waiting| waiting != ticket);
                if self.answers.len() == ANSWERS_MAX {
                    self.answers.pop_front();
                }
                if !crate::mutant!(AnswerForgotten) {
                    self.answers.push_back((*id, outcome.clone()));
                }
            }
            Event::PolicySet { realm, text, mode } => {
                self.realm.clone_from(realm);
                self.rules.text = Some(text.clone());
                self.rules.mode = *mode;
                self.rules.version += 1;
                self.rules.retry = Retry::begin(at, RETRY_FIRST);
                self.rules.compiled = Compiled::default();
            }
            Event::Planned { ticket, placements } => self.plan(*ticket, placements),
            Event::QuotaSet { quota } => self.quota.clone_from(quota),
            Event::RulesNoted { version } => self.rules.noted = *version,
            Event::RulesSent => self.rules.retry = self.rules.retry.again(at, RETRY_FIRST),
        }
    }

    fn plan(&mut self, ticket: u64, placements: &[Placement]) {
        if let Some(task) = self.tasks.get_mut(&ticket) {
            task.planned = placements.to_vec();
        }
    }

    fn ask_again(&mut self, ticket: u64, at: Timestamp) {
        if let Some(task) = self.tasks.get_mut(&ticket) {
            task.retry = task.retry.again(at, RETRY_FIRST);
        }
    }

    fn enter(&mut self, ticket: u64, stage: Stage, at: Timestamp) {
        if let Some(task) = self.tasks.get_mut(&ticket) {
            task.stage = stage;
            task.since = at;
            task.retry = Retry::begin(at, RETRY_FIRST);
        }
    }

    /// What a command declares holds from now on; what was before is kept with the command.
    fn declare(&mut self, ticket: u64) {
        let Some(task) = self.tasks.get(&ticket) else { return };
        let request = task.request.clone();
        let (mut jobs_before, mut routes_before) = (BTreeMap::new(), BTreeMap::new());
        for (name, spec) in orders::declared(self, &request) {
            jobs_before.insert(name.clone(), self.jobs.insert(name, Shared::new(spec)));
        }
        match &request {
            Request::Apply { manifest } => {
                for (name, spec) in &manifest.routes {
                    routes_before.insert(name.clone(), self.routes.insert(name.clone(), spec.clone()));
                }
            }
            Request::RemoveRoute { route } => {
                routes_before.insert(route.clone(), self.routes.remove(route));
            }
            _ => {}
        }
        if let Some(task) = self.tasks.get_mut(&ticket) {
            task.jobs_before = jobs_before;
            task.routes_before = routes_before;
        }
    }

    /// An actor has answered. Where it refused, what is declared of it is what it was before.
    fn settle(&mut self, ticket: u64, by: ActorId, outcome: &Result<Change, Refusal>) {
        let Some(task) = self.tasks.get_mut(&ticket) else { return };
        if let Stage::Passing(owed) = &mut task.stage {
            owed.remove(&by);
        }
        match outcome {
            Ok(change) if !orders::is_service(&self.realm, &task.request, by) => task.changes.push(change.clone()),
            Ok(_) => {}
            Err(refusal) => {
                task.refusal.get_or_insert_with(|| refusal.clone());
                let realm = &self.realm;
                let of_job = |(name, _): &(&String, _)| ActorId::from(JobId::named(realm, name)) == by;
                let of_route = |(name, _): &(&String, _)| ActorId::from(RouteId::named(realm, name)) == by;
                if let Some((name, before)) = task.jobs_before.iter().find(of_job) {
                    restore(&mut self.jobs, name, before);
                }
                if let Some((name, before)) = task.routes_before.iter().find(of_route) {
                    restore(&mut self.routes, name, before);
                }
            }
        }
    }
}

fn restore<T: Clone>(all: &mut BTreeMap<String, T>, name: &str, before: &Option<T>) {
    match before {
        Some(before) => all.insert(name.to_string(), before.clone()),
        None => all.remove(name),
    };
}
