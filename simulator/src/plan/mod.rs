//! A plan: everything that will be done to a world, as data. Running a plan asks no generator anything.

pub mod events;
pub mod fault;
pub mod target;
pub mod trouble;

pub use fault::{Fault, Pattern, Trigger, When};
pub use target::Target;
pub use trouble::Trouble;

use crate::world::clock::Clock;
use messages::node::NodeSpec;
use messages::policy::Request;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A world and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The scenario it was made from.
    pub scenario: String,
    /// The seed of every draw: latencies, losses, lengths of starts.
    pub seed: u64,
    /// The realm of all jobs.
    pub realm: String,
    /// The machines.
    pub machines: Vec<MachinePlan>,
    /// The control plane's clock.
    pub clock: Clock,
    /// How fast things are.
    pub pace: Pace,
    /// What clients ask for. A client's next command waits for the answer to its last.
    pub operations: Vec<Operation>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// When draws begin anew, in the order of time: a run that branched off another.
    #[serde(default)]
    pub rekeys: Vec<Rekey>,
    /// From this moment nothing goes wrong any more, in microseconds.
    pub heal_at: u64,
    /// If there are any, only these machines are healed then: what is wrong with others alone stays wrong.
    #[serde(default)]
    pub core: Vec<usize>,
    /// From this moment the world must be as desired, in microseconds.
    pub settled_at: u64,
    /// For so long before the end nothing may be recorded any more, in microseconds.
    pub quiet_for: u64,
    /// The last moment, in microseconds.
    pub end_at: u64,
    /// A segment of the journal is closed when it is this long, in bytes.
    pub segment_bytes: u64,
    /// A snapshot is kept after so many frames; never, when zero.
    pub snapshot_every: u64,
    /// Whether every entry's turn is taken again at the end, to compare.
    pub retake: bool,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachinePlan {
    /// What it says it is.
    pub spec: NodeSpec,
    /// Its boot-time clock.
    pub clock: Clock,
    /// When it is switched on, in microseconds.
    pub joins_at: u64,
}

/// A moment from which draws are those of another seed. Ids stay what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rekey {
    /// From when, in microseconds.
    pub at: u64,
    /// The seed from then on.
    pub seed: u64,
}

/// How fast things are: each a shortest and a longest time, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Between actors, within the control plane.
    pub inside_us: (u64, u64),
    /// Between the control plane and agents or clients.
    pub network_us: (u64, u64),
    /// A sync of the disk.
    pub sync_us: (u64, u64),
    /// From committing a route to a proxy using it.
    pub proxy_us: (u64, u64),
}

/// A command of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Not before, in microseconds.
    pub at: u64,
    /// Which client gives it.
    pub client: u32,
    /// The command.
    pub request: Request,
    /// Whether the right answer is a refusal.
    pub refused: bool,
}

impl Plan {
    /// The SHA-256 of the plan's bytes, in hexadecimal.
    pub fn hash(&self) -> String {
        hexadecimal(&Sha256::digest(messages::codec::encode_bare(self)))
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
