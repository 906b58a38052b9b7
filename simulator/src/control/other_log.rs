//! The disk is wiped, or an older copy of all of it is put in its place. The journal opens: nothing in it tells it from
//! the truth. What shows it is an agent that was welcomed further than the log knows. Then the one who looks after it
//! stops the process, and at the end puts the right disk back and restarts the agents, which another log may have told
//! what to do. What the process did in between counts for nothing.

use super::Control;
use crate::oracle::Oracle;
use crate::plan::trouble::disk::Disk;
use crate::plan::{Fault, Plan, Trouble};
use crate::verdict::Invariant;
use crate::world::context::Context;
use messages::envelope::{Address, Envelope};
use messages::time::Timestamp;

/// After the right disk is back, what another log let run is gone after so long, in microseconds.
const GONE_AFTER_US: u64 = 10_000_000;
/// How old the copy is at the most that is put in the disk's place, in microseconds.
const REMEMBERED_EVERY_US: u64 = 4_000_000;

/// A log that is not the one that was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct OtherLog {
    id: u64,
    kind: &'static str,
    began: Timestamp,
    noticed: bool,
    /// What the oracle knew of the right one.
    right: Box<Oracle>,
}

impl Control {
    /// The power goes, and the disk comes back empty, or as it was some time ago.
    pub(super) fn swap_disk(&mut self, trouble: Disk, id: u64, cx: &mut Context) {
        if self.other_log.is_some() || self.is_damaged() {
            return;
        }
        self.lose_power(cx);
        self.disk.keep_copy();
        match trouble {
            Disk::Older => self.disk.go_back(),
            _ => self.disk.wipe(),
        }
        for machine in 0..cx.plan.machines.len() {
            cx.oracle.excuse(machine, cx.plan.heal_at.saturating_add(GONE_AFTER_US));
        }
        let plan = std::sync::Arc::clone(&cx.plan);
        let (began, right) = (cx.host_now(), Box::new(cx.oracle.set_aside(&plan)));
        self.other_log = Some(OtherLog { id, kind: trouble.name(), began, noticed: false, right });
        self.start(cx);
    }

    /// The plan is this from now on.
    pub fn goes_on_with(&mut self, plan: &Plan) {
        let older = |fault: &Fault| fault.trouble == Trouble::Disk(Disk::Older);
        self.remembers = plan.faults.iter().any(older);
    }

    /// Keeps how the disk is now and then, if it is to come back so later.
    pub(super) fn remember(&mut self, cx: &Context) {
        let due = cx.now() >= self.remembered + REMEMBERED_EVERY_US;
        if due && self.remembers && self.other_log.is_none() {
            self.remembered = cx.now();
            self.disk_mut().remember();
        }
    }

    /// The right disk is put back. Returns whether it was not the right one before.
    pub(super) fn put_right_disk_back(&mut self, id: u64, cx: &mut Context) -> bool {
        let Some(other) = self.other_log.take_if(|other| other.id == id) else { return false };
        self.lose_power(cx);
        if !other.noticed {
            cx.mark("other-log-unnoticed");
        }
        cx.void.push((other.began, cx.host_now()));
        cx.oracle.take_up_again(*other.right);
        self.disk.restore_copy();
        self.start(cx);
        true
    }

    /// Whether nobody starts the process, because its log was found to be another.
    pub(super) fn is_stopped(&self) -> bool {
        self.other_log.as_ref().is_some_and(|other| other.noticed)
    }

    /// An agent was welcomed further than the log knows.
    pub(super) fn notice_other_log(&mut self, told: String, cx: &mut Context) {
        cx.note("control", || told.clone());
        match &mut self.other_log {
            Some(other) => {
                other.noticed = true;
                cx.bite(other.kind);
                self.die(false, cx);
            }
            None if cx.void.is_empty() => {
                cx.violate(Invariant::AcknowledgedKept, "a log is taken for an older one", told);
            }
            None => {}
        }
    }
}

impl Context {
    /// Whether a message comes from a process over another log.
    pub fn is_void(&self, envelope: &Envelope) -> bool {
        let from_inside = matches!(envelope.from, Address::Actor(_) | Address::Host);
        from_inside && self.void.iter().any(|(from, to)| (*from..=*to).contains(&envelope.at))
    }
}
