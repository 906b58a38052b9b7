//! Production logs in the simulator: taken again and compared, asked what would have been, and struck where it hurts.
//!
//! [`verify`] holds this build to every decision a log records. [`moment`] reads a log up to a moment and what came from
//! outside after it; [`whatif`] runs on from there, without and with a [`change`], in a planned world ([`planner`]);
//! [`blast`] loses one node, rack or site after another. Everything here is pure: files, threads and terminals belong to
//! whoever asks.

pub mod blast;
pub mod book;
pub mod change;
pub mod cost;
pub mod day;
pub mod difference;
pub mod health;
pub mod heat;
pub mod lives;
pub mod moment;
pub mod outside;
pub mod planner;
pub mod report;
pub mod verify;
pub mod whatif;
