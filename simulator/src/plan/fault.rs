//! A fault: what goes wrong, to whom, from when and for how long.

use super::{Target, Trouble};
use messages::id::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that goes wrong for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its identity, by which its draws are keyed: it stays when other faults are left out.
    pub id: u64,
    /// From when.
    pub when: When,
    /// For how long, in microseconds.
    pub lasts: u64,
    /// To whom.
    pub target: Target,
    /// What.
    pub trouble: Trouble,
}

/// When a fault begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// At this moment, in microseconds.
    At(u64),
    /// When something was recorded.
    On(Trigger),
}

impl When {
    /// The first moment at which it can be, in microseconds.
    pub const fn earliest(&self) -> u64 {
        match self {
            Self::At(at) => *at,
            Self::On(trigger) => trigger.from,
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(out, "at {at}us"),
            Self::On(trigger) => {
                write!(out, "{}us after no. {} of {}", trigger.after, trigger.nth, trigger.pattern)
            }
        }
    }
}

/// Something that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// What must be committed.
    pub pattern: Pattern,
    /// The how manieth time counts, from 1.
    pub nth: u64,
    /// How long after that, in microseconds.
    pub after: u64,
    /// What is committed before this moment does not count, in microseconds.
    pub from: u64,
}

/// An event, as far as it matters. What is not named may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The kind of actor that records it.
    pub kind: Option<Kind>,
    /// The event's name.
    pub event: String,
    /// The job it is about.
    pub job: Option<String>,
    /// The slot of the job.
    pub slot: Option<u32>,
    /// The name of the node it is about.
    pub node: Option<String>,
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind {
            write!(out, "{}.", kind.name())?;
        }
        let job = self.job.as_ref().map(|job| format!("job={job}"));
        let slot = self.slot.map(|slot| format!("slot={slot}"));
        let node = self.node.as_ref().map(|node| format!("node={node}"));
        let about: Vec<String> = [job, slot, node].into_iter().flatten().collect();
        let about = if about.is_empty() { String::new() } else { format!("({})", about.join(", ")) };
        write!(out, "{}{about}", self.event)
    }
}
