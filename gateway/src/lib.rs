//! Where the world meets Orrery: its API, proxies, agent, console and command line.

pub mod driver;
pub mod proxy;
