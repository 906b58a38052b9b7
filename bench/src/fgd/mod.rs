//! GPU sharing on a real cluster: the one published comparison that can be reproduced to the hundredth, and our policy.
//!
//! Weng et al., "Beware of Fragmentation" (ATC'23): pods of a production cluster arrive in a known order on its 1,213
//! nodes and never leave; what counts is how much of the 6,212 GPUs is in use when as much as there is was asked for.
//! Five policies are replayed score for score and compared with the authors' results at every point; then ours.

pub mod cluster;
pub mod fragment;
pub mod mix;
mod openb;
pub mod price;
pub mod published;
pub mod replay;
mod results;

use crate::rounds::timed;
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting};
use crate::table::{Skipped, traces};
use cluster::{Node, Pod};
use mix::{Typical, typical};
use openb::{Models, Pods};
use price::Prices;
use published::{BestFit, Clustering, DotProd, Fgd, Packing, Random};
use replay::{Order, Outcome, Policy, replay};
use results::Results;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LISTS: &str = "alibaba-openb-gpu-2023";
const NODES: &str = "openb_node_list_gpu_node.csv";
const PREFIX: &str = "openb_pod_list_";
/// As much was asked for as there is.
const FULL: usize = 100;
/// What figures rounded to the hundredth may differ by.
const SAME: f64 = 0.005_1;
/// Orders to draw where none are given.
const OWN_ORDERS: usize = 10;
/// How many points above FGD, in the mean of all workloads, ours must be.
const GAIN: f64 = 0.7;

/// The policies whose results were published, by the name used here and the one used there.
const PUBLISHED: [(&str, &str); 6] = [
    ("random", "01-Random"),
    ("dotprod", "02-DotProd"),
    ("clustering", "03-GpuClustering"),
    ("packing", "04-GpuPacking"),
    ("bestfit", "05-BestFit"),
    ("fgd", "06-FGD"),
];

/// One list of pods, and the orders they arrive in.
pub struct Workload {
    name: String,
    /// The cluster, empty.
    pub nodes: Vec<Node>,
    /// The list.
    pub pods: Vec<Pod>,
    /// Which pods arrive, and how often.
    pub mix: Vec<Typical>,
    /// The orders they arrive in.
    pub orders: Vec<Order>,
}

/// What one policy came to, an outcome for each order.
struct Replayed {
    outcomes: Vec<Outcome>,
    took: Duration,
}

/// Replays the published policies and ours.
///
/// # Errors
/// When the traces are missing or cannot be read.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let traces = traces();
    let files = match &setting.workload {
        Some(file) => vec![file.clone()],
        None => lists(&traces, setting.quick)?,
    };
    let results = Results::read(&traces)?;
    let mut report = Report::default();
    let mut gains = Vec::new();
    for file in files {
        let workload = Workload::read(&file, &traces, setting)?;
        let gain = compare(&workload, &results, &mut report);
        gains.push(gain);
    }
    let mean = gains.iter().sum::<f64>() / gains.len() as f64;
    let name = format!("points in the mean of {} workloads", gains.len());
    report.rows.push(Row::new("fgd.gain", mean, "points").beside(name, GAIN).must(Must::AtLeast(1.0)));
    Ok(report)
}

/// The lists of pods that are there; the quick look takes the first kind only.
fn lists(traces: &Path, quick: bool) -> Result<Vec<PathBuf>, Fault> {
    let directory = traces.join(LISTS);
    let missing = |error: std::io::Error| Fault::Missing {
        program: "the trace of the published comparison",
        remedy: format!(
            "{}: {error}; name another list with --workload and its orders with --orders",
            directory.display()
        ),
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(missing)? {
        let path = entry.map_err(missing)?.path();
        let name = name_of(&path);
        if path.to_string_lossy().contains(PREFIX) && (!quick || name == "default") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The name of a workload, from its file.
fn name_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    stem.strip_prefix(PREFIX).map(str::to_owned).unwrap_or(stem)
}

impl Workload {
    /// The default list of the trace, in the published orders.
    ///
    /// # Errors
    /// When the trace is missing or cannot be read.
    pub fn default_list(setting: &Setting) -> Result<Self, Fault> {
        let traces = traces();
        let file = lists(&traces, true)?
            .into_iter()
            .next()
            .ok_or_else(|| format!("no default list in {}", traces.display()))?;
        Self::read(&file, &traces, setting)
    }

    fn read(file: &Path, traces: &Path, setting: &Setting) -> Result<Self, Fault> {
        let mut models = Models::default();
        let beside = file.with_file_name(NODES);
        let nodes = if beside.exists() { beside } else { traces.join(LISTS).join(NODES) };
        let (nodes, without) = openb::nodes(&nodes, &mut models)?;
        let (Pods { pods, models, .. }, orders, skipped) = Self::arrivals(file, traces, setting, &nodes, &mut models)?;
        for skipped in [without, skipped] {
            skipped.say("fgd");
        }
        let named: Vec<(Pod, &str)> = pods.iter().copied().zip(models.iter().map(String::as_str)).collect();
        let mix = typical(&named);
        Ok(Self { name: name_of(file), nodes, mix, pods, orders })
    }

    fn arrivals(
        file: &Path,
        traces: &Path,
        setting: &Setting,
        nodes: &[Node],
        models: &mut Models,
    ) -> Result<(Pods, Vec<Order>, Skipped), Fault> {
        let (list, skipped) = openb::pods(file, models)?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let given = traces.join("fgd-orders").join(format!("{stem}.order.gz"));
        let mut orders = match &setting.orders {
            Some(file) => openb::orders(file, &list, nodes.len())?,
            None if given.exists() => openb::orders(&given, &list, nodes.len())?,
            None => openb::draw_orders(&list.pods, nodes, OWN_ORDERS),
        };
        orders.truncate(setting.count(orders.len(), 2));
        Ok((list, orders, skipped))
    }

    fn replay<P: Policy>(&self, policy: &P) -> Replayed {
        let (outcomes, took) =
            timed(|| self.orders.iter().map(|order| replay(policy, &self.nodes, &self.pods, order)).collect());
        Replayed { outcomes, took }
    }

    /// The published policies, in their order.
    fn published(&self) -> [Replayed; 6] {
        [
            self.replay(&Random),
            self.replay(&DotProd),
            self.replay(&Clustering),
            self.replay(&Packing),
            self.replay(&BestFit),
            self.replay(&Fgd(&self.mix)),
        ]
    }
}

impl Replayed {
    fn full(&self) -> Vec<f64> {
        self.outcomes.iter().map(|outcome| outcome.curve[FULL]).collect()
    }

    fn mean(&self) -> f64 {
        mean(&self.full())
    }

    fn rate(&self) -> f64 {
        let arrived: usize = self.outcomes.iter().map(|outcome| outcome.placed + outcome.dropped).sum();
        arrived as f64 / self.took.as_secs_f64()
    }
}

/// The rows of one workload; how many points ours is above FGD.
fn compare(workload: &Workload, results: &Results, report: &mut Report) -> f64 {
    let name = |what: &str| format!("fgd.{}.{what}", workload.name);
    let published = workload.published();
    let mut points_off = 0;
    let mut points = 0;
    for ((policy, there), replayed) in PUBLISHED.iter().zip(&published) {
        let mut row = Row::new(name(policy), replayed.mean(), "% of GPUs");
        let known: Option<Vec<&[f64]>> =
            workload.orders.iter().map(|o| results.curve(&workload.name, there, o.seed)).collect();
        if let Some(known) = known {
            row = row.beside("published", mean(&known.iter().map(|curve| curve[FULL]).collect::<Vec<_>>()));
            if *policy != "random" {
                row = row.must(Must::Within(SAME));
                let curves = replayed.outcomes.iter().zip(known);
                let off = curves.map(|(ours, theirs)| results::points_off(&ours.curve, theirs, SAME));
                points_off += off.sum::<usize>();
                points += replayed.outcomes.len() * replay::POINTS;
            }
        }
        report.rows.push(row);
    }
    if points > 0 {
        let peer = format!("points of {} curves", points / replay::POINTS);
        report
            .rows
            .push(Row::new(name("off"), points_off as f64, "points").beside(peer, points as f64).must(Must::Zero));
    }
    let (prices, finding) = timed(|| Prices::find(&workload.mix, &workload.nodes));
    let ours = workload.replay(&prices);
    let fgd = &published[5];
    let gains: Vec<f64> = ours.full().iter().zip(fgd.full()).map(|(ours, theirs)| ours - theirs).collect();
    let least = gains.iter().copied().fold(f64::INFINITY, f64::min);
    report.rows.extend([
        Row::new(name("price"), ours.mean(), "% of GPUs").beside("FGD", fgd.mean()).must(Must::AtLeast(1.0)),
        Row::new(name("price.gain"), mean(&gains), "points"),
        Row::new(name("price.gain.least"), least, "points"),
        Row::new(name("price.rate"), ours.rate(), "decisions/s").beside("FGD", fgd.rate()),
        Row::new(name("price.find"), finding.as_secs_f64() * 1_000.0, "ms"),
    ]);
    mean(&gains)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests;
