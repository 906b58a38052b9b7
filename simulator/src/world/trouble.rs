//! Faults of the plan begin and end: whom they hit is found, and each takes effect where it belongs.

use super::context::{Context, Parcel};
use super::{Event, World};
use crate::control::ControlEvent;
use crate::plan::trouble::control::Control;
use crate::plan::trouble::machine::Machine;
use crate::plan::{Plan, Target, Trouble, When};
use crate::world::tape::What;
use messages::envelope::{Address, Envelope};
use messages::id::{ActorId, JobId};
use std::sync::Arc;

/// Between two messages that come again, in microseconds.
const AGAIN_EVERY_US: u64 = 200;

impl World {
    /// Arranges the faults from this number on that begin at a time; the others wait for their trigger.
    pub(super) fn arrange_faults(cx: &mut Context, from: usize) {
        let plan = Arc::clone(&cx.plan);
        for (number, fault) in plan.faults.iter().enumerate().skip(from) {
            if let When::At(at) = fault.when {
                cx.queue.at(at, Event::Begins(number));
            }
        }
    }

    pub(super) fn begin(&mut self, number: usize) {
        let cx = &mut self.cx;
        let plan = Arc::clone(&cx.plan);
        let fault = &plan.faults[number];
        if cx.now() >= plan.heal_at {
            return;
        }
        let until = (cx.now() + fault.lasts).min(plan.heal_at);
        let machines = resolve(&fault.target, number, cx);
        let until = if stays(&plan, &machines, cx.now() + fault.lasts) {
            cx.mark("never-healed");
            plan.end_at + 1
        } else {
            until
        };
        if machines.is_empty() && fault.target != Target::World {
            cx.mark("fault-without-target");
            return;
        }
        self.disturb(fault.trouble, &machines, true);
        let cx = &mut self.cx;
        cx.mark(fault.trouble.name());
        cx.note("world", || format!("{} of {} begins", fault.trouble.name(), fault.target));
        cx.tape(|| What::Begins { fault: number, machines: machines.clone() });
        cx.features.iter_mut().for_each(|features| features.begin(fault.trouble.name()));
        match fault.trouble {
            Trouble::Bus(trouble) => {
                let again = cx.bus.begin(fault.id, trouble, &machines, cx.queue.now(), until);
                deliver_again(again, trouble.name(), cx);
            }
            Trouble::View(trouble) => cx.bus.blind(fault.id, trouble, &machines, until),
            Trouble::Disk(trouble) => self.control.suffer_disk(trouble, fault.id, cx),
            Trouble::Control(trouble) => self.control.suffer(fault.id, trouble, until, cx),
            Trouble::Operator(what) => self.clients.blunder((fault.id, what), &machines, until, cx),
            Trouble::Machine(trouble) => {
                for machine in &machines {
                    self.machines[*machine].suffer(trouble, fault.id, until, cx);
                }
                if trouble == Machine::Twin {
                    self.add_twins(&machines);
                }
            }
            Trouble::Clock(trouble) => {
                self.control.suffer_clock(trouble, cx);
                for machine in &machines {
                    self.machines[*machine].suffer_clock(trouble, until, cx);
                }
            }
        }
        self.hit.insert(number, machines);
        self.cx.queue.at(until, Event::Ends(number));
    }

    /// What is for a control plane that stands still waits until it goes on.
    pub(super) fn hold(&mut self, event: Event) -> Option<Event> {
        let Some(until) = self.control.paused_until(self.cx.now()) else { return Some(event) };
        let is_for_control = match &event {
            Event::Control(_) => true,
            Event::Arrives { parcel, .. } => match &**parcel {
                Parcel::Beat(..) => true,
                Parcel::Heard(..) => false,
                Parcel::Envelope(envelope) => matches!(envelope.to, Address::Actor(_) | Address::Host),
            },
            _ => false,
        };
        if !is_for_control {
            return Some(event);
        }
        if matches!(event, Event::Control(ControlEvent::Tick(_))) {
            self.cx.idle += 1;
        } else {
            self.cx.bite(Control::Pause.name());
        }
        self.cx.queue.at(until, event);
        None
    }

    pub(super) fn end(&mut self, number: usize) {
        let plan = Arc::clone(&self.cx.plan);
        let fault = &plan.faults[number];
        let machines = self.hit.remove(&number).unwrap_or_default();
        self.disturb(fault.trouble, &machines, false);
        let cx = &mut self.cx;
        cx.note("world", || format!("{} of {} ends", fault.trouble.name(), fault.target));
        cx.tape(|| What::Ends(number));
        cx.features.iter_mut().for_each(|features| features.end(fault.trouble.name()));
        match fault.trouble {
            Trouble::Bus(_) | Trouble::View(_) => cx.bus.end(fault.id),
            Trouble::Operator(_) => {}
            Trouble::Disk(trouble) => {
                if self.control.recover_disk(trouble, fault.id, cx) {
                    self.machines.iter_mut().for_each(|machine| machine.restart_agent(cx));
                }
            }
            Trouble::Control(trouble) => self.control.recover(fault.id, trouble, cx),
            Trouble::Machine(trouble) => {
                for machine in &machines {
                    self.machines[*machine].recover(trouble, fault.id, cx);
                }
                if trouble == Machine::Twin {
                    self.remove_twins(&machines);
                }
            }
            Trouble::Clock(trouble) => {
                self.control.recover_clock(trouble, cx);
                for machine in &machines {
                    self.machines[*machine].recover_clock(trouble, cx);
                }
            }
        }
    }
}

/// Whether a fault that would last until then is never healed: it lasts until the world heals, and hits nothing of the
/// core.
fn stays(plan: &Plan, machines: &[usize], until: u64) -> bool {
    let spares_core = !machines.is_empty() && !machines.iter().any(|machine| plan.core.contains(machine));
    !plan.core.is_empty() && spares_core && until >= plan.heal_at
}

/// Messages that were handled come again, one after the other.
fn deliver_again(again: Vec<Envelope>, kind: &'static str, cx: &mut Context) {
    let accepted = cx.now();
    for (envelope, after) in again.into_iter().zip(1..) {
        cx.bite(kind);
        let parcel = Box::new(Parcel::Envelope(Box::new(envelope)));
        cx.queue.after(after * AGAIN_EVERY_US, Event::Arrives { accepted: accepted + 1, parcel });
    }
}

/// The machines that a fault hits if it begins now.
fn resolve(target: &Target, number: usize, cx: &Context) -> Vec<usize> {
    let known = target.machines(&cx.plan, cx.random, cx.plan.faults[number].id);
    match (known, target) {
        (Some(machines), _) => machines,
        (None, Target::Owner { job, slot }) => owner(job.as_deref(), *slot, number, cx).into_iter().collect(),
        (None, _) => Vec::new(),
    }
}

/// The machine of an instance: of a job's slot, or of what the trigger was about.
fn owner(job: Option<&str>, slot: Option<u32>, number: usize, cx: &Context) -> Option<usize> {
    let about = cx.watch.found(number);
    let wanted = job.map(|job| ActorId::from(JobId::named(&cx.plan.realm, job)));
    let jobs = cx.oracle.fold().jobs().filter(|(actor, _)| wanted.is_none_or(|wanted| wanted == *actor));
    let instances = jobs.flat_map(|(_, job)| &job.instances).filter(|(id, instance)| {
        let meant = job.is_some() || Some(**id) == about;
        meant && slot.is_none_or(|slot| instance.slot == slot) && instance.node.is_some()
    });
    let (_, instance) = instances.min_by_key(|(id, instance)| (instance.slot, **id))?;
    cx.machine_of(instance.node?)
}
