//! What is said in Orrery: ids, time, manifests, the messages each actor understands, envelopes, and the wire format.
//!
//! Everything here is data. Nothing reads a clock, the network or a disk; both worlds (the gateway and the
//! simulator) and the actors between them share exactly this crate and nothing else.

pub mod agent;
pub mod api;
pub mod codec;
pub mod entry;
pub mod envelope;
pub mod frame;
pub mod gpu;
pub mod id;
pub mod job;
pub mod manifest;
pub mod node;
pub mod policy;
pub mod quantity;
pub mod reason;
pub mod resources;
pub mod rollout;
pub mod route;
pub mod scheduler;
pub mod shared;
pub mod subject;
pub mod time;
pub mod upcast;
