//! What goes wrong with a machine's clocks. The monotonic one never goes back; the wall clock may.

use super::Machine;
use crate::plan::trouble::clock::Clock;
use crate::world::context::Context;

/// After a clock that was beyond the bound runs as ever, what it let live too long is gone after so long, in
/// microseconds: the longest lease, by a clock that is as slow as clocks may be.
const GONE_AFTER_US: u64 = 8_000_000;

impl Machine {
    /// A trouble of its clocks begins.
    pub fn suffer_clock(&mut self, trouble: Clock, until: u64, cx: &mut Context) {
        let now = cx.now();
        if self.on && self.agent.is_some() {
            cx.bite(trouble.name());
        }
        if trouble.beyond_the_bound() {
            cx.oracle.excuse(self.index, until.saturating_add(GONE_AFTER_US));
        }
        match trouble {
            Clock::Step { by_us } => self.wall.step(now, by_us),
            Clock::Freeze => self.change_clocks(|clock| clock.freeze(now), cx),
            Clock::Drift { ppm } | Clock::DriftBeyond { ppm } => self.change_clocks(|clock| clock.drift(now, ppm), cx),
            Clock::ControlForward { .. }
            | Clock::ControlBack { .. }
            | Clock::ControlFreeze
            | Clock::ControlDrift { .. } => {}
        }
    }

    /// It is over.
    pub fn recover_clock(&mut self, trouble: Clock, cx: &mut Context) {
        let now = cx.now();
        match trouble {
            Clock::Step { by_us } => self.wall.step(now, -by_us),
            _ => self.change_clocks(|clock| clock.run_as_ever(now), cx),
        }
    }

    /// Changes both clocks, and arranges anew what was to happen by them.
    fn change_clocks(&mut self, change: impl Fn(&mut crate::world::clock::Timepiece), cx: &mut Context) {
        change(&mut self.monotonic);
        change(&mut self.wall);
        self.watchdog_at = u64::MAX;
        if let Some(until) = self.lease_until {
            self.renew(until, cx);
        }
        if let Some(agent) = &mut self.agent {
            agent.tick_at = u64::MAX;
        }
        self.arrange_tick(cx);
    }
}
