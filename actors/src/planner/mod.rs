//! The planner, the third host: the actors as they are, forked and turned on a virtual clock by the same code, to find out
//! what a change would come to before it is made.
//!
//! It has no way to publish, by type: nothing here holds a bus, a journal or a log, and what it returns are answers for
//! people and programs, which no actor hears. What it says comes true in a world where nothing else happens meanwhile;
//! `apply --plan` holds it to that (see [`Planned`]).

mod capacity;
pub mod hands;
mod loss;
mod outcome;
mod seen;
#[cfg(test)]
mod tests;
mod world;

pub use capacity::capacity;
pub use outcome::difference;

use crate::fold::Fold;
use crate::scheduler::places;
use messages::api::Plan;
use messages::envelope::Principal;
use messages::id::{ClientId, JobId, NodeId, PolicyId};
use messages::manifest::{JobSpec, Manifest};
use messages::policy::{Message, Request};
use messages::reason::Reason;
use messages::scheduler::{Ask, Placement};
use messages::time::{Span, Timestamp};
use world::World;

/// What is decided within so long of a command is decided at once: before anything that was started can be well.
const AT_ONCE: Span = Span::milliseconds(40);

/// A plan, and what a command must carry to be held to it.
///
/// A command that carries it (`policy::Message::SubmitPlanned`) is refused when its realm was commanded anything else since,
/// and when, in the turn in which the scheduler checks it, one of the instances it calls for at once would go elsewhere. In
/// that same turn room is held for all of them, so that nobody else can take it before they are asked for.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The last entry of the realm's policy that it rests on.
    pub rests_on: u64,
    /// Where the instances that the command calls for go at once.
    pub placements: Vec<Placement>,
}

/// What manifests would come to, applied one after the other by this principal, each when all is at rest after the one
/// before.
pub fn plan(fold: &Fold, at: Timestamp, principal: &Principal, manifests: &[Manifest]) -> Plan {
    let (control, trial) = tried(fold, at, principal, manifests);
    outcome::plan(fold, at, &control, trial)
}

/// What a manifest would come to, and what its command must carry to be held to that.
pub fn planned(fold: &Fold, at: Timestamp, principal: &Principal, manifest: &Manifest) -> Planned {
    let (control, trial) = tried(fold, at, principal, std::slice::from_ref(manifest));
    let (rests_on, placements) = (last_entry(fold, &manifest.realm), trial.placements.clone());
    Planned { plan: outcome::plan(fold, at, &control, trial), rests_on, placements }
}

/// A fork in which nothing is commanded, at rest, and one in which the manifests are applied.
fn tried(fold: &Fold, at: Timestamp, principal: &Principal, manifests: &[Manifest]) -> (World, Trial) {
    let mut control = World::fork(fold, at);
    let mut trial = Trial { world: control.clone(), rest: Some(Span(0)), placements: Vec::new(), commands: Vec::new() };
    control.rest();
    manifests.iter().for_each(|manifest| trial.apply(principal, manifest));
    (control, trial)
}

/// A fork in which manifests are applied.
struct Trial {
    world: World,
    /// How long it took to come to rest; none when it did not within the bound.
    rest: Option<Span>,
    /// What was decided at once.
    placements: Vec<Placement>,
    /// The manifests, and who waits for the answer to each.
    commands: Vec<(Manifest, ClientId)>,
}

impl Trial {
    fn apply(&mut self, principal: &Principal, manifest: &Manifest) {
        let placements = first_wave(&self.world, principal, manifest);
        let mut tried = self.world.clone();
        let mut client = submit(&mut tried, principal, manifest, &placements);
        let mut rest = tried.rest();
        let stale = matches!(tried.reply(client), Some(Err(refusal)) if refusal.reason == Reason::Stale);
        if stale {
            // Something is on its way already that takes the room: then nothing is decided at once.
            tried = self.world.clone();
            client = submit(&mut tried, principal, manifest, &[]);
            rest = tried.rest();
        } else {
            self.placements.extend(placements);
        }
        self.rest = self.rest.zip(rest).map(|(before, rest)| Span(before.0 + rest.0));
        self.world = tried;
        self.commands.push((manifest.clone(), client));
    }
}

fn submit(world: &mut World, principal: &Principal, manifest: &Manifest, placements: &[Placement]) -> ClientId {
    let (realm, request) = (manifest.realm.clone(), Request::Apply { manifest: manifest.clone() });
    let rests_on = last_entry(world.fold(), &realm);
    let message = Message::SubmitPlanned { realm, request, rests_on, placements: placements.to_vec() };
    world.submit(&manifest.realm, principal.clone(), message)
}

/// The number of the last entry of a realm's policy; zero before the first.
fn last_entry(fold: &Fold, realm: &str) -> u64 {
    fold.policy(PolicyId::of_realm(realm)).map_or(0, |(_, sequence)| sequence)
}

/// Where the instances go that a manifest calls for at once, in one order for all of its jobs.
fn first_wave(world: &World, principal: &Principal, manifest: &Manifest) -> Vec<Placement> {
    let mut scout = world.clone();
    scout.seen = seen::Seen::default();
    submit(&mut scout, principal, manifest, &[]);
    scout.run(AT_ONCE);
    let jobs: Vec<JobSpec> = manifest.jobs.values().cloned().collect();
    let asked = |(job, ask, _): &(JobId, Ask, Option<NodeId>)| {
        let spec = jobs.iter().find(|spec| JobId::named(&spec.realm, &spec.name) == *job)?;
        let known = scout.fold().job(*job)?.workloads.get(&ask.revision)?;
        (**known == spec.workload).then(|| (*job, ask.clone()))
    };
    let asks: Vec<(JobId, Ask)> = scout.seen.asks.iter().filter_map(asked).collect();
    let scheduler = world.fold().schedulers().next();
    scheduler.map_or(Vec::new(), |(_, scheduler)| places(scheduler, &jobs, &asks))
}
