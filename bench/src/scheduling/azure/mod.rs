//! Virtual machines of Azure that come in batches and leave when nobody knows: how long servers are open for them.

mod baselines;
mod lifetimes;
mod packing;
mod survival;
mod trace;

use crate::rounds::{rate, timed};
use crate::row::{Must, Row};
use crate::setting::{Fault, Setting};
use crate::table::traces;
use baselines::{Baseline, Clairvoyant, Rule};
use lifetimes::Lifetimes;
use packing::{Bound, MEMORY, Outcome, bound, pack};
use trace::{INTERVAL, Trace};

const FOLDER: &str = "azure-vm-v1-flavors";
/// The part with lifetimes, and when it begins and ends, in seconds of the trace.
const PART: &str = "v1.dev";
const BEGINS: i64 = 1_800_000;
const ENDS: i64 = 2_100_000;
/// The policy was tuned on what comes before.
const TUNED: i64 = BEGINS + 400 * INTERVAL;
/// What the quick look looks at.
const QUICK: i64 = BEGINS + 130 * INTERVAL;
/// Server time beyond the bound that is aimed at, in per cent.
const AIM: f64 = 4.0;

/// Packs the machines by every rule and by ours.
///
/// # Errors
/// When the trace is missing or cannot be read.
pub fn measure(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let directory = traces().join(FOLDER);
    if !directory.is_dir() {
        let remedy = format!("{} is not there", directory.display());
        return Err(Fault::Missing { program: "the trace of virtual machines on Azure", remedy });
    }
    let (trace, skipped) = Trace::read(&directory, PART, ENDS)?;
    skipped.say("scheduling");
    let whole = if setting.quick { trace.part(BEGINS, QUICK) } else { trace };
    packed(&whole, "azure", rows);
    if !setting.quick {
        packed(&whole.part(TUNED, ENDS), "azure.untuned", rows);
    }
    Ok(())
}

/// The rows of one trace.
fn packed(trace: &Trace, name: &str, rows: &mut Vec<Row>) {
    let bound = bound(trace);
    let name = |what: &str| format!("scheduling.{name}.{what}");
    let over = |outcome: &Outcome| over(outcome, &bound);
    let requests = &trace.requests;
    let machines = format!("{} machines, {} servers at least", requests.len(), (bound.peak + MEMORY - 1) / MEMORY);
    let rules = [
        ("firstfit", Rule::FirstFit),
        ("bestfit", Rule::BestFit),
        ("dotprod", Rule::DotProduct),
        ("worstfit", Rule::WorstFit),
    ];
    let outcomes = rules.map(|(_, rule)| pack(trace, Baseline { rule, requests }));
    for ((rule, _), outcome) in rules.iter().zip(&outcomes) {
        rows.push(
            Row::new(name(rule), over(outcome), "% over bound").note(format!("{} servers at most", outcome.peak)),
        );
    }
    let best = &outcomes[1];
    let (ours, took) = timed(|| pack(trace, Lifetimes::new(requests)));
    rows.push(
        Row::new(name("lifetimes"), over(&ours), "% over bound")
            .beside("best fit", over(best))
            .must(Must::AtMost(1.0))
            .aim(AIM)
            .note(machines),
    );
    rows.push(Row::new(name("lifetimes.peak"), ours.peak as f64, "servers").beside("best fit", best.peak as f64));
    rows.push(Row::new(name("lifetimes.rate"), rate(requests.len(), took), "decisions/s"));
    for (what, hundredths) in [("known", 0), ("known.tenth", 10)] {
        let outcome = pack(trace, Clairvoyant::new(trace, hundredths));
        let note = format!("every lifetime known{}", if hundredths > 0 { " to a tenth" } else { "" });
        rows.push(Row::new(name(what), over(&outcome), "% over bound").note(note));
    }
}

/// How much longer servers were open than the bound, in per cent.
fn over(outcome: &Outcome, bound: &Bound) -> f64 {
    (outcome.seconds * MEMORY) as f64 / bound.seconds as f64 * 100.0 - 100.0
}
