//! How each event changes a node.

use super::claim::{Claim, Release};
use super::debt::Debt;
use super::{Drain, Node, Presence, TOMBSTONES_MAX};
use messages::agent::{Ended, Goal};
use messages::id::{InstanceId, JobId};
use messages::node::Event;
use messages::time::Timestamp;

impl Node {
    pub(super) fn apply(&mut self, event: &Event, at: Timestamp) {
        let standing = self.standing();
        match event {
            Event::Welcomed { spec, boot, sent_at, epoch, session } => {
                (self.spec, self.boot, self.greeted_at) = (spec.clone().into(), *boot, *sent_at);
                (self.epoch, self.session, self.reported) = (*epoch, *session, sent_at.0);
                self.return_from_absence(at);
            }
            Event::Suspected { heard, .. } => self.vanish_from_sight(*heard, at),
            Event::GivenUp => self.give_up(at),
            Event::Claimed { claim, gpus } => {
                self.claims.insert(claim.instance, Claim::new(claim.clone(), gpus.clone(), at).into());
                self.view.owe(at);
            }
            Event::ClaimRefused { .. } => {}
            Event::StartAllowed { instance } => {
                if let Some(claim) = self.claims.get_mut(instance) {
                    (claim.goal, claim.started) = (Goal::Run, true);
                    claim.assigned.settle();
                    self.desired.owe(at);
                }
            }
            Event::StopAsked { instance, because } => {
                if let Some(claim) = self.claims.get_mut(instance) {
                    (claim.goal, claim.because) = (Goal::Stop, Some(*because));
                    claim.assigned.settle();
                    claim.moving.settle();
                    self.desired.owe(at);
                }
            }
            Event::Observed { instance, observation } => {
                let visible = self.presence == Presence::Up;
                if let Some(claim) = self.claims.get_mut(instance) {
                    claim.observation = Some(observation.clone());
                    if visible {
                        claim.observed.owe(at);
                    }
                }
            }
            Event::ReportTaken { report } => self.reported = self.reported.max(*report),
            Event::Released { instance, job, ended } => self.release(*instance, *job, ended, at),
            Event::Noted { instance, version } => self.note(*instance, *version),
            Event::ViewNoted { version } => self.view.note(*version),
            Event::Reconciled { version } => self.desired.note(*version),
            Event::Cordoned { ticket } => {
                self.cordoned = true;
                self.commanded = Some((*ticket, "cordoned".into()));
            }
            Event::Uncordoned { ticket } => {
                self.open_up();
                self.commanded = Some((*ticket, "uncordoned".into()));
            }
            Event::DrainBegan { ticket } => self.begin_drain(*ticket, at),
            Event::Drained => self.drain = Drain::Over,
            Event::Reminded => self.remind(at),
        }
        if self.standing() != standing {
            self.since = at;
            self.view.owe(at);
        }
    }

    fn stop_moving(&mut self) {
        let moving = self.claims.values_mut().filter(|claim| claim.moving.open());
        moving.for_each(|claim| claim.moving.settle());
    }

    /// It takes work again.
    fn open_up(&mut self) {
        self.cordoned = false;
        if !crate::mutant!(UncordonKeepsDrain) {
            self.drain = Drain::No;
        }
        self.stop_moving();
    }

    fn begin_drain(&mut self, ticket: u64, at: Timestamp) {
        self.drain = Drain::Going;
        let movable = self.claims.values_mut().filter(|claim| claim.goal != Goal::Stop);
        movable.for_each(|claim| claim.moving.owe(at));
        self.commanded = Some((ticket, "draining".into()));
    }

    /// It is there, or there again: jobs are told what is seen once more, the agent what is wanted.
    fn return_from_absence(&mut self, at: Timestamp) {
        if self.presence != Presence::Up {
            for claim in self.claims.values_mut() {
                match claim.observation {
                    Some(_) => claim.observed.owe(at),
                    None => claim.observed.settle(),
                }
            }
        }
        self.presence = Presence::Up;
        self.view.owe(at);
        self.desired.owe(at);
        if crate::mutant!(HelloForgetsClaims) {
            self.claims.clear();
        }
    }

    fn vanish_from_sight(&mut self, heard: Timestamp, at: Timestamp) {
        self.presence = Presence::Suspect { heard };
        let started = self.claims.values_mut().filter(|claim| claim.goal != Goal::Hold);
        let started = started.filter(|_| !crate::mutant!(SuspectNotTold));
        started.for_each(|claim| claim.observed.owe(at));
    }

    fn give_up(&mut self, at: Timestamp) {
        if let Presence::Suspect { heard } = self.presence {
            self.presence = Presence::Lost { heard };
        }
        self.view.owe(at);
    }

    fn release(&mut self, instance: InstanceId, job: JobId, ended: &Ended, at: Timestamp) {
        let observed = self.claims.remove(&instance).map(|claim| claim.observed).unwrap_or_default();
        let debt = Debt::after(&observed, at);
        if self.tombstones.len() == TOMBSTONES_MAX {
            self.tombstones.pop_front();
        }
        self.tombstones.push_back((instance, debt.version()));
        self.releases.insert(instance, Release { job, ended: ended.clone(), debt });
        self.view.owe(at);
        self.desired.owe(at);
    }

    fn note(&mut self, instance: InstanceId, version: u64) {
        if let Some(claim) = self.claims.get_mut(&instance) {
            claim.observed.note(version);
        }
        if self.releases.get(&instance).is_some_and(|release| release.debt.settles(version)) {
            self.releases.remove(&instance);
        }
    }

    fn remind(&mut self, at: Timestamp) {
        let up = self.presence == Presence::Up;
        let wanted = std::iter::once(&mut self.desired).filter(|_| up);
        let owing = self.claims.values_mut().filter(|claim| claim.debts().into_iter().any(Debt::open));
        let claims = owing.flat_map(|claim| {
            let Claim { assigned, observed, moving, .. } = &mut **claim;
            [assigned, observed, moving]
        });
        let releases = self.releases.values_mut().map(|release| &mut release.debt);
        let debts = wanted.chain([&mut self.view]).chain(claims).chain(releases);
        debts.filter(|debt| debt.open()).for_each(|debt| debt.remind(at));
    }

    /// Everything that is owed and may be said now.
    pub(super) fn debts(&self) -> impl Iterator<Item = &Debt> {
        let up = self.presence == Presence::Up;
        let wanted = std::iter::once(&self.desired).filter(move |_| up && !crate::mutant!(DesiredNotRepeated));
        let view = std::iter::once(&self.view).filter(|_| !crate::mutant!(ViewNotRepeated));
        let claims = self.claims.values().flat_map(|claim| claim.debts());
        let releases = self.releases.values().map(|release| &release.debt);
        let releases = releases.filter(|_| !crate::mutant!(ReleaseNotRepeated));
        wanted.chain(view).chain(claims).chain(releases).filter(|debt| debt.open())
    }
}
