//! The world: what happens next happens, and leads to more. Everything in it is data, so it can be cloned and run on.

mod branch;
pub mod clock;
pub mod context;
pub mod features;
pub mod queue;
pub mod quiet;
pub mod random;
pub mod tape;
pub mod trigger;
mod trouble;
mod twins;

use crate::client::Clients;
use crate::control::{Control, ControlEvent};
use crate::machine::{Machine, MachineEvent};
use crate::plan::Plan;
use crate::verdict::{Invariant, Verdict};
use context::{Context, Parcel};
use messages::agent::Order;
use messages::envelope::Address;
use messages::id::NodeId;
use queue::{Moment, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message arrives.
    Arrives {
        /// When the bus accepted it, in microseconds.
        accepted: u64,
        /// The message.
        parcel: Box<Parcel>,
    },
    /// Something in the control plane.
    Control(ControlEvent),
    /// Something on a machine.
    Machine(usize, MachineEvent),
    /// A client speaks, if it still waits with this command in this try.
    Client {
        /// Which client.
        client: u32,
        /// Which command of the plan.
        operation: usize,
        /// In which try.
        attempt: u32,
    },
    /// A fault of the plan begins.
    Begins(usize),
    /// A fault of the plan is over.
    Ends(usize),
    /// Draws are keyed by another seed from now on.
    Rekey(u64),
    /// The world must be as desired now.
    Settled,
}

/// A world in the middle of its plan.
#[derive(Clone, Debug)]
pub struct World {
    cx: Context,
    control: Control,
    machines: Vec<Machine>,
    by_node: BTreeMap<NodeId, Vec<usize>>,
    clients: Clients,
    /// The machines that each fault under way hits, by its number in the plan.
    hit: BTreeMap<usize, Vec<usize>>,
    /// The moment of the last event.
    moment: Moment,
    events: u64,
    events_max: u64,
}

/// More happenings than this are a storm in a small world, and end the run.
const EVENTS_MAX: u64 = 2_000_000;
/// So many more may happen in a large one, for each of its machines and simulated seconds.
const EVENTS_PER_MACHINE_SECOND: u64 = 60;
/// From so many machines on, a wheel keeps the events.
const WHEEL_FROM: usize = 64;

/// How a world is run. Whatever they say, the verdict is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Knobs {
    /// What keeps the events.
    pub store: Store,
    /// Whether machines rest: beats that do nothing but say that a machine is alive are not played.
    pub rest: bool,
}

impl Knobs {
    /// What is quickest for a plan that is run to its end.
    pub const fn of(plan: &Plan) -> Self {
        Self { rest: plan.rekeys.is_empty(), ..Self::awake(plan) }
    }

    /// What is quickest for a plan where nobody may rest: where every happening is looked at, or worlds part.
    const fn awake(plan: &Plan) -> Self {
        Self { store: if plan.machines.len() < WHEEL_FROM { Store::Heap } else { Store::Wheel }, rest: false }
    }
}

/// More happenings than this are a storm.
const fn storm(plan: &Plan) -> u64 {
    EVENTS_MAX + plan.machines.len() as u64 * (plan.end_at / 1_000_000) * EVENTS_PER_MACHINE_SECOND
}

impl World {
    /// A world at its first moment, in which nobody rests, so that it can be looked at and made to go on otherwise.
    pub fn new(plan: Arc<Plan>) -> Self {
        let knobs = Knobs::awake(&plan);
        Self::with(plan, knobs)
    }

    /// A world at its first moment, with knobs that change how it is run and nothing of what comes of it.
    pub fn with(plan: Arc<Plan>, knobs: Knobs) -> Self {
        let mut cx = Context::new(Arc::clone(&plan), knobs);
        let machines: Vec<Machine> =
            plan.machines.iter().enumerate().map(|(index, machine)| Machine::new(index, machine)).collect();
        for (index, machine) in plan.machines.iter().enumerate() {
            cx.queue.at(machine.joins_at, Event::Machine(index, MachineEvent::Boot));
        }
        Self::arrange_faults(&mut cx, 0);
        Self::arrange_rekeys(&mut cx);
        cx.queue.at(plan.settled_at, Event::Settled);
        let clients = Clients::new(&plan, &mut cx);
        let by_node = machines.iter().map(|machine| (machine.node(), vec![machine.index()])).collect();
        let mut control = Control::default();
        control.goes_on_with(&plan);
        control.start(&mut cx);
        Self {
            cx,
            control,
            machines,
            by_node,
            clients,
            hit: BTreeMap::new(),
            moment: Moment::default(),
            events: 0,
            events_max: storm(&plan),
        }
    }

    /// Lets the next thing happen. False when there is nothing more, or nothing more to learn.
    pub fn step(&mut self) -> bool {
        if self.cx.oracle.is_over() {
            return false;
        }
        let Some((moment, event)) = self.cx.queue.next(self.cx.plan.end_at) else { return false };
        self.moment = moment;
        if self.rest(&event) {
            return true;
        }
        self.wake_for(&event);
        self.events += 1;
        if self.events > self.events_max {
            self.cx.violate(Invariant::Quiet, "a storm: more happens than can be right", String::new());
            return false;
        }
        if let Some(event) = self.hold(event) {
            self.happen(event);
        }
        self.look_after();
        true
    }

    /// What was committed and done since the last time, as lines; only when tracing was turned on.
    pub fn drain_trace(&mut self) -> Vec<context::TraceLine> {
        std::mem::take(&mut self.cx.trace)
    }

    /// Writes down what happens, for [`World::drain_trace`].
    pub const fn trace(&mut self) {
        self.cx.tracing = true;
    }

    /// The end: what is left is checked, and everything summed up.
    pub fn finish(mut self) -> Verdict {
        self.conclude();
        self.cx.into_verdict(self.events)
    }

    /// Checks what is left to check when nothing more happens.
    pub fn conclude(&mut self) {
        let over = self.cx.oracle.is_over() || self.events > self.events_max;
        if over {
            self.wake_all(self.moment);
        } else {
            self.wake_all(Moment::end_of(self.cx.plan.end_at));
            self.cx.queue.return_to(self.cx.plan.end_at);
        }
        if !self.cx.oracle.is_over() {
            self.control.check_all(&mut self.cx, true);
            self.clients.check_answered(&mut self.cx);
            let truth: Vec<_> = self.machines.iter().map(Machine::truth).collect();
            self.cx.check_converged(&truth);
            self.cx.check_quiet();
        }
    }

    fn happen(&mut self, event: Event) {
        self.tape_step(&event);
        let cx = &mut self.cx;
        match event {
            Event::Arrives { accepted, parcel } => self.arrive(accepted, *parcel),
            Event::Control(event) => self.control.happen(event, cx),
            Event::Machine(index, event) => self.machines[index].happen(event, cx),
            Event::Client { client, operation, attempt } => self.clients.speak(client, operation, attempt, cx),
            Event::Begins(number) => self.begin(number),
            Event::Ends(number) => self.end(number),
            Event::Rekey(seed) => cx.random = cx.random.rekeyed(seed),
            Event::Settled => {
                let truth: Vec<_> = self.machines.iter().map(Machine::truth).collect();
                cx.check_converged(&truth);
            }
        }
    }

    fn arrive(&mut self, accepted: u64, parcel: Parcel) {
        let cx = &mut self.cx;
        if cx.bus.has_lost(accepted) {
            return cx.see_bus();
        }
        if let Parcel::Envelope(envelope) = &parcel {
            cx.bus.handled(cx.queue.now(), envelope);
        }
        cx.statistics.messages += 1;
        match parcel {
            Parcel::Beat(machine, beat) => self.control.hear_beat(machine, self.machines[machine].node(), beat, cx),
            Parcel::Heard(machine, order) => self.answer(machine, order),
            Parcel::Envelope(envelope) if cx.is_void(&envelope) => cx.mark("void-message-dropped"),
            Parcel::Envelope(envelope) => match envelope.to {
                Address::Actor(_) => self.control.deliver(&envelope, cx),
                Address::Agent(node) => {
                    let Some((last, others)) = self.by_node.get(&node).and_then(|all| all.split_last()) else { return };
                    for index in others {
                        self.machines[*index].hear((*envelope).clone(), cx);
                    }
                    self.machines[*last].hear(*envelope, cx);
                }
                Address::Client(client) => self.clients.hear(client, &envelope, cx),
                Address::Host => {}
            },
        }
    }

    /// A sign of life is answered; every machine of that name hears it.
    fn answer(&mut self, machine: usize, order: Order) {
        if self.machines.len() == self.cx.plan.machines.len() {
            return self.machines[machine].hear_answer(order, &mut self.cx);
        }
        let node = self.machines[machine].node();
        for index in self.by_node.get(&node).into_iter().flatten() {
            self.machines[*index].hear_answer(order.clone(), &mut self.cx);
        }
    }
}
