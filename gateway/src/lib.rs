//! Where the world meets Orrery: its API, proxies, agent, console and command line.

pub mod agent;
pub mod clock;
pub mod driver;
pub mod host;
pub mod proxy;
