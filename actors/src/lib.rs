//! Who decides: one folder per actor, the cell that runs any of them, the shard that runs many cells, and the journal.
//!
//! Everything here is pure and synchronous. Time, identity and randomness arrive in the [`behavior::Turn`]; what should
//! happen is returned. The live host, the planner and the simulator drive the very same code.

pub mod backtest;
pub mod behavior;
pub mod cast;
pub mod cedar;
pub mod cell;
pub mod fold;
pub mod journal;
pub mod mutant;
pub mod planner;
pub mod ports;
pub mod retry;
pub mod shard;
pub mod steady;
pub mod turns;

pub mod agent;
pub mod job;
pub mod node;
pub mod policy;
pub mod rollout;
pub mod route;
pub mod scheduler;
