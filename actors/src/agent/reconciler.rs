//! The agent's reconciler: told what should be on its node, it says what to start, stop and forget, and reports what is
//! seen until that was heard. Sans-IO: `handle(input, now)`, then `poll()` until it is empty.
//!
//! It holds to this:
//! * nothing is started or stopped before the first desired state after a welcome, so a control plane that is away
//!   kills no workload, except for what is exclusive and whose lease has run out;
//! * nothing is started while something runs that nobody wants any more, whose room may be promised to another already;
//! * an instance is started once: what has ended is kept until desired state does not name it any more;
//! * the lease counts from the sending of a beat that was answered;
//! * a welcome that answers no hello of this process, and desired state from before the welcome, are not heeded.

use super::lease::Lease;
use super::local::Local;
use super::{Beat, Input, Inventory, Output, Verdict, WorkloadEvent};
use messages::agent::{Assignment, Goal, Observation, Order};
use messages::id::InstanceId;
use messages::node::{LeaseTerms, Message, NodeSpec};
use messages::time::{Span, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// How long until the first hello is said again; each wait is twice the one before.
const HELLO_AGAIN_AFTER: Span = Span::milliseconds(200);
/// The longest wait between two hellos.
const HELLO_EVERY_MAX: Span = Span::seconds(2);
/// How long until a report that was not heard is said again.
const REPORT_AGAIN_AFTER: Span = Span::milliseconds(500);

/// What a planted bug takes for never: a day.
const NEVER: Span = Span::seconds(86_400);

/// A node's hands.
#[derive(Clone, Debug)]
pub struct Reconciler {
    spec: NodeSpec,
    boot: Uuid,
    terms: LeaseTerms,
    now: Timestamp,
    /// No hello of this process is older.
    born: Timestamp,
    /// The number of the last hello or report.
    last_stamp: u64,
    epoch: u64,
    session: u64,
    link: Link,
    lease: Lease,
    lease_length: Span,
    /// Desired state older than this is not heeded.
    version: u64,
    desired: Option<BTreeMap<InstanceId, Assignment>>,
    locals: BTreeMap<InstanceId, Local>,
    report: Option<Report>,
    outputs: VecDeque<Output>,
}

/// Whether the control plane knows this agent.
#[derive(Clone, Copy, Debug)]
enum Link {
    /// It says hello until it is welcomed.
    Greeting { again_at: Timestamp, wait: Span },
    /// It was welcomed, and beats.
    Joined { since: Timestamp, beat_at: Timestamp },
}

/// A report that was not heard yet.
#[derive(Clone, Debug)]
struct Report {
    number: u64,
    observations: Vec<(InstanceId, Observation)>,
    again_at: Timestamp,
}

impl Reconciler {
    /// The reconciler of a node, with what was found on the machine. It says hello at once.
    ///
    /// `now`, here and below, is the machine's monotonic clock: one and the same for every agent process of a boot.
    pub fn new(spec: NodeSpec, boot: Uuid, inventory: Inventory, terms: LeaseTerms, now: Timestamp) -> Self {
        let found = inventory.found.into_iter();
        let mut reconciler = Self {
            spec,
            boot,
            terms,
            now,
            born: now,
            last_stamp: 0,
            epoch: 0,
            session: 0,
            link: Link::Greeting { again_at: now, wait: HELLO_AGAIN_AFTER },
            lease: Lease::held_until(inventory.lease_until),
            lease_length: terms.lease,
            version: 0,
            desired: None,
            locals: found
                .filter(|_| !crate::mutant!(AdoptsNothing))
                .map(|found| (found.instance, Local::found(found)))
                .collect(),
            report: None,
            outputs: VecDeque::new(),
        };
        reconciler.handle(Input::Tick, now);
        reconciler
    }

    /// Takes something in.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        self.now = self.now.max(now);
        self.watch_lease();
        match input {
            Input::Order(order) => self.heed(order),
            Input::Workload(event) => self.see(event),
            Input::Tick => {}
        }
        self.reconcile();
        self.watch_lease();
        self.say_hello_again();
        self.beat();
        self.report();
        self.stop_again();
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to tick if nothing comes before.
    pub fn deadline(&self) -> Option<Timestamp> {
        let link = match self.link {
            Link::Greeting { again_at, .. } => again_at,
            Link::Joined { since, beat_at } => beat_at.min(self.patience(since)),
        };
        let report = self.report.as_ref().filter(|_| self.joined()).map(|report| report.again_at);
        let mortal = |local: &&Local| local.exclusive && local.live() && self.lease.holds(self.now);
        let lease = self.locals.values().find(mortal).map(|_| self.lease.until());
        let stops = self.locals.values().filter_map(Local::deadline).min();
        [Some(link), report, lease, stops].into_iter().flatten().min()
    }

    /// The epoch and session it was last welcomed with; zeros before the first welcome.
    pub const fn session(&self) -> (u64, u64) {
        (self.epoch, self.session)
    }

    /// Whether it was welcomed and has no reason to say hello again.
    pub const fn joined(&self) -> bool {
        matches!(self.link, Link::Joined { .. })
    }

    /// Until when exclusive instances may run; in the past when they may not.
    pub const fn lease_until(&self) -> Timestamp {
        self.lease.until()
    }

    /// When the next beat is due, if until then there is nothing to do but to hear orders and to see workloads: every beat
    /// so far was answered, every report heard, and all is as desired.
    pub fn at_rest(&self) -> Option<Timestamp> {
        let (Link::Joined { beat_at, .. }, Some(desired)) = (self.link, &self.desired) else { return None };
        let settled = |assignment: &Assignment| match (assignment.goal, self.locals.get(&assignment.instance)) {
            (Goal::Hold, _) | (Goal::Run, Some(_)) => true,
            (Goal::Stop, Some(local)) => !local.live(),
            (Goal::Run | Goal::Stop, None) => false,
        };
        let calm = |(id, local): (&InstanceId, &Local)| {
            !local.unheard && (local.stopping.is_none() || !local.live()) && desired.contains_key(id)
        };
        let rests = self.lease.is_answered()
            && self.report.is_none()
            && self.outputs.is_empty()
            && self.deadline() == Some(beat_at)
            && self.locals.iter().all(calm)
            && desired.values().all(settled);
        rests.then_some(beat_at)
    }

    /// So many beats were sent and answered while nobody looked, the last of them at `sent_at`.
    pub fn pass_beats(&mut self, count: u64, sent_at: Timestamp) {
        if let Link::Joined { beat_at, .. } = &mut self.link {
            *beat_at = beat_at.after(self.terms.beat_every.times(count));
            self.lease.pass(sent_at, self.lease_length);
            self.now = self.now.max(sent_at);
        }
    }

    /// How long it is from one beat to the next.
    pub const fn beat_every(&self) -> Span {
        self.terms.beat_every
    }

    /// Every instance that starts or runs here.
    pub fn live(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.locals.iter().filter(|(_, local)| local.live()).map(|(id, _)| *id)
    }

    fn heed(&mut self, order: Order) {
        match order {
            Order::Welcome { epoch, session, lease, boot, hello_at, desired } => {
                let mine = boot == self.boot || crate::mutant!(WelcomeOfOtherBoot);
                if mine && hello_at >= self.born && (epoch, session) > (self.epoch, self.session) {
                    self.join(epoch, session, lease, desired);
                }
            }
            Order::BeatHeard { epoch, session, sent_at } => {
                let mine = (epoch, session) == (self.epoch, self.session);
                if mine && self.lease.heard(sent_at, self.lease_length, self.now) {
                    self.outputs.push_back(Output::RenewLease { until: self.lease.until() });
                }
            }
            Order::SayHello => self.greet(),
            Order::Desired { epoch, version, assignments } => self.desire(epoch, version, assignments),
            Order::Changed { epoch, since, version, changed, gone } => {
                self.amend((epoch, since), version, changed, &gone);
            }
            Order::ReportHeard { report } => self.heard(report),
            // Its health checks hear opinions, and tell what they make of them.
            Order::Opinion { .. } => {}
        }
    }

    fn join(&mut self, epoch: u64, session: u64, lease: Span, desired: u64) {
        if self.epoch != 0 && self.epoch != epoch {
            self.lease.end();
        }
        self.lease.renew_session();
        if crate::mutant!(WelcomeLeases) {
            self.lease.beat(self.now);
            self.lease.heard(self.now, lease, self.now);
            self.outputs.push_back(Output::RenewLease { until: self.lease.until() });
        }
        self.lease_length = lease;
        let outdated = if crate::mutant!(WelcomeForgetsVersion) { 0 } else { self.version.max(desired) };
        (self.epoch, self.session, self.version) = (epoch, session, outdated);
        self.desired = None;
        self.report = None;
        self.link = Link::Joined { since: self.now, beat_at: self.now };
        for local in self.locals.values_mut() {
            local.unheard = local.observation.is_some();
        }
    }

    /// Begins to say hello, if it does not already.
    const fn greet(&mut self) {
        if self.joined() {
            self.link = Link::Greeting { again_at: self.now, wait: HELLO_AGAIN_AFTER };
        }
    }

    fn desire(&mut self, epoch: u64, version: u64, assignments: Vec<Assignment>) {
        let stale = version < self.version && !crate::mutant!(StaleDesiredHeeded);
        if !self.joined() || epoch != self.epoch || stale {
            return;
        }
        self.version = version;
        self.desired = Some(assignments.into_iter().map(|each| (each.instance, each)).collect());
        self.outputs.push_back(Output::Say(Message::Reconciled { epoch, version }));
    }

    fn amend(&mut self, before: (u64, u64), version: u64, changed: Vec<Assignment>, gone: &[InstanceId]) {
        let known = before == (self.epoch, self.version) || crate::mutant!(AnyChangeHeeded);
        let heeded = known && self.joined();
        let Some(desired) = self.desired.as_mut().filter(|_| heeded) else { return };
        desired.retain(|instance, _| !gone.contains(instance));
        desired.extend(changed.into_iter().map(|each| (each.instance, each)));
        self.version = version;
        self.outputs.push_back(Output::Say(Message::Reconciled { epoch: self.epoch, version }));
    }

    fn heard(&mut self, number: u64) {
        let Some(report) = self.report.take_if(|report| report.number == number || crate::mutant!(AnyReportHeard))
        else {
            return;
        };
        for (instance, observation) in report.observations {
            if let Some(local) = self.locals.get_mut(&instance)
                && local.observation.as_ref() == Some(&observation)
            {
                local.unheard = false;
            }
        }
    }

    fn see(&mut self, event: WorkloadEvent) {
        match event {
            WorkloadEvent::Started { instance, pid, ports } => {
                if let Some(local) = self.locals.get_mut(&instance) {
                    local.started(ports, pid);
                }
            }
            WorkloadEvent::StartFailed { instance, detail } => {
                if let Some(local) = self.locals.get_mut(&instance) {
                    let ended = messages::agent::Ended::new(messages::reason::Reason::CouldNotStart, detail);
                    local.end(ended);
                }
            }
            WorkloadEvent::Health { instance, verdict } => {
                if let Some(local) = self.locals.get_mut(&instance) {
                    local.judged(verdict);
                }
            }
            WorkloadEvent::Ended { instance, ended } => {
                if let Some(local) = self.locals.get_mut(&instance) {
                    local.end(ended);
                }
            }
        }
    }

    /// Makes the machine what is desired.
    fn reconcile(&mut self) {
        let Some(desired) = &self.desired else { return };
        let (now, leased) = (self.now, self.lease.holds(self.now) || crate::mutant!(ExclusiveStartsUnleased));
        let cleared = crate::mutant!(StartsBeforeCleared)
            || !self.locals.iter().any(|(id, local)| local.live() && !desired.contains_key(id));
        for assignment in desired.values() {
            let instance = assignment.instance;
            match (assignment.goal, self.locals.get_mut(&instance)) {
                (Goal::Run, None) if cleared && (leased || !assignment.exclusive) => {
                    self.locals.insert(instance, Local::starting(assignment));
                    self.outputs.push_back(Output::Start(assignment.clone()));
                }
                (Goal::Run, Some(local)) if assignment.workload.health.is_none() => local.judged(Verdict::Healthy),
                (Goal::Stop, None) => {
                    self.locals.insert(instance, Local::never(assignment));
                }
                (Goal::Stop, Some(local)) => {
                    let stop = local.stop(now).map(|grace| Output::Stop { instance, grace });
                    self.outputs.extend(stop);
                }
                (Goal::Hold | Goal::Run, _) => {}
            }
        }
        let outputs = &mut self.outputs;
        self.locals.retain(|instance, local| {
            if desired.contains_key(instance) && (local.live() || !crate::mutant!(EndedStartsAgain)) {
                return true;
            }
            if !local.live() {
                outputs.push_back(Output::Forget(*instance));
                return false;
            }
            if crate::mutant!(UnwantedLeftRunning) {
                return true;
            }
            outputs.extend(local.stop(now).map(|grace| Output::Stop { instance: *instance, grace }));
            true
        });
    }

    /// Kills what is exclusive once the lease is over, and says hello when nobody has answered for a lease's length.
    fn watch_lease(&mut self) {
        let now = self.now;
        if let Link::Joined { since, .. } = self.link
            && now >= self.patience(since)
        {
            self.greet();
        }
        if self.lease.holds(now) {
            return;
        }
        let doomed = self.locals.iter_mut().filter(|(_, local)| local.exclusive);
        let killed = doomed.filter_map(|(id, local)| local.kill(now).then_some(*id));
        self.outputs.extend(killed.map(|instance| Output::Stop { instance, grace: Span::default() }));
    }

    /// Until when an agent that joined at `since` believes that it is known without being answered.
    fn patience(&self, since: Timestamp) -> Timestamp {
        self.lease.until().max(since.after(self.lease_length))
    }

    fn say_hello_again(&mut self) {
        let Link::Greeting { again_at, wait } = self.link else { return };
        if self.now < again_at {
            return;
        }
        let next = wait.times(2).min(HELLO_EVERY_MAX);
        let wait = if crate::mutant!(HelloOnce) { NEVER } else { wait };
        self.link = Link::Greeting { again_at: self.now.after(wait), wait: next };
        let known = self.locals.iter().filter(|_| !crate::mutant!(HelloSaysNothing));
        let seen = known.filter_map(|(id, local)| Some((*id, local.observation.clone()?))).collect();
        let sent_at = Timestamp(self.stamp());
        let hello = Message::Hello { spec: self.spec.clone(), boot: self.boot, sent_at, seen };
        self.outputs.push_back(Output::Say(hello));
    }

    fn beat(&mut self) {
        if let Link::Joined { beat_at, .. } = &mut self.link
            && *beat_at <= self.now
        {
            let next = beat_at.after(self.terms.beat_every);
            *beat_at = if next > self.now { next } else { self.now.after(self.terms.beat_every) };
            self.lease.beat(self.now);
            let beat = Beat { epoch: self.epoch, session: self.session, sent_at: self.now };
            self.outputs.push_back(Output::Beat(beat));
        }
    }

    fn report(&mut self) {
        if !self.joined() {
            return;
        }
        if self.report.is_none() {
            let unheard = self.locals.iter().filter(|(_, local)| local.unheard);
            let observations: Vec<_> =
                unheard.filter_map(|(id, local)| Some((*id, local.observation.clone()?))).collect();
            if observations.is_empty() {
                return;
            }
            let number = self.stamp();
            self.report = Some(Report { number, observations, again_at: self.now });
        }
        let (epoch, now) = (self.epoch, self.now);
        if let Some(report) = self.report.as_mut().filter(|report| report.again_at <= now) {
            report.again_at = now.after(if crate::mutant!(ReportOnce) { NEVER } else { REPORT_AGAIN_AFTER });
            let (report, observations) = (report.number, report.observations.clone());
            self.outputs.push_back(Output::Say(Message::Report { epoch, report, observations }));
        }
    }

    fn stop_again(&mut self) {
        let now = self.now;
        let overdue = self.locals.iter_mut().filter_map(|(id, local)| local.overdue(now).then_some(*id));
        self.outputs.extend(overdue.map(|instance| Output::Stop { instance, grace: Span::default() }));
    }

    /// A number for the next hello or report: the time, or one more than the last.
    fn stamp(&mut self) -> u64 {
        self.last_stamp = self.now.0.max(self.last_stamp.saturating_add(1));
        self.last_stamp
    }
}
