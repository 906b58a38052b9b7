//! The scheduler: how many decisions it makes, how long one takes, what it takes to remember, and what its policies come
//! to on real traces. Each row stands beside what must be reached and what is aimed at.

mod azure;
mod decisions;
mod dlrm;
mod draw;
mod fleet;
mod memory;
mod packed;
pub mod placed;
mod rebalance;
mod shared;

pub use memory::{CHILD, child};

use crate::setting::{Fault, Report, Setting};

/// Measures one part of the group.
type Measure = fn(&Setting, &mut Vec<crate::row::Row>) -> Result<(), Fault>;

/// Measures decisions of the scheduler's actor alone, and its policies. A trace that is missing leaves out its part, and
/// is said.
///
/// # Errors
/// When a picture cannot be drawn. What could not be measured is in the report.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let mut report = Report::default();
    if let Some(directory) = &setting.draw {
        return draw::draw(setting, directory).map(|()| report);
    }
    let parts: [Measure; 8] = [
        decisions::measure,
        memory::measure,
        azure::measure,
        dlrm::measure,
        rebalance::measure,
        shared::measure,
        placed::measure,
        packed::measure,
    ];
    for part in parts {
        if let Err(fault) = part(setting, &mut report.rows) {
            report.faults.push(fault);
        }
    }
    Ok(report)
}
