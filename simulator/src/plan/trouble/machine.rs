//! What can go wrong with a machine, its agent and its workloads. It takes effect in `machine::suffer`.

use super::{Aim, Kind, Trouble};
use serde::{Deserialize, Serialize};

/// What goes wrong with a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Machine {
    /// Its agent is killed, and started again afterwards. Its workloads go on.
    AgentCrash,
    /// Its agent stands still and then goes on. Its workloads go on.
    AgentPause,
    /// It loses power, and boots afterwards.
    Crash,
    /// One of its workloads dies.
    WorkloadDies {
        /// Chooses the workload.
        choice: u64,
    },
    /// One of its workloads fails its health checks.
    WorkloadSick {
        /// Chooses the workload.
        choice: u64,
    },
}

impl Machine {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AgentCrash => "agent-crash",
            Self::AgentPause => "agent-pause",
            Self::Crash => "machine-crash",
            Self::WorkloadDies { .. } => "workload-dies",
            Self::WorkloadSick { .. } => "workload-sick",
        }
    }
}

/// The kinds.
pub const KINDS: &[Kind] = &[
    Kind { name: "agent-crash", aim: Aim::Machines, make: |_| Trouble::Machine(Machine::AgentCrash) },
    Kind { name: "agent-pause", aim: Aim::Machines, make: |_| Trouble::Machine(Machine::AgentPause) },
    Kind { name: "machine-crash", aim: Aim::Machines, make: |_| Trouble::Machine(Machine::Crash) },
    Kind {
        name: "workload-dies",
        aim: Aim::Machines,
        make: |given| Trouble::Machine(Machine::WorkloadDies { choice: given.choice }),
    },
    Kind {
        name: "workload-sick",
        aim: Aim::Machines,
        make: |given| Trouble::Machine(Machine::WorkloadSick { choice: given.choice }),
    },
];
