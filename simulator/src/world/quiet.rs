//! Quiet beats are not played. While nothing is wrong and a machine has nothing to say but that it is alive, what its
//! beats would do is known beforehand: each is sent when its time comes, heard, and answered before the next.
//!
//! A machine that is at rest when its beat is due is put down to rest, and the control plane's detector is told that
//! somebody vouches for it. As soon as something else concerns the machine, the beats are made up for: all but the last
//! are skipped, which changes nothing that the last does not change again, and the last are played as they would have
//! been, by the same code, at the same moments. So verdicts are the same with and without rest. Where clocks are set or
//! stopped nobody rests.

use super::context::Context;
use super::queue::Moment;
use super::{Event, World};
use crate::control::Control;
use crate::machine::MachineEvent;
use crate::plan::{Plan, Trouble};
use messages::agent::Order;
use messages::envelope::Address;
use messages::id::NodeId;

/// Where a message takes longer than this, in microseconds, a beat may not be answered before the next.
const NETWORK_MAX: u64 = 100_000;
/// Where a clock drifts by more than this, in millionths, a lease is worth a look at every beat.
const DRIFT_MAX: u64 = 100_000;
/// What happens for a beat: it is sent, it arrives, and the answer arrives.
const EVENTS_PER_BEAT: u64 = 3;
/// The messages among them.
const MESSAGES_PER_BEAT: u64 = 2;

/// Who rests, and what keeps whom from it.
#[derive(Clone, Debug, Default)]
pub struct Quiet {
    allowed: bool,
    rests: Vec<Option<Moment>>,
    /// How many rest.
    resting: usize,
    /// Whether beats are being made up for.
    makes_up: bool,
    /// How many faults under way each machine feels.
    troubled: Vec<u32>,
    /// How many faults under way everyone feels.
    uneasy: u32,
    /// Orders that the detector is to see once their machine's beats were made up for.
    passed: Vec<(usize, NodeId, Order)>,
}

impl Quiet {
    /// Nobody rests yet.
    pub(super) fn new(plan: &Plan, allowed: bool) -> Self {
        let drifts = |ppm: i64| ppm.unsigned_abs() > DRIFT_MAX;
        let wild = plan.pace.network_us.1 > NETWORK_MAX
            || drifts(plan.clock.drift_ppm)
            || plan.machines.iter().any(|machine| drifts(machine.clock.drift_ppm))
            || plan.faults.iter().any(|fault| matches!(fault.trouble, Trouble::Clock(_)));
        let count = plan.machines.len();
        Self { allowed: allowed && !wild, rests: vec![None; count], troubled: vec![0; count], ..Self::default() }
    }

    /// Whether this machine rests.
    pub fn rests(&self, machine: usize) -> bool {
        self.rests.get(machine).is_some_and(Option::is_some)
    }

    /// Whether beats are being made up for. They were sent while nothing was wrong, so each of them was answered.
    pub const fn makes_up(&self) -> bool {
        self.makes_up
    }

    /// An order that the detector must see passes on its way to a machine that rests.
    pub fn pass(&mut self, machine: usize, node: NodeId, order: Order) {
        self.passed.push((machine, node, order));
    }

    fn may_rest(&self, machine: usize) -> bool {
        self.allowed && self.uneasy == 0 && self.troubled.get(machine) == Some(&0)
    }

    fn feel(&mut self, machines: Option<&[usize]>, more: bool) {
        let change = |count: &mut u32| *count = if more { *count + 1 } else { count.saturating_sub(1) };
        match machines {
            None => change(&mut self.uneasy),
            Some(machines) => machines.iter().for_each(|at| self.troubled.get_mut(*at).into_iter().for_each(change)),
        }
    }
}

/// Whom a trouble of these machines concerns: some machines alone, or everyone.
const fn concerned(trouble: Trouble, machines: &[usize]) -> Option<&[usize]> {
    match trouble {
        Trouble::Bus(_) | Trouble::Machine(_) if !machines.is_empty() => Some(machines),
        _ => None,
    }
}

impl World {
    /// Whether the event is a beat of a machine that may rest instead. Then it does.
    pub(super) fn rest(&mut self, event: &Event) -> bool {
        let Event::Machine(index, MachineEvent::AgentTick(generation)) = *event else { return false };
        let may = self.cx.quiet.may_rest(index) && !self.cx.quiet.rests(index);
        if !may || !self.machines[index].is_at_rest(generation, self.cx.now()) {
            return false;
        }
        let node = self.machines[index].node();
        if self.by_node.get(&node).map(Vec::as_slice) != Some(&[index]) || !self.control.vouch(node, true) {
            return false;
        }
        self.cx.quiet.rests[index] = Some(self.moment);
        self.cx.quiet.resting += 1;
        true
    }

    /// Makes up for the beats of the machine that an event concerns, before it happens.
    pub(super) fn wake_for(&mut self, event: &Event) {
        let index = match event {
            Event::Machine(index, _) => Some(*index),
            Event::Arrives { parcel, .. } => match &**parcel {
                super::Parcel::Beat(index, _) | super::Parcel::Heard(index, _) => Some(*index),
                super::Parcel::Envelope(envelope) => match envelope.to {
                    Address::Agent(node) => self.by_node.get(&node).and_then(|all| all.first().copied()),
                    _ => None,
                },
            },
            _ => None,
        };
        if let Some(index) = index {
            self.wake(index, self.moment);
        }
    }

    /// A fault begins, or is over: whom it concerns is woken before, and does not rest meanwhile.
    pub(super) fn disturb(&mut self, trouble: Trouble, machines: &[usize], begins: bool) {
        match concerned(trouble, machines) {
            Some(machines) => machines.iter().for_each(|index| self.wake(*index, self.moment)),
            None => self.wake_all(self.moment),
        }
        self.cx.quiet.feel(concerned(trouble, machines), begins);
    }

    /// Makes up for the beats of every machine.
    pub(super) fn wake_all(&mut self, until: Moment) {
        for index in 0..self.machines.len() {
            self.wake(index, until);
        }
    }

    /// After an event: when the control plane died in it, nobody rests any more; and the detector sees what passed on
    /// its way to machines that rest.
    pub(super) fn look_after(&mut self) {
        if self.cx.quiet.resting > 0 && !self.control.is_up() {
            self.wake_all(self.moment);
        }
        if self.cx.quiet.passed.is_empty() {
            return;
        }
        for (index, node, order) in std::mem::take(&mut self.cx.quiet.passed) {
            self.wake(index, self.moment);
            self.control.pass(node, &order, &mut self.cx);
        }
    }

    /// Makes up for the beats of a machine that rests, up to a moment.
    pub(super) fn wake(&mut self, index: usize, until: Moment) {
        let Some(first) = self.cx.quiet.rests.get_mut(index).and_then(Option::take) else { return };
        self.cx.quiet.resting -= 1;
        self.cx.quiet.makes_up = true;
        let machine = &mut self.machines[index];
        self.control.vouch(machine.node(), false);
        let beats = machine.beats_before(first, until);
        let network = self.cx.plan.pace.network_us.1;
        let last_answered = beats.last.at.saturating_add(2 * network + 2) < until.at;
        let played = if last_answered { 1 } else { 2 };
        let skipped = beats.count.saturating_sub(played);
        self.events += skipped * EVENTS_PER_BEAT;
        self.cx.statistics.messages += skipped * MESSAGES_PER_BEAT;
        let (moment, event) = machine.skip_beats(first, skipped);
        let now = self.cx.now();
        self.cx.queue.go_back(moment, Event::Machine(index, event));
        while let Some((_, event)) = self.cx.queue.next_aside(until) {
            self.events += 1;
            self.happen(event);
        }
        self.cx.queue.return_to(now.max(self.cx.now()));
        self.cx.quiet.makes_up = false;
        self.control.look_again(&mut self.cx);
    }
}

impl Control {
    /// Somebody vouches for a node, or does so no more. False when there is no process to be told.
    fn vouch(&mut self, node: NodeId, vouched: bool) -> bool {
        self.detector().is_some_and(|detector| {
            detector.vouch(node, vouched);
            true
        })
    }

    /// An order passes the detector on its way to a node.
    fn pass(&mut self, node: NodeId, order: &Order, cx: &mut Context) {
        let now = cx.host_now();
        if let Some(detector) = self.detector() {
            detector.passing(node, order, now);
            self.look_again(cx);
        }
    }
}
