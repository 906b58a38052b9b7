//! What a node's agent says, and the detector that listens for it.

use super::{Claim, Node, Presence, TERMS, me};
use crate::behavior::Draft;
use messages::agent::{Ended, Observation, Order};
use messages::envelope::Address;
use messages::gpu::Gpus;
use messages::id::InstanceId;
use messages::node::{Event, NodeSpec};
use messages::reason::Reason;
use messages::time::Timestamp;
use uuid::Uuid;

impl Draft<'_, Node> {
    /// An agent is there: for the first time, again, or back after its node was suspect or lost. Boots have no order, and
    /// a hello may be late. So another boot than the one that is known is let in only once that one was given up: what
    /// it ran has ended by then, or its lease has, whether this is its machine after a reboot, the late voice of a boot
    /// before, or a second machine with its name, as a copied disk makes it.
    pub(super) fn hello(
        &mut self,
        spec: &NodeSpec,
        boot: Uuid,
        sent_at: Timestamp,
        seen: &[(InstanceId, Observation)],
    ) {
        let state = &self.state;
        let rebooted = boot != state.boot;
        let overtaken = !rebooted && sent_at.0 <= state.reported && state.epoch > 0;
        let overtaken = overtaken && !crate::mutant!(OvertakenHelloHeeded);
        let vacant = matches!(state.presence, Presence::Unknown | Presence::Lost { .. });
        let taken = rebooted && !vacant && !crate::mutant!(OtherBootLetIn);
        if overtaken || taken {
            return;
        }
        let kept = !rebooted && crate::mutant!(EpochKept);
        let anew = rebooted || (vacant && !kept);
        let (epoch, session) = (state.epoch + u64::from(anew), state.session + 1);
        self.record(Event::Welcomed { spec: spec.clone(), boot, sent_at, epoch, session });
        self.take_in(seen);
        self.miss(seen);
        self.shed();
        self.say_welcome();
    }

    /// The machine may have less than it had: room that is only held, and is not there any more, is given up, the latest
    /// first, and before that what lies on a GPU that is not there. What runs goes on.
    fn shed(&mut self) {
        loop {
            let short = !self.state.spec.capacity.fits(&self.state.used());
            let gpus = Gpus::all(self.state.spec.capacity.gpu_milli);
            let lacks = |claim: &Claim| !gpus.have(0, &claim.gpus);
            let held = self.state.claims.values().filter(|claim| !claim.started && (short || lacks(claim)));
            let last = held.max_by_key(|claim| (lacks(claim), claim.since, claim.spec.instance));
            let Some(last) = last else { return };
            let (instance, job) = (last.spec.instance, last.spec.job);
            let ended = Ended::new(Reason::Stopped, "the machine has less than it had, and no room for it");
            self.record(Event::Released { instance, job, ended });
        }
    }

    /// An instance runs once: what ran and is not there any more has ended.
    fn miss(&mut self, seen: &[(InstanceId, Observation)]) {
        let there = |instance: &InstanceId| seen.iter().any(|(seen, _)| seen == instance);
        let claims = self.state.claims.values();
        let ran = claims.filter(|claim| claim.observation.is_some() && !there(&claim.spec.instance));
        let vanished: Vec<_> = ran.map(|claim| (claim.spec.instance, claim.spec.job)).collect();
        for (instance, job) in vanished {
            let ended = Ended::new(Reason::Vanished, "the agent came back without it");
            self.record(Event::Released { instance, job, ended });
        }
    }

    /// The welcome of the present session. Desired state of this turn's version follows it.
    fn say_welcome(&mut self) {
        let state = &self.state;
        let welcome = Order::Welcome {
            epoch: state.epoch,
            session: state.session,
            lease: TERMS.lease,
            boot: state.boot,
            hello_at: state.greeted_at,
            desired: state.desired.version(),
        };
        self.turn.send(Address::Agent(me(self.turn)), welcome);
    }

    /// The agent reports what it sees.
    pub(super) fn report(&mut self, epoch: u64, report: u64, observations: &[(InstanceId, Observation)]) {
        let other = epoch != self.state.epoch;
        let stale = other || matches!(self.state.presence, Presence::Unknown | Presence::Lost { .. });
        if stale {
            return self.set_right();
        }
        let agent = Address::Agent(me(self.turn));
        let news = report > self.state.reported || crate::mutant!(OvertakenReportHeeded);
        if news && self.take_in(observations) {
            self.record(Event::ReportTaken { report });
        }
        self.turn.send(agent, Order::ReportHeard { report });
        if !self.state.up() {
            self.turn.send(agent, Order::SayHello);
        }
    }

    /// Records what is new in what the agent sees. Returns whether anything was.
    fn take_in(&mut self, observations: &[(InstanceId, Observation)]) -> bool {
        let before = self.turn.recorded().len();
        for (instance, observation) in observations {
            let Some(claim) = self.state.claims.get(instance) else { continue };
            if claim.observation.as_ref() == Some(observation) {
                continue;
            }
            let (instance, job) = (*instance, claim.spec.job);
            match observation.clone() {
                Observation::Ended(ended) => self.record(Event::Released { instance, job, ended }),
                observation => self.record(Event::Observed { instance, observation }),
            }
        }
        self.turn.recorded().len() > before
    }

    /// Someone knows an older session or epoch: tells the agent, and whoever listens on the way, which is the present.
    fn set_right(&mut self) {
        if self.state.up() {
            self.say_welcome();
            self.say_desired();
        } else {
            self.turn.send(Address::Agent(me(self.turn)), Order::SayHello);
        }
    }

    /// The detector did not hear the agent in time.
    pub(super) fn silent(&mut self, session: u64, heard: Timestamp) {
        let mine = session == self.state.session || crate::mutant!(SilenceOfOldSession);
        if session < self.state.session && !mine && self.state.up() {
            return self.set_right();
        }
        if mine && self.state.up() {
            self.record(Event::Suspected { session, heard });
        }
        self.turn.send(Address::Agent(me(self.turn)), Order::SayHello);
    }
}
