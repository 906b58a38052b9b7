//! What a job tells others, again and again until they answer.

use super::state::Phase;
use super::{Job, count, declare, gang};
use crate::behavior::Draft;
use messages::envelope::Endpoint;
use messages::id::{InstanceId, JobId, RolloutId, RouteId, SchedulerId};
use messages::job::Event;
use messages::reason::Reason;
use messages::rollout::RevisionProgress;
use messages::scheduler::{Ask, DEFAULT_SITE};
use messages::time::Span;
use messages::{node, rollout, route, scheduler};
use std::collections::{BTreeMap, BTreeSet};

/// After how long a place is asked for again the first time.
pub const PLACE_RETRY_FIRST: Span = Span::seconds(2);
/// After how long anything else is said again the first time.
pub const RETRY_FIRST: Span = Span::seconds(1);

const fn me(draft: &Draft<'_, Job>) -> JobId {
    JobId(draft.turn.me().id)
}

/// Says everything again that is due.
pub(super) fn wake(draft: &mut Draft<'_, Job>) -> Reason {
    let now = draft.turn.now();
    let due = |phase: Phase| {
        let due = draft.state.instances.iter().filter(move |(_, one)| one.phase == phase && one.retry.due <= now);
        due.map(|(id, _)| *id).collect::<Vec<InstanceId>>()
    };
    let (wanted, starting, stopping) = (due(Phase::Wanted), due(Phase::Starting), due(Phase::Stopping));
    if !wanted.is_empty() {
        if !crate::mutant!(PlaceNotRepeated) {
            place(draft, &wanted);
        }
        draft.record(Event::Sought { instances: wanted });
        may_stay(draft);
    }
    for instance in starting {
        start(draft, instance);
        draft.record(Event::Pressed { instance });
    }
    for instance in stopping {
        if !crate::mutant!(StopNotRepeated) {
            stop(draft, instance);
        }
        draft.record(Event::Pressed { instance });
    }
    for (route, _) in owed_routes(&draft.state).filter(|(_, due)| *due <= now).collect::<Vec<_>>() {
        draft.record(Event::EndpointsRepeated { route });
        if !crate::mutant!(EndpointsNotRepeated) {
            send_endpoints(draft, route);
        }
    }
    if draft.state.rollout.as_ref().is_some_and(|rollout| rollout.owed() && rollout.retry.due <= now) {
        draft.record(Event::RolloutPressed);
        begin(draft);
        if !crate::mutant!(ProgressNotRepeated) {
            progress_again(draft);
        }
    }
    let dismissed = draft.state.dismissed.iter().filter(|(_, dismissal)| dismissal.retry.due <= now);
    for (rollout, by) in dismissed.map(|(rollout, dismissal)| (*rollout, dismissal.by)).collect::<Vec<_>>() {
        draft.record(Event::DismissalRepeated { rollout });
        supersede(draft, rollout, by);
    }
    Reason::BackingOff
}

/// Asks the scheduler for places, in one message for each revision.
pub(super) fn place(draft: &mut Draft<'_, Job>, wanted: &[InstanceId]) {
    let state = &draft.state;
    let Some(spec) = &state.spec else { return };
    let (wanted, together) = (gang::asking(state, wanted), gang::gathers(state));
    let mut asks: BTreeMap<u32, Vec<Ask>> = BTreeMap::new();
    for (id, instance) in wanted.iter().filter_map(|id| Some((*id, state.instances.get(id)?))) {
        asks.entry(instance.revision).or_default().push(Ask {
            instance: id,
            label: state.label(instance.slot),
            revision: instance.revision,
            avoid: instance.avoid.clone(),
            gang: together,
        });
    }
    let job = me(draft);
    let messages = asks.into_iter().filter_map(|(revision, asks)| {
        Some(scheduler::Message::Place {
            job,
            realm: spec.realm.clone(),
            name: spec.name.clone(),
            exclusive: spec.exclusive,
            workload: state.workloads.get(&revision)?.clone(),
            place: spec.place.clone(),
            asks,
        })
    });
    for message in messages.collect::<Vec<_>>() {
        draft.turn.send(SchedulerId::of_site(DEFAULT_SITE), message);
    }
}

/// Asks the nodes that it was asked to leave whether what has no other place may stay.
fn may_stay(draft: &mut Draft<'_, Job>) {
    let moving = draft.state.instances.iter().filter(|(_, one)| one.moving() && !crate::mutant!(NeverStays));
    for (instance, node) in moving.filter_map(|(id, one)| Some((*id, one.node?))).collect::<Vec<_>>() {
        draft.turn.send(node, node::Message::MayStay { instance });
    }
}

/// Tells an instance that has a place to start, unless it waits for the others of its gang.
pub(super) fn start(draft: &mut Draft<'_, Job>, instance: InstanceId) {
    if gang::gathers(&draft.state) {
        return;
    }
    if let Some(node) = draft.state.instances.get(&instance).and_then(|known| known.node) {
        draft.turn.send(node, node::Message::Start { instance });
    }
}

pub(super) fn stop(draft: &mut Draft<'_, Job>, instance: InstanceId) {
    let Some(known) = draft.state.instances.get(&instance) else { return };
    let Some(node) = known.node else { return };
    let because = known.retiring.unwrap_or(known.reason);
    let job = me(draft);
    draft.turn.send(node, node::Message::Stop { instance, job, because });
}

impl Job {
    /// Every instance that runs, as the routes are told.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let endpoints = self.instances.iter().filter(|(_, instance)| instance.endpoint());
        let endpoint = endpoints.filter_map(|(id, instance)| {
            Some(Endpoint {
                instance: *id,
                label: self.label(instance.slot),
                revision: instance.revision,
                node: instance.node?,
                host: instance.host.clone(),
                ports: instance.ports.clone(),
                healthy: instance.healthy(),
            })
        });
        endpoint.collect()
    }

    /// How things are, as the rollout is told. None without a rollout that has said what to have.
    pub(super) fn progress(&self) -> Option<(u64, u32, Vec<RevisionProgress>)> {
        let engagement = self.rollout.as_ref()?;
        let mut revisions = BTreeSet::from([engagement.from, engagement.to]);
        revisions.extend(self.counts.keys());
        let revisions = revisions.into_iter().map(|revision| {
            let failures = engagement.failures.get(&revision);
            RevisionProgress {
                revision,
                present: self.present(revision),
                healthy: count(self.instances.values().filter(|one| one.revision == revision && one.healthy())),
                failures: failures.map_or(0, |(failures, _)| *failures),
                evidence: failures.map(|(_, evidence)| evidence.clone()).or_else(|| self.unplaced(revision)),
            }
        });
        Some((engagement.targets?, self.desired, revisions.collect()))
    }

    fn unplaced(&self, revision: u32) -> Option<String> {
        self.instances.values().filter(|one| one.revision == revision && one.phase == Phase::Wanted).find_map(|one| {
            let why = one.unplaceable.as_ref()?;
            Some(format!("{} cannot be placed: {}", self.label(one.slot), why.message))
        })
    }
}

/// Tells every route when the endpoints or the weights are other than they were before the turn.
pub(super) fn endpoints(before: &Job, draft: &mut Draft<'_, Job>) {
    let after = &draft.state;
    if before.weights == after.weights && before.endpoints() == after.endpoints() {
        return;
    }
    let version = after.endpoints_version + 1;
    draft.record(Event::EndpointsChanged { version });
    for route in draft.state.subscribers.keys().copied().collect::<Vec<_>>() {
        send_endpoints(draft, route);
    }
}

fn send_endpoints(draft: &mut Draft<'_, Job>, route: RouteId) {
    let message = route::Message::Endpoints {
        job: me(draft),
        version: draft.state.endpoints_version,
        endpoints: draft.state.endpoints(),
        weights: draft.state.weights.clone(),
    };
    draft.turn.send(route, message);
}

/// Routes that have not taken the endpoints in, and when they are told again.
pub(super) fn owed_routes(job: &Job) -> impl Iterator<Item = (RouteId, messages::time::Timestamp)> {
    let behind = |noted: Option<u64>| noted.is_none_or(|noted| noted < job.endpoints_version);
    let owed = job.subscribers.iter().filter(move |(_, subscriber)| behind(subscriber.noted));
    owed.map(|(route, subscriber)| (*route, subscriber.retry.due))
}

pub(super) fn subscribe(draft: &mut Draft<'_, Job>, route: RouteId) -> Reason {
    if !draft.state.subscribers.contains_key(&route) {
        draft.record(Event::Subscribed { route });
    }
    send_endpoints(draft, route);
    Reason::Declared
}

/// A route says that it leads elsewhere. That may be late, from before it came back. So one that had taken in its
/// endpoints is told them once more: if it has gone indeed, it says so again.
pub(super) fn unsubscribe(draft: &mut Draft<'_, Job>, route: RouteId) -> Reason {
    match draft.state.subscribers.get(&route).map(|known| known.noted) {
        Some(Some(_)) => {
            draft.record(Event::Subscribed { route });
            send_endpoints(draft, route);
        }
        Some(None) => draft.record(Event::Unsubscribed { route }),
        None => {}
    }
    Reason::Declared
}

pub(super) fn endpoints_noted(draft: &mut Draft<'_, Job>, route: RouteId, version: u64) -> Reason {
    let version = version.min(draft.state.endpoints_version);
    if !draft.state.subscribers.contains_key(&route) {
        // What it said when it left before came after what it said when it came back.
        draft.record(Event::Subscribed { route });
        send_endpoints(draft, route);
        return Reason::Declared;
    }
    if draft.state.subscribers.get(&route).is_some_and(|known| known.noted < Some(version)) {
        draft.record(Event::EndpointsNoted { route, version });
    }
    Reason::Declared
}

/// Asks the rollout that is under way to begin, unless it has begun.
pub(super) fn begin(draft: &mut Draft<'_, Job>) {
    let Some(engagement) = draft.state.under_way().filter(|engagement| engagement.targets.is_none()) else { return };
    let rollout = engagement.rollout;
    if let Some(message) = declare::begin_message(&draft.state, me(draft)) {
        draft.turn.send(rollout, message);
    }
}

pub(super) fn supersede(draft: &mut Draft<'_, Job>, rollout: RolloutId, by: Option<u32>) {
    let job = me(draft);
    draft.turn.send(rollout, rollout::Message::Supersede { job, by });
}

/// Tells the rollout when its progress is other than it was before the turn.
pub(super) fn progress(before: &Job, draft: &mut Draft<'_, Job>) {
    let after = &draft.state;
    let Some(engagement) = &after.rollout else { return };
    let same = |before: &Job| before.rollout.as_ref().is_some_and(|known| known.rollout == engagement.rollout);
    let (was, is) = (before.progress().filter(|_| same(before)), after.progress());
    let targets = |progress: &Option<(u64, u32, Vec<RevisionProgress>)>| progress.as_ref().map(|told| told.0);
    if is.is_none() || was == is || (engagement.over && targets(&was) == targets(&is)) {
        return;
    }
    let version = engagement.told + 1;
    draft.record(Event::ProgressChanged { version });
    progress_again(draft);
}

/// Tells the rollout how things are, with the version it was told last.
pub(super) fn progress_again(draft: &mut Draft<'_, Job>) {
    let Some(engagement) = &draft.state.rollout else { return };
    let Some((targets, desired, revisions)) = draft.state.progress() else { return };
    let (rollout, version) = (engagement.rollout, engagement.told);
    draft.turn.send(rollout, rollout::Message::Progress { version, targets, desired, revisions });
}

pub(super) fn progress_noted(draft: &mut Draft<'_, Job>, rollout: RolloutId, version: u64) -> Reason {
    let engagement = draft.state.rollout.as_ref();
    if engagement.is_some_and(|known| known.rollout == rollout && known.noted < version && version <= known.told) {
        draft.record(Event::ProgressNoted { version });
    }
    Reason::RolledOut
}
