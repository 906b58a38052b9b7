//! What goes wrong with a machine, and how that ends.

use super::{Machine, MachineEvent};
use crate::plan::trouble::machine::Machine as Trouble;
use crate::process::Stage;
use crate::world::Event;
use crate::world::context::Context;
use messages::agent::Ended;
use messages::reason::Reason;

/// How long a slow workload answers in time, and then too late, in microseconds.
const SLOW_SPELL_US: u64 = 700_000;
/// How long an operator's restart of a machine takes, in microseconds.
const OFF_US: u64 = 300_000;

impl Machine {
    /// A trouble begins that lasts until then. `id` is the fault's.
    pub fn suffer(&mut self, trouble: Trouble, id: u64, until: u64, cx: &mut Context) {
        self.ills.begin(id, trouble, until);
        let bites = match trouble {
            Trouble::AgentCrash => self.kill_agent(),
            Trouble::Crash | Trouble::RackCrash | Trouble::SiteCrash => self.lose_power(cx),
            Trouble::AgentPause | Trouble::WatchdogLate { .. } => {
                self.pause_agent(until);
                false
            }
            Trouble::WorkloadDies { choice } => self.kill_one(choice, cx),
            Trouble::WorkloadSick { choice } => self.sicken_one(choice, until, cx),
            Trouble::WorkloadSlow { choice } => self.slow_one(choice, until, cx),
            Trouble::ChecksLie { choice } => self.sicken_one_unseen(choice, cx),
            Trouble::OutOfMemory { choice, rate } => self.let_one_grow(choice, rate, cx),
            Trouble::AgentCrashLoop { .. } | Trouble::Flaps { .. } => {
                self.strike_again(id, cx);
                false
            }
            Trouble::Reboot { off_us } => {
                cx.queue.after(off_us, Event::Machine(self.index, MachineEvent::Boot));
                self.lose_power(cx)
            }
            Trouble::Pause => {
                cx.oracle.frozen(self.index);
                false
            }
            Trouble::Shrinks { per_mille } => {
                self.ills.shrink(Some(per_mille));
                cx.queue.after(OFF_US, Event::Machine(self.index, MachineEvent::Boot));
                self.lose_power(cx)
            }
            Trouble::SaysLess { per_mille } => {
                self.says_per_mille = per_mille;
                let there = self.agent.is_some();
                self.restart_agent(cx);
                there
            }
            Trouble::StartsFail
            | Trouble::StartsSlow
            | Trouble::Slow { .. }
            | Trouble::Link { .. }
            | Trouble::DiskReadOnly
            | Trouble::Zombies
            | Trouble::StopsIgnored
            | Trouble::StopsLate
            | Trouble::Unkillable
            | Trouble::Twin => false,
        };
        if bites {
            cx.bite(trouble.name());
        }
    }

    /// It is over.
    pub fn recover(&mut self, trouble: Trouble, id: u64, cx: &mut Context) {
        self.ills.end(id);
        match trouble {
            Trouble::AgentCrash => self.start_agent(cx),
            Trouble::AgentPause if self.resume_agent(cx) => cx.bite(trouble.name()),
            Trouble::WatchdogLate { .. } => drop(self.resume_agent(cx)),
            Trouble::Crash | Trouble::RackCrash | Trouble::SiteCrash => self.boot(cx),
            Trouble::AgentCrashLoop { .. } if self.ills.lies_down(id) => self.start_agent(cx),
            Trouble::Flaps { .. } if self.ills.lies_down(id) => self.boot(cx),
            Trouble::Pause => self.thaw(cx),
            Trouble::Zombies => self.bury_zombies(cx),
            Trouble::ChecksLie { .. } => self.processes.values_mut().for_each(|process| process.sick_unseen = false),
            Trouble::Shrinks { .. } => {
                self.ills.shrink(None);
                self.restart(cx);
            }
            Trouble::SaysLess { .. } => {
                self.says_per_mille = 1_000;
                self.restart_agent(cx);
            }
            _ => {}
        }
    }

    /// An operator restarts it.
    pub fn restart(&mut self, cx: &mut Context) {
        self.lose_power(cx);
        cx.queue.after(OFF_US, Event::Machine(self.index, MachineEvent::Boot));
    }

    /// It goes on. What the watchdog should have done while it stood still comes first, as its timer is overdue.
    fn thaw(&mut self, cx: &mut Context) {
        if self.ills.frozen() {
            return;
        }
        let (held, mail) = self.ills.take_held();
        if self.on && (!held.is_empty() || !mail.is_empty()) {
            cx.bite(Trouble::Pause.name());
        }
        self.watch(cx);
        for (invariant, signature, message) in cx.oracle.thawed(self.index, cx.now()) {
            cx.violate(invariant, signature, message);
        }
        held.into_iter().for_each(|event| self.happen(event, cx));
        mail.into_iter().for_each(|envelope| self.hear(envelope, cx));
    }

    /// One of its workloads dies.
    fn kill_one(&mut self, choice: u64, cx: &mut Context) -> bool {
        let Some(instance) = self.one(choice) else { return false };
        let ended = Ended { code: Some(9), ..Ended::new(Reason::ExitSignal, "it was killed") };
        self.end(instance, ended, cx);
        true
    }

    /// One of its workloads fails its checks until then.
    fn sicken_one(&mut self, choice: u64, until: u64, cx: &mut Context) -> bool {
        let Some(instance) = self.one_checked(choice) else { return false };
        cx.queue.after(0, Event::Machine(self.index, MachineEvent::Process(self.boots, instance, Stage::Sick)));
        cx.queue.at(until, Event::Machine(self.index, MachineEvent::Process(self.boots, instance, Stage::Healthy)));
        true
    }

    /// One of its workloads answers too late, in time, too late, until then.
    fn slow_one(&mut self, choice: u64, until: u64, cx: &mut Context) -> bool {
        let Some(instance) = self.one_checked(choice) else { return false };
        let (mut at, mut stage) = (cx.now(), Stage::Sick);
        while at < until {
            cx.queue.at(at, Event::Machine(self.index, MachineEvent::Process(self.boots, instance, stage)));
            stage = if stage == Stage::Sick { Stage::Healthy } else { Stage::Sick };
            at += SLOW_SPELL_US;
        }
        cx.queue.at(until, Event::Machine(self.index, MachineEvent::Process(self.boots, instance, Stage::Healthy)));
        true
    }

    /// One of its workloads is sick, and nobody is told.
    fn sicken_one_unseen(&mut self, choice: u64, _cx: &mut Context) -> bool {
        let process = self.one_checked(choice).and_then(|instance| self.processes.get_mut(&instance));
        process.map(|process| process.sick_unseen = true).is_some()
    }

    /// One of its workloads takes more and more memory.
    fn let_one_grow(&self, choice: u64, rate: u64, cx: &mut Context) -> bool {
        let process = self.one(choice).and_then(|instance| self.processes.get(&instance));
        process.map(|process| process.grow(0, rate, self.index, self.boots, cx)).is_some()
    }
}
