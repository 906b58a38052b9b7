//! Whom a fault hits: named in the plan, and found when the fault begins.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Whom a fault hits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The world as a whole.
    World,
    /// The machine of this number in the plan.
    Machine(usize),
    /// Every machine.
    All,
    /// One half of the machines.
    Half,
    /// As many machines as are just not the half.
    Minority,
    /// The machines of this rack.
    Rack(String),
    /// One machine of this rack.
    AnyOfRack(String),
    /// The machines of this site.
    Site(String),
    /// The machine that has this slot of this job at that moment. Without a job, the one that the triggering event is
    /// about.
    Owner {
        /// The job.
        job: Option<String>,
        /// The slot; without one, the lowest slot that has a place.
        slot: Option<u32>,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => write!(out, "world"),
            Self::Machine(machine) => write!(out, "m{machine}"),
            Self::All => write!(out, "all"),
            Self::Half => write!(out, "half"),
            Self::Minority => write!(out, "minority"),
            Self::Rack(rack) => write!(out, "rack {rack}"),
            Self::AnyOfRack(rack) => write!(out, "any of rack {rack}"),
            Self::Site(site) => write!(out, "site {site}"),
            Self::Owner { job: None, .. } => write!(out, "owner"),
            Self::Owner { job: Some(job), slot: None } => write!(out, "owner of {job}"),
            Self::Owner { job: Some(job), slot: Some(slot) } => write!(out, "owner of {job}/{slot}"),
        }
    }
}
