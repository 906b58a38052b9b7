//! The policy actor.

use crate::behavior::{Behavior, Turn};
use messages::id::Kind;
use messages::policy::{Event, Message};
use messages::reason::Refusal;
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What the policy actor knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {}

impl Behavior for Policy {
    const KIND: Kind = Kind::Policy;
    type Message = Message;
    type Event = Event;

    fn decide(&self, _message: &Message, _turn: &mut Turn<Self>) -> Result<(), Refusal> {
        Ok(())
    }

    fn evolve(&mut self, _event: &Event, _at: Timestamp) {}

    fn wake(due: Timestamp) -> Message {
        Message::Wake { due }
    }
}
