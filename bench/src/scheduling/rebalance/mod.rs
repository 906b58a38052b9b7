//! A cluster that is full, put right by moving a few pods.

mod repair;

use crate::fgd::Workload;
use crate::fgd::cluster::Node;
use crate::fgd::price::Prices;
use crate::fgd::published::Fgd;
use crate::fgd::replay::{Settled, settle};
use crate::row::{Must, Row};
use crate::setting::{Fault, Setting};
use repair::{Proposal, Repair};

/// Of the pods that run, so many in a hundred may move; and so many are aimed at.
const MOST: usize = 3;
const FEWER: usize = 2;
/// Points of the GPUs that must be gained by that, and those aimed at by fewer.
const GAIN: f64 = 1.0;
const AIM: f64 = 1.5;

/// What was gained on one cluster, in per cent of its GPUs and of its pods.
struct Gained {
    used: f64,
    points: f64,
    fewer: f64,
    moved: f64,
}

/// Lets in what was dropped, where FGD has placed and where our own policy has.
///
/// # Errors
/// When the trace is missing or cannot be read.
pub fn measure(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let workload = Workload::default_list(setting)?;
    let prices = Prices::find(&workload.mix, &workload.nodes);
    let settle_all = |which: &dyn Fn(usize) -> Settled| -> Vec<Gained> {
        (0..workload.orders.len()).map(|order| gain(&workload, &prices, &which(order))).collect()
    };
    let fgd =
        settle_all(&|order| settle(&Fgd(&workload.mix), &workload.nodes, &workload.pods, &workload.orders[order], 100));
    let ours = settle_all(&|order| settle(&prices, &workload.nodes, &workload.pods, &workload.orders[order], 100));
    for (name, gained, must) in [("fgd", fgd, true), ("price", ours, false)] {
        let name = |what: &str| format!("scheduling.rebalance.{name}{what}");
        let mean = |of: fn(&Gained) -> f64| gained.iter().map(of).sum::<f64>() / gained.len() as f64;
        let note = format!("{:.2} % of pods moved, from {:.2} % of GPUs", mean(|one| one.moved), mean(|one| one.used));
        let row = Row::new(name(""), mean(|one| one.points), "points").note(note);
        rows.push(if must { row.must(Must::Least(GAIN)) } else { row });
        let row =
            Row::new(name(".fewer"), mean(|one| one.fewer), "points").note(format!("by {FEWER} % of pods at most"));
        rows.push(if must { row.aim(AIM) } else { row });
    }
    Ok(())
}

fn gain(workload: &Workload, prices: &Prices, settled: &Settled) -> Gained {
    let running = settled.running.len();
    let whole: i64 = workload.nodes.iter().map(Node::gpu).sum();
    let used: i64 = settled.running.iter().map(|one| workload.pods[one.row].gpu()).sum();
    let proposals = Repair::new(prices, settled, &workload.pods, running * MOST / 100).run();
    let share = |of: i64| of as f64 * 100.0 / whole as f64;
    let moves = |proposals: &[Proposal]| proposals.iter().map(|one| one.moves.len()).sum::<usize>();
    let within = (0..=proposals.len()).rev().find(|count| moves(&proposals[..*count]) * 100 <= running * FEWER);
    let frees = |proposals: &[Proposal]| share(proposals.iter().map(|one| one.frees).sum());
    Gained {
        used: share(used),
        points: frees(&proposals),
        fewer: frees(&proposals[..within.unwrap_or(0)]),
        moved: moves(&proposals) as f64 * 100.0 / running as f64,
    }
}
