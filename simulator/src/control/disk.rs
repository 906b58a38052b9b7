//! What goes wrong with the control plane's disk, and how that ends. Over damage in what was durable the journal must
//! refuse to open; then the one who looks after it puts a good copy back.

use super::{Control, RESTART_US};
use crate::disk::{Damage, During, Fates, Ill, Losses, Place, PowerCut, SimDisk};
use crate::plan::trouble::disk::Disk;
use crate::verdict::Invariant;
use crate::world::Event;
use crate::world::context::Context;
use std::collections::BTreeMap;

/// What the world did to the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrongs {
    /// By how many times, and by how many microseconds more, operations take longer, by the fault's identity.
    drags: BTreeMap<u64, (Disk, u64, u64)>,
    /// Which fault damaged it, of which kind, and where.
    damaged: Option<(u64, &'static str, Place)>,
}

impl Wrongs {
    /// How long an operation takes that would take so long on a sound disk.
    pub(super) fn drag(&self, takes: u64) -> u64 {
        let factor = self.drags.values().map(|(_, factor, _)| *factor).max().unwrap_or(1);
        takes * factor + self.drags.values().map(|(_, _, extra)| *extra).max().unwrap_or_default()
    }

    /// The kinds of trouble that make operations take longer.
    pub(super) fn dragging(&self) -> impl Iterator<Item = &'static str> {
        self.drags.values().map(|(trouble, ..)| trouble.name())
    }
}

impl Control {
    /// A trouble of the disk begins. `id` is the fault's.
    pub fn suffer_disk(&mut self, trouble: Disk, id: u64, cx: &mut Context) {
        match trouble {
            Disk::Stall { extra_us } => drop(self.wrongs.drags.insert(id, (trouble, 1, extra_us))),
            Disk::Throttle { factor } => drop(self.wrongs.drags.insert(id, (trouble, factor, 0))),
            Disk::SyncFails => self.disk_mut().fail_syncs(1, false),
            Disk::SyncGate => self.disk_mut().fail_syncs(1, true),
            Disk::ShortWrite => self.disk_mut().cut_a_write(),
            Disk::Full | Disk::SyncsFail | Disk::ReadOnly => self.disk_mut().fall_ill(ill_of(trouble)),
            Disk::ShortReads => {
                self.disk_mut().fall_ill(Ill::ShortReads);
                self.die(false, cx);
                self.start(cx);
            }
            Disk::TornWrite => self.arm(During::Write, Fates::Torn),
            Disk::LostPages => self.arm(During::Sync, Fates::PagesLost),
            Disk::GarbledPages => self.arm(During::Sync, Fates::PagesGarbled),
            Disk::LostNames => self.arm(During::SyncNames, Fates::NamesLost),
            Disk::Unreadable => self.damage(Damage::Unreadable, trouble.name(), id, cx),
            Disk::Flip => self.damage(Damage::Flip, trouble.name(), id, cx),
            Disk::Misdirected => self.damage(Damage::Misdirected, trouble.name(), id, cx),
            Disk::Phantom => self.damage(Damage::Phantom, trouble.name(), id, cx),
            Disk::Wiped | Disk::Older => self.swap_disk(trouble, id, cx),
        }
    }

    /// It is over. Returns whether agents have to be restarted, because another log may have told them what to do.
    pub fn recover_disk(&mut self, trouble: Disk, id: u64, cx: &mut Context) -> bool {
        self.count_bites(cx);
        match trouble {
            Disk::Stall { .. } | Disk::Throttle { .. } => drop(self.wrongs.drags.remove(&id)),
            Disk::SyncFails => self.disk_mut().mend_syncs(),
            Disk::SyncGate => {
                self.disk_mut().mend_syncs();
                self.lose_power(cx);
                self.start(cx);
            }
            Disk::ShortWrite => self.disk_mut().mend_writes(),
            Disk::Full | Disk::SyncsFail | Disk::ReadOnly | Disk::ShortReads => {
                self.disk_mut().recover(ill_of(trouble));
            }
            Disk::TornWrite | Disk::LostPages | Disk::GarbledPages | Disk::LostNames => self.disk_mut().arm(None),
            Disk::Unreadable | Disk::Flip | Disk::Misdirected | Disk::Phantom => self.restore(id, cx),
            Disk::Wiped | Disk::Older => return self.put_right_disk_back(id, cx),
        }
        false
    }

    pub(super) fn disk_mut(&mut self) -> &mut SimDisk {
        match &mut self.process {
            Some(process) => process.store.disk_mut(),
            None => &mut self.disk,
        }
    }

    fn arm(&mut self, during: During, fates: Fates) {
        self.disk_mut().arm(Some(PowerCut { during, fates }));
    }

    /// The power goes, of the process and of its disk.
    pub(super) fn lose_power(&mut self, cx: &mut Context) {
        if self.process.is_some() {
            self.die(true, cx);
        } else {
            self.crash_disk(cx);
        }
    }

    /// The disk has lost its power.
    pub(super) fn crash_disk(&mut self, cx: &mut Context) {
        let dark = self.disk.is_dark();
        let Losses { lost, torn, holes, garbled, names, .. } = self.disk.crash(cx.random);
        let mut marks = vec![("unsynced-tail-lost", lost > 0)];
        if dark {
            cx.mark("power-went-while-writing");
            for (kind, bites) in
                [("torn-write", torn), ("lost-pages", holes), ("garbled-pages", garbled), ("lost-names", names)]
            {
                if bites > 0 {
                    cx.bite(kind);
                }
            }
        }
        marks.retain(|(_, reached)| *reached);
        marks.into_iter().for_each(|(mark, _)| cx.mark(mark));
    }

    /// The power goes, and something durable is damaged. One damage at a time: the copy that is put back is of before.
    fn damage(&mut self, damage: Damage, kind: &'static str, id: u64, cx: &mut Context) {
        if self.wrongs.damaged.is_some() || self.other_log.is_some() {
            return;
        }
        self.lose_power(cx);
        self.disk.keep_copy();
        match self.disk.damage(damage, cx.random, id) {
            Some(place) => self.wrongs.damaged = Some((id, kind, place)),
            None => drop(self.disk.restore_copy()),
        }
        self.start(cx);
    }

    /// The good copy is put back.
    fn restore(&mut self, id: u64, cx: &mut Context) {
        if self.wrongs.damaged.take_if(|(fault, ..)| *fault == id).is_some() {
            self.disk.restore_copy();
            self.start(cx);
        }
    }

    /// The journal was not opened. That is right while something is wrong with the disk, and when it is damaged it must
    /// say where, and what to do, and leave everything as it is.
    pub(super) fn refused(&mut self, trouble: &str, faulty: bool, before: Option<&SimDisk>, cx: &mut Context) {
        cx.note("control", || format!("does not start: {trouble}"));
        self.count_bites(cx);
        if self.disk.is_dark() {
            self.crash_disk(cx);
        } else if let (Some((_, kind, place)), Some(before)) = (&self.wrongs.damaged, before) {
            cx.bite(kind);
            cx.mark("damage-refused");
            let told = trouble.contains(&place.file) && trouble.contains("restore");
            if !told {
                let message = format!("{place:?}: {trouble}");
                cx.violate(Invariant::Recovers, "damage is refused without saying where and what to do", message);
            }
            if !self.disk.holds_the_same(before) {
                cx.violate(Invariant::Recovers, "a journal that is refused is changed", trouble.into());
            }
        } else if !faulty {
            cx.violate(Invariant::Recovers, "the journal does not open after a crash", trouble.into());
        }
        cx.queue.after(RESTART_US, Event::Control(super::ControlEvent::Start));
    }

    /// The journal was opened. Over damage that must not be.
    pub(super) fn opened(&self, cx: &mut Context) {
        if let Some((_, kind, place)) = &self.wrongs.damaged {
            let message = format!("{kind} at {place:?}");
            cx.violate(Invariant::Recovers, "a damaged journal opens", message);
        }
    }

    /// Whether the disk is damaged now.
    pub(super) const fn is_damaged(&self) -> bool {
        self.wrongs.damaged.is_some()
    }

    /// What has come of what is wrong with the disk is counted.
    pub(super) fn count_bites(&mut self, cx: &mut Context) {
        for kind in self.disk_mut().take_bites() {
            cx.bite(kind);
        }
    }
}

const fn ill_of(trouble: Disk) -> Ill {
    match trouble {
        Disk::Full => Ill::Full,
        Disk::SyncsFail => Ill::SyncsFail,
        Disk::ReadOnly => Ill::ReadOnly,
        _ => Ill::ShortReads,
    }
}
