//! What must be when only a core of the machines is healed, and what is wrong with the others stays wrong: every instance
//! that is wanted runs, or it is said why it may wait.

use super::{Desired, state_of};
use crate::oracle::Runs;
use actors::fold::Fold;
use actors::job::{Instance, Job, Phase};
use messages::id::{InstanceId, JobId, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// The world as it is, seen with what is healed.
struct Healed<'w> {
    fold: &'w Fold,
    /// What runs: whether it is healthy, and whether its machine belongs to the core.
    running: BTreeMap<InstanceId, (bool, bool)>,
    core: BTreeSet<NodeId>,
}

impl Desired {
    /// What is otherwise than it should be, and how many instances wait for a reason that is said.
    pub(in crate::oracle) fn check_core(
        &self,
        truth: &[Runs],
        core: &BTreeSet<String>,
        fold: &Fold,
        restless: &BTreeSet<JobId>,
    ) -> (Vec<(&'static str, String)>, usize) {
        let runs = |runs: &Runs| {
            let is_core = core.contains(&runs.machine);
            let each = runs.running.iter();
            each.map(|(assignment, healthy)| (assignment.instance, (*healthy, is_core))).collect::<Vec<_>>()
        };
        let world = Healed {
            fold,
            running: truth.iter().flat_map(runs).collect(),
            core: core.iter().map(|name| NodeId::named(name)).collect(),
        };
        let (mut wrong, mut waiting) = (Vec::new(), 0);
        for (name, expected) in &self.jobs {
            let id = JobId::named(&self.realm, name);
            let Some((_, job)) = fold.jobs().find(|(actor, _)| actor.id == id.0) else { continue };
            if restless.contains(&id) || job.under_way().is_some() {
                continue;
            }
            if !expected.wanted().contains(&job.desired) {
                wrong.push(("a job wants another number than was asked for", state_of(fold, id)));
            }
            let (unplaced, missing) = world.check(job);
            waiting += unplaced;
            if let Some(why) = missing {
                wrong.push((why, format!("{name}: {}", state_of(fold, id))));
            }
        }
        (wrong, waiting)
    }
}

impl Healed<'_> {
    /// How many instances wait with a reason, and what is wrong with another.
    fn check(&self, job: &Job) -> (usize, Option<&'static str>) {
        let live: Vec<_> = job.instances.iter().filter(|(_, instance)| instance.live()).collect();
        let coming_back = job.slots.values().filter(|slot| slot.waiting.is_some()).count();
        let unplaced = live.iter().filter(|(_, instance)| instance.unplaceable.is_some()).count();
        // A slot is not filled again before its last instance is known to be gone; a machine that is heard and does not
        // obey can keep it for good.
        let kept = job.instances.values().filter(|instance| !instance.live() && self.is_outside(instance)).count();
        let (seen_to, wanted) = ((live.len() + coming_back) as u64, u64::from(job.desired));
        if seen_to > wanted || seen_to + (kept as u64) < wanted {
            return (unplaced, Some("an instance is wanted, and nobody sees to it"));
        }
        let wrong = live.into_iter().find_map(|(id, instance)| self.wrong_with(*id, instance));
        (unplaced, wrong)
    }

    fn is_outside(&self, instance: &Instance) -> bool {
        instance.node.is_some_and(|node| !self.core.contains(&node))
    }

    fn wrong_with(&self, id: InstanceId, instance: &Instance) -> Option<&'static str> {
        let Some(node) = instance.node else {
            let says = instance.phase == Phase::Wanted && instance.unplaceable.is_some();
            return (!says).then_some("an instance waits, and nobody says why");
        };
        // A suspect is given up when its lease is over, unless it is heard again.
        let kept = |state: &actors::node::Node| state.up() || state.given_up_at().is_some();
        let kept = self.fold.nodes().any(|(actor, state)| actor.id == node.0 && kept(state));
        match (self.core.contains(&node), self.running.get(&id)) {
            (true, Some((true, _))) => None,
            (true, _) => Some("an instance on a healed machine does not run well"),
            // What is not healed may do its work all the same, or not; what was found lost must have been replaced.
            (false, _) if kept => None,
            (false, _) => Some("an instance stays with a machine that is lost"),
        }
    }
}
