//! Two million instances on 6,100 nodes from nothing, as HashiCorp's C2M challenge (2020) has it: the whole control plane in
//! the simulator, from the manifests until the last instance runs.

use crate::row::{Row, most};
use crate::setting::{Fault, Setting};
use crate::simulation::{RESTING, run};
use simulator::big::Big;

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
    let ran = run(&big.plan(1), RESTING)?;
    let (started, all) = (ran.starts, f64::from(big.jobs * big.instances));
    if started < all {
        return Err(Fault::Failed(format!("{started} of {all} have started after {SECONDS} s")));
    }
    let note = format!("{part} times what {started} starts on {} nodes take, all invariants on", NODES / part);
    rows.push(most("scheduling.c2m", ran.took * f64::from(part), "s", 200.0, 60.0).note(note));
    Ok(())
}
