//! Decisions a second and how long one takes: filter, score and reserve in one turn of the actor, in processor time.

use super::fleet::{Fleet, Wishes, Work};
use crate::row::{Row, least, most};
use crate::setting::{Fault, Setting};
use actors::scheduler::scanning;

/// Of how many nodes, what must be reached and what is aimed at.
const PLAIN: [(&str, usize, f64, f64); 4] = [
    ("scheduling.plain.1k", 1_000, 50e3, 200e3),
    ("scheduling.plain.5k", 5_000, 50e3, 200e3),
    ("scheduling.plain.10k", 10_000, 50e3, 200e3),
    ("scheduling.plain.50k", 50_000, 25e3, 100e3),
];
/// What stands beside the index.
const PEER: &str = "a look at every node";
/// Index and full scan take turns.
const ROUNDS: usize = 5;
/// Nodes of the rows about wishes and about latency.
const WISHES_NODES: usize = 5_000;
const LATENCY_NODES: usize = 10_000;

/// Measures decisions in fleets of several sizes.
pub fn measure(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    for (name, nodes, must, aim) in PLAIN {
        rows.push(churned(setting, name, nodes, Wishes::None, (must, aim))?);
    }
    rows.push(churned(setting, "scheduling.wishes.5k", WISHES_NODES, Wishes::All, (10e3, 50e3))?);
    latency(setting, rows)
}

/// Fewer nodes, where it must be quick.
const fn fewer(setting: &Setting, nodes: usize) -> usize {
    if setting.quick { nodes / 10 } else { nodes }
}

/// What decisions take in a fleet that was filled, with the index, and beside it with a look at every node.
fn churned(setting: &Setting, name: &str, nodes: usize, wishes: Wishes, (must, aim): (f64, f64)) -> Result<Row, Fault> {
    let mut fleet = Fleet::new(fewer(setting, nodes), wishes);
    fleet.fill(&mut Work::default());
    fleet.churn(setting.count(5_000, 500), false, &mut Work::default());
    let (mut work, mut scanned) = (Work::default(), Work::default());
    for _ in 0..ROUNDS {
        fleet.churn(setting.count(20_000, 2_000) / ROUNDS, false, &mut work);
        scanning(|| {
            fleet.churn((setting.count(10_000_000, 1_000_000) / nodes).min(2_000) / ROUNDS, false, &mut scanned)
        });
    }
    let work = sound(work)?;
    Ok(least(name, work.rate(), "decisions/s", must, aim).beside(PEER, scanned.rate()).note(note(&work)))
}

/// Nearly all find a place: a fleet in which many wait measures something else.
fn sound(work: Work) -> Result<Work, Fault> {
    if work.unplaced * 20 > work.placed {
        let Work { placed, unplaced, .. } = work;
        return Err(Fault::Failed(format!("{unplaced} instances fit nowhere and {placed} do")));
    }
    Ok(work)
}

fn note(work: &Work) -> String {
    let views = work.views as f64 / (work.placed + work.unplaced).max(1) as f64;
    let with = crate::people::number(work.rate_with_views().round());
    format!("{with} a second with {views:.1} views of nodes taken in for each; {} fit nowhere", work.unplaced)
}

/// How long a turn takes that places one instance.
fn latency(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let mut fleet = Fleet::new(fewer(setting, LATENCY_NODES), Wishes::None);
    fleet.fill(&mut Work::default());
    fleet.churn(setting.count(2_000, 200), true, &mut Work::default());
    let mut work = Work::default();
    fleet.churn(setting.count(20_000, 2_000), true, &mut work);
    let mut turns = sound(work)?.turns;
    turns.sort_by(f64::total_cmp);
    let at = |share: f64| turns.get((turns.len() as f64 * share) as usize).copied().unwrap_or(0.0) * 1e6;
    let all = format!("of {} turns that place one instance, in processor time", turns.len());
    rows.push(most("scheduling.latency.p50", at(0.5), "us", 20.0, 5.0).note(&all));
    rows.push(most("scheduling.latency.p99", at(0.99), "us", 500.0, 50.0).note(all));
    Ok(())
}
