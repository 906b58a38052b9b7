//! What a what-if is told by: how far the control run is the record, and where the changed run is not the control.

use super::book::{Book, Name, Outcome};
use super::cost::Bill;
use super::health::Dip;
use super::moment::Moment;
use super::whatif::Run;
use messages::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// So many differences of a kind are listed; all are counted.
const LISTED_MAX: usize = 200;

/// How far a control run is the record.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Fidelity {
    /// Placements after the moment that both have, in the same place.
    pub placements_same: u64,
    /// Placements after the moment, of either.
    pub placements: u64,
    /// Commands with the same outcome.
    pub commands_same: u64,
    /// Commands recorded.
    pub commands: u64,
    /// Rollouts that ended the same.
    pub rollouts_same: u64,
    /// Rollouts, of either.
    pub rollouts: u64,
    /// Entries recorded.
    pub entries_recorded: u64,
    /// Entries that the control run made.
    pub entries_control: u64,
    /// What differs, a sentence for each.
    pub different: Vec<String>,
}

/// A placement that differs.
#[derive(Clone, Debug, Serialize)]
pub struct Moved {
    /// The instance: `realm/job/slot`, its revision, and the how-manieth in that slot.
    pub instance: String,
    /// Where the control run has it.
    pub control: Option<String>,
    /// Where the changed run has it.
    pub changed: Option<String>,
}

/// A number of both runs.
#[derive(Clone, Debug, Serialize)]
pub struct Counted {
    /// What is counted.
    pub what: String,
    /// In the control run.
    pub control: u64,
    /// In the changed run.
    pub changed: u64,
    /// What was said of it last, where something was.
    pub said: Option<String>,
}

/// A text of both runs.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// What ended.
    pub what: String,
    /// How, in the control run.
    pub control: Option<String>,
    /// How, in the changed run.
    pub changed: Option<String>,
}

/// How healthy a job was that was below its minimum in either run.
#[derive(Clone, Debug, Serialize)]
pub struct Below {
    /// The job.
    pub job: String,
    /// For how long, in milliseconds: control, changed.
    pub milliseconds: (u64, u64),
    /// How many were missing at the worst: control, changed.
    pub missing: (u32, u32),
    /// When, in the control run.
    pub control: Vec<Dip>,
    /// When, in the changed run.
    pub changed: Vec<Dip>,
}

/// Waiting times, from being wanted to being healthy, in milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Waits {
    /// How many became healthy.
    pub healthy: u64,
    /// How many were wanted and never did.
    pub never: u64,
    /// Half of them waited no longer.
    pub p50: Option<u64>,
    /// 99 of 100 waited no longer.
    pub p99: Option<u64>,
}

/// What a what-if is told by.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// From when.
    #[serde(with = "messages::time::rfc3339")]
    pub from: Timestamp,
    /// Until when.
    #[serde(with = "messages::time::rfc3339")]
    pub until: Timestamp,
    /// Whether both runs came to their end.
    pub whole: bool,
    /// How long a message between actors takes, as measured in the log, in microseconds.
    pub hop_us: u64,
    /// How far the control run is the record.
    pub fidelity: Fidelity,
    /// Placements that differ; the first of them.
    pub placements: Vec<Moved>,
    /// How many placements differ, and how many there are in either run.
    pub placements_different: (u64, u64),
    /// Instances that ended unasked or had to go, by job and reason.
    pub departures: Vec<Counted>,
    /// Instances that no node could take, by job and reason.
    pub unplaceable: Vec<Counted>,
    /// Claims that nodes refused, by reason.
    pub refused_claims: Vec<Counted>,
    /// Recorded commands that ended otherwise.
    pub commands: Vec<Ended>,
    /// The change's own commands, and how they ended.
    pub own_commands: Vec<Outcome>,
    /// Rollouts that ended otherwise.
    pub rollouts: Vec<Ended>,
    /// Jobs below their healthy minimum in either run.
    pub below: Vec<Below>,
    /// Waiting times: control, changed.
    pub waits: (Waits, Waits),
    /// Costs: control, changed.
    pub cost: (Bill, Bill),
}

fn told((job, slot, revision, ordinal): &Name) -> String {
    format!("{job}/{slot} revision {revision} #{ordinal}")
}

fn keys<'a, K: Ord, V>(one: &'a BTreeMap<K, V>, other: &'a BTreeMap<K, V>) -> BTreeSet<&'a K> {
    one.keys().chain(other.keys()).collect()
}

impl Fidelity {
    /// Holds a control run against the record.
    pub fn of(recorded: &Book, control: &Book) -> Self {
        let mut fidelity =
            Self { entries_recorded: recorded.entries, entries_control: control.entries, ..Self::default() };
        for name in keys(&recorded.placements, &control.placements) {
            let (was, is) = (recorded.placements.get(name), control.placements.get(name));
            fidelity.placements += 1;
            fidelity.placements_same += u64::from(was == is);
            if was != is {
                fidelity.tell(&told(name), was.cloned(), is.cloned());
            }
        }
        for (id, was) in &recorded.commands {
            let is = control.commands.get(id).map(|outcome| outcome.outcome.clone());
            let same = is.as_ref() == Some(&was.outcome);
            fidelity.commands += 1;
            fidelity.commands_same += u64::from(same);
            if !same {
                fidelity.tell(&format!("{} at {}", was.action, was.at), Some(was.outcome.clone()), is);
            }
        }
        for which in keys(&recorded.rollouts, &control.rollouts) {
            let (was, is) = (recorded.rollouts.get(which), control.rollouts.get(which));
            fidelity.rollouts += 1;
            fidelity.rollouts_same += u64::from(was == is);
            if was != is {
                fidelity.tell(&format!("rollout of {} to revision {}", which.0, which.1), was.cloned(), is.cloned());
            }
        }
        fidelity
    }

    fn tell(&mut self, what: &str, was: Option<String>, is: Option<String>) {
        if self.different.len() < LISTED_MAX {
            let word = |end: Option<String>| end.unwrap_or_else(|| "nothing".into());
            self.different.push(format!("{what}: {} recorded, {} in the control run", word(was), word(is)));
        }
    }
}

fn waits(book: &Book) -> Waits {
    let milliseconds = |percent| book.wait(percent).map(|wait| wait / 1_000);
    Waits { healthy: book.waits.len() as u64, never: book.unhealthy, p50: milliseconds(50), p99: milliseconds(99) }
}

impl Report {
    /// Holds two runs against each other.
    pub fn of(moment: &Moment, fidelity: Fidelity, control: &Run, changed: &Run) -> Self {
        let (before, after) = (&control.world.book, &changed.world.book);
        let names = keys(&before.placements, &after.placements);
        let all = names.len() as u64;
        let moved = names.into_iter().filter_map(|name| {
            let (control, changed) = (before.placements.get(name).cloned(), after.placements.get(name).cloned());
            (control != changed).then(|| Moved { instance: told(name), control, changed })
        });
        let mut placements: Vec<Moved> = moved.collect();
        let different = placements.len() as u64;
        placements.truncate(LISTED_MAX);
        Self {
            from: moment.beginning.at,
            until: moment.until,
            whole: control.whole && changed.whole,
            hop_us: moment.beginning.hop,
            fidelity,
            placements,
            placements_different: (different, all),
            departures: departures(before, after),
            unplaceable: unplaceable(before, after),
            refused_claims: refused_claims(before, after),
            commands: commands(before, after, changed),
            own_commands: after
                .commands
                .iter()
                .filter(|(id, _)| changed.own.contains(id))
                .map(|(_, end)| end.clone())
                .collect(),
            rollouts: rollouts(before, after),
            below: below(before, after),
            waits: (waits(before), waits(after)),
            cost: (before.cost.bill(), after.cost.bill()),
        }
    }

    /// Whether the change makes no difference that is told.
    pub fn same(&self) -> bool {
        let counted = self.departures.iter().chain(&self.unplaceable).chain(&self.refused_claims);
        let below = self.below.iter().all(|below| below.milliseconds.0 == below.milliseconds.1);
        self.placements_different.0 == 0
            && counted.into_iter().all(|counted| counted.control == counted.changed)
            && self.commands.is_empty()
            && self.rollouts.is_empty()
            && below
            && self.cost.0 == self.cost.1
    }
}

fn departures(before: &Book, after: &Book) -> Vec<Counted> {
    let counted = |key: &(String, messages::reason::Reason)| Counted {
        what: format!("{} {}", key.0, key.1),
        control: before.departures.get(key).copied().unwrap_or(0),
        changed: after.departures.get(key).copied().unwrap_or(0),
        said: None,
    };
    keys(&before.departures, &after.departures).into_iter().map(counted).collect()
}

fn unplaceable(before: &Book, after: &Book) -> Vec<Counted> {
    let counted = |key: &(String, messages::reason::Reason)| {
        let (control, changed) = (before.unplaceable.get(key), after.unplaceable.get(key));
        Counted {
            what: format!("{} {}", key.0, key.1),
            control: control.map_or(0, |told| told.0),
            changed: changed.map_or(0, |told| told.0),
            said: changed.or(control).map(|told| told.1.clone()),
        }
    };
    keys(&before.unplaceable, &after.unplaceable).into_iter().map(counted).collect()
}

fn refused_claims(before: &Book, after: &Book) -> Vec<Counted> {
    let counted = |reason: &messages::reason::Reason| Counted {
        what: reason.to_string(),
        control: before.refused_claims.get(reason).copied().unwrap_or(0),
        changed: after.refused_claims.get(reason).copied().unwrap_or(0),
        said: None,
    };
    keys(&before.refused_claims, &after.refused_claims).into_iter().map(counted).collect()
}

fn commands(before: &Book, after: &Book, changed: &Run) -> Vec<Ended> {
    let ids = keys(&before.commands, &after.commands).into_iter().filter(|id| !changed.own.contains(id));
    let ended = |id: &uuid::Uuid| {
        let (control, changed) = (before.commands.get(id), after.commands.get(id));
        let text = |outcome: Option<&Outcome>| outcome.map(|outcome| outcome.outcome.clone());
        let at = control.or(changed).map(|outcome| format!("{} at {}", outcome.action, outcome.at));
        let (what, control, changed) = (at.unwrap_or_default(), text(control), text(changed));
        (control != changed).then_some(Ended { what, control, changed })
    };
    ids.filter_map(ended).collect()
}

fn rollouts(before: &Book, after: &Book) -> Vec<Ended> {
    let ended = |which: &(String, u32)| {
        let (control, changed) = (before.rollouts.get(which).cloned(), after.rollouts.get(which).cloned());
        let what = format!("{} to revision {}", which.0, which.1);
        (control != changed).then_some(Ended { what, control, changed })
    };
    keys(&before.rollouts, &after.rollouts).into_iter().filter_map(ended).collect()
}

fn below(before: &Book, after: &Book) -> Vec<Below> {
    let told = |id: &messages::id::JobId| {
        let (control, changed) = (before.health.get(id), after.health.get(id));
        let below = Below {
            job: changed.or(control).map(|health| health.name.clone()).unwrap_or_default(),
            milliseconds: (control.map_or(0, |health| health.below()), changed.map_or(0, |health| health.below())),
            missing: (control.map_or(0, |health| health.deepest()), changed.map_or(0, |health| health.deepest())),
            control: control.map(|health| health.all().cloned().collect()).unwrap_or_default(),
            changed: changed.map(|health| health.all().cloned().collect()).unwrap_or_default(),
        };
        (below.milliseconds != (0, 0) || below.missing != (0, 0)).then_some(below)
    };
    keys(&before.health, &after.health).into_iter().filter_map(told).collect()
}
