//! Commands: each carried out once, answered only when it is done, refused by a policy only where that is enforced, and
//! never beyond the quota.

use super::Finding;
use crate::verdict::Invariant;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::policy::Policy;
use messages::entry::Record;
use messages::id::{ActorId, JobId, NodeId, RouteId};
use messages::policy::{Event, Message, Mode, Request};
use messages::reason::Reason;
use messages::resources::Resources;
use messages::{rollout, route};
use std::collections::{BTreeMap, BTreeSet};

type Entry = Record<Message, Event>;

/// What policies have recorded of commands.
#[derive(Clone, Debug, Default)]
pub(super) struct Commands {
    requests: BTreeMap<(ActorId, u64), Request>,
    instances: BTreeMap<ActorId, u64>,
    answered: BTreeSet<(ActorId, u64)>,
    /// The operators' last word on each node, and whether only one was under way.
    nodes: BTreeMap<NodeId, Word>,
}

/// What operators want of a node.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    closed: bool,
    /// How many commands about it are under way.
    under_way: u32,
    /// Commands that were under way at the same time may have taken effect in any order.
    doubtful: bool,
}

impl Commands {
    /// An entry of a rollout was committed.
    pub(super) fn see_rollout(
        &mut self,
        record: &Record<rollout::Message, rollout::Event>,
        findings: &mut Vec<Finding>,
    ) {
        for event in &record.events {
            if let rollout::Event::Answered { ticket, .. } = event {
                self.answers(record.head.actor, *ticket, findings);
            }
        }
    }

    /// An entry of a route was committed.
    pub(super) fn see_route(&mut self, record: &Record<route::Message, route::Event>, findings: &mut Vec<Finding>) {
        for event in &record.events {
            if let route::Event::Answered { ticket, .. } = event {
                self.answers(record.head.actor, *ticket, findings);
            }
        }
    }

    /// A ticket is answered, once.
    fn answers(&mut self, actor: ActorId, ticket: u64, findings: &mut Vec<Finding>) {
        if !self.answered.insert((actor, ticket)) {
            let message = format!("{actor}: ticket {ticket}");
            findings.push((Invariant::Once, "a command is carried out twice", message));
        }
    }

    /// An entry of a policy was committed, and folded.
    pub(super) fn see(&mut self, record: &Entry, fold: &Fold, findings: &mut Vec<Finding>) {
        let actor = record.head.actor;
        let Some(AnyCell::Policy(cell)) = fold.cell(actor) else { return };
        let policy = cell.state();
        for event in &record.events {
            match event {
                Event::Accepted { ticket, request, .. } => {
                    self.begin_word(request);
                    self.requests.insert((actor, *ticket), request.clone());
                }
                Event::Admitted { .. } => self.check_quota(actor, policy, findings),
                Event::Answered { ticket, outcome, .. } => {
                    let request = self.requests.remove(&(actor, *ticket));
                    if let Some(request) = &request {
                        self.end_word(request, outcome.is_ok());
                    }
                    if let (Some(request), Ok(_)) = (&request, outcome)
                        && let Some(missing) = undone(request, policy.realm(), fold)
                    {
                        let message = format!("{}: {missing}", request.action());
                        findings.push((Invariant::Done, "a command is answered before it is done", message));
                    }
                    let by_quota =
                        outcome.as_ref().err().is_some_and(|refusal| refusal.reason == Reason::QuotaExceeded);
                    if let Some(request) = request.filter(|request| by_quota && allowed(request, policy)) {
                        let message = format!("{}: {outcome:?}", request.action());
                        findings.push((Invariant::Quota, "a quota refuses what it allows", message));
                    }
                    let by_policy = outcome.as_ref().err().is_some_and(|refusal| of_policy(refusal.reason));
                    if by_policy && policy.mode() != Mode::Enforce && !sets(&record.input) {
                        let message = format!("{outcome:?}");
                        findings.push((Invariant::Done, "a policy that is not enforced refuses a command", message));
                    }
                }
                _ => {}
            }
        }
        self.instances.insert(actor, instances_of(policy));
    }

    /// What is declared stays within the quota, or at least becomes no more.
    fn check_quota(&self, actor: ActorId, policy: &Policy, findings: &mut Vec<Finding>) {
        let Some(limit) = policy.quota().and_then(|quota| quota.instances) else { return };
        let before = self.instances.get(&actor).copied().unwrap_or(0);
        let after = instances_of(policy);
        if after > limit && after > before {
            let message = format!("realm {} declares {after} instances of {limit}", policy.realm());
            findings.push((Invariant::Quota, "a realm declares more than its quota", message));
        }
    }

    fn begin_word(&mut self, request: &Request) {
        if let Some((node, _)) = word_of(request) {
            let word = self.nodes.entry(node).or_default();
            word.doubtful = word.under_way > 0;
            word.under_way += 1;
        }
    }

    fn end_word(&mut self, request: &Request, done: bool) {
        if let Some((node, closed)) = word_of(request) {
            let word = self.nodes.entry(node).or_default();
            word.under_way = word.under_way.saturating_sub(1);
            if done {
                word.closed = closed;
            }
        }
    }

    /// Nodes that take work though operators closed them, or take none though they opened them.
    pub(super) fn check_nodes(&self, fold: &Fold) -> Vec<String> {
        let settled = self.nodes.iter().filter(|(_, word)| !word.doubtful && word.under_way == 0);
        let wrong = settled.filter_map(|(id, word)| {
            let Some(AnyCell::Node(cell)) = fold.cell(*id) else { return None };
            let closed = cell.state().cordoned();
            (closed != word.closed)
                .then(|| format!("{}: closed {closed}, {} is wanted", cell.state().name(), word.closed))
        });
        wrong.collect()
    }
}

const fn of_policy(reason: Reason) -> bool {
    matches!(reason, Reason::PolicyForbids | Reason::PolicyNoPermit | Reason::PolicyError)
}

/// Whether a message sets a policy: one that would lock out whoever sets it is refused by its own words.
const fn sets(input: &Message) -> bool {
    matches!(input, Message::Submit { request: Request::SetPolicy { .. }, .. })
}

/// Whether the quota lets a command through: it leaves no more than the quota, or no more than there was.
fn allowed(request: &Request, policy: &Policy) -> bool {
    let Some(quota) = policy.quota().filter(|quota| quota.resources == Resources::default()) else { return false };
    let mut jobs: BTreeMap<&String, u64> =
        policy.jobs().iter().map(|(name, spec)| (name, u64::from(spec.instances))).collect();
    match request {
        Request::Apply { manifest } => {
            jobs.extend(manifest.jobs.iter().map(|(name, spec)| (name, u64::from(spec.instances))));
        }
        Request::Scale { job, instances } => _ = jobs.insert(job, u64::from(*instances)),
        Request::Stop { job } => _ = jobs.insert(job, 0),
        _ => return true,
    }
    let after: u64 = jobs.values().sum();
    after <= instances_of(policy) || quota.instances.is_none_or(|limit| after <= limit)
}

fn instances_of(policy: &Policy) -> u64 {
    policy.jobs().values().map(|spec| u64::from(spec.instances)).sum()
}

/// The node that a command is about, and whether it takes no work afterwards.
fn word_of(request: &Request) -> Option<(NodeId, bool)> {
    match request {
        Request::Cordon { node } | Request::Drain { node } => Some((NodeId::named(node), true)),
        Request::Uncordon { node } => Some((NodeId::named(node), false)),
        _ => None,
    }
}

/// What is not as a command said, though it was answered. Commands that declare something take their turns, so nothing
/// else has changed it since.
fn undone(request: &Request, realm: &str, fold: &Fold) -> Option<String> {
    let job = |name: &str| match fold.cell(JobId::named(realm, name)) {
        Some(AnyCell::Job(cell)) => Some(cell.state()),
        _ => None,
    };
    let count = |name: &String, wanted: u32| match job(name) {
        Some(job) if job.desired == wanted => None,
        Some(job) => Some(format!("job {name} wants {}, not {wanted}", job.desired)),
        None => Some(format!("there is no job {name}")),
    };
    match request {
        Request::Apply { manifest } => {
            let jobs = manifest.jobs.values().find_map(|spec| {
                let same = job(&spec.name)
                    .and_then(|job| job.spec.as_ref())
                    .is_some_and(|known| known.workload == spec.workload && known.place == spec.place);
                let other = || format!("job {} is not as declared", spec.name);
                count(&spec.name, spec.instances).or_else(|| (!same).then(other))
            });
            let routes = manifest.routes.values().find(|spec| {
                let Some(AnyCell::Route(cell)) = fold.cell(RouteId::named(realm, &spec.name)) else { return true };
                cell.state().spec.as_ref() != Some(*spec)
            });
            jobs.or_else(|| routes.map(|spec| format!("route {} is not as declared", spec.name)))
        }
        Request::Scale { job, instances } => count(job, *instances),
        Request::Stop { job } => count(job, 0),
        _ => None,
    }
}
