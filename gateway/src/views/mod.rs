//! What the fold and the log say, in the words of the public API.
//!
//! Pure: a view reads what it is given, waits for nothing and changes nothing.

mod life;
pub mod names;
pub mod status;
pub mod trace;
pub mod why;
pub mod why_not;

use messages::api::Failure;
use messages::reason::{Reason, Refusal};

/// That there is no such thing.
fn not_found(message: impl Into<String>) -> Failure {
    Refusal::new(Reason::NotFound, message).into()
}

/// That the question itself does not say enough, and what to add.
fn unclear(message: impl Into<String>, change: &str) -> Failure {
    Refusal::new(Reason::Invalid, message).change(change).into()
}
