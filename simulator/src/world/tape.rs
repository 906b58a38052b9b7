//! A tape of a run: what happened and what led to it, for those who explain, compare and draw runs. It changes nothing.

use crate::machine::MachineEvent;
use crate::verdict::Violation;
use crate::world::context::Parcel;
use crate::world::random::fold;
use crate::world::{Event, World};
use actors::agent::Beat;
use messages::agent::{Assignment, Ended};
use messages::entry::Entry;
use messages::envelope::{Address, Body, Envelope, MessageId};
use messages::id::{ActorId, InstanceId, NodeId};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When, in microseconds since the world began.
    pub at: u64,
    /// The record of what led to it, if anything did.
    pub cause: Option<usize>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// An actor took a turn, and it is durable.
    Committed(Box<Entry>),
    /// Somebody said something.
    Sent {
        /// Its identity.
        id: MessageId,
        /// Who.
        from: Address,
        /// To whom.
        to: Address,
        /// What it is called.
        name: String,
        /// When its copies arrive; never, when it is lost.
        arrives: [Option<u64>; 2],
    },
    /// It arrived.
    Arrived {
        /// Its identity.
        id: MessageId,
        /// Who said it.
        from: Address,
        /// To whom.
        to: Address,
        /// What it is called.
        name: String,
    },
    /// Something on a machine happened by itself.
    Machine {
        /// Which machine.
        machine: usize,
        /// What, in words.
        what: String,
        /// To which instance, if to one.
        instance: Option<InstanceId>,
    },
    /// A workload was started.
    Started {
        /// On which machine.
        machine: usize,
        /// Which instance.
        instance: InstanceId,
        /// Its label.
        label: String,
    },
    /// A workload is gone.
    Ended {
        /// On which machine.
        machine: usize,
        /// Which instance.
        instance: InstanceId,
        /// Its label.
        label: String,
        /// Why.
        why: String,
    },
    /// Something of the control plane's process.
    Control(String),
    /// A client was answered.
    Answered {
        /// Which client.
        client: u32,
        /// To which command.
        action: String,
        /// Whether it was done.
        done: bool,
    },
    /// A fault of the plan begins.
    Begins {
        /// Its number in the plan.
        fault: usize,
        /// The machines it hits.
        machines: Vec<usize>,
    },
    /// A fault of the plan is over.
    Ends(usize),
    /// Something was that must never be.
    Violated(Violation),
}

impl What {
    /// A message was sent.
    pub(crate) fn sent(envelope: &Envelope, arrives: [Option<u64>; 2]) -> Self {
        let Envelope { id, from, to, .. } = *envelope;
        Self::Sent { id, from, to, name: name_of(envelope), arrives }
    }

    /// A message arrived.
    pub(crate) fn arrived(envelope: &Envelope) -> Self {
        let Envelope { id, from, to, .. } = *envelope;
        Self::Arrived { id, from, to, name: name_of(envelope) }
    }

    /// A workload was started.
    pub(crate) fn started(machine: usize, assignment: &Assignment) -> Self {
        Self::Started { machine, instance: assignment.instance, label: assignment.label.clone() }
    }

    /// A workload is gone.
    pub(crate) fn ended(machine: usize, assignment: &Assignment, ended: &Ended) -> Self {
        let (instance, label) = (assignment.instance, assignment.label.clone());
        Self::Ended { machine, instance, label, why: ended.reason.to_string() }
    }

    /// A sign of life was sent.
    pub(crate) fn beat_sent(node: NodeId, beat: Beat, arrives: [Option<u64>; 2]) -> Self {
        let (id, from) = (beat_id(node, beat), Address::Agent(node));
        Self::Sent { id, from, to: Address::Host, name: BEAT.into(), arrives }
    }

    /// A sign of life arrived.
    pub(crate) fn beat_arrived(node: NodeId, beat: Beat) -> Self {
        let (id, from) = (beat_id(node, beat), Address::Agent(node));
        Self::Arrived { id, from, to: Address::Host, name: BEAT.into() }
    }
}

/// What a sign of life is called.
pub const BEAT: &str = "Beat";

/// What it is called when an agent does what it had put off.
pub const DEADLINE: &str = "agent's deadline";

/// A sign of life has no id of its own; this one tells it from others.
fn beat_id(node: NodeId, beat: Beat) -> MessageId {
    let (high, low) = node.0.as_u64_pair();
    MessageId::Outside(Uuid::from_u64_pair(fold(high, low), fold(beat.session, beat.sent_at.0)))
}

/// What happened, in order, and what is needed to know what led to it.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    records: Vec<Record>,
    entries: BTreeMap<(ActorId, u64), usize>,
    sent: BTreeMap<MessageId, usize>,
    arrived: BTreeMap<MessageId, usize>,
    started: BTreeMap<InstanceId, usize>,
    heard: BTreeMap<usize, usize>,
    trigger: Option<(u64, What)>,
    step: Option<usize>,
}

impl Tape {
    /// Everything that happened, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The next thing happens. It is written down only when something comes of it.
    pub(crate) fn begin(&mut self, at: u64, trigger: Option<What>) {
        self.step = None;
        self.trigger = trigger.map(|what| (at, what));
    }

    /// Something happened.
    pub(crate) fn write(&mut self, at: u64, what: What) {
        if let Some((at, trigger)) = self.trigger.take() {
            let cause = self.cause_of(&trigger);
            self.step = Some(self.push(at, cause, trigger));
        }
        let cause = self.cause_of(&what).or(self.step);
        let index = self.push(at, cause, what);
        if self.step.is_none() {
            self.step = Some(index);
        }
    }

    fn push(&mut self, at: u64, cause: Option<usize>, what: What) -> usize {
        let index = self.records.len();
        match &what {
            What::Committed(entry) => {
                self.entries.insert((entry.head().actor, entry.head().sequence), index);
            }
            What::Sent { id, .. } => {
                self.sent.insert(*id, index);
            }
            What::Arrived { id, .. } => {
                self.arrived.insert(*id, index);
            }
            What::Started { instance, .. } => {
                self.started.insert(*instance, index);
            }
            _ => {}
        }
        self.records.push(Record { at, cause, what });
        index
    }

    /// A machine's agent has heard something: what it does later by itself rests on it.
    pub(crate) fn heard(&mut self, machine: usize) {
        if let Some(step) = self.step {
            self.heard.insert(machine, step);
        }
    }

    fn cause_of(&self, what: &What) -> Option<usize> {
        match what {
            What::Committed(entry) => self.cause_of_entry(entry),
            What::Sent { id: MessageId::Said { by, sequence, .. }, .. } => self.entries.get(&(*by, *sequence)).copied(),
            What::Arrived { id, .. } => self.sent.get(id).copied(),
            What::Machine { machine, instance, .. } => {
                let started = instance.and_then(|instance| self.started.get(&instance).copied());
                started.or_else(|| self.heard.get(machine).copied())
            }
            _ => None,
        }
    }

    fn cause_of_entry(&self, entry: &Entry) -> Option<usize> {
        let head = entry.head();
        match head.cause {
            MessageId::Deadline { .. } => self.entries.get(&(head.actor, head.sequence.checked_sub(1)?)).copied(),
            id => self.arrived.get(&id).or_else(|| self.sent.get(&id)).copied(),
        }
    }
}

impl World {
    /// The tape takes note of what happens next.
    pub(super) fn tape_step(&mut self, event: &Event) {
        let cx = &mut self.cx;
        let now = cx.now();
        let Some(tape) = &mut cx.tape else { return };
        let by_itself =
            |machine: usize, what: &str, instance| Some(What::Machine { machine, what: what.into(), instance });
        let trigger = match event {
            Event::Machine(machine, MachineEvent::Process(_, instance, stage)) => {
                by_itself(*machine, stage.name(), Some(*instance))
            }
            Event::Machine(machine, MachineEvent::Watchdog(_)) => by_itself(*machine, "watchdog", None),
            Event::Machine(machine, MachineEvent::AgentTick(_)) => by_itself(*machine, DEADLINE, None),
            Event::Machine(machine, MachineEvent::Boot) => by_itself(*machine, "power comes on", None),
            _ => None,
        };
        tape.begin(now, trigger);
        let Event::Arrives { parcel, .. } = event else { return };
        match &**parcel {
            Parcel::Beat(machine, beat) => tape.write(now, What::beat_arrived(self.machines[*machine].node(), *beat)),
            Parcel::Heard(machine, _) => tape.heard(*machine),
            Parcel::Envelope(envelope) => {
                tape.write(now, What::arrived(envelope));
                if let Address::Agent(node) = envelope.to {
                    self.by_node.get(&node).into_iter().flatten().for_each(|machine| tape.heard(*machine));
                }
            }
        }
    }
}

/// What a message is called.
pub fn name_of(envelope: &Envelope) -> String {
    match &envelope.body {
        Body::Job(message) => first_word(message),
        Body::Node(message) => first_word(message),
        Body::Scheduler(message) => first_word(message),
        Body::Route(message) => first_word(message),
        Body::Rollout(message) => first_word(message),
        Body::Policy(messages::policy::Message::Submit { request, .. }) => request.action().into(),
        Body::Policy(message) => first_word(message),
        Body::Agent(order) => first_word(order),
        Body::Reply(Ok(_)) => "Done".into(),
        Body::Reply(Err(refusal)) => format!("Refused: {}", refusal.reason),
    }
}

/// What an entry heard, and what it recorded, each by name.
pub fn names_of(entry: &Entry) -> (String, Vec<String>) {
    fn names<M: std::fmt::Debug, E: std::fmt::Debug>(record: &messages::entry::Record<M, E>) -> (String, Vec<String>) {
        (first_word(&record.input), record.events.iter().map(first_word).collect())
    }
    match entry {
        Entry::Job(record) => names(record),
        Entry::Node(record) => names(record),
        Entry::Scheduler(record) => names(record),
        Entry::Route(record) => names(record),
        Entry::Rollout(record) => names(record),
        Entry::Policy(record) => names(record),
    }
}

/// The name of an enum's variant: the first word of what is written for people, and no more of it is written.
pub fn first_word(value: &impl std::fmt::Debug) -> String {
    struct First(String);
    impl std::fmt::Write for First {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let word = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
            self.0.push_str(&text[..word]);
            if word < text.len() { Err(std::fmt::Error) } else { Ok(()) }
        }
    }
    let mut first = First(String::new());
    let _stops_after_the_word = std::fmt::write(&mut first, format_args!("{value:?}"));
    first.0
}

#[cfg(test)]
mod tests {
    use super::first_word;
    use messages::node::Message;

    #[test]
    fn a_variant_is_named_without_what_is_in_it() {
        assert_eq!(first_word(&Message::ViewNoted { version: 3 }), "ViewNoted");
        assert_eq!(first_word(&messages::agent::Order::SayHello), "SayHello");
    }
}
