//! What an actor does not get to see, or sees too late. It takes effect in `bus`.

use super::Aim::{Machines, World};
use super::{Kind, Trouble};
use serde::{Deserialize, Serialize};

/// What is wrong with an actor's view of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// The scheduler goes on with an old view of a node: newer ones reach it only when it is over.
    StaleView,
    /// A node goes on with an old report of its agent: newer ones reach it only when it is over.
    StaleReports,
    /// One message between actors is never delivered, however often it is said again.
    HiddenEvent {
        /// The how manieth, from when it begins.
        nth: u64,
    },
    /// No message of some kinds is delivered between actors.
    HiddenKind {
        /// Chooses the kinds.
        choice: u64,
    },
    /// The scheduler takes nothing in until it is over.
    FrozenScheduler,
    /// Some actors take nothing in until it is over.
    FrozenActors {
        /// Chooses the actors.
        choice: u64,
    },
}

impl View {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::StaleView => "stale-view",
            Self::StaleReports => "stale-reports",
            Self::HiddenEvent { .. } => "hidden-event",
            Self::HiddenKind { .. } => "hidden-kind",
            Self::FrozenScheduler => "frozen-scheduler",
            Self::FrozenActors { .. } => "frozen-actors",
        }
    }
}

/// The kinds.
pub const KINDS: &[Kind] = &[
    Kind { name: "stale-view", aim: Machines, make: |_| Trouble::View(View::StaleView) },
    Kind { name: "stale-reports", aim: Machines, make: |_| Trouble::View(View::StaleReports) },
    Kind {
        name: "hidden-event",
        aim: World,
        make: |given| Trouble::View(View::HiddenEvent { nth: given.pick(9, 1, 20) }),
    },
    Kind { name: "hidden-kind", aim: World, make: |given| Trouble::View(View::HiddenKind { choice: given.choice }) },
    Kind { name: "frozen-scheduler", aim: World, make: |_| Trouble::View(View::FrozenScheduler) },
    Kind {
        name: "frozen-actors",
        aim: World,
        make: |given| Trouble::View(View::FrozenActors { choice: given.choice }),
    },
];
