//! The scheduler: how many decisions it makes, how long one takes, and what it takes to remember. Each row stands beside
//! what must be reached and what is aimed at.

mod decisions;
mod fleet;
mod memory;

pub use memory::{CHILD, child};

use crate::setting::{Fault, Report, Setting};

/// Measures decisions of the scheduler's actor alone.
///
/// # Errors
/// When it does not decide as it must.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let mut report = Report::default();
    decisions::measure(setting, &mut report.rows)?;
    memory::measure(setting, &mut report.rows)?;
    Ok(report)
}
