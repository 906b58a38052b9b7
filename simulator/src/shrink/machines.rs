//! Machines that can be left out, and knobs that can be as they usually are.

use super::Shrinker;
use crate::plan::{Plan, Target};
use crate::world::clock::{Clock, EPOCH_US};
use messages::policy::Request;
use messages::resources::Resources;
use std::collections::BTreeMap;

/// A segment of the journal is usually so long, in bytes.
const SEGMENT_BYTES: u64 = 4 << 20;

impl Shrinker<'_> {
    /// Leaves machines out. The others move up, and what named them by number follows.
    pub(super) fn drop_machines(&mut self) {
        for index in (0..self.best.machines.len()).rev() {
            let mut fewer = self.best.clone();
            without_machine(&mut fewer, index);
            // What has no room does not come about, whoever is at fault.
            if !self.patient() || has_room(&fewer) {
                self.take(fewer);
            }
        }
    }

    /// Sets every knob to what it usually is: clocks are right, machines are there from the beginning, messages all take
    /// the same time.
    pub(super) fn settle_knobs(&mut self) {
        let right = Clock { offset_us: EPOCH_US, drift_ppm: 0 };
        self.try_with(|plan| {
            plan.clock = right;
            plan.machines.iter_mut().for_each(|machine| machine.clock = right);
        });
        self.try_with(|plan| plan.clock = right);
        self.try_with(|plan| plan.retake = false);
        self.try_with(|plan| plan.snapshot_every = 0);
        self.try_with(|plan| plan.segment_bytes = SEGMENT_BYTES);
        let always = |(low, high): (u64, u64)| (low.midpoint(high), low.midpoint(high));
        self.try_with(|plan| {
            let pace = &mut plan.pace;
            pace.inside_us = always(pace.inside_us);
            pace.network_us = always(pace.network_us);
            pace.sync_us = always(pace.sync_us);
            pace.proxy_us = always(pace.proxy_us);
        });
        self.try_with(|plan| plan.pace.inside_us = always(plan.pace.inside_us));
        self.try_with(|plan| plan.pace.sync_us = always(plan.pace.sync_us));
        self.try_with(|plan| plan.pace.proxy_us = always(plan.pace.proxy_us));
        self.try_with(|plan| plan.pace.network_us = always(plan.pace.network_us));
        self.try_with(|plan| plan.machines.iter_mut().for_each(|machine| machine.joins_at = 0));
        for index in 0..self.best.machines.len() {
            self.try_with(|plan| plan.machines[index].clock = right);
            self.try_with(|plan| plan.machines[index].joins_at = 0);
        }
    }
}

/// Whether everything that was ever wanted fits twice into all machines together.
fn has_room(plan: &Plan) -> bool {
    let mut wanted: BTreeMap<&str, (u32, Resources)> = BTreeMap::new();
    for operation in &plan.operations {
        match &operation.request {
            Request::Apply { manifest } => {
                for (name, job) in &manifest.jobs {
                    let known = wanted.entry(name).or_default();
                    known.0 = known.0.max(job.instances);
                    known.1 = job.workload.resources.clone();
                }
            }
            Request::Scale { job, instances } => {
                let known = wanted.entry(job).or_default();
                known.0 = known.0.max(*instances);
            }
            _ => {}
        }
    }
    let each = wanted.values().flat_map(|(count, need)| (0..*count * 2).map(move |_| need));
    let need = each.fold(Resources::default(), |sum, need| sum.plus(need));
    let capacity = plan.machines.iter().fold(Resources::default(), |sum, machine| sum.plus(&machine.spec.capacity));
    !plan.machines.is_empty() && capacity.shortage(&need).is_none()
}

/// A plan without one of its machines, and without what named it.
fn without_machine(plan: &mut Plan, index: usize) {
    let gone = plan.machines.remove(index);
    plan.faults.retain_mut(|fault| match &mut fault.target {
        Target::Machine(number) if *number == index => false,
        Target::Machine(number) => {
            *number -= usize::from(*number > index);
            true
        }
        _ => true,
    });
    plan.core.retain(|machine| *machine != index);
    plan.core.iter_mut().for_each(|machine| *machine -= usize::from(*machine > index));
    let name = gone.spec.name;
    plan.operations.retain(|operation| match &operation.request {
        Request::Cordon { node } | Request::Uncordon { node } | Request::Drain { node } => *node != name,
        _ => true,
    });
    let faults = std::mem::take(&mut plan.faults);
    plan.faults = faults.into_iter().filter(|fault| fault.target.missing_in(plan).is_none()).collect();
}
