//! What goes wrong with the control plane and its disk, and how that ends.

use super::settings::Death;
use super::{Control, ControlEvent, RESTART_US};
use crate::disk::SimDisk;
use crate::plan::trouble::control::Control as Trouble;
use crate::plan::trouble::disk::Disk;
use crate::world::Event;
use crate::world::context::Context;
use crate::world::random::Domain;

/// How long a control plane that dies again and again stays away, in microseconds.
const LOOP_AWAY_US: u64 = 20_000;

impl Control {
    /// A trouble of the process begins that lasts until then.
    pub fn suffer(&mut self, id: u64, trouble: Trouble, until: u64, cx: &mut Context) {
        self.settings.change(id, trouble);
        match trouble {
            Trouble::Crash | Trouble::Upgrade { .. } => {
                if self.process.is_some() && trouble == Trouble::Crash {
                    cx.bite(trouble.name());
                }
                self.down += 1;
                self.die(cx);
            }
            Trouble::CrashLoop { life_us } => self.die_again(until, life_us, cx),
            Trouble::Pause => self.paused_until = self.paused_until.max(until),
            _ => {}
        }
    }

    /// It is over.
    pub fn recover(&mut self, id: u64, trouble: Trouble, cx: &mut Context) {
        self.settings.change_back(id);
        if matches!(trouble, Trouble::Crash | Trouble::Upgrade { .. }) {
            self.down = self.down.saturating_sub(1);
            self.start(cx);
            if self.process.is_some() && trouble != Trouble::Crash {
                cx.bite(trouble.name());
            }
        }
    }

    /// It dies, and after its next start again.
    pub(super) fn die_again(&mut self, until: u64, life_us: u64, cx: &mut Context) {
        let now = cx.now();
        if now >= until {
            return;
        }
        if self.process.is_some() {
            cx.bite(Trouble::CrashLoop { life_us }.name());
            self.die(cx);
        }
        cx.queue.after(LOOP_AWAY_US, Event::Control(ControlEvent::Start));
        let life = cx.random.between(Domain::Trouble, &[now, life_us], 1, life_us);
        cx.queue.after(LOOP_AWAY_US + life, Event::Control(ControlEvent::Dies { until, life_us }));
    }

    /// Until when it stands still, if it does.
    pub fn paused_until(&self, now: u64) -> Option<u64> {
        (self.paused_until > now).then_some(self.paused_until)
    }

    /// The process could not go on.
    pub(super) fn fall(&mut self, death: &Death, cx: &mut Context) {
        match death {
            Death::At(step) => cx.bite(step.name()),
            Death::Journal(_) => {}
        }
        cx.note("control", || format!("dies: {death:?}"));
        self.die(cx);
        cx.queue.after(RESTART_US, Event::Control(ControlEvent::Start));
    }

    /// A trouble of the disk begins.
    pub fn suffer_disk(&mut self, trouble: Disk) {
        match trouble {
            Disk::SyncFails => self.change_disk(|disk| disk.fail_syncs(1)),
            Disk::Full => self.change_disk(|disk| disk.set_full(true)),
            Disk::Stall { extra_us } => {
                self.stalls.insert(extra_us, extra_us);
            }
        }
    }

    /// It is over.
    pub fn recover_disk(&mut self, trouble: Disk) {
        match trouble {
            Disk::SyncFails => self.change_disk(SimDisk::mend_syncs),
            Disk::Full => self.change_disk(|disk| disk.set_full(false)),
            Disk::Stall { extra_us } => {
                self.stalls.remove(&extra_us);
            }
        }
    }

    fn change_disk(&mut self, change: impl FnOnce(&mut SimDisk)) {
        match &mut self.process {
            Some(process) => process.store.with_disk(change),
            None => change(&mut self.disk),
        }
    }
}
