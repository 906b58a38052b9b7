//! The oracle: it sees the truth of the world, not what an actor believes, and checks it whenever it changes.
//!
//! What must hold, by number, and the [`Invariant`] that holds it:
//!
//! | | what | invariant, and where |
//! |---|---|---|
//! | S1 | nothing exclusive runs twice, no instance starts twice | `ExclusiveSlot`, `InstanceOnce`: `truth`, `lives` |
//! | S2 | no machine holds or runs more than it has | `Capacity`: `truth`, `turns`, `placing` |
//! | S3 | tags, taints, near, apart, spread, policy, quota | `Placement`: `placing`; `Near`: `desired`; `Quota`: `commands` |
//! | S3 | all of a gang or none of it | `Placement`: `gangs` |
//! | S4 | what was acknowledged stays, and was done, once | `AcknowledgedKept`: `durable`; `Done`, `Once`: `commands` |
//! | S5 | nothing is said before what it rests on is durable | `DurableFirst`: here, and where answers leave |
//! | S6 | live state, every snapshot and the log are one fold | `FoldIsState`: the control plane's checks |
//! | S7 | epochs, sessions and boots only go on | `EpochGrows`: `durable`, here; `Fenced`: `nodes`, the machine |
//! | S8 | rollouts: minimum, shares, steps | `RolloutMinimum`, `RolloutWeight`: `rollouts`; `RolloutSteps`: `steps` |
//! | S9 | routes lead where their job is, and not to what is gone | `Routes`: `serving`; `Withdrawn`: `turns` |
//! | S10 | each entry has a cause, each decision its reasons | `Caused`: `causes`; `Explained`: `placing`; `Retaken` |
//! | S11 | leases end before a node is given up | `Lease`: here, `nodes`, the machine |
//! | S12 | the log is dense, chained, and of one writer | `FoldIsState`, `EpochGrows`, `Recovers`, `AcknowledgedKept` |
//! | S13 | what is of one realm is told to nobody of another | `Tenants`: `nodes`; worlds have one realm so far |
//! | S14 | there is an end to what is said and recorded | `Quiet`, `Stuck`, `Restarts`; a storm ends the run |
//! | L1 | what can be comes to be | `Converges`, `Known`: `desired`, `settled` |
//! | L2 | what waits is told why, and no node could take it | `Explained`, `Placement`: `placing` |
//! | L3 | nothing flaps | `Quiet` |
//! | L4 | drains and rollouts come to an end | `Converges`, `RolloutSteps`: `settled` |
//! | H1 | commands to a job are linearizable | `Linearizable`: `history` |
//! | D1 | another scheduler agrees on who fits where | `Placement`: `placing`, over a model of its own |
//! | M1 | renaming and reordering change nothing | `tests/metamorphic.rs` |

mod causes;
mod commands;
mod desired;
mod durable;
mod gangs;
mod given;
mod gpus;
mod history;
mod lives;
mod nodes;
mod placing;
mod rollouts;
mod serving;
mod settled;
mod steps;
mod truth;
mod turns;

pub use truth::Runs;

use crate::plan::Plan;
use crate::verdict::{Invariant, Violation};
use actors::fold::Fold;
use actors::ports::Position;
use causes::Causes;
use commands::Commands;
use desired::Desired;
use durable::Durable;
use history::History;
use lives::Lives;
use messages::agent::Assignment;
use messages::entry::Entry;
use messages::envelope::{Envelope, MessageId};
use messages::frame::Hash;
use messages::id::{ActorId, InstanceId, JobId, Kind, NodeId};
use messages::node::LeaseTerms;
use messages::policy::{Answer, Request};
use messages::reason::Refusal;
use messages::resources::Resources;
use nodes::Nodes;
use placing::Placing;
use rollouts::Rollouts;
use serving::Serving;
use std::collections::{BTreeMap, BTreeSet};
use steps::Steps;
use truth::Truth;
use turns::Turns;

/// After so many violations nothing more is learned.
const VIOLATIONS_MAX: usize = 4;

/// What was found: the invariant, its signature, and what happened.
pub type Finding = (Invariant, &'static str, String);

/// The one who knows the truth.
#[derive(Clone, Debug)]
pub struct Oracle {
    fold: Fold,
    durable: Durable,
    truth: Truth,
    desired: Desired,
    rollouts: Rollouts,
    turns: Turns,
    causes: Causes,
    nodes: Nodes,
    placing: Placing,
    lives: Lives,
    steps: Steps,
    serving: Serving,
    commands: Commands,
    history: History,
    realm: String,
    epochs: BTreeMap<ActorId, (u64, u64)>,
    heard: BTreeMap<NodeId, u64>,
    /// When each actor recorded its last entry, and which.
    last_entries: BTreeMap<ActorId, (u64, u64)>,
    marks: Vec<&'static str>,
    violations: Vec<Violation>,
    /// The control plane runs over another log than the right one: nothing is expected of it.
    lenient: bool,
}

impl Oracle {
    /// An oracle that has seen nothing yet.
    pub fn new(plan: &Plan) -> Self {
        Self {
            fold: Fold::default(),
            durable: Durable::default(),
            truth: Truth::new(plan),
            desired: Desired::new(plan),
            rollouts: Rollouts::default(),
            turns: Turns::new(plan),
            causes: Causes::default(),
            nodes: Nodes::default(),
            placing: Placing::default(),
            lives: Lives::default(),
            steps: Steps::default(),
            serving: Serving::new(plan),
            commands: Commands::default(),
            history: History::default(),
            realm: plan.realm.clone(),
            epochs: BTreeMap::new(),
            heard: BTreeMap::new(),
            last_entries: BTreeMap::new(),
            marks: Vec::new(),
            violations: Vec::new(),
            lenient: false,
        }
    }

    /// The world goes on with another plan, which has faults that were not known before.
    pub fn goes_on_with(&mut self, plan: &Plan) {
        self.desired.goes_on_with(plan);
        self.turns.goes_on_with(plan);
        self.serving.goes_on_with(plan);
    }

    /// The fold of everything durable.
    pub const fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Whether nothing more can be learned.
    pub const fn is_over(&self) -> bool {
        self.violations.len() >= VIOLATIONS_MAX
    }

    /// Marks that were reached since the last time.
    pub fn take_marks(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.marks)
    }

    /// The control plane is about to run over another log. What is known of the right one is set aside and returned;
    /// what truly runs stays known, and nothing else counts until it is taken up again.
    pub fn set_aside(&mut self, plan: &Plan) -> Self {
        let other = Self { truth: self.truth.clone(), lenient: true, ..Self::new(plan) };
        std::mem::replace(self, other)
    }

    /// The right log is back.
    pub fn take_up_again(&mut self, right: Self) {
        let other = std::mem::replace(self, right);
        self.truth = other.truth;
        self.truth.forget_starts();
        self.heard.extend(other.heard);
    }

    /// Whether nothing is expected of the control plane now.
    pub const fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// What has been violated.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Writes a violation down; each signature once. Returns it, if it is new.
    pub fn violate(&mut self, invariant: Invariant, signature: &str, message: String, at: u64) -> Option<Violation> {
        if self.lenient {
            return None;
        }
        let known = self.violations.iter().any(|seen| seen.invariant == invariant && seen.signature == signature);
        if known || self.is_over() {
            return None;
        }
        let (signature, entries) = (signature.to_string(), self.fold.entries());
        self.violations.push(Violation { invariant, signature, message, at, entries });
        self.violations.last().cloned()
    }

    /// Whether a frame that was found after a crash was seen committed before it.
    pub fn knows(&mut self, shard: u16, count: u64, bytes: &[u8]) -> bool {
        self.durable.knows(shard, count, bytes)
    }

    /// What is missing of what was durable, now that the journal was opened again.
    pub fn check_reopened(&mut self, found: &BTreeMap<u16, u64>) -> Vec<(&'static str, String)> {
        self.durable.check_reopened(found)
    }

    /// A frame is durable, after which the chain of its shard is this.
    pub fn committed(&mut self, shard: u16, frame: (&[u8], Hash), entries: &[Entry], now: u64) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.durable.commit(shard, frame));
        for entry in entries {
            if let Err(gap) = self.fold.apply(entry, Position(self.durable.frames())) {
                findings.push((Invariant::FoldIsState, "an entry does not follow the last", gap.to_string()));
            }
            self.last_entries.insert(entry.head().actor, (now, entry.head().sequence));
            self.see(entry, now, &mut findings);
        }
        findings
    }

    fn see(&mut self, entry: &Entry, now: u64, findings: &mut Vec<Finding>) {
        if let Some(mark) = mark_of(entry) {
            self.marks.push(mark);
        }
        if let Entry::Node(record) = entry {
            for event in &record.events {
                if let messages::node::Event::Welcomed { epoch, session, .. } = event {
                    let before = self.epochs.insert(record.head.actor, (*epoch, *session)).unwrap_or_default();
                    if before.0 > *epoch || before.1 >= *session {
                        let message = format!("{before:?} before, {epoch} {session} now");
                        findings.push((Invariant::EpochGrows, "a node's epoch or session does not grow", message));
                    }
                }
            }
        }
        self.rollouts.see(entry, &self.fold, findings);
        self.turns.see(entry, &self.fold, findings);
        self.causes.see(entry.head(), &self.fold, findings);
        self.serving.see(entry, &self.fold, now, findings);
        match entry {
            Entry::Node(record) => self.nodes.see(record, &self.fold, findings),
            Entry::Scheduler(record) => self.placing.see(record, findings),
            Entry::Job(record) => self.lives.see(record, &self.fold, findings),
            Entry::Rollout(record) => {
                self.steps.see(record, &self.fold, findings);
                self.commands.see_rollout(record, findings);
            }
            Entry::Route(record) => self.commands.see_route(record, findings),
            Entry::Policy(record) => self.commands.see(record, &self.fold, findings),
        }
    }

    /// What is wrong with something that leaves now.
    pub fn check_release(&self, envelope: &Envelope) -> Option<String> {
        let MessageId::Said { by, sequence, .. } = envelope.id else { return None };
        let durable = self.fold.cell(by).map_or(0, actors::cast::AnyCell::sequence);
        (sequence > durable).then(|| format!("{by} says what its entry {sequence} says; entry {durable} is durable"))
    }

    /// The control plane has heard of a node's agent.
    pub fn heard(&mut self, node: NodeId, now: u64) {
        let heard = self.heard.entry(node).or_default();
        *heard = now.max(*heard);
    }

    /// What is wrong with a lease until then: after the last that was heard, the control plane waits so long at least.
    pub fn check_lease(&self, machine: usize, node: NodeId, until: u64, now: u64) -> Option<String> {
        if self.truth.excuses(machine, now) {
            return None;
        }
        let LeaseTerms { lease, margin, .. } = LeaseTerms::STANDARD;
        let latest = self.heard.get(&node)? + lease.0 + margin.0;
        (until > latest).then(|| format!("the lease lasts until {until}us, {latest}us would be right"))
    }

    /// A workload is started on a machine.
    pub fn started(&mut self, machine: usize, assignment: &Assignment, now: u64) -> Vec<Finding> {
        let mut findings = self.truth.started(machine, assignment, now, &mut self.marks);
        findings.extend(self.turns.started(assignment));
        findings
    }

    /// A machine boots, and has so much.
    pub fn booted(&mut self, machine: usize, capacity: Resources) {
        self.truth.booted(machine, capacity);
    }

    /// A machine stands still, with all that runs on it.
    pub fn frozen(&mut self, machine: usize) {
        self.truth.frozen(machine);
    }

    /// It goes on.
    pub fn thawed(&mut self, machine: usize, now: u64) -> Vec<Finding> {
        self.truth.thawed(machine, now)
    }

    /// Something is said to have ended, and runs on.
    pub fn zombie(&mut self, machine: usize, instance: InstanceId) {
        self.truth.zombie(machine, instance);
    }

    /// Something is stuck in the kernel, does nothing more, and ends when that is over.
    pub fn stuck(&mut self, machine: usize, instance: InstanceId) {
        self.truth.stuck(machine, instance);
    }

    /// Nothing can be promised of a machine's leases until then: its clock is beyond the bound, or another has its name.
    pub fn excuse(&mut self, machine: usize, until: u64) {
        self.truth.excuse(machine, until);
    }

    /// It is gone.
    pub fn ended(&mut self, machine: usize, instance: InstanceId) {
        self.truth.ended(machine, instance);
    }

    /// A command that was first given at `given` was answered.
    pub fn answered(&mut self, request: &Request, outcome: &Result<Answer, Refusal>, given: u64, now: u64) {
        self.desired.answered(request, outcome.is_ok(), given, now);
        self.history.answered(&self.realm, request, outcome, (given, now));
    }

    /// A client waits for the answer to a command no longer.
    pub fn check_converged(&self, truth: &[Runs]) -> Vec<(&'static str, String)> {
        self.desired.check(truth, &self.fold, &self.restless(), &self.excused())
    }

    /// The same when only some machines are healed: what runs as it should, or waits and says why.
    pub fn check_core(&mut self, truth: &[Runs], core: &BTreeSet<String>) -> Vec<(&'static str, String)> {
        let (wrong, waiting) = self.desired.check_core(truth, core, &self.fold, &self.restless());
        self.marks.extend(std::iter::repeat_n("waits-and-says-why", waiting));
        wrong
    }

    fn restless(&self) -> BTreeSet<JobId> {
        self.desired.restless(&self.fold, &self.rollouts)
    }

    /// Who is far from what it must be near.
    pub fn check_near(&self, truth: &[Runs]) -> Vec<String> {
        self.desired.check_near(truth)
    }

    /// An entry that was recorded after `since`. A restless job keeps nodes, scheduler and routes busy; every other job,
    /// rollout and policy is quiet all the same.
    pub fn check_quiet(&self, since: u64) -> Option<String> {
        let (restless, excused) = (self.restless(), self.excused());
        let quiet = |actor: &ActorId| match actor.kind {
            Kind::Job => !restless.contains(&JobId(actor.id)) && !excused.contains_key(&JobId(actor.id)),
            Kind::Rollout | Kind::Policy => true,
            _ => restless.is_empty(),
        };
        let last = self.last_entries.iter().filter(|(actor, _)| quiet(actor)).max_by_key(|(_, (at, _))| *at);
        let (actor, (at, sequence)) = last?;
        (*at > since).then(|| format!("{actor} entry {sequence} at {at}us, after {since}us"))
    }

    /// A final state becomes part of the hash.
    pub fn sum_up(&mut self, actor: ActorId, bytes: &[u8]) {
        self.durable.sum_up(actor, bytes);
    }

    /// The hash of the log and of the final states, and everything that was found.
    pub fn into_results(self) -> ([u8; 32], Vec<Violation>) {
        (self.durable.into_hash(), self.violations)
    }
}

fn mark_of(entry: &Entry) -> Option<&'static str> {
    use messages::{job, node, rollout};
    match entry {
        Entry::Node(record) => record.events.iter().find_map(|event| match event {
            node::Event::GivenUp => Some("node-lost"),
            node::Event::Suspected { .. } => Some("node-suspect"),
            node::Event::ClaimRefused { .. } => Some("claim-refused"),
            node::Event::Drained => Some("node-drained"),
            node::Event::Reminded => Some("node-reminded"),
            _ => None,
        }),
        Entry::Job(record) => record.events.iter().find_map(|event| match event {
            job::Event::Unplaceable { .. } => Some("unplaceable"),
            job::Event::Failed { .. } => Some("instance-failed"),
            job::Event::Sought { .. } => Some("sought-again"),
            job::Event::EndpointsRepeated { .. } => Some("endpoints-repeated"),
            _ => None,
        }),
        Entry::Rollout(record) => record.events.iter().find_map(|event| match event {
            rollout::Event::Reverted { .. } => Some("rollout-reverted"),
            rollout::Event::Settled => Some("rollout-settled"),
            _ => None,
        }),
        Entry::Scheduler(_) | Entry::Route(_) | Entry::Policy(_) => None,
    }
}
