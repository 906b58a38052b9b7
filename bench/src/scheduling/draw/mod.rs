//! Pictures: how a cluster is packed, node by node, and how much of its GPUs is stranded as pods arrive.

mod curves;
mod packing;

use crate::fgd::price::Prices;
use crate::fgd::published::{BestFit, Fgd};
use crate::fgd::replay::{Policy, Settled, settle};
use crate::fgd::{Workload, fragment};
use crate::setting::{Fault, Setting, failed};
use std::path::Path;

/// What the colours are, light or dark as the reader likes it.
const STYLE: &str = "svg { color-scheme: light dark; --paper: #fbfaf7; --ink: #23262b; --soft: #666c75; --line: #dfdcd3; \
    --used: #2f6db3; --free: #dfe5ea; --stranded: #d4572f; --second: #3c8a5a; --third: #8a6fb0; } \
    @media (prefers-color-scheme: dark) { svg { --paper: #16181c; --ink: #e4e2dc; --soft: #979da6; --line: #343941; \
    --used: #4f86c6; --free: #2b323a; --stranded: #ef8268; --second: #6cc28d; --third: #b9a2dc; } } \
    text { font: 13px ui-sans-serif, system-ui, 'Segoe UI', Roboto, sans-serif; fill: var(--ink); } \
    .soft { fill: var(--soft); font-size: 12px; } .title { font-size: 18px; font-weight: 600; } \
    .paper { fill: var(--paper); } .line { stroke: var(--line); fill: none; } .used { fill: var(--used); } \
    .free { fill: var(--free); } .stranded { fill: var(--stranded); } .curve { fill: none; stroke-width: 2; }";
/// The curves have a point at each of these, in per cent of the GPUs asked for.
const STEP: usize = 5;

/// Draws the default list of the GPU trace in its first order into this directory.
///
/// # Errors
/// When the trace is missing, or the directory cannot be written.
pub fn draw(setting: &Setting, directory: &Path) -> Result<(), Fault> {
    let workload = Workload::default_list(setting)?;
    let prices = Prices::find(&workload.mix, &workload.nodes);
    let fgd = Fgd(&workload.mix);
    std::fs::create_dir_all(directory).map_err(failed(directory.display()))?;
    let write = |name: &str, text: String| -> Result<(), Fault> {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(failed(path.display()))?;
        eprintln!("bench: scheduling: drawn: {}", path.display());
        Ok(())
    };
    let picture = |name: &str, settled: &Settled| packing::picture(name, &workload, settled);
    write("packing-fgd.svg", picture("FGD", &at(&workload, &fgd, 100)))?;
    write("packing-price.svg", picture("bid prices", &at(&workload, &prices, 100)))?;
    let lines = [
        ("best fit", "third", curve(&workload, &BestFit)),
        ("FGD", "second", curve(&workload, &fgd)),
        ("bid prices", "used", curve(&workload, &prices)),
    ];
    write("fragmentation.svg", curves::picture(&lines))
}

/// The cluster once so many per cent of its GPUs were asked for.
fn at<P: Policy>(workload: &Workload, policy: &P, percent: i64) -> Settled {
    settle(policy, &workload.nodes, &workload.pods, &workload.orders[0], percent)
}

/// The share of all GPUs that is stranded, in per cent, at each step.
fn curve<P: Policy>(workload: &Workload, policy: &P) -> Vec<(f64, f64)> {
    let whole: i64 = workload.nodes.iter().map(|node| node.gpu()).sum();
    let stranded = |percent: usize| {
        let settled = at(workload, policy, percent as i64);
        let stranded: f64 = settled.nodes.iter().map(|node| fragment::fragment(node, &workload.mix)).sum();
        (percent as f64, stranded * 100.0 / whole as f64)
    };
    (STEP..=100).step_by(STEP).map(stranded).collect()
}

/// A picture of this size with this in it.
fn framed(width: usize, height: usize, inside: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\">\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n\
         {inside}</svg>\n"
    )
}
