//! What schedulers and jobs say: claims, starts, stops, and what they have noted.

use super::{Drain, Node, me};
use crate::behavior::Draft;
use messages::agent::{Ended, Goal};
use messages::envelope::Address;
use messages::id::{InstanceId, JobId, Kind};
use messages::node::{ClaimSpec, Event, Standing};
use messages::reason::Reason;
use messages::{job, scheduler};

impl Draft<'_, Node> {
    /// A scheduler proposes an instance. The node is the arbiter of its own capacity.
    pub(super) fn claim(&mut self, claim: &ClaimSpec) {
        let (node, instance) = (me(self.turn), claim.instance);
        if let Some(held) = self.state.claims.get(&instance).filter(|_| !crate::mutant!(ClaimTwice)) {
            let (view, asked) = (self.state.view(), held.assigned.open());
            self.turn.answer(scheduler::Message::View { node, view });
            if asked {
                self.say_assigned(instance);
            }
            return;
        }
        let because = match self.room_for(claim) {
            Ok(gpus) => return self.record(Event::Claimed { claim: claim.clone(), gpus }),
            Err(because) => because,
        };
        if self.state.epoch > 0 {
            self.record(Event::ClaimRefused { instance, job: claim.job, because });
        }
        let view = self.state.view();
        self.turn.answer(scheduler::Message::ClaimRefused { node, instance, because, view });
    }

    /// The GPUs that a claim is given, or why it cannot be accepted.
    fn room_for(&self, claim: &ClaimSpec) -> Result<Vec<u16>, Reason> {
        let state = &self.state;
        let gone = state.tombstones.iter().any(|(instance, _)| *instance == claim.instance);
        if (gone || state.releases.contains_key(&claim.instance)) && !crate::mutant!(TombstoneForgotten) {
            return Err(Reason::Stale);
        }
        match state.standing() {
            Standing::Cordoned | Standing::Draining if crate::mutant!(CordonIgnored) => {}
            Standing::Suspect if crate::mutant!(SuspectTakesClaims) => {}
            Standing::Unknown => return Err(Reason::NotFound),
            Standing::Suspect | Standing::Lost => return Err(Reason::NodeDown),
            Standing::Draining => return Err(Reason::NodeDrained),
            Standing::Cordoned => return Err(Reason::Cordoned),
            Standing::Ready => {}
        }
        let need = &claim.workload.resources;
        let gpus = state.gpus().pick(need.gpu_milli);
        if crate::mutant!(ClaimOverCapacity) {
            return Ok(gpus.unwrap_or_default());
        }
        if let Some((dimension, _)) = state.free().shortage(need) {
            return Err(dimension.reason());
        }
        if !claim.workload.takes_gpus_of(&state.spec.gpu_model) {
            return Err(Reason::GpuModel);
        }
        gpus.ok_or(Reason::NoGpu)
    }

    /// A job lets an instance run.
    pub(super) fn start(&mut self, instance: InstanceId) {
        match self.state.claims.get(&instance).map(|claim| claim.goal()) {
            Some(Goal::Hold) => self.record(Event::StartAllowed { instance }),
            Some(Goal::Run | Goal::Stop) => {}
            None => match self.turn.from() {
                Address::Actor(actor) if actor.kind == Kind::Job => self.deny(instance, JobId(actor.id)),
                _ => {}
            },
        }
    }

    /// A job gives an instance up.
    pub(super) fn stop(&mut self, instance: InstanceId, job: JobId, because: Reason) {
        let Some(claim) = self.state.claims.get(&instance) else { return self.deny(instance, job) };
        let job = claim.spec.job;
        if !claim.started {
            let ended = Ended::new(Reason::Stopped, "it was given up before it was started");
            self.record(Event::Released { instance, job, ended });
        } else if crate::mutant!(ReleasedBeforeEnded) {
            self.record(Event::Released { instance, job, ended: Ended::new(Reason::Stopped, "it was told to stop") });
        } else if claim.goal != Goal::Stop {
            self.record(Event::StopAsked { instance, because });
        }
    }

    /// A job finds no other place for an instance that it was asked to move away.
    pub(super) fn may_stay(&mut self, instance: InstanceId) {
        let claim = self.state.claims.get(&instance).filter(|claim| claim.goal != Goal::Stop);
        if let Some(job) = claim.map(|claim| claim.spec.job).filter(|_| self.state.drain == Drain::No) {
            let node = me(self.turn);
            self.turn.send(job, job::Message::Stay { instance, node });
        }
    }

    /// There is no claim: says so, and sees to it that a claim on its way comes too late.
    fn deny(&mut self, instance: InstanceId, job: JobId) {
        if self.state.releases.contains_key(&instance) {
            return self.say_released(instance);
        }
        let ended = Ended::new(Reason::Stopped, "there is no claim of it here");
        let buried = self.state.tombstones.iter().find(|(buried, _)| *buried == instance);
        match buried.map(|(_, version)| *version) {
            None => self.record(Event::Released { instance, job, ended }),
            Some(version) => {
                let node = me(self.turn);
                self.turn.send(job, job::Message::Released { instance, node, version, ended });
            }
        }
    }
}
