//! The agent's side of the lease: which beats are under way, and until when the last answered one counts.

use messages::time::{Span, Timestamp};
use std::collections::VecDeque;

/// How many beats may be under way at once. More than fit into a lease, so an older one would renew nothing.
const UNDER_WAY_MAX: usize = 32;

/// A lease, by the machine's monotonic clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Lease {
    until: Timestamp,
    under_way: VecDeque<Timestamp>,
}

impl Lease {
    /// The lease that an agent before held.
    pub(super) fn held_until(until: Option<Timestamp>) -> Self {
        Self { until: until.unwrap_or_default(), under_way: VecDeque::new() }
    }

    /// Whether exclusive instances may run.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// When it ends, or ended.
    pub(super) const fn until(&self) -> Timestamp {
        self.until
    }

    /// A beat leaves.
    pub(super) fn beat(&mut self, sent_at: Timestamp) {
        if self.under_way.len() == UNDER_WAY_MAX {
            self.under_way.pop_front();
        }
        self.under_way.push_back(sent_at);
    }

    /// A beat was answered. Returns whether the lease is now longer. Only beats of this agent in this session count.
    pub(super) fn heard(&mut self, sent_at: Timestamp, length: Span, now: Timestamp) -> bool {
        let known = self.under_way.iter().position(|beat| *beat == sent_at);
        let Some(index) = known else { return false };
        self.under_way.drain(..=index);
        let from = if crate::mutant!(LeaseFromReceipt) { now } else { sent_at };
        let until = from.after(length);
        let longer = until > self.until;
        self.until = self.until.max(until);
        longer
    }

    /// Whether no beat waits for its answer.
    pub(super) fn is_answered(&self) -> bool {
        self.under_way.is_empty()
    }

    /// A beat was sent and answered while nobody looked.
    pub(super) fn pass(&mut self, sent_at: Timestamp, length: Span) {
        self.until = self.until.max(sent_at.after(length));
    }

    /// A new session: beats of the session before count no more.
    pub(super) fn renew_session(&mut self) {
        self.under_way.clear();
    }

    /// The node was given up: whatever the lease was, it is over.
    pub(super) fn end(&mut self) {
        self.until = Timestamp::default();
        self.under_way.clear();
    }
}
