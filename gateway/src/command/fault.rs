//! What can go wrong with a command, how it is told, and with which exit code.

use super::show::Show;
use messages::api::{EXIT_MISUSE, EXIT_REFUSED, EXIT_UNREACHABLE, Failure};
use messages::manifest;
use messages::reason::{Reason, Refusal};

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The control plane says no, and why.
    #[error("{}", .0.message)]
    Refused(Failure),
    /// A manifest is wrong.
    #[error("the manifest has {} faults", .0.len())]
    Manifest(Vec<manifest::Fault>),
    /// The command line makes no sense.
    #[error("{0}")]
    Misuse(String),
    /// Something could not be reached or read.
    #[error("{0}")]
    Unreachable(String),
}

impl Fault {
    /// What this side sees that it cannot be, without asking further.
    pub(super) fn refused(reason: Reason, message: String, change: &str) -> Self {
        Self::Refused(Failure::from(Refusal::new(reason, message).change(change)))
    }

    /// The exit code for it.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Manifest(_) => EXIT_REFUSED,
            Self::Misuse(_) => EXIT_MISUSE,
            Self::Unreachable(_) => EXIT_UNREACHABLE,
        }
    }

    /// Tells it: JSON to standard output for programs, text to standard error for people.
    pub(super) fn tell(&self, show: Show) {
        if show.json {
            show.value(&self.failure());
            return;
        }
        match self {
            Self::Manifest(faults) => faults.iter().for_each(|fault| eprintln!("{fault}\n")),
            Self::Refused(failure) => {
                eprintln!("orrery: {} ({})", failure.message, failure.reason);
                let hint =
                    |what: &str, hint: &Option<String>| hint.iter().for_each(|hint| eprintln!("  {what}: {hint}"));
                hint("nearest", &failure.nearest);
                hint("change", &failure.change);
                let lines = failure.difference.iter().flat_map(|difference| &difference.0);
                lines.for_each(|line| eprintln!("  {line}"));
                hint("why", &failure.trace.map(|trace| format!("orrery trace {trace}")));
            }
            Self::Misuse(message) | Self::Unreachable(message) => eprintln!("orrery: {message}"),
        }
    }

    fn failure(&self) -> Failure {
        match self {
            Self::Refused(failure) => failure.clone(),
            Self::Manifest(faults) => faults.clone().into(),
            Self::Misuse(message) => Refusal::new(Reason::Invalid, message.clone()).into(),
            Self::Unreachable(message) => Refusal::new(Reason::NotFound, message.clone()).into(),
        }
    }
}
