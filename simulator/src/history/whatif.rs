//! What would have been: a moment of a log run on without and with a change, and where the two part.
//!
//! The run without a change is the control. It is held against the record, to say how far the planned world can be
//! trusted, and the changed run against the control, so that every difference is the change's doing.

use super::change::Change;
use super::moment::Moment;
use super::planner::{Beginning, Planner};
use super::report::{Fidelity, Report};
use messages::time::Timestamp;
use std::sync::Arc;

/// A run: the planned world at its end, and whether it got there.
#[derive(Clone, Debug)]
pub struct Run {
    /// The world.
    pub world: Planner,
    /// The change's own commands.
    pub own: std::collections::BTreeSet<uuid::Uuid>,
    /// Whether it came to its end, rather than being given up because too much happened.
    pub whole: bool,
}

/// A world at the moment, with everything arranged that is going to happen to it.
///
/// # Errors
/// Every row of the change that cannot be: where it begins, and why.
pub fn prepare(moment: &Moment, change: &Change) -> Result<Run, Vec<(usize, String)>> {
    let applied = change.apply(moment)?;
    let beginning = Beginning { away: Arc::new(applied.away), ..moment.beginning.clone() };
    let mut world = Planner::new(&beginning);
    for (at, deed) in applied.deeds {
        world.arrange(at, deed);
    }
    Ok(Run { world, own: applied.own, whole: true })
}

impl Run {
    /// Runs to the end.
    #[must_use]
    pub fn to(mut self, until: Timestamp) -> Self {
        self.whole = self.world.run(until);
        self.world.book.close(until);
        self
    }
}

/// Holds the two runs against each other, and the control against the record.
pub fn compare(moment: &Moment, control: &Run, changed: &Run) -> Report {
    let fidelity = Fidelity::of(&moment.recorded, &control.world.book);
    Report::of(moment, fidelity, control, changed)
}
