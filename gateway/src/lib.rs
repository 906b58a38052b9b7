//! Where the world meets Orrery: its API, proxies, agent, console and command line.

pub mod agent;
pub mod api;
pub mod clock;
pub mod command;
pub mod driver;
pub mod host;
pub mod nats;
mod predecessor;
pub mod proxy;
pub mod views;
