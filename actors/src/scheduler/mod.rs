//! The scheduler actor: where each instance goes, and why.
//!
//! It proposes from its view of the nodes, folded from what they say; a node accepts or refuses the claim. What it
//! gave away counts at once, as a reservation, until the node's own view shows it. Instances that fit nowhere wait
//! here and are tried again at every change, in the order in which they came.
//!
//! [`filter`], [`score`] and [`select`] are pure functions over a [`ClusterView`]; the policy's question whether a
//! manifest would fit, `why-not` and plans ask the very same functions. The index answers the same without looking at
//! every node; what it keeps is no state.

mod census;
mod changes;
mod check;
mod cluster;
mod described;
mod evolve;
mod explain;
pub mod filter;
#[cfg(test)]
mod followed;
mod index;
mod loss;
mod nodes;
#[cfg(test)]
mod reference;
mod remedy;
mod reserve;
mod room;
pub mod score;
pub mod select;
#[cfg(test)]
mod tests;
mod view;

pub use census::{Domain, Spot};
pub use check::check;
pub use cluster::Cluster;
pub use explain::{Against, Verdict, why_not};
pub use index::scanning;
pub use loss::{Losses, Lost, Stranded};
pub use nodes::{NodeState, RefusedBy, Reservation};
pub use reserve::places;
pub use room::{Room, room};
pub use view::ClusterView;

use crate::behavior::{Behavior, Turn};
use crate::cedar::{self, Circumstance, Compiled, Party, Policies};
use filter::{Survey, Want};
use messages::id::{InstanceId, JobId, Kind, NodeId};
use messages::manifest::{Level, Place, Workload};
use messages::node::{self, ClaimSpec, NodeView};
use messages::policy::{self, Mode};
use messages::reason::{Reason, Refusal};
use messages::scheduler::{Ask, Decision, Event, Message, Unplaceable};
use messages::shared::Shared;
use messages::time::{Span, Timestamp};
use messages::{envelope::Address, job};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// How long room is held for a claim that its node's view does not show.
pub const RESERVATION: Span = Span::seconds(10);
/// How many waiting instances one turn tries again; the rest follow in turns of their own.
pub const RETRIED_MAX: usize = 128;
/// How many revisions of a job's needs are kept, beyond those that wait.
pub const REVISIONS_MAX: usize = 4;

/// What the scheduler actor knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scheduler {
    cluster: Cluster,
    jobs: BTreeMap<JobId, Known>,
    waiting: BTreeMap<InstanceId, Waiting>,
    queue: BTreeMap<u64, InstanceId>,
    queued: u64,
    retry: Option<(Timestamp, u64)>,
    repels: BTreeSet<(JobId, JobId, Level)>,
    rules: BTreeMap<String, Rules>,
    #[serde(skip)]
    memo: index::Memo,
}

/// What is known of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    realm: String,
    name: String,
    exclusive: bool,
    place: Option<Box<Place>>,
    /// By revision.
    workloads: Vec<(u32, Shared<Workload>)>,
}

/// An instance that fits nowhere yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its job.
    pub job: JobId,
    /// What was asked.
    pub ask: Ask,
    /// Its place in the queue.
    pub number: u64,
    /// What was said last, if anything.
    pub why: Option<Unplaceable>,
    /// Nodes that refused it.
    pub refused: Vec<RefusedBy>,
}

/// The rules of a realm for placements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Grows with every change.
    pub version: u64,
    /// How they are applied.
    pub mode: Mode,
    /// Cedar policies.
    pub text: String,
    #[serde(skip)]
    compiled: Compiled,
}

impl Rules {
    /// Whether an instance of a job may be on a node.
    fn place(&self, job: &Party, node: &Party) -> cedar::Verdict {
        let judge = |policies: &Policies| policies.judge(job, cedar::PLACE, node, Circumstance::None);
        self.compiled.get(&self.text).map_or_else(cedar::Verdict::unreadable, judge)
    }
}

impl Known {
    fn want(&self, job: JobId, revision: u32) -> Option<Want<'_>> {
        let workload = self.workload(revision)?;
        let (realm, name) = (&self.realm, &self.name);
        Some(Want { job, realm, name, exclusive: self.exclusive, workload, place: self.place() })
    }

    /// Where it may and should be.
    fn place(&self) -> &Place {
        static ANYWHERE: LazyLock<Place> = LazyLock::new(Place::default);
        self.place.as_deref().unwrap_or(&ANYWHERE)
    }

    /// What an instance of this revision runs and needs.
    fn workload(&self, revision: u32) -> Option<&Shared<Workload>> {
        let at = self.workloads.binary_search_by_key(&revision, |(known, _)| *known).ok()?;
        self.workloads.get(at).map(|(_, workload)| workload)
    }

    /// Takes in what instances of a revision need.
    fn learn(&mut self, revision: u32, workload: Shared<Workload>, place: &Place) {
        self.place = (*place != Place::default()).then(|| Box::new(place.clone()));
        match self.workloads.binary_search_by_key(&revision, |(known, _)| *known) {
            Ok(at) => self.workloads[at].1 = workload,
            Err(at) => {
                self.workloads.reserve_exact(1);
                self.workloads.insert(at, (revision, workload));
            }
        }
    }

    /// Whom it must be apart from: that job, this one, and at which level.
    fn repulsion(&self, job: JobId) -> impl Iterator<Item = (JobId, JobId, Level)> {
        let hard = self.place().apart.iter().filter(|apart| apart.hard);
        hard.map(move |apart| (JobId::named(&self.realm, &apart.job), job, apart.within))
    }
}

impl Scheduler {
    /// The nodes and the room they have.
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The instances that wait, in their order.
    pub fn waiting(&self) -> impl Iterator<Item = (InstanceId, &Waiting)> {
        self.queue.values().filter_map(|instance| Some((*instance, self.waiting.get(instance)?)))
    }

    /// What the newest known revision of a job needs.
    pub fn latest_want(&self, job: JobId) -> Option<Want<'_>> {
        let known = self.jobs.get(&job)?;
        known.want(job, known.workloads.last()?.0)
    }

    /// What a revision of a job needs; the newest that is known, when that one is not.
    pub fn want(&self, job: JobId, revision: u32) -> Option<Want<'_>> {
        self.jobs.get(&job)?.want(job, revision).or_else(|| self.latest_want(job))
    }

    /// What a job is called in its realm.
    fn name_of(&self, job: JobId) -> Option<String> {
        self.jobs.get(&job).map(|known| known.name.clone())
    }

    /// What the rules of its realm say of an instance on a node, and in which mode. None without rules, or without the node.
    pub fn ruled(&self, want: &Want<'_>, node: NodeId) -> Option<(cedar::Verdict, Mode)> {
        let (rules, node) = (self.rules.get(want.realm)?, self.cluster.node(node)?);
        let job = Party::job(want.realm, want.name, want.workload, want.exclusive);
        Some((rules.place(&job, &Party::node(node.name(), &node.tags())), rules.mode))
    }

    /// Supposes that a realm has these rules, enforced. For forks alone: nothing records it.
    pub(crate) fn suppose(&mut self, realm: &str, text: &str) {
        let compiled = Compiled::default();
        let rules = Rules { version: u64::MAX, mode: Mode::Enforce, text: text.to_string(), compiled };
        self.rules.insert(realm.to_string(), rules);
    }

    /// Whether a realm has rules for placements.
    fn has_rules(&self, realm: &str) -> bool {
        self.rules.contains_key(realm)
    }

    fn place(&self, want: Want<'_>, asks: &[Ask], turn: &mut Turn<Self>) {
        self.learn(&want, asks, turn);
        let mut view = ClusterView::new(self);
        let mut survey = None;
        for ask in asks {
            let held = self.cluster.reservation(ask.instance).map(|(_, held)| held.ask.revision);
            if held.is_some_and(|held| held != ask.revision) {
                // Room was held for what was planned, and the job came to need the slot otherwise. It asks again.
                turn.record(Event::Withdrawn { instance: ask.instance });
                continue;
            }
            let placed = self.cluster.place_of(ask.instance).filter(|_| !crate::mutant!(PlacedTwice));
            if let Some(node) = placed {
                turn.send(node, claim(&want, ask));
                continue;
            }
            let waiting = self.waiting.get(&ask.instance);
            if waiting.is_some() && self.is_superseded(want.job, ask) {
                continue;
            }
            let refused = waiting.map_or(&[][..], |waiting| &waiting.refused);
            let survey = survey.get_or_insert_with(|| Survey::new(&view, want));
            let decision = select::decide(&view, survey, ask, refused);
            let said = waiting.and_then(|waiting| waiting.why.as_ref());
            conclude(&mut view, &want, ask, decision, said, true, turn);
        }
    }

    /// Records what revisions need, where that is news.
    fn learn(&self, want: &Want<'_>, asks: &[Ask], turn: &mut Turn<Self>) {
        let known = self.jobs.get(&want.job);
        let revisions: BTreeSet<u32> = asks.iter().map(|ask| ask.revision).collect();
        for revision in revisions {
            let same = known.is_some_and(|known| {
                *known.place() == *want.place
                    && known.exclusive == want.exclusive
                    && known.workload(revision) == Some(want.workload)
            });
            if !same {
                turn.record(Event::Learned {
                    job: want.job,
                    realm: want.realm.to_string(),
                    name: want.name.to_string(),
                    revision,
                    exclusive: want.exclusive,
                    workload: want.workload.clone(),
                    place: want.place.clone(),
                });
            }
        }
    }

    /// Whether an instance that waits is of a revision that gives way just now: room is held for one of a later revision.
    /// Until that is shown or lapses, it must not take a place that nobody wants for it any more.
    fn is_superseded(&self, job: JobId, ask: &Ask) -> bool {
        let latest = self.jobs.get(&job).and_then(|known| known.workloads.last()).map(|(revision, _)| *revision);
        latest.is_some_and(|latest| latest > ask.revision) && self.cluster.holds_later(job, ask.revision)
    }

    /// Tries the next of those that wait again.
    fn retry(&self, from: u64, turn: &mut Turn<Self>) {
        let next = self.queue.range(from..).nth(RETRIED_MAX).map(|(number, _)| *number);
        turn.record(Event::Retried { next });
        let mut view = ClusterView::new(self);
        let mut surveys: BTreeMap<(JobId, u32), Survey<'_>> = BTreeMap::new();
        let mut failed: BTreeMap<(JobId, u32), Decision> = BTreeMap::new();
        let queue = self.queue.range(from..next.unwrap_or(u64::MAX)).map(|(_, instance)| instance);
        let mut queue: Vec<&InstanceId> = queue.collect();
        if crate::mutant!(NewestFirst) {
            queue.reverse();
        }
        for instance in queue {
            let Some(waiting) = self.waiting.get(instance) else { continue };
            let Waiting { job, ask, why, refused, .. } = waiting;
            if self.is_superseded(*job, ask) {
                continue;
            }
            let class = (*job, ask.revision);
            let Some(want) = self.jobs.get(job).and_then(|known| known.want(*job, ask.revision)) else { continue };
            let survey = surveys.entry(class).or_insert_with(|| Survey::new(&view, want));
            let decision = match failed.get(&class).filter(|_| refused.is_empty()) {
                Some(same) => Decision { instance: *instance, label: ask.label.clone(), ..same.clone() },
                None => select::decide(&view, survey, ask, refused),
            };
            if decision.chosen.is_some() {
                failed.clear();
            } else if refused.is_empty() {
                failed.insert(class, decision.clone());
            }
            conclude(&mut view, &want, ask, decision, why.as_ref(), false, turn);
        }
    }

    fn take_view(&self, node: NodeId, view: &Shared<NodeView>, turn: &mut Turn<Self>) {
        let held = self.cluster.node(node).map(|node| node.version());
        if held.is_none_or(|held| held < view.version || crate::mutant!(OldViewTaken)) {
            turn.record(Event::Viewed { node, view: view.clone() });
        }
        let version = held.unwrap_or(0).max(view.version);
        turn.send(node, node::Message::ViewNoted { version });
    }

    fn take_refusal(&self, node: NodeId, instance: InstanceId, because: Reason, turn: &mut Turn<Self>) {
        if self.cluster.reservation(instance).is_some_and(|(held, _)| held == node) {
            turn.record(Event::ClaimRefused { node, instance, because });
        }
    }

    fn woken(&self, turn: &mut Turn<Self>) {
        let lapsed: Vec<InstanceId> = self.cluster.lapsed(turn.now()).collect();
        if let (true, Some((due, from))) = (lapsed.is_empty(), self.retry)
            && due <= turn.now()
        {
            self.retry(from, turn);
        }
        for instance in lapsed.into_iter().filter(|_| !crate::mutant!(ReservationHeldForever)) {
            turn.record(Event::Expired { instance });
        }
    }
}

/// Records a decision and says it: the claim to the node, or why not to the job.
fn conclude<'a>(
    view: &mut ClusterView<'a>,
    want: &Want<'_>,
    ask: &Ask,
    decision: Decision,
    said: Option<&Unplaceable>,
    asked: bool,
    turn: &mut Turn<Scheduler>,
) {
    let (job, resources) = (want.job, want.workload.resources.clone());
    let chosen = decision.chosen.and_then(|id| Some((id, view.state.cluster.node(id)?)));
    if let Some((id, node)) = chosen {
        view.place(job, &resources, node);
        turn.send(id, claim(want, ask));
        turn.record(Event::Placed { job, ask: ask.clone(), resources, decision });
        return;
    }
    let Some(why) = decision.unplaceable.clone() else { return };
    let news = said.is_none_or(|said| said.reason != why.reason || said.struck_out != why.struck_out);
    if news {
        turn.record(Event::Unplaced { job, ask: ask.clone(), decision });
    }
    if (news || asked) && !crate::mutant!(UnplacedSilently) {
        turn.send(job, job::Message::Unplaceable { instance: ask.instance, why });
    }
}

fn claim(want: &Want<'_>, ask: &Ask) -> node::Message {
    node::Message::Claim {
        claim: ClaimSpec {
            instance: ask.instance,
            label: ask.label.clone(),
            job: want.job,
            realm: want.realm.to_string(),
            revision: ask.revision,
            exclusive: want.exclusive,
            workload: want.workload.clone(),
        },
    }
}

impl Behavior for Scheduler {
    const KIND: Kind = Kind::Scheduler;
    type Message = Message;
    type Event = Event;

    fn decide(&self, message: &Message, turn: &mut Turn<Self>) -> Result<(), Refusal> {
        match message {
            Message::Place { job, realm, name, exclusive, workload, place, asks } => {
                let want = Want { job: *job, realm, name, exclusive: *exclusive, workload, place };
                self.place(want, asks, turn);
            }
            Message::Withdraw { instance } => {
                let known = self.waiting.contains_key(instance) || self.cluster.reservation(*instance).is_some();
                if known {
                    turn.record(Event::Withdrawn { instance: *instance });
                }
            }
            Message::View { node, view } => self.take_view(*node, view, turn),
            Message::ClaimRefused { node, instance, because, view } => {
                self.take_view(*node, view, turn);
                self.take_refusal(*node, *instance, *because, turn);
            }
            Message::Rules { realm, policy, version, mode, text } => {
                let held = self.rules.get(realm).map_or(0, |rules| rules.version);
                if *version > held {
                    let (realm, text) = (realm.clone(), text.clone());
                    turn.record(Event::RulesSet { realm, version: *version, mode: *mode, text });
                }
                turn.send(*policy, policy::Message::RulesNoted { version: held.max(*version) });
            }
            Message::Check { policy, ticket, jobs } => {
                let outcome = check::check(self, jobs);
                turn.send(Address::from(*policy), policy::Message::Checked { ticket: *ticket, outcome });
            }
            Message::Wake { .. } => self.woken(turn),
            Message::Reserve { policy, ticket, jobs, placements } => {
                let outcome = check::check(self, jobs).and_then(|()| reserve::reserve(self, jobs, placements, turn));
                turn.send(Address::from(*policy), policy::Message::Checked { ticket: *ticket, outcome });
            }
        }
        Ok(())
    }

    fn evolve(&mut self, event: &Event, at: Timestamp) {
        self.fold(event, at);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let retry = self.retry.map(|(due, _)| due);
        retry.into_iter().chain(self.cluster.next_lapse().filter(|_| !crate::mutant!(ReservationHeldForever))).min()
    }

    fn wake(due: Timestamp) -> Message {
        Message::Wake { due }
    }
}
