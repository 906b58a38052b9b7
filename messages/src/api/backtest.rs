//! `policy test`: what a policy would have decided otherwise, of all that was recorded.

use crate::time::{Timestamp, rfc3339};
use serde::{Deserialize, Serialize};

/// A policy, held against recorded decisions: each judged anew, in the state in which it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backtest {
    /// Whose policy it would be.
    pub realm: String,
    /// Decisions from then on were judged.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The last entry of the log.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// Where it lies.
    pub position: u64,
    /// Its first entry: the log may not reach back as far as was asked for.
    #[serde(with = "rfc3339")]
    pub begins: Timestamp,
    /// How many commands were judged anew.
    pub commands: u64,
    /// How many decisions on where an instance goes were judged anew.
    pub placements: u64,
    /// How many of all these were let through, and would not be.
    pub to_forbidden: u64,
    /// How many were not let through, and would be.
    pub to_allowed: u64,
    /// The same by what they were about: first what would be forbidden.
    pub flips: Vec<Flips>,
}

/// What a decision would become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Becomes {
    /// It was let through, and would not be.
    Forbidden,
    /// It was not let through, and would be.
    Allowed,
}

/// Decisions of one kind about one thing that would come out otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flips {
    /// What they would become.
    pub becomes: Becomes,
    /// About what: `job shop/a`, `route a.shop.test`, `node n1`, `realm shop`.
    pub what: String,
    /// What was decided: the action of a command, or `place`.
    pub action: String,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Vec<Flip>,
}

impl Flips {
    /// How many of a kind are told.
    pub const TOLD_MAX: usize = 3;
}

/// One decision that would come out otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flip {
    /// Where its entry lies.
    pub position: u64,
    /// When it was taken.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// On whose authority.
    pub principal: String,
    /// Which instance, where one was to be placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The node that it is about, where one was to be placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What was said of it then.
    pub was: String,
    /// What would be said of it.
    pub now: String,
    /// Where the instance would go instead; none when nothing else would have taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The command that shows how it came about.
    pub ask: String,
}
