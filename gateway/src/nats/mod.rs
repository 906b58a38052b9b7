//! NATS: the log in a JetStream stream in place of files, messages to actors in
//! another, the API as request and reply, and public events.
//!
//! async-nats is named in this folder and nowhere else.

mod api;
mod append;
mod bus;
mod claim;
mod connect;
mod doctor;
mod events;
mod log;
mod messages;
mod stream;

pub use bus::start;
pub use doctor::{Finding, Looked, look};
pub use log::JetStreamLog;
pub use messages::NatsBus;

use std::time::Duration;

/// How long a control plane that starts waits for a server that is away.
pub const START_WITHIN: Duration = Duration::from_secs(30);

/// Why NATS cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NatsError {
    /// No server answers.
    #[error(
        "no NATS server answers at {url}: {trouble}; start one with `nats-server -js -sd DIR`, or leave out --nats to \
         keep the log in files"
    )]
    Away {
        /// Where.
        url: String,
        /// What came instead of an answer.
        trouble: String,
    },
    /// The server does not let us in.
    #[error("the NATS server at {url} does not let us in: {trouble}; write it as nats://USER:PASSWORD@HOST:PORT")]
    Refused {
        /// Where.
        url: String,
        /// What it said.
        trouble: String,
    },
    /// There is no JetStream, or it does not work.
    #[error("JetStream on the NATS server at {url}: {trouble}; start it with `nats-server -js -sd DIR`")]
    JetStream {
        /// Where.
        url: String,
        /// What it said.
        trouble: String,
    },
    /// A stream of this name is there and does not keep what a log must keep.
    #[error("the stream {stream} cannot be the log: {trouble}; remove it, or give this site another name with --site")]
    Stream {
        /// Its name.
        stream: String,
        /// What is wrong with it.
        trouble: String,
    },
    /// There is no log of this site.
    #[error("there is no log of the site {site} on the NATS server at {url}; say with --site which one is meant")]
    Absent {
        /// Where.
        url: String,
        /// Of which site.
        site: String,
    },
    /// The name of the site cannot be part of a subject.
    #[error("the site cannot be named on NATS: {0}; give another name with --site")]
    Site(String),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] actors::ports::LogError),
    /// The log cannot be written.
    #[error(transparent)]
    Append(#[from] actors::ports::AppendError),
}
