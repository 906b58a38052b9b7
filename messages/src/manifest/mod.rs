//! The manifest: what a person declares.

mod model;

pub use model::*;
