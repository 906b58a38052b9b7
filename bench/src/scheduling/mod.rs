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

/// Measures a part of the group.
type Part = fn(&Setting, &mut Vec<crate::row::Row>) -> Result<(), Fault>;

/// What `--part` can name, in the order in which it is measured.
pub const PARTS: [(&str, Part); 8] = [
    ("decisions", decisions::measure),
    ("memory", memory::measure),
    ("azure", azure::measure),
    ("dlrm", dlrm::measure),
    ("rebalance", rebalance::measure),
    ("shared", shared::measure),
    ("placed", placed::measure),
    ("c2m", packed::measure),
];

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
    for (_, measure) in PARTS.iter().filter(|(name, _)| setting.wants(name)) {
        if let Err(fault) = measure(setting, &mut report.rows) {
            report.faults.push(fault);
        }
    }
    Ok(report)
}
