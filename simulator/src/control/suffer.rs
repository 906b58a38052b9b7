//! What goes wrong with the control plane and its disk, and how that ends.

use super::Control;
use crate::disk::SimDisk;
use crate::plan::trouble::control::Control as Trouble;
use crate::plan::trouble::disk::Disk;
use crate::world::context::Context;

impl Control {
    /// A trouble of the process begins.
    pub fn suffer(&mut self, trouble: Trouble, cx: &mut Context) {
        match trouble {
            Trouble::Crash => {
                if self.process.is_some() {
                    cx.bite(trouble.name());
                }
                self.down += 1;
                self.die(cx);
            }
        }
    }

    /// It is over.
    pub fn recover(&mut self, trouble: Trouble, cx: &mut Context) {
        match trouble {
            Trouble::Crash => {
                self.down = self.down.saturating_sub(1);
                self.start(cx);
            }
        }
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
