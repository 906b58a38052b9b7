//! The machine's processes: how they come from one stage to the next, and how they end.

use super::Machine;
use crate::process::{Process, Stage};
use crate::world::context::Context;
use crate::world::tape::What;
use actors::agent::{Input, WorkloadEvent};
use messages::agent::Ended;
use messages::id::InstanceId;
use messages::reason::Reason;

impl Machine {
    pub(super) fn reach(&mut self, instance: InstanceId, stage: Stage, cx: &mut Context) {
        let (lies, tempo) = (self.checks_lie(), self.tempo(false, cx));
        let Some(process) = self.processes.get_mut(&instance).filter(|process| !process.has_ended()) else { return };
        let event = match stage {
            Stage::CannotStart => {
                let ended = process.failure();
                return self.end(instance, ended, cx);
            }
            Stage::Exits | Stage::Stopped | Stage::OutOfMemory => {
                let ended = stage.ended();
                return self.end(instance, ended, cx);
            }
            Stage::Sick if lies => None,
            Stage::Answered => process.answer(lies, self.index, self.boots, tempo, cx),
            stage => process.reach(stage, self.index, self.boots, tempo, cx),
        };
        if let Some(event) = event {
            self.tell_agent(Input::Workload(event), cx);
        }
    }

    pub(super) fn end(&mut self, instance: InstanceId, ended: Ended, cx: &mut Context) {
        let Some(process) = self.processes.get_mut(&instance).filter(|process| !process.has_ended()) else { return };
        let ran = process.runs();
        cx.note(&self.spec.name, || format!("{} ({instance}) ended: {}", process.assignment.label, ended.reason));
        cx.tape(|| What::ended(self.index, &process.assignment, &ended));
        process.end(ended.clone());
        if ran && !self.goes_on_as_a_zombie(instance, cx) {
            cx.oracle.ended(self.index, instance);
        }
        let event = if ended.reason == Reason::CouldNotStart {
            WorkloadEvent::StartFailed { instance, detail: ended.detail }
        } else {
            WorkloadEvent::Ended { instance, ended }
        };
        self.tell_agent(Input::Workload(event), cx);
    }

    fn choose(&self, choice: u64, fits: impl Fn(&Process) -> bool) -> Option<InstanceId> {
        let running: Vec<_> = self.processes.iter().filter(|(_, process)| fits(process)).map(|(id, _)| *id).collect();
        let index = choice.checked_rem(running.len() as u64)?;
        running.get(usize::try_from(index).ok()?).copied()
    }

    /// One of those that run.
    pub(super) fn one(&self, choice: u64) -> Option<InstanceId> {
        self.choose(choice, Process::runs)
    }

    /// One of those that run and are checked.
    pub(super) fn one_checked(&self, choice: u64) -> Option<InstanceId> {
        self.choose(choice, Process::is_checked)
    }
}
