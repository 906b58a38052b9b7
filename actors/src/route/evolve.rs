//! How a route's state changes: one arm for each event.

use super::{ANSWERS_MAX, Dark, RETRY_FIRST, Route, Table};
use crate::retry::Retry;
use messages::route::Event;
use messages::time::Timestamp;

pub(super) fn evolve(route: &mut Route, event: &Event, at: Timestamp) {
    match event {
        Event::Applied { spec } => route.spec = Some(spec.clone()),
        Event::Removed => {
            route.spec = None;
            route.job = None;
            route.table = None;
            route.dark = None;
        }
        Event::Subscribed { job } => {
            route.job = Some(*job);
            route.table = None;
            route.dark = None;
            route.retry = Retry::begin(at, RETRY_FIRST);
        }
        Event::SubscriptionRepeated => route.retry = route.retry.again(at, RETRY_FIRST),
        Event::TableChanged { version, endpoints, weights } => {
            let (endpoints, weights) = (endpoints.clone(), weights.clone());
            route.table = Some(Table { version: *version, endpoints, weights });
        }
        Event::WentDark { reason, detail } => {
            let since = route.dark.as_ref().map_or(at, |dark| dark.since);
            route.dark = Some(Dark { since, reason: *reason, detail: detail.clone() });
        }
        Event::LitUp => route.dark = None,
        Event::Answered { ticket, outcome } => {
            if route.answers.len() == ANSWERS_MAX {
                route.answers.pop_front();
            }
            route.answers.push_back((*ticket, outcome.clone()));
        }
    }
}
