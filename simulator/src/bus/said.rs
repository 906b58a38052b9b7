//! What is said over the bus: by whom to whom, and what.

use crate::world::random::{key_of_actor, key_of_uuid};
use actors::agent::Beat;
use messages::codec;
use messages::envelope::{Address, Body, Envelope};

/// Who says something to whom, as keys, and which machine's network it crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The sender, as a key of draws.
    pub from: u64,
    /// The receiver, as a key of draws.
    pub to: u64,
    /// The machine whose network it crosses, if it leaves the control plane for one or comes from one.
    pub machine: Option<usize>,
    /// Whether it comes from the machine.
    pub from_machine: bool,
    /// Whether it never leaves the control plane.
    pub inside: bool,
    /// The number of its lane, when it has one of its own: beats and their answers do.
    pub lane: Option<usize>,
}

impl Link {
    pub(super) const fn is_to_machine(self) -> bool {
        self.machine.is_some() && !self.from_machine
    }

    pub(super) const fn is_of_client(self) -> bool {
        self.machine.is_none() && !self.inside
    }
}

/// An address as a key of draws.
pub fn key_of(address: Address) -> u64 {
    match address {
        Address::Actor(id) => key_of_actor(id),
        Address::Agent(id) => key_of_uuid(id.0) ^ 0xa9e7,
        Address::Client(id) => key_of_uuid(id.0) ^ 0xc11e,
        Address::Host => 0x4057,
    }
}

/// What is said.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// A message.
    Envelope(&'a Envelope),
    /// A sign of life, or the answer to one.
    Beat(&'a Beat),
}

/// Something that is said now.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// By whom to whom.
    pub link: Link,
    /// Its identity, as a key of draws.
    pub message: u64,
    /// How often it was said before.
    pub occurrence: u64,
    /// What.
    pub what: What<'a>,
}

/// A sign of life is about so long, in bytes.
const BEAT_BYTES: u64 = 64;

impl Said<'_> {
    /// How long it is on the wire, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        match self.what {
            What::Envelope(envelope) => codec::encode_envelope(envelope).len() as u64,
            What::Beat(_) => BEAT_BYTES,
        }
    }

    /// Whether the failure detector says it.
    pub(super) fn is_from_host(&self) -> bool {
        matches!(self.what, What::Envelope(envelope) if envelope.from == Address::Host)
    }

    /// Its name, when one actor says it to another.
    pub(super) fn name(&self) -> Option<String> {
        use crate::world::trigger::name_of;
        let What::Envelope(Envelope { from: Address::Actor(_), body, .. }) = self.what else { return None };
        Some(match body {
            Body::Job(message) => name_of(message),
            Body::Node(message) => name_of(message),
            Body::Scheduler(message) => name_of(message),
            Body::Route(message) => name_of(message),
            Body::Rollout(message) => name_of(message),
            Body::Policy(message) => name_of(message),
            Body::Agent(_) | Body::Reply(_) => return None,
        })
    }
}
