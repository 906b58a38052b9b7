//! The route actor: which endpoints serve a host and path, or a job's service address, and with which weight.
//!
//! # Rules
//! * A route asks its job for endpoints until it hears of them, and takes in every later version. What a job says that
//!   is not its own is answered with `Unsubscribe`.
//! * Endpoints and weights are the job's word; the route only adds who may enter, and tells when nobody is left to serve.

mod declare;
mod evolve;
mod table;
#[cfg(test)]
mod tests;

use crate::behavior::{Behavior, Draft, Turn};
use crate::retry::Retry;
use messages::envelope::Endpoint;
use messages::id::{JobId, Kind};
use messages::manifest::RouteSpec;
use messages::policy::Change;
use messages::reason::{Reason, Refusal};
use messages::route::{Event, Message};
use messages::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// After how long a job is asked for its endpoints again the first time.
const RETRY_FIRST: Span = Span::seconds(1);
/// How many answers to commands a route remembers.
pub const ANSWERS_MAX: usize = 32;

/// What serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The version of the job's word.
    pub version: u64,
    /// Every instance that runs.
    pub endpoints: Vec<Endpoint>,
    /// Revision and percentage of traffic; all to the only revision when empty.
    pub weights: Vec<(u32, u32)>,
}

/// That nothing serves, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dark {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: Reason,
    /// In words.
    pub detail: String,
}

/// What the route actor knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// As declared; none before the first time and after it was removed.
    pub spec: Option<RouteSpec>,
    /// The job it leads to.
    pub job: Option<JobId>,
    /// What serves; none before the job was heard of.
    pub table: Option<Table>,
    /// Set while there is no healthy endpoint.
    pub dark: Option<Dark>,
    retry: Retry,
    answers: VecDeque<(u64, Result<Change, Refusal>)>,
}

impl Behavior for Route {
    const KIND: Kind = Kind::Route;
    type Message = Message;
    type Event = Event;

    fn decide(&self, message: &Message, turn: &mut Turn<Self>) -> Result<(), Refusal> {
        let mut draft = Draft::new(self, turn);
        match message {
            Message::Apply { ticket, spec } => declare::apply(&mut draft, *ticket, spec),
            Message::Remove { ticket } => declare::remove(&mut draft, *ticket),
            Message::Endpoints { job, version, endpoints, weights } => {
                table::endpoints(&mut draft, *job, *version, endpoints, weights);
            }
            Message::Wake { due: _ } => table::ask_again(&mut draft),
        }
        draft.end();
        Ok(())
    }

    fn evolve(&mut self, event: &Event, at: Timestamp) {
        evolve::evolve(self, event, at);
    }

    fn deadline(&self) -> Option<Timestamp> {
        (self.job.is_some() && self.table.is_none()).then_some(self.retry.due)
    }

    fn wake(due: Timestamp) -> Message {
        Message::Wake { due }
    }
}

impl Route {
    /// The endpoints that may be given traffic.
    pub fn healthy(&self) -> impl Iterator<Item = &Endpoint> {
        self.table.iter().flat_map(|table| &table.endpoints).filter(|endpoint| endpoint.healthy)
    }
}
