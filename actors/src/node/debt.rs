//! What is owed to someone until it was noted: a version that grows, and the version that was noted.

use crate::retry::Retry;
use messages::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// How long until something that was not noted is said again for the first time.
const AGAIN_AFTER: Span = Span::seconds(1);

/// Something that someone must be told, in its latest version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Debt {
    version: u64,
    noted: u64,
    retry: Retry,
}

impl Debt {
    /// There is something new to say.
    pub(super) const fn owe(&mut self, at: Timestamp) {
        self.version = self.version.saturating_add(1);
        self.retry = Retry::begin(at, AGAIN_AFTER);
    }

    /// The next version after that of another debt.
    pub(super) const fn after(other: &Self, at: Timestamp) -> Self {
        let mut debt = Self { version: other.version, noted: other.version, retry: other.retry };
        debt.owe(at);
        debt
    }

    /// It was noted up to a version.
    pub(super) fn note(&mut self, version: u64) {
        self.noted = self.noted.max(version.min(self.version));
    }

    /// Nothing is owed any more.
    pub(super) const fn settle(&mut self) {
        self.noted = self.version;
    }

    /// It is said again, if it is time.
    pub(super) fn remind(&mut self, at: Timestamp) {
        if self.retry.due <= at {
            self.retry = self.retry.again(at, AGAIN_AFTER);
        }
    }

    /// Whether noting this version would settle something.
    pub(super) const fn settles(&self, version: u64) -> bool {
        self.open() && version > self.noted
    }

    /// Whether it was said again.
    pub(super) const fn repeated(&self) -> bool {
        self.retry.tries > 0
    }

    /// Whether it is owed.
    pub(super) const fn open(&self) -> bool {
        self.version > self.noted
    }

    /// The version to say.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// When to say it again.
    pub(super) const fn due(&self) -> Timestamp {
        self.retry.due
    }

    /// Whether it must be said at the end of a turn that began with `before`.
    pub(super) fn told_since(&self, before: Option<&Self>) -> bool {
        self.open() && before.is_none_or(|before| (before.version, before.retry) != (self.version, self.retry))
    }
}
