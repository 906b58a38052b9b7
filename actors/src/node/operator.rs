//! What operators want of a node, as the policy passes it on: cordon, uncordon, drain.

use super::{Drain, Node};
use crate::behavior::Draft;
use messages::node::Event;
use messages::policy::{Change, Message};
use messages::reason::{Reason, Refusal};

impl Draft<'_, Node> {
    /// Nothing new.
    pub(super) fn cordon(&mut self, ticket: u64) {
        let done = self.state.cordoned;
        self.command(ticket, done, Event::Cordoned { ticket });
    }

    /// New claims again; a drain ends.
    pub(super) fn uncordon(&mut self, ticket: u64) {
        let done = !self.state.cordoned && self.state.drain == Drain::No;
        self.command(ticket, done, Event::Uncordoned { ticket });
    }

    /// Nothing new, and everything away.
    pub(super) fn drain(&mut self, ticket: u64) {
        let done = self.state.drain != Drain::No;
        self.command(ticket, done, Event::DrainBegan { ticket });
    }

    fn command(&mut self, ticket: u64, done: bool, event: Event) {
        if self.state.epoch == 0 {
            let refusal = Refusal::new(Reason::NotFound, "no node of this name has said hello")
                .change("start an agent with this name, or see `orrery node` for those there are");
            return self.turn.answer(Message::Done { ticket, outcome: Err(refusal) });
        }
        let repeated = self.state.commanded.as_ref().is_some_and(|(last, _)| *last == ticket);
        if !repeated && !done {
            self.record(event);
        }
        let how = match &self.state.commanded {
            Some((last, how)) if *last == ticket => how.clone(),
            _ => "unchanged".into(),
        };
        let what = format!("node {}", self.state.name());
        self.turn.answer(Message::Done { ticket, outcome: Ok(Change { what, how }) });
    }
}
