//! Instances with five resources and limits of how many may share a node: how many nodes they take, and how many are
//! placed when there are only so many nodes.

mod packing;
mod policies;
mod trace;

use crate::row::{Must, Row};
use crate::setting::{Fault, Setting};
use crate::table::traces;
use packing::{Outcome, bound, pack};
use policies::{Fragments, Mix, Room, Rule, Simple};
use trace::{Amounts, Instance, Role};

const FILE: &str = "alibaba-dlrm-2025/disaggregated_DLRM_trace.csv";
/// The trace does not say what its nodes are like. These are round shapes that hold the largest instances and of which
/// the instances use processor, memory and disk, or the GPUs, to much the same share: cores, GPUs, per cent of a NIC,
/// GiB of memory and of disk, in hundredths.
const SHAPES: [(&str, Role, Amounts); 2] = [
    ("cn", Role::Plain, [19_200, 0, 40_000, 102_400, 102_400]),
    ("hn", Role::Gpu, [9_600, 800, 40_000, 76_800, 204_800]),
];
/// How many instances the quick look takes.
const QUICK: usize = 3_000;
/// Nodes of the best baseline that ours is to do with, as a share.
const AIM: f64 = 0.99;

/// Packs the instances by six rules and by ours.
///
/// # Errors
/// When the trace is missing or cannot be read.
pub fn measure(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let path = traces().join(FILE);
    if !path.is_file() {
        let remedy = format!("{} is not there", path.display());
        return Err(Fault::Missing { program: "the trace of recommendation services", remedy });
    }
    let (all, skipped) = trace::read(&path)?;
    skipped.say("scheduling");
    for (name, role, shape) in SHAPES {
        let of_role: Vec<&Instance> = all.iter().filter(|instance| instance.role == role).collect();
        let instances = &of_role[..setting.count(of_role.len(), QUICK).min(of_role.len())];
        let least = bound(instances, &shape);
        compare(name, instances, &shape, least, rows);
    }
    Ok(())
}

fn compare(role: &str, instances: &[&Instance], shape: &Amounts, least: usize, rows: &mut Vec<Row>) {
    let name = |what: &str| format!("scheduling.dlrm.{role}.{what}");
    let mix = Mix::of(instances, shape);
    let simple = |rule| move |most| pack(instances, shape, most, Simple::new(rule, shape));
    let fragments = |most| pack(instances, shape, most, Fragments(mix.clone()));
    let rules: [(&str, &dyn Fn(usize) -> Outcome); 6] = [
        ("firstfit", &simple(Rule::FirstFit)),
        ("bestfit", &simple(Rule::BestFit)),
        ("worstfit", &simple(Rule::WorstFit)),
        ("dotprod", &simple(Rule::DotProduct)),
        ("random", &simple(Rule::Random)),
        ("fgd", &fragments),
    ];
    let (mut fewest, mut most) = (usize::MAX, 0);
    for (rule, run) in rules {
        let (nodes, placed) = (run(usize::MAX).nodes, run(least).placed);
        (fewest, most) = (fewest.min(nodes), most.max(placed));
        rows.push(Row::new(name(rule), nodes as f64, "nodes").note(format!("{placed} placed on {least}")));
    }
    let ours = |limit| pack(instances, shape, limit, Room(mix.clone()));
    let (nodes, placed) = (ours(usize::MAX).nodes, ours(least).placed);
    rows.push(
        Row::new(name("room"), nodes as f64, "nodes")
            .beside("best of six", fewest as f64)
            .must(Must::AtMost(1.0))
            .aim(fewest as f64 * AIM)
            .note(format!("{least} at least, {} instances", instances.len())),
    );
    rows.push(
        Row::new(name("room.placed"), placed as f64, "instances")
            .beside("best of six", most as f64)
            .must(Must::AtLeast(1.0))
            .note(format!("on {least} nodes")),
    );
}
