//! Where two runs part: the first thing that differs, what each did there, and how the actor's state differs by then.

use crate::explain::{Names, actor_of};
use crate::history::difference::{LINES_MAX, in_common};
use crate::plan::Plan;
use crate::world::World;
use crate::world::tape::Record;
use messages::id::ActorId;
use serde::Serialize;
use std::sync::Arc;

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parting {
    /// How many things happened alike before it.
    pub alike: usize,
    /// What the one did.
    pub one: Option<Side>,
    /// What the other did.
    pub other: Option<Side>,
    /// Lines of the actor's state that only the one has, and that only the other has, when that moment has passed.
    pub state: (Vec<String>, Vec<String>),
}

/// What a run did where it parts from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// When, in microseconds.
    pub at: u64,
    /// Who.
    pub who: String,
    /// What, in short.
    pub what: String,
    /// All of it.
    pub whole: String,
}

/// Where two runs part; nothing, when they are the same in all that happens.
pub fn diff(one: &Plan, other: &Plan) -> Option<Parting> {
    let (mut left, mut right) = (recorded(one), recorded(other));
    let mut compared = 0;
    let index = loop {
        let moved = [left.step(), right.step()];
        let (ours, theirs) = (left.records(), right.records());
        let both = ours.len().min(theirs.len());
        if let Some(found) = (compared..both).find(|index| !alike(&ours[*index], &theirs[*index])) {
            break found;
        }
        compared = both;
        if moved == [false, false] {
            if ours.len() == theirs.len() {
                return None;
            }
            break both;
        }
    };
    run_past(&mut left, index);
    run_past(&mut right, index);
    let actor = left.records().get(index).and_then(actor_of);
    let actor = actor.or_else(|| right.records().get(index).and_then(actor_of));
    Some(Parting {
        alike: index,
        one: side(&left, index),
        other: side(&right, index),
        state: only(&state(&left, actor), &state(&right, actor)),
    })
}

fn recorded(plan: &Plan) -> World {
    let mut world = World::new(Arc::new(plan.clone()));
    world.record();
    world
}

/// Two worlds that differ in nothing but what caused something are alike.
fn alike(one: &Record, other: &Record) -> bool {
    one.at == other.at && one.what == other.what
}

fn run_past(world: &mut World, index: usize) {
    while world.records().len() <= index && world.step() {}
}

fn side(world: &World, index: usize) -> Option<Side> {
    let record = world.records().get(index)?;
    let names = Names::of(world);
    let what = names.happened(&record.what);
    let who = names.who(&record.what).unwrap_or_else(|| "world".into());
    Some(Side { at: record.at, who, what, whole: names.said(&format!("{:?}", record.what)) })
}

fn state(world: &World, actor: Option<ActorId>) -> Vec<String> {
    let cell = actor.and_then(|actor| world.fold().cell(actor));
    cell.map(|cell| format!("{cell:#?}").lines().map(str::to_owned).collect()).unwrap_or_default()
}

/// The lines that only the one has and that only the other has, between what both begin and end with.
fn only(one: &[String], other: &[String]) -> (Vec<String>, Vec<String>) {
    let (begin, end) = in_common(one, other);
    let cut = |lines: &[String]| lines[begin..lines.len() - end].iter().take(LINES_MAX).cloned().collect();
    (cut(one), cut(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    fn plan(seed: u64) -> Plan {
        let text = scenario::own("exclusive").expect("the scenario comes with Orrery");
        scenario::plan(&scenario::read(text, "exclusive").expect("the scenario makes sense"), seed)
    }

    #[test]
    fn a_run_does_not_part_from_itself() {
        assert_eq!(diff(&plan(3), &plan(3)), None);
    }

    #[test]
    fn two_runs_part_where_one_fault_less_makes_the_first_difference() {
        let mut less = plan(3);
        let last = less.faults.pop().expect("the plan has faults");
        let parting = diff(&plan(3), &less).expect("they differ");
        let one = parting.one.expect("the one goes on");
        assert_eq!(one.at, last.when.earliest());
        assert!(one.what.starts_with("fault") && parting.alike > 100, "{one:?} after {}", parting.alike);
    }

    #[test]
    fn the_state_of_the_actor_is_compared() {
        let mut more = plan(3);
        more.pace.sync_us = (more.pace.sync_us.0 + 1, more.pace.sync_us.1 + 1);
        let parting = diff(&plan(3), &more).expect("they differ");
        assert!(parting.one.is_some() && parting.other.is_some());
        let same = ["a".to_owned(), "b".to_owned()];
        let other = ["a".to_owned(), "c".to_owned(), "b".to_owned()];
        assert_eq!(only(&same, &other), (Vec::new(), vec!["c".to_owned()]));
    }
}
