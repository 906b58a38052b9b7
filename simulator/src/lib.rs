//! The same actors on a virtual clock: worlds, faults, oracle.
//!
//! A [`scenario::Scenario`] is read from a file; with a seed it makes a [`plan::Plan`], which is data; [`run()`] turns the
//! very actors, shards and reconcilers of the live host through it, on simulated disks, clocks and networks, and gives a
//! [`verdict::Verdict`]. The same plan gives the same verdict, bit for bit, on every machine.

pub mod answers;
pub mod big;
pub mod bus;
mod client;
mod control;
pub mod diff;
pub mod disk;
pub mod explain;
pub mod history;
mod machine;
pub mod oracle;
pub mod plan;
mod process;
pub mod program;
pub mod report;
pub mod repro;
pub mod run;
pub mod scenario;
pub mod search;
pub mod shrink;
mod store;
pub mod text;
pub mod traces;
pub mod travel;
pub mod verdict;
pub mod world;

pub use run::{run, run_observed, run_with};
pub use scenario::plan;
