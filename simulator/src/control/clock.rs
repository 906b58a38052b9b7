//! What goes wrong with the control plane's clocks. The process takes the wall clock when it starts, and then counts by
//! the monotonic one, as the live host does.

use super::{Control, Process};
use crate::plan::trouble::clock::Clock;
use crate::world::context::Context;

/// After the wall clock jumped while the control plane was down, leases that it took for over are over after so long,
/// in microseconds.
const OVER_AFTER_US: u64 = 8_000_000;

impl Control {
    /// A trouble of a clock begins.
    pub fn suffer_clock(&mut self, trouble: Clock, cx: &mut Context) {
        let now = cx.now();
        match trouble {
            Clock::ControlForward { by_us } => self.step(trouble, i64::try_from(by_us).unwrap_or(0), cx),
            Clock::ControlBack { by_us } => self.step(trouble, -i64::try_from(by_us).unwrap_or(0), cx),
            Clock::ControlFreeze => self.change(trouble, |cx| cx.host.change(|clock| clock.freeze(now)), cx),
            Clock::ControlDrift { ppm } => {
                self.change(trouble, |cx| cx.host.change(|clock| clock.drift(now, ppm)), cx);
            }
            Clock::Step { .. } | Clock::Freeze | Clock::Drift { .. } | Clock::DriftBeyond { .. } => {}
        }
    }

    /// It is over.
    pub fn recover_clock(&mut self, trouble: Clock, cx: &mut Context) {
        let now = cx.now();
        match trouble {
            Clock::ControlForward { by_us } => self.step(trouble, -i64::try_from(by_us).unwrap_or(0), cx),
            Clock::ControlBack { by_us } => self.step(trouble, i64::try_from(by_us).unwrap_or(0), cx),
            Clock::ControlFreeze | Clock::ControlDrift { .. } => {
                self.change(trouble, |cx| cx.host.change(|clock| clock.run_as_ever(now)), cx);
            }
            Clock::Step { .. } | Clock::Freeze | Clock::Drift { .. } | Clock::DriftBeyond { .. } => {}
        }
    }

    /// The wall clock is set. That takes effect when the process starts again, and so it is killed some time later.
    fn step(&mut self, trouble: Clock, by_us: i64, cx: &mut Context) {
        let before = cx.host_now();
        cx.host.wall.step(cx.now(), by_us);
        if cx.host_now() == before && self.process.is_some() {
            cx.mark("wall-clock-set-under-way");
        }
        self.die(false, cx);
        self.start(cx);
        if self.process.is_some() {
            cx.bite(trouble.name());
        }
    }

    fn change(&mut self, trouble: Clock, change: impl FnOnce(&mut Context), cx: &mut Context) {
        change(cx);
        if let Some(process) = &mut self.process {
            cx.bite(trouble.name());
            process.clock_changed(self.generation, cx);
        }
    }

    /// The process starts, and takes the time. Where the wall clock has jumped forward while it was down, it takes
    /// leases for over that may not be: of those nothing is promised.
    pub(super) fn take_time(cx: &mut Context) {
        let before = cx.host_now();
        cx.host
            .begin(cx.queue.now(), cx.oracle.fold().cells().map(actors::cast::AnyCell::at).max().unwrap_or_default());
        let now = cx.now();
        if cx.host_now().since(before).0 > 0 {
            let suspect: Vec<_> = cx.oracle.fold().nodes().filter(|(_, node)| node.given_up_at().is_some()).collect();
            let suspect: Vec<_> = suspect.into_iter().map(|(id, _)| messages::id::NodeId(id.id)).collect();
            for machine in suspect.into_iter().filter_map(|node| cx.machine_of(node)).collect::<Vec<_>>() {
                cx.mark("suspect-while-the-clock-jumped");
                cx.oracle.excuse(machine, now + OVER_AFTER_US);
            }
        }
    }
}

impl Process {
    /// What was to happen by the clock is arranged anew.
    fn clock_changed(&mut self, generation: u64, cx: &mut Context) {
        self.deadlines.clear();
        self.due.clear();
        for (id, shard) in &self.shards {
            if let Some(due) = shard.deadline().map(|due| cx.when(due)) {
                self.due.insert(*id, due);
                self.deadlines.insert((due, *id));
            }
        }
        self.tick_at = u64::MAX;
        self.arrange_tick(generation, cx);
    }
}
