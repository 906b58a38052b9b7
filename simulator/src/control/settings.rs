//! How the control plane is set now, and at which of its steps it is to die.

use super::Process;
use crate::plan::Plan;
use crate::plan::trouble::control::{Control as Trouble, Knobs, Step};
use crate::world::context::Context;
use messages::time::Span;
use std::collections::{BTreeMap, BTreeSet};

/// How the control plane is set. Troubles under way go by their id.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    knobs: Option<Knobs>,
    snapshot_always: BTreeSet<u64>,
    frame_limits: BTreeMap<u64, u64>,
    passivations: BTreeMap<u64, u64>,
    turns: u64,
    armed: BTreeMap<u64, (Step, u64)>,
}

/// Why the process dies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// The journal cannot be written.
    Journal(String),
    /// A fault wants it to die at this step.
    At(Step),
}

impl From<String> for Death {
    fn from(trouble: String) -> Self {
        Self::Journal(trouble)
    }
}

impl Settings {
    /// A trouble begins that is a matter of how the process is set.
    pub fn change(&mut self, id: u64, trouble: Trouble) {
        match trouble {
            Trouble::CrashAt { step, nth } => drop(self.armed.insert(id, (step, nth))),
            Trouble::Upgrade { knobs } => self.knobs = Some(knobs),
            Trouble::SnapshotAlways => drop(self.snapshot_always.insert(id)),
            Trouble::TinyFrames { bytes_max } => drop(self.frame_limits.insert(id, bytes_max)),
            Trouble::Passivation { every } => drop(self.passivations.insert(id, every)),
            Trouble::Crash | Trouble::CrashLoop { .. } | Trouble::Pause => {}
        }
    }

    /// It is over. What an upgrade has set stays.
    pub fn change_back(&mut self, id: u64) {
        self.armed.remove(&id);
        self.snapshot_always.remove(&id);
        self.frame_limits.remove(&id);
        self.passivations.remove(&id);
    }

    /// The process comes to a step.
    ///
    /// # Errors
    /// When it is to die there.
    pub fn reach(&mut self, step: Step) -> Result<(), Death> {
        let mut dies = false;
        self.armed.retain(|_, (at, left)| {
            if *at == step {
                *left -= 1;
                dies |= *left == 0;
            }
            *left > 0
        });
        if dies { Err(Death::At(step)) } else { Ok(()) }
    }

    pub fn segment_bytes(&self, plan: &Plan) -> u64 {
        self.knobs.map_or(plan.segment_bytes, |knobs| knobs.segment_bytes)
    }

    pub fn is_from_latest(&self, usual: bool) -> bool {
        self.knobs.map_or(usual, |knobs| knobs.from_latest)
    }

    pub fn snapshot_every(&self, plan: &Plan) -> u64 {
        let usual = self.knobs.map_or(plan.snapshot_every, |knobs| knobs.snapshot_every);
        if self.snapshot_always.is_empty() { usual } else { 1 }
    }

    pub fn always_snapshots(&self) -> bool {
        !self.snapshot_always.is_empty()
    }

    /// The longest frame of several entries, in bytes.
    pub fn frame_bytes_max(&self) -> usize {
        let knobs = self.knobs.map(|knobs| knobs.frame_bytes_max).filter(|bytes| *bytes > 0);
        let least = self.frame_limits.values().copied().chain(knobs).min();
        least.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Counts a turn. Whether actors are put to sleep after it.
    pub fn is_sleepy(&mut self) -> bool {
        self.turns += 1;
        let turns = self.turns;
        self.passivations.values().any(|every| turns.is_multiple_of(*every))
    }
}

impl Process {
    /// Puts every actor to sleep.
    pub(super) fn passivate(&mut self, cx: &mut Context) {
        let now = cx.host_now();
        let awake = |process: &Self| process.shards.values().map(|shard| shard.population().1).sum::<usize>();
        let before = awake(self);
        for shard in self.shards.values_mut() {
            shard.passivate(now, Span(0));
        }
        if awake(self) < before {
            cx.bite("passivation");
        }
    }
}
