//! What a route is told.

use crate::envelope::Endpoint;
use crate::id::JobId;
use crate::manifest::RouteSpec;
use crate::policy::Change;
use crate::reason::{Reason, Refusal};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A message to a route. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Policy: this is what the route should be. Answered with `policy::Message::Done`.
    Apply {
        /// The ticket to answer with.
        ticket: u64,
        /// The whole of it.
        spec: RouteSpec,
    },
    /// Policy: serve nothing any more. Answered with `Done`.
    Remove {
        /// The ticket to answer with.
        ticket: u64,
    },
    /// Job: these are my endpoints and the share of each revision. Sent until answered with
    /// `job::Message::EndpointsNoted`.
    Endpoints {
        /// Which job.
        job: JobId,
        /// Grows with every change.
        version: u64,
        /// Every instance that runs.
        endpoints: Vec<Endpoint>,
        /// Revision and percentage of traffic; all to the only revision when empty.
        weights: Vec<(u32, u32)>,
    },
    /// The route's own deadline.
    Wake {
        /// The deadline that passed.
        due: Timestamp,
    },
}

/// What the actor records. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The route is declared anew.
    Applied {
        /// The whole of it.
        spec: RouteSpec,
    },
    /// The route serves nothing any more.
    Removed,
    /// A job was asked for its endpoints, for the first time. What another job said no longer counts.
    Subscribed {
        /// Which job.
        job: JobId,
    },
    /// The job was asked again.
    SubscriptionRepeated,
    /// The endpoints have changed.
    TableChanged {
        /// The version of the job's word.
        version: u64,
        /// Every instance that runs.
        endpoints: Vec<Endpoint>,
        /// Revision and percentage of traffic.
        weights: Vec<(u32, u32)>,
    },
    /// There is no healthy endpoint, so requests are answered with an error.
    WentDark {
        /// Why.
        reason: Reason,
        /// In words.
        detail: String,
    },
    /// There is a healthy endpoint again, or for the first time.
    LitUp,
    /// A command was answered so, and is answered so again when it is asked again.
    Answered {
        /// The ticket.
        ticket: u64,
        /// What was answered.
        outcome: Result<Change, Refusal>,
    },
}
