//! What a node says: at the end of a turn everything that the turn came to owe, and by deadline what is still owed.

use super::debt::Debt;
use super::{Drain, Node, me};
use crate::behavior::Draft;
use messages::agent::{Ended, Goal, Order};
use messages::envelope::Address;
use messages::id::{InstanceId, SchedulerId};
use messages::node::{Event, Message};
use messages::reason::Reason;
use messages::scheduler::DEFAULT_SITE;
use messages::{job, scheduler};

impl Node {
    /// The instances whose claims are new, or were written to.
    fn touched_since(&self, before: &Self) -> Vec<InstanceId> {
        let mut then = before.claims.iter().peekable();
        let touched = self.claims.iter().filter(|(instance, claim)| {
            while then.next_if(|(other, _)| other < instance).is_some() {}
            then.next_if(|(other, _)| other == instance).is_none_or(|(_, earlier)| !claim.untouched(earlier))
        });
        touched.map(|(instance, _)| *instance).collect()
    }
}

impl Node {
    /// What of all that is owed this acknowledgement settles, and how that is recorded.
    pub(super) fn settled_by(&self, message: &Message) -> Option<(&Debt, Event)> {
        let (debt, version, event) = match *message {
            Message::Noted { instance, version } => {
                let claim = self.claims.get(&instance).map(|claim| &claim.observed);
                let release = self.releases.get(&instance).map(|release| &release.debt);
                (claim.or(release)?, version, Event::Noted { instance, version })
            }
            Message::ViewNoted { version } => (&self.view, version, Event::ViewNoted { version }),
            Message::Reconciled { epoch, version } => {
                let present = epoch == self.epoch || crate::mutant!(ReconciledOfOldEpoch);
                (Some(&self.desired).filter(|_| present)?, version, Event::Reconciled { version })
            }
            _ => return None,
        };
        debt.settles(version).then_some((debt, event))
    }
}

impl Draft<'_, Node> {
    /// A job, the scheduler or the agent took in what it was told.
    pub(super) fn noted(&mut self, message: &Message) {
        if let Some((_, event)) = self.state.settled_by(message) {
            self.record(event);
        }
    }

    /// The deadline passed: gives up what was suspect for too long, and says again what is owed.
    pub(super) fn wake(&mut self) {
        let now = self.turn.now();
        if self.state.given_up_at().is_some_and(|due| due <= now) {
            self.record(Event::GivenUp);
            let claims = self.state.claims.values().filter(|_| !crate::mutant!(LostKeepsClaims));
            let lost: Vec<_> = claims.map(|claim| (claim.spec.instance, claim.spec.job)).collect();
            for (instance, job) in lost {
                let detail = format!("node {} was not heard until its lease ran out", self.state.name());
                self.record(Event::Released { instance, job, ended: Ended::new(Reason::NodeLost, detail) });
            }
        }
        if self.state.debts().any(|debt| debt.due() <= now) {
            self.record(Event::Reminded);
        }
    }

    /// A drain is over when nothing is left.
    pub(super) fn end_drain(&mut self) {
        let mut left = self.state.claims.values();
        let over = left.all(|claim| claim.goal() == Goal::Stop && crate::mutant!(DrainEndsEarly));
        if self.state.drain == Drain::Going && over {
            self.record(Event::Drained);
        }
    }

    /// Says what is owed now and was not, or not in this version or not so often, when the turn began.
    pub(super) fn speak(&mut self, before: &Node) {
        if self.turn.recorded().is_empty() {
            return;
        }
        if self.state.up() && self.state.desired.told_since(Some(&before.desired)) {
            if self.state.follows(before) { self.say_changed(before) } else { self.say_desired() }
        }
        for instance in self.state.touched_since(before) {
            self.speak_of_claim(instance, before);
        }
        let releases: Vec<_> = self.state.releases.keys().copied().collect();
        for instance in releases {
            let earlier = before.releases.get(&instance).map(|release| &release.debt);
            if self.state.releases[&instance].debt.told_since(earlier) {
                self.say_released(instance);
            }
        }
        if self.state.view.told_since(Some(&before.view)) {
            let (node, view) = (me(self.turn), self.state.view());
            self.turn.send(SchedulerId::of_site(DEFAULT_SITE), scheduler::Message::View { node, view });
        }
    }

    fn speak_of_claim(&mut self, instance: InstanceId, before: &Node) {
        let earlier = before.claims.get(&instance);
        let claim = &self.state.claims[&instance];
        let assigned = claim.assigned.told_since(earlier.map(|claim| &claim.assigned));
        let observed = claim.observed.told_since(earlier.map(|claim| &claim.observed));
        let moving = claim.moving.told_since(earlier.map(|claim| &claim.moving));
        if assigned {
            self.say_assigned(instance);
        }
        if observed {
            self.say_observed(instance);
        }
        if moving {
            let (node, job) = (me(self.turn), self.state.claims[&instance].spec.job);
            self.turn.send(job, job::Message::MoveAway { instance, node });
        }
    }

    pub(super) fn say_desired(&mut self) {
        let assignments = self.state.claims.values().map(|claim| claim.assignment()).collect();
        let (epoch, version) = (self.state.epoch, self.state.desired.version());
        let agent = Address::Agent(me(self.turn));
        self.turn.send(agent, Order::Desired { epoch, version, assignments });
    }

    /// Says what changed of what is desired since the agent took it in: what is claimed is never another for the same
    /// instance, only what to do with it is.
    fn say_changed(&mut self, before: &Node) {
        let (now, then) = (&self.state.claims, &before.claims);
        let news = now.iter().filter(|(instance, claim)| {
            let told = claim.goal() != Goal::Stop || !crate::mutant!(StopNotAmongChanges);
            told && then.get(instance).map(|claim| claim.goal()) != Some(claim.goal())
        });
        let changed = news.map(|(_, claim)| claim.assignment()).collect();
        let gone = then.keys().filter(|instance| !now.contains_key(instance)).copied().collect();
        let (since, version) = (before.desired.version(), self.state.desired.version());
        let order = Order::Changed { epoch: self.state.epoch, since, version, changed, gone };
        self.turn.send(Address::Agent(me(self.turn)), order);
    }

    pub(super) fn say_assigned(&mut self, instance: InstanceId) {
        let Some(claim) = self.state.claims.get(&instance) else { return };
        let spec = &self.state.spec;
        let assigned = job::Message::Assigned {
            instance,
            node: me(self.turn),
            node_name: spec.name.clone(),
            host: spec.host.clone(),
            epoch: self.state.epoch,
        };
        self.turn.send(claim.spec.job, assigned);
    }

    fn say_observed(&mut self, instance: InstanceId) {
        let Some(claim) = self.state.claims.get(&instance) else { return };
        let observation = claim.observation.clone().filter(|_| self.state.up());
        let (node, version) = (me(self.turn), claim.observed.version());
        self.turn.send(claim.spec.job, job::Message::Observed { instance, node, version, observation });
    }

    pub(super) fn say_released(&mut self, instance: InstanceId) {
        let Some(release) = self.state.releases.get(&instance) else { return };
        let (node, version, ended) = (me(self.turn), release.debt.version(), release.ended.clone());
        self.turn.send(release.job, job::Message::Released { instance, node, version, ended });
    }
}
