//! What an actor does not get to see, or sees too late.

use super::said::{Said, What};
use super::wrong::{Fate, Moment};
use crate::plan::trouble::view::View;
use crate::world::random::{Domain, key_of_actor};
use messages::envelope::{Address, Body, Envelope};
use messages::id::{ActorId, Kind, NodeId};
use messages::{node, scheduler};

/// One of so many kinds of messages is hidden.
const HIDDEN_OF: u64 = 8;
/// One of so many actors is frozen.
const FROZEN_OF: u64 = 4;

/// A view that is wrong.
#[derive(Clone, Debug)]
pub(super) struct Blind {
    pub view: View,
    /// The nodes it is about.
    nodes: Vec<NodeId>,
    until: u64,
    seen: u64,
    hidden: Option<u64>,
    held: u64,
}

impl Blind {
    pub fn new(view: View, nodes: Vec<NodeId>, until: u64) -> Self {
        Self { view, nodes, until, seen: 0, hidden: None, held: 0 }
    }

    /// Changes the fate of a message. True when it did.
    pub fn bear(&mut self, fate: &mut Fate, said: &Said<'_>, moment: Moment) -> bool {
        let What::Envelope(envelope) = said.what else { return false };
        match self.view {
            View::StaleView => self.is_view(envelope) && self.hold(fate),
            View::StaleReports => self.is_report(envelope) && self.hold(fate),
            View::HiddenEvent { nth } => {
                if matches!((envelope.from, envelope.to), (Address::Actor(_), Address::Actor(_))) {
                    self.seen += 1;
                    if self.seen == nth {
                        self.hidden = Some(said.message);
                    }
                }
                fate.lost = self.hidden == Some(said.message);
                fate.lost
            }
            View::HiddenKind { choice } => {
                let Some(name) = said.name().filter(|_| matches!(envelope.to, Address::Actor(_))) else { return false };
                let name: Vec<u64> = name.bytes().map(u64::from).chain([moment.id, choice]).collect();
                fate.lost = moment.random.word(Domain::Trouble, &name).is_multiple_of(HIDDEN_OF);
                fate.lost
            }
            View::FrozenScheduler => {
                let frozen = matches!(envelope.to, Address::Actor(ActorId { kind: Kind::Scheduler, .. }));
                self.freeze(fate, frozen)
            }
            View::FrozenActors { choice } => {
                let Address::Actor(actor) = envelope.to else { return false };
                let word = moment.random.word(Domain::Trouble, &[key_of_actor(actor), moment.id, choice]);
                self.freeze(fate, word.is_multiple_of(FROZEN_OF))
            }
        }
    }

    fn freeze(&self, fate: &mut Fate, frozen: bool) -> bool {
        if frozen {
            fate.wait(self.until);
        }
        frozen
    }

    /// It comes when it is over, in its order among what is held; what the same sender says besides passes it by.
    const fn hold(&mut self, fate: &mut Fate) -> bool {
        self.held += 1;
        fate.unordered = true;
        fate.not_before = self.until + self.held;
        fate.delay = 0;
        true
    }

    fn is_view(&self, envelope: &Envelope) -> bool {
        let Body::Scheduler(scheduler::Message::View { node, .. }) = &envelope.body else { return false };
        self.nodes.contains(node)
    }

    fn is_report(&self, envelope: &Envelope) -> bool {
        let (Address::Agent(node), Body::Node(body)) = (envelope.from, &envelope.body) else { return false };
        matches!(body, node::Message::Report { .. }) && self.nodes.contains(&node)
    }
}
