//! What goes wrong with the control plane's process, and how that ends.

use super::settings::Death;
use super::{Control, ControlEvent, RESTART_US};
use crate::plan::trouble::control::Control as Trouble;
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
                self.die(true, cx);
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
            self.die(true, cx);
        }
        cx.queue.after(LOOP_AWAY_US, Event::Control(ControlEvent::Start));
        let life = cx.random.between(Domain::Trouble, &[now, life_us], 1, life_us);
        cx.queue.after(LOOP_AWAY_US + life, Event::Control(ControlEvent::Dies { until, life_us }));
    }

    /// Until when it stands still, if it does.
    pub fn paused_until(&self, now: u64) -> Option<u64> {
        (self.paused_until > now).then_some(self.paused_until)
    }

    /// The process could not go on, and dies of it. Now and then the disk's power goes as well.
    pub(super) fn fall(&mut self, death: &Death, cx: &mut Context) {
        match death {
            Death::At(step) => cx.bite(step.name()),
            Death::Journal(_) => {}
        }
        cx.note("control", || format!("dies: {death:?}"));
        self.count_bites(cx);
        let power = self.disk_mut().is_dark() || cx.random.chance(Domain::Choice, &[0xd1e, self.generation], 500);
        self.die(power, cx);
        cx.queue.after(RESTART_US, Event::Control(ControlEvent::Start));
    }
}
