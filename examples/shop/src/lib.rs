//! Three small services that make a shop: a storefront (A) which asks for prices (B) and stock (C).
//!
//! They are what `examples/abc.toml` runs. They know nothing of Orrery: they listen where they are told, reach
//! each other at the addresses they find in their environment, answer `/healthz`, keep what they must keep in
//! their working directory, and finish what they have begun when they are asked to stop. Standard library only.

#![deny(unsafe_code)]

pub mod client;
pub mod http;
pub mod journal;
pub mod json;
pub mod prices;
pub mod server;
pub mod service;
pub mod stock;
pub mod stop;
pub mod storefront;
