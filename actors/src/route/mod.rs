//! The route actor.

use crate::behavior::{Behavior, Turn};
use messages::id::Kind;
use messages::reason::Refusal;
use messages::route::{Event, Message};
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What the route actor knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {}

impl Behavior for Route {
    const KIND: Kind = Kind::Route;
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
