//! Where one stops on the way through a run.

use super::Happened;
use crate::explain::Names;
use crate::world::tape::{What, names_of};
use std::fmt;

/// Where one stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Something is violated.
    Violation,
    /// A fault begins or is over.
    Fault,
    /// An event of this name is recorded, or a message of this name is said.
    Event(String),
    /// Something happens to somebody of this name, or part of it.
    Actor(String),
}

impl Stop {
    /// Reads `violation`, `fault`, `event NAME` or `actor NAME`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        match (word, rest.trim()) {
            ("violation", "") => Ok(Self::Violation),
            ("fault", "") => Ok(Self::Fault),
            ("event", name) if !name.is_empty() => Ok(Self::Event(name.into())),
            ("actor", name) if !name.is_empty() => Ok(Self::Actor(name.into())),
            ("event" | "actor", _) => {
                Err(format!("{word} needs a name, as in \"event GivenUp\" or \"actor job shop/web\""))
            }
            _ => Err(format!("{text:?} is nothing to stop at; expected violation, fault, event NAME or actor NAME")),
        }
    }

    /// Whether it stops here.
    pub fn is(&self, happened: &Happened, names: &Names) -> bool {
        happened.records.iter().any(|record| self.is_what(&record.what, names))
    }

    fn is_what(&self, what: &What, names: &Names) -> bool {
        match self {
            Self::Violation => matches!(what, What::Violated(_)),
            Self::Fault => matches!(what, What::Begins { .. } | What::Ends(_)),
            Self::Event(name) => match what {
                What::Committed(entry) => names_of(entry).1.iter().any(|event| event.eq_ignore_ascii_case(name)),
                What::Sent { name: said, .. } => said.eq_ignore_ascii_case(name),
                _ => false,
            },
            Self::Actor(name) => match what {
                // That something was said to it and has not arrived yet is nothing that happens to it.
                What::Sent { .. } => false,
                what => names.who(what).is_some_and(|who| who.to_lowercase().contains(&name.to_lowercase())),
            },
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation => write!(out, "violation"),
            Self::Fault => write!(out, "fault"),
            Self::Event(name) => write!(out, "event {name}"),
            Self::Actor(name) => write!(out, "actor {name}"),
        }
    }
}
