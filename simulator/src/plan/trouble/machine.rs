//! What can go wrong with a machine, its agent and its workloads. It takes effect in `machine::suffer`.

use super::{Aim, Given, Kind, Trouble};
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
    /// Its agent dies again and again, soon after each start.
    AgentCrashLoop {
        /// How long it lives, in microseconds.
        lives_us: u64,
    },
    /// It loses power and is back before anybody misses it.
    Reboot {
        /// How long it is off, in microseconds.
        off_us: u64,
    },
    /// It loses power and boots, again and again.
    Flaps {
        /// How long it is on, and how long it is off, in microseconds.
        every_us: u64,
    },
    /// All of it stands still, workloads and watchdogs too, and then goes on. Its clock has run on.
    Pause,
    /// Every machine of a rack loses power at once.
    RackCrash,
    /// Every machine of a site loses power at once.
    SiteCrash,
    /// One of its workloads takes more and more memory until the kernel kills it.
    OutOfMemory {
        /// Chooses the workload.
        choice: u64,
        /// How fast it grows, in bytes a second.
        rate: u64,
    },
    /// One of its workloads answers its checks now in time and now too late.
    WorkloadSlow {
        /// Chooses the workload.
        choice: u64,
    },
    /// Starts, stops and checks take so many times as long.
    Slow {
        /// How many times.
        factor: u64,
    },
    /// Nothing can be started on it, while its beats go on.
    StartsFail,
    /// Starts take a hundred times as long, while its beats go on.
    StartsSlow,
    /// Its own link loses so many messages of a thousand.
    Link {
        /// How many of a thousand.
        per_mille: u64,
    },
    /// Its disk is read-only: its agent can keep neither records nor the lease.
    DiskReadOnly,
    /// One of its workloads is sick, and its checks say that all is well.
    ChecksLie {
        /// Chooses the workload.
        choice: u64,
    },
    /// What ends on it runs on unseen.
    Zombies,
    /// What is told to stop on it does not, until it is killed.
    StopsIgnored,
    /// What is told to stop on it takes nearly all the time it has.
    StopsLate,
    /// Not even a kill ends what runs on it, until it is over.
    Unkillable,
    /// A copy of it appears, with its name and nothing that runs.
    Twin,
    /// It reboots with less than it had.
    Shrinks {
        /// How much is left, of a thousand.
        per_mille: u64,
    },
    /// Its agent is started anew and says that there is less of it.
    SaysLess {
        /// How much is left, of a thousand.
        per_mille: u64,
    },
    /// Its agent hangs, and its watchdog looks too late.
    WatchdogLate {
        /// How late, in microseconds.
        by_us: u64,
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
            Self::AgentCrashLoop { .. } => "agent-crash-loop",
            Self::Reboot { .. } => "fast-reboot",
            Self::Flaps { .. } => "machine-flaps",
            Self::Pause => "machine-pause",
            Self::RackCrash => "rack-crash",
            Self::SiteCrash => "site-crash",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::WorkloadSlow { .. } => "workload-slow",
            Self::Slow { .. } => "machine-slow",
            Self::StartsFail => "starts-fail",
            Self::StartsSlow => "starts-slow",
            Self::Link { .. } => "lossy-link",
            Self::DiskReadOnly => "agent-disk-read-only",
            Self::ChecksLie { .. } => "checks-lie",
            Self::Zombies => "zombies",
            Self::StopsIgnored => "stops-ignored",
            Self::StopsLate => "stops-late",
            Self::Unkillable => "unkillable",
            Self::Twin => "duplicate-agent",
            Self::Shrinks { .. } => "capacity-shrinks",
            Self::SaysLess { .. } => "capacity-said-less",
            Self::WatchdogLate { .. } => "watchdog-late",
        }
    }
}

/// A kind that hits machines.
const fn of(name: &'static str, make: fn(&Given) -> Trouble) -> Kind {
    Kind { name, aim: Aim::Machines, make }
}

/// The kinds.
pub const KINDS: &[Kind] = &[
    of("agent-crash", |_| Trouble::Machine(Machine::AgentCrash)),
    of("agent-pause", |_| Trouble::Machine(Machine::AgentPause)),
    of("machine-crash", |_| Trouble::Machine(Machine::Crash)),
    of("workload-dies", |given| Trouble::Machine(Machine::WorkloadDies { choice: given.choice })),
    of("workload-sick", |given| Trouble::Machine(Machine::WorkloadSick { choice: given.choice })),
    of("agent-crash-loop", |given| {
        Trouble::Machine(Machine::AgentCrashLoop { lives_us: given.pick(6, 50_000, 900_000) })
    }),
    of("fast-reboot", |given| Trouble::Machine(Machine::Reboot { off_us: given.pick(6, 50_000, 1_500_000) })),
    of("machine-flaps", |given| Trouble::Machine(Machine::Flaps { every_us: given.pick(6, 300_000, 3_000_000) })),
    of("machine-pause", |_| Trouble::Machine(Machine::Pause)),
    Kind { name: "rack-crash", aim: Aim::Rack, make: |_| Trouble::Machine(Machine::RackCrash) },
    Kind { name: "site-crash", aim: Aim::Site, make: |_| Trouble::Machine(Machine::SiteCrash) },
    of("out-of-memory", |given| {
        Trouble::Machine(Machine::OutOfMemory { choice: given.choice, rate: given.pick(6, 64 << 20, 4 << 30) })
    }),
    of("workload-slow", |given| Trouble::Machine(Machine::WorkloadSlow { choice: given.choice })),
    of("machine-slow", |given| Trouble::Machine(Machine::Slow { factor: given.pick(6, 2, 20) })),
    of("starts-fail", |_| Trouble::Machine(Machine::StartsFail)),
    of("starts-slow", |_| Trouble::Machine(Machine::StartsSlow)),
    of("lossy-link", |given| Trouble::Machine(Machine::Link { per_mille: given.per_mille })),
    of("agent-disk-read-only", |_| Trouble::Machine(Machine::DiskReadOnly)),
    of("checks-lie", |given| Trouble::Machine(Machine::ChecksLie { choice: given.choice })),
    of("zombies", |_| Trouble::Machine(Machine::Zombies)),
    of("stops-ignored", |_| Trouble::Machine(Machine::StopsIgnored)),
    of("stops-late", |_| Trouble::Machine(Machine::StopsLate)),
    of("unkillable", |_| Trouble::Machine(Machine::Unkillable)),
    of("duplicate-agent", |_| Trouble::Machine(Machine::Twin)),
    of("capacity-shrinks", |given| Trouble::Machine(Machine::Shrinks { per_mille: given.pick(6, 300, 900) })),
    of("capacity-said-less", |given| Trouble::Machine(Machine::SaysLess { per_mille: given.pick(6, 300, 900) })),
    of("watchdog-late", |given| Trouble::Machine(Machine::WatchdogLate { by_us: given.pick(6, 50_000, 700_000) })),
];
