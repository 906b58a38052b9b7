//! The node actor: the arbiter of one machine's capacity, and the one that says whether it is there.
//!
//! It holds claims for instances, tells the machine's agent what should run, passes on what the agent sees, and declares
//! the machine suspect, lost or back. What it owes to jobs, to the scheduler and to the agent lies in its state until
//! they have noted it (`debt`), and is said at the end of the turn that incurred it, and again by deadline (`speak`).

mod claim;
mod debt;
mod evolve;
mod from_agent;
mod from_jobs;
mod operator;
mod speak;
#[cfg(test)]
mod tests;

pub use claim::Claim;

use crate::behavior::{Behavior, Draft, Turn};
use claim::Release;
use debt::Debt;
use messages::agent::Goal;
use messages::gpu::Gpus;
use messages::id::{InstanceId, Kind, NodeId};
use messages::node::{ClaimView, Event, LeaseTerms, Message, NodeSpec, NodeView, Standing};
use messages::reason::Refusal;
use messages::resources::Resources;
use messages::shared::Shared;
use messages::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// How many released instances a node remembers, so that a late claim or stop does not bring one back.
pub const TOMBSTONES_MAX: usize = 256;

/// The lease terms that nodes are held to.
pub const TERMS: LeaseTerms = LeaseTerms::STANDARD;

/// What the node actor knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    spec: Shared<NodeSpec>,
    boot: Uuid,
    epoch: u64,
    session: u64,
    presence: Presence,
    since: Timestamp,
    cordoned: bool,
    drain: Drain,
    /// The last command of an operator that changed something, by its ticket, and what it changed.
    commanded: Option<(u64, String)>,
    /// When the hello of this session was sent, by the machine's monotonic clock.
    greeted_at: Timestamp,
    /// Hellos and reports of this boot up to this number count no more.
    reported: u64,
    claims: BTreeMap<InstanceId, Shared<Claim>>,
    releases: BTreeMap<InstanceId, Release>,
    /// Released instances and the version at which their jobs were told, oldest first.
    tombstones: Shared<VecDeque<(InstanceId, u64)>>,
    view: Debt,
    desired: Debt,
}

/// Whether the machine is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Presence {
    #[default]
    Unknown,
    Up,
    Suspect {
        heard: Timestamp,
    },
    Lost {
        heard: Timestamp,
    },
}

/// Whether the node is being emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Drain {
    #[default]
    No,
    Going,
    Over,
}

impl Node {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What the machine is.
    pub fn spec(&self) -> &NodeSpec {
        &self.spec
    }

    /// Whether it can be given work.
    pub const fn standing(&self) -> Standing {
        match (self.presence, self.drain) {
            (Presence::Unknown, _) => Standing::Unknown,
            (Presence::Suspect { .. }, _) => Standing::Suspect,
            (Presence::Lost { .. }, _) => Standing::Lost,
            (Presence::Up, Drain::Going | Drain::Over) => Standing::Draining,
            (Presence::Up, Drain::No) if self.cordoned => Standing::Cordoned,
            (Presence::Up, Drain::No) => Standing::Ready,
        }
    }

    /// Since when it stands so.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// While it is suspect or lost: when it was last heard.
    pub const fn evidence(&self) -> Option<Timestamp> {
        match self.presence {
            Presence::Suspect { heard } | Presence::Lost { heard } => Some(heard),
            Presence::Unknown | Presence::Up => None,
        }
    }

    /// Whether an operator keeps new claims off it, also while it is suspect or lost.
    pub fn cordoned(&self) -> bool {
        self.cordoned || self.drain != Drain::No
    }

    /// Whether it was drained and nothing is left on it.
    pub fn drained(&self) -> bool {
        self.drain == Drain::Over
    }

    /// Its epoch: how often it was welcomed for good. Zero before the first hello.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many hellos of it were accepted.
    pub const fn session(&self) -> u64 {
        self.session
    }

    /// The machine's boot.
    pub const fn boot(&self) -> Uuid {
        self.boot
    }

    /// What it holds, in the order of the instances' ids.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.claims.values().map(|claim| &**claim)
    }

    /// What it holds for an instance.
    pub fn claim(&self, instance: InstanceId) -> Option<&Claim> {
        self.claims.get(&instance).map(|claim| &**claim)
    }

    /// What its claims take.
    pub fn used(&self) -> Resources {
        let holds = |claim: &&Shared<Claim>| claim.goal != Goal::Stop || !crate::mutant!(StoppingHoldsNoRoom);
        let needs = self.claims.values().filter(holds).map(|claim| &claim.spec().workload.resources);
        needs.fold(Resources::default(), |sum, need| sum.plus(need))
    }

    /// What is left for new claims.
    pub fn free(&self) -> Resources {
        self.spec.capacity.minus(&self.used())
    }

    /// What is left of each of its GPUs.
    pub fn gpus(&self) -> Gpus {
        let mut gpus = Gpus::all(self.spec.capacity.gpu_milli);
        for claim in self.claims.values().filter(|_| !crate::mutant!(GpuGivenTwice)) {
            gpus.take(claim.spec().workload.resources.gpu_milli, claim.gpus());
        }
        gpus
    }

    /// The node as a scheduler sees it.
    pub fn view(&self) -> Shared<NodeView> {
        let claims = self.claims.iter().map(|(instance, claim)| ClaimView {
            instance: *instance,
            job: claim.spec().job,
            resources: claim.spec().workload.resources.clone(),
            gpus: claim.gpus().to_vec(),
        });
        Shared::new(NodeView {
            version: self.view.version(),
            spec: self.spec.clone(),
            standing: self.standing(),
            claims: claims.collect(),
        })
    }

    /// Whether it was welcomed, heard in time since, and told to be there.
    pub fn up(&self) -> bool {
        self.presence == Presence::Up
    }

    /// Whether its agent has taken in, in this session, all that was desired before.
    pub(super) fn follows(&self, before: &Self) -> bool {
        let same = (before.epoch, before.session) == (self.epoch, self.session);
        before.up() && same && !before.desired.open()
    }

    /// When a suspect node is given up: a lease and a margin after it was recorded to be suspect.
    pub fn given_up_at(&self) -> Option<Timestamp> {
        let lease = if crate::mutant!(NoLeaseWait) { Span::default() } else { TERMS.lease };
        let margin = if crate::mutant!(NoMargin) { Span::default() } else { TERMS.margin };
        matches!(self.presence, Presence::Suspect { .. }).then(|| self.since.after(lease).after(margin))
    }
}

impl Behavior for Node {
    const KIND: Kind = Kind::Node;
    type Message = Message;
    type Event = Event;

    fn decide(&self, message: &Message, turn: &mut Turn<Self>) -> Result<(), Refusal> {
        let mut draft = Draft::new(self, turn);
        match message {
            Message::Hello { spec, boot, sent_at, seen } => draft.hello(spec, *boot, *sent_at, seen),
            Message::Report { epoch, report, observations } => draft.report(*epoch, *report, observations),
            Message::Silent { session, heard } => draft.silent(*session, *heard),
            Message::Claim { claim } => draft.claim(claim),
            Message::Start { instance } => draft.start(*instance),
            Message::Stop { instance, job, because } => draft.stop(*instance, *job, *because),
            Message::Noted { .. } | Message::ViewNoted { .. } | Message::Reconciled { .. } => draft.noted(message),
            Message::Cordon { ticket } => draft.cordon(*ticket),
            Message::Uncordon { ticket } => draft.uncordon(*ticket),
            Message::Drain { ticket } => draft.drain(*ticket),
            Message::Wake { .. } => draft.wake(),
            Message::MayStay { instance } => draft.may_stay(*instance),
        }
        draft.end_drain();
        draft.speak(self);
        draft.end();
        Ok(())
    }

    fn acknowledged(&self, message: &Message) -> Option<Event> {
        self.settled_by(message).filter(|(debt, _)| !debt.repeated()).map(|(_, event)| event)
    }

    fn evolve(&mut self, event: &Event, at: Timestamp) {
        self.apply(event, at);
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.debts().map(Debt::due).chain(self.given_up_at()).min()
    }

    fn wake(due: Timestamp) -> Message {
        Message::Wake { due }
    }
}

/// The id of the node whose turn it is.
fn me(turn: &Turn<Node>) -> NodeId {
    NodeId(turn.me().id)
}
