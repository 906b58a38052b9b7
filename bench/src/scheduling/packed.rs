//! Two million instances on 6,100 nodes from nothing, as HashiCorp's C2M challenge (2020) has it: the whole control plane in
//! the simulator, from the manifests until the last instance runs.

use crate::rounds::processor_time;
use crate::row::{Row, most};
use crate::setting::{Fault, Setting};
use simulator::big::Big;
use simulator::world::Knobs;
use simulator::world::queue::Store;

/// Nodes of the challenge, and of the part of it that is run.
const NODES: u32 = 6_100;
const PART: u32 = 50;
const QUICK_PART: u32 = 300;
/// Virtual seconds, in which all have started.
const SECONDS: u64 = 600;

/// Runs a part of the challenge and says what all of it would take.
///
/// # Errors
/// When an invariant does not hold or not all have started.
pub fn measure(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let part = if setting.quick { QUICK_PART } else { PART };
    let big = Big::packed(NODES / part, SECONDS);
    let begun = processor_time();
    let verdict = simulator::run_with(&big.plan(1), Knobs { store: Store::Wheel, rest: true });
    let took = processor_time() - begun;
    if let Some(found) = verdict.violations.first() {
        return Err(Fault::Failed(format!("{}: {}", found.signature, found.message)));
    }
    let (started, all) = (verdict.statistics.starts, u64::from(big.jobs * big.instances));
    if started < all {
        return Err(Fault::Failed(format!("{started} of {all} have started after {SECONDS} s")));
    }
    let note = format!("{part} times what {started} starts on {} nodes take, all invariants on", NODES / part);
    rows.push(most("scheduling.c2m", took * f64::from(part), "s", 200.0, 60.0).note(note));
    Ok(())
}
