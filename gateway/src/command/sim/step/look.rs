//! One moment of a run, as programs and people are told of it.

use actors::cast::AnyCell;
use messages::id::ActorId;
use serde::Serialize;
use simulator::explain::Names;
use simulator::travel::{Happened, Travel};
use simulator::verdict::Violation;
use simulator::world::tape::What;
use std::collections::BTreeMap;

/// So much of what happened last is told.
const LAST: usize = 12;

/// One moment.
#[derive(Debug, Serialize)]
pub(super) struct Look {
    scenario: String,
    seed: u64,
    /// In microseconds.
    at: u64,
    event: u64,
    ended: bool,
    /// What happened last, in order.
    happened: Vec<Line>,
    faults: Vec<Under>,
    machines: Vec<String>,
    /// Every actor.
    pub actors: Vec<Actor>,
    violations: Vec<Violation>,
    /// The whole state of those that were asked for, by name.
    pub states: BTreeMap<String, String>,
}

/// Something that happened.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// The how manieth event.
    pub event: u64,
    /// When, in microseconds.
    pub at: u64,
    /// To whom.
    pub who: String,
    /// What.
    pub what: String,
}

/// A fault under way.
#[derive(Debug, Serialize)]
pub(super) struct Under {
    /// Its kind.
    pub what: String,
    /// Since when it was to be, in words.
    pub when: String,
    /// The machines it hits.
    pub machines: Vec<String>,
}

/// An actor.
#[derive(Debug, Serialize)]
pub(super) struct Actor {
    /// Which.
    #[serde(skip)]
    pub id: ActorId,
    /// What it is called.
    pub name: String,
    /// How many entries it has.
    pub entries: u64,
    /// How it is, in a few words.
    pub state: String,
}

impl Look {
    /// Where one looks, and the states of the actors whose names contain this.
    pub fn at(travel: &Travel, wanted: Option<&str>) -> Self {
        let (world, names) = (travel.world(), travel.names());
        let happened = &travel.known()[..travel.position()];
        let happened = happened[happened.len().saturating_sub(LAST)..].iter();
        let actors = actors(travel, &names);
        let wanted = wanted.map(str::to_lowercase);
        let asked = |actor: &&Actor| wanted.as_ref().is_some_and(|wanted| actor.name.to_lowercase().contains(wanted));
        let state = |actor: &Actor| Some((actor.name.clone(), whole(world.fold().cell(actor.id)?)));
        Self {
            scenario: world.plan().scenario.clone(),
            seed: world.plan().seed,
            at: world.now(),
            event: travel.event(),
            ended: travel.at_end(),
            happened: happened.map(|one| line(one, &names, travel)).collect(),
            faults: faults(travel),
            machines: (0..).map_while(|index| world.machine(index)).collect(),
            states: actors.iter().filter(asked).filter_map(state).collect(),
            actors,
            violations: travel.violations(),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let ended = if self.ended { ", the end" } else { "" };
        let (at, event) = (seconds(self.at), self.event);
        let mut text = format!("{} seed {}  {at}  event {event}{ended}\n", self.scenario, self.seed);
        for violation in &self.violations {
            text += &format!("violated: {} at {}: {}\n", violation.signature, seconds(violation.at), violation.message);
        }
        text += "\nfaults under way\n";
        for fault in &self.faults {
            text += &format!("  {} {} ({})\n", fault.what, fault.machines.join(", "), fault.when);
        }
        text += "\nwhat happened last\n";
        for line in &self.happened {
            text += &format!("  {:>14}  {:<20} {}\n", seconds(line.at), line.who, line.what);
        }
        text += "\nmachines\n";
        for machine in &self.machines {
            text += &format!("  {}\n", machine.replace('\n', "\n  "));
        }
        text += "\nactors\n";
        for actor in &self.actors {
            text += &format!("  {:<28} {:>5} entries  {}\n", actor.name, actor.entries, actor.state);
        }
        for (name, state) in &self.states {
            text += &format!("\n{name}\n{state}\n");
        }
        text
    }
}

/// Microseconds as seconds.
pub(super) fn seconds(at: u64) -> String {
    format!("{}.{:06} s", at / 1_000_000, at % 1_000_000)
}

/// An actor's whole state.
pub(super) fn whole(cell: &AnyCell) -> String {
    format!("{cell:#?}")
}

/// What came of an event, in a line: the most telling of it.
pub(super) fn line(happened: &Happened, names: &Names, travel: &Travel) -> Line {
    let telling = |what: &What| match what {
        What::Violated(_) => 0,
        What::Begins { .. } | What::Ends(_) => 1,
        What::Committed(_) => 2,
        What::Started { .. } | What::Ended { .. } | What::Control(_) => 3,
        What::Answered { .. } => 4,
        What::Machine { .. } => 5,
        What::Arrived { .. } => 6,
        What::Sent { .. } => 7,
    };
    let most = happened.records.iter().map(|record| &record.what).min_by_key(|what| telling(what));
    let (who, what) = most.map(|what| told(what, names, travel)).unwrap_or_default();
    Line { event: happened.event, at: happened.at, who, what }
}

/// To whom something happened, and what.
pub(super) fn told(what: &What, names: &Names, travel: &Travel) -> (String, String) {
    let fault = |number: &usize| travel.world().plan().faults.get(*number).map_or("", |fault| fault.trouble.name());
    let (who, said) = match what {
        What::Begins { fault: number, .. } => (None, format!("{} begins", fault(number))),
        What::Ends(number) => (None, format!("{} is over", fault(number))),
        What::Violated(violation) => (Some("oracle".to_owned()), format!("VIOLATED {}", violation.signature)),
        what => (None, names.happened(what)),
    };
    (who.or_else(|| names.who(what)).unwrap_or_else(|| "world".into()), said)
}

/// The faults under way.
pub(super) fn faults(travel: &Travel) -> Vec<Under> {
    let machines = &travel.world().plan().machines;
    let name = |machine: usize| machines.get(machine).map_or_else(String::new, |one| one.spec.name.clone());
    let under = |(fault, hit): (&simulator::plan::Fault, Vec<usize>)| Under {
        what: fault.trouble.name().to_owned(),
        when: fault.when.to_string(),
        machines: hit.into_iter().map(name).collect(),
    };
    travel.faults().into_iter().map(under).collect()
}

/// Every actor, by name.
pub(super) fn actors(travel: &Travel, names: &Names) -> Vec<Actor> {
    let actor = |cell: &AnyCell| Actor {
        id: cell.id(),
        name: names.actor(cell.id()),
        entries: cell.sequence(),
        state: brief(cell),
    };
    let mut actors: Vec<Actor> = travel.world().fold().cells().map(actor).collect();
    actors.sort_by(|one, other| one.name.cmp(&other.name));
    actors
}

/// How an actor is, in a few words.
fn brief(cell: &AnyCell) -> String {
    match cell {
        AnyCell::Job(cell) => {
            let job = cell.state();
            format!("{}/{} healthy, r{}", job.healthy(), job.desired, job.revision)
        }
        AnyCell::Node(cell) => {
            let node = cell.state();
            format!("{}, {} claims, epoch {}", node.standing().name(), node.claims().count(), node.epoch())
        }
        AnyCell::Rollout(cell) => format!("{} to {}", cell.state().from, cell.state().to),
        AnyCell::Route(_) | AnyCell::Scheduler(_) | AnyCell::Policy(_) => String::new(),
    }
}
