//! What can be left out whole: faults and commands.

use super::Shrinker;
use crate::plan::Plan;

impl Shrinker<'_> {
    /// Leaves faults out, and moments from which draws begin anew.
    pub(super) fn drop_faults(&mut self) {
        self.drop_each(|plan| plan.faults.len(), |plan, from, to| drop(plan.faults.drain(from..to)));
        self.drop_each(|plan| plan.rekeys.len(), |plan, from, to| drop(plan.rekeys.drain(from..to)));
    }

    /// Leaves commands of clients out.
    pub(super) fn drop_operations(&mut self) {
        self.drop_each(|plan| plan.operations.len(), |plan, from, to| drop(plan.operations.drain(from..to)));
    }

    /// Leaves out as many of a list as can be, in ever smaller pieces: half of it, a quarter, down to one at a time, and
    /// one at a time again until none of them can go.
    pub(super) fn drop_each(&mut self, count: fn(&Plan) -> usize, drain: fn(&mut Plan, usize, usize)) {
        let mut piece = count(&self.best);
        while piece > 0 && !self.over {
            let mut dropped = false;
            // From the end, since what comes late is often only there because time went on.
            let mut to = count(&self.best);
            while to > 0 && !self.over {
                let from = to.saturating_sub(piece);
                dropped |= self.try_with(|plan| drain(plan, from, to));
                to = from;
            }
            if piece > 1 || !dropped {
                piece /= 2;
            }
        }
    }
}
