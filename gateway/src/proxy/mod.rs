//! The data plane: ways in from outside, and links between jobs.
//!
//! ```text
//! client -> Strict (one well-formed head at a time) -> ingress: host, path, route, identity
//!                                                              \
//! job    -> link: HTTP, or bytes as they are --------------------> forward -> endpoint
//! ```
//!
//! A proxy decides nothing: it is told a [`Table`], again and again, and serves by the newest.
//! [`Tables::publish`] puts one in force for the ingress and every link that share it.

mod balance;
mod body;
mod chunks;
mod forward;
mod front;
mod head;
mod identity;
mod ingress;
mod line;
mod link;
mod meter;
mod refusal;
mod serving;
mod signed;
mod strict;
mod table;
mod tables;
mod target;
mod token_file;
mod tunnel;
mod upstream;

#[cfg(test)]
mod tests;

pub use forward::Patience;
pub use head::HeadFault;
pub use identity::{Principal, TokenBook, TokenFault, TokenFileError, Tokens};
pub use ingress::serve_ingress;
pub use link::{LinkHandle, LinkMode, serve_link};
pub use meter::Reading;
pub use serving::Handle;
pub use table::{ANY_HOST, Backends, Endpoint, Route, Table, TableError};
pub use tables::{Tables, Usage, Way};
pub use target::{PathFault, normalise};
