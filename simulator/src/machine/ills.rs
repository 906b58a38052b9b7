//! What is wrong with a machine now, and what that does to what it does.

use super::{Machine, MachineEvent};
use crate::plan::trouble::machine::Machine as Trouble;
use crate::process::{Stops, Tempo};
use crate::world::Event;
use crate::world::context::Context;
use crate::world::random::Domain;
use messages::envelope::Envelope;
use messages::id::InstanceId;
use messages::resources::Resources;
use messages::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// By how many times a start takes longer where starts are slow.
const STARTS_SLOW: u64 = 100;
/// How long an agent that dies again and again is away each time, in microseconds.
const AGENT_DOWN_US: u64 = 30_000;

/// What is wrong with a machine now.
#[derive(Clone, Debug, Default)]
pub(super) struct Ills {
    /// The troubles under way, by the fault's identity, and until when they last.
    under_way: BTreeMap<u64, (Trouble, u64)>,
    /// What happened while it stood still.
    held: Vec<MachineEvent>,
    mail: Vec<Envelope>,
    /// Faults that strike again and again, and have it down now.
    down: BTreeSet<u64>,
    /// Instances that are said to have ended, and run on.
    zombies: Vec<InstanceId>,
    /// What it has, in thousandths of what it had; nothing, when it has all of it.
    has_per_mille: Option<u64>,
}

impl Ills {
    pub(super) fn begin(&mut self, id: u64, trouble: Trouble, until: u64) {
        self.under_way.insert(id, (trouble, until));
    }

    pub(super) fn end(&mut self, id: u64) {
        self.under_way.remove(&id);
    }

    /// Whether a fault that strikes again and again has it down; it is up then.
    pub(super) fn lies_down(&mut self, id: u64) -> bool {
        self.down.remove(&id)
    }

    pub(super) fn find(&self, id: u64) -> Option<Trouble> {
        self.under_way.get(&id).map(|(trouble, _)| *trouble)
    }

    /// Whether anything goes wrong now.
    pub(super) fn any_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    fn any<T>(&self, of: impl Fn(&Trouble) -> Option<T>) -> Option<T> {
        self.under_way.values().find_map(|(trouble, _)| of(trouble))
    }

    /// Until when the last trouble of a kind lasts.
    fn until(&self, kind: Trouble) -> Option<u64> {
        self.under_way.values().filter(|(trouble, _)| *trouble == kind).map(|(_, until)| *until).max()
    }

    pub(super) fn frozen(&self) -> bool {
        self.until(Trouble::Pause).is_some()
    }

    /// What happens to it, unless it stands still: then it happens later.
    pub(super) fn unless_frozen(&mut self, event: MachineEvent) -> Option<MachineEvent> {
        let waits = self.frozen() && !matches!(event, MachineEvent::Boot | MachineEvent::Again(_));
        if waits {
            self.held.push(event);
        }
        (!waits).then_some(event)
    }

    /// What is said to it, unless it stands still.
    pub(super) fn unless_deaf(&mut self, envelope: Envelope) -> Option<Envelope> {
        if self.frozen() {
            self.mail.push(envelope);
            return None;
        }
        Some(envelope)
    }

    /// What waited while it stood still.
    pub(super) fn take_held(&mut self) -> (Vec<MachineEvent>, Vec<Envelope>) {
        (std::mem::take(&mut self.held), std::mem::take(&mut self.mail))
    }

    pub(super) fn forget_held(&mut self) {
        self.take_held();
    }

    pub(super) const fn shrink(&mut self, has_per_mille: Option<u64>) {
        self.has_per_mille = has_per_mille;
    }
}

impl Machine {
    /// Whether a message with this key is lost on its own link.
    pub(super) fn loses(&self, message: u64, cx: &mut Context) -> bool {
        let lossy = self.ills.under_way.iter().find_map(|(id, (trouble, _))| match trouble {
            Trouble::Link { per_mille } => Some((*id, *per_mille)),
            _ => None,
        });
        let Some((id, per_mille)) = lossy else { return false };
        let lost = cx.random.chance(Domain::Loss, &[0x11c, id, message], per_mille);
        if lost {
            cx.bite("lossy-link");
        }
        lost
    }

    /// Why nothing can be started, if that is so.
    pub(super) fn fails_to_start(&self, cx: &mut Context) -> Option<&'static str> {
        let failing = self.ills.any(|trouble| match trouble {
            Trouble::StartsFail => Some((trouble.name(), "the kernel cannot start anything")),
            Trouble::DiskReadOnly => Some((trouble.name(), "its record cannot be written: the disk is read-only")),
            _ => None,
        });
        failing.map(|(kind, because)| {
            cx.bite(kind);
            because
        })
    }

    /// Whether the lease cannot be kept where the watchdog and the next agent look for it.
    pub(super) fn keeps_no_records(&self, cx: &mut Context) -> bool {
        let read_only = self.ills.until(Trouble::DiskReadOnly).is_some();
        if read_only {
            cx.bite(Trouble::DiskReadOnly.name());
        }
        read_only
    }

    /// By how many times things take longer now.
    pub(super) fn tempo(&self, start: bool, cx: &mut Context) -> Tempo {
        let slow = self.ills.any(|trouble| match trouble {
            Trouble::Slow { factor } => Some(*factor),
            _ => None,
        });
        let starts = self.ills.until(Trouble::StartsSlow).filter(|_| start).map(|_| STARTS_SLOW);
        for kind in [slow.map(|_| "machine-slow"), starts.map(|_| "starts-slow")].into_iter().flatten() {
            cx.bite(kind);
        }
        let slow = slow.unwrap_or(1);
        Tempo { start: slow.max(starts.unwrap_or(1)), other: slow }
    }

    /// How what is told to stop now answers.
    pub(super) fn stops(&self, grace: Span, cx: &mut Context) -> Stops {
        let stops = self.ills.any(|trouble| match trouble {
            Trouble::StopsIgnored => Some((trouble.name(), Stops::Ignores)),
            Trouble::StopsLate => Some((trouble.name(), Stops::Late)),
            _ => None,
        });
        let Some((kind, stops)) = stops.filter(|_| grace.0 > 0) else { return Stops::Normally };
        cx.bite(kind);
        stops
    }

    /// Whether a kill does not end it now. It is stuck in the kernel, does nothing any more, and ends when that is over.
    pub(super) fn cannot_be_killed(&self, instance: InstanceId, cx: &mut Context) -> bool {
        let Some(until) = self.ills.until(Trouble::Unkillable) else { return false };
        let Some(process) = self.processes.get(&instance).filter(|process| process.runs()) else { return false };
        cx.bite(Trouble::Unkillable.name());
        cx.oracle.stuck(self.index, instance);
        let after = until.saturating_sub(cx.now());
        process.arrange(after + 1, crate::process::Stage::Stopped, self.index, self.boots, cx);
        true
    }

    /// Whether checks say that all is well, whatever is.
    pub(super) fn checks_lie(&self) -> bool {
        self.ills.any(|trouble| matches!(trouble, Trouble::ChecksLie { .. }).then_some(())).is_some()
    }

    /// Whether something that is said to have ended runs on.
    pub(super) fn goes_on_as_a_zombie(&mut self, instance: InstanceId, cx: &mut Context) -> bool {
        let zombie = self.ills.until(Trouble::Zombies).is_some();
        if zombie {
            cx.bite(Trouble::Zombies.name());
            cx.oracle.zombie(self.index, instance);
            self.ills.zombies.push(instance);
        }
        zombie
    }

    /// What ran on unseen is gone.
    pub(super) fn bury_zombies(&mut self, cx: &mut Context) {
        for instance in std::mem::take(&mut self.ills.zombies) {
            cx.oracle.ended(self.index, instance);
        }
    }

    /// How late the watchdog looks.
    pub(super) fn watchdog_lags(&self) -> u64 {
        let lag = self.ills.any(|trouble| match trouble {
            Trouble::WatchdogLate { by_us } => Some(*by_us),
            _ => None,
        });
        lag.unwrap_or_default()
    }

    /// The watchdog has found something to kill.
    pub(super) fn watchdog_bites(&self, until: Timestamp, cx: &mut Context) {
        if self.watchdog_lags() > 0 && self.shows(cx.now()) > until {
            cx.bite("watchdog-late");
        }
    }

    /// What it has.
    pub(super) fn has(&self) -> Resources {
        self.part(self.ills.has_per_mille.unwrap_or(1_000))
    }

    /// What it says it has.
    pub(super) fn says(&self) -> Resources {
        self.part(self.ills.has_per_mille.unwrap_or(1_000).min(self.says_per_mille))
    }

    fn part(&self, part: u64) -> Resources {
        let of = |amount: u64| amount / 1_000 * part + amount % 1_000 * part / 1_000;
        let all = self.spec.capacity.clone();
        Resources { cpu_milli: of(all.cpu_milli), memory_bytes: of(all.memory_bytes), ..all }
    }

    /// A fault that strikes again and again does, or lets it up again.
    pub(super) fn strike_again(&mut self, fault: u64, cx: &mut Context) {
        let (trouble, after) = match self.ills.find(fault) {
            Some(trouble @ Trouble::AgentCrashLoop { lives_us }) => (trouble, lives_us),
            Some(trouble @ Trouble::Flaps { every_us }) => (trouble, every_us),
            _ => return,
        };
        let whole = matches!(trouble, Trouble::Flaps { .. });
        if self.ills.lies_down(fault) {
            if whole { self.boot(cx) } else { self.start_agent(cx) }
        } else {
            let struck = if whole { self.lose_power(cx) } else { self.kill_agent() };
            self.ills.down.insert(fault);
            if struck {
                cx.bite(trouble.name());
            }
        }
        let down = self.ills.down.contains(&fault) && !whole;
        let after = if down { AGENT_DOWN_US } else { after };
        cx.queue.after(after, Event::Machine(self.index, MachineEvent::Again(fault)));
    }
}
