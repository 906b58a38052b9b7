//! Traces of real clusters as what clients ask of a world: jobs that come and go, and machines as they were.

pub mod azure;
mod damage;
pub mod openb;
mod play;

pub use damage::Skipped;
pub use play::{Play, plan};

use messages::manifest::Tag;
use messages::resources::Resources;

/// A trace, as far as its rows make sense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// What came, in the order of time.
    pub arrivals: Vec<Arrival>,
    /// The machines, if the trace names them.
    pub machines: Vec<Shape>,
    /// How many rows were read, sound or not.
    pub rows: u64,
    /// The rows that make no sense, by reason.
    pub skipped: Vec<Skipped>,
    /// What the trace has and a world has not, in sentences.
    pub left_out: Vec<String>,
}

/// Instances that came at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The name of their job.
    pub name: String,
    /// When they came, in seconds of the trace.
    pub at: u64,
    /// When each ended, in seconds of the trace, in order; fewer than there are instances, where some ran on.
    pub ends: Vec<u64>,
    /// How many came.
    pub instances: u32,
    /// What each needs.
    pub needs: Resources,
    /// What their machine must have.
    pub require: Option<Tag>,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// What it has.
    pub capacity: Resources,
    /// Its accelerator, if it has one.
    pub gpu: Option<String>,
}

/// What nobody writes down in traces, and nothing in a world lacks.
fn beside(cpu_milli: u64, memory_bytes: u64) -> Resources {
    Resources { cpu_milli, memory_bytes, ..Resources::default() }
}

#[cfg(test)]
mod tests;
