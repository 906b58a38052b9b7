//! Looking at the journal of a data directory without changing it.

use super::chain;
use super::look::Look;
use actors::journal::Journal;
use std::path::Path;

/// What a journal is found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Examined {
    /// There is none.
    Missing,
    /// Whole, up to this position.
    Sound(u64),
    /// Its last write was torn, as by a crash. Nothing acknowledged is in it, and the next start cuts it off.
    Torn,
    /// It cannot be used, and why.
    Unusable(String),
}

/// Reads all of the journal in a data directory that no control plane has open.
pub fn examine(data: &Path) -> Examined {
    let directory = data.join("journal");
    if !directory.is_dir() {
        return Examined::Missing;
    }
    let look = match Look::at(&directory) {
        Ok(look) if !look.has_journal() => return Examined::Missing,
        Ok(look) => look,
        Err(error) => return Examined::Unusable(error.to_string()),
    };
    match Journal::open(look) {
        Ok(journal) if journal.torn().is_some() => Examined::Torn,
        Ok(journal) => Examined::Sound(journal.position().0),
        Err(error) => Examined::Unusable(chain(&error)),
    }
}
