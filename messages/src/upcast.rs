//! Old shapes, and the way from each of them to today's: a log written by any released version stays readable.
//!
//! Every version of every kind that was ever written has one row in [`ENTRIES`] or [`ENVELOPES`], today's included, so
//! that reading has one path. To change the shape of a kind: freeze the old shape in a module here, let its row decode
//! that shape and turn it into today's, add a row for the new version, and raise the number in [`crate::codec`]. The
//! golden bytes of the old version stay in `tests/golden` for ever.
//!
//! A frozen shape shares the parts that have only grown at the end since; a part that changes otherwise is copied here
//! first.

use crate::codec::decode_bare;
use crate::entry::Entry;
use crate::envelope::Envelope;
use crate::id::Kind;
use serde::de::DeserializeOwned;

/// Turns the payload of one version into today's shape, or says why it cannot.
type Upcast<T> = fn(&[u8]) -> Result<T, String>;

/// Every version of every kind of entry.
pub const ENTRIES: &[(Kind, u16, Upcast<Entry>)] = &[
    (Kind::Job, 1, |payload| decode_bare(payload).map(Entry::Job)),
    (Kind::Node, 1, |payload| decode_bare(payload).map(Entry::Node)),
    (Kind::Scheduler, 1, |payload| decode_bare(payload).map(Entry::Scheduler)),
    (Kind::Route, 1, |payload| decode_bare(payload).map(Entry::Route)),
    (Kind::Rollout, 1, |payload| decode_bare(payload).map(Entry::Rollout)),
    (Kind::Policy, 1, |payload| decode_bare(payload).map(Entry::Policy)),
];

/// Every version of the envelope.
pub const ENVELOPES: &[(u16, Upcast<Envelope>)] =
    &[(1, |payload| through::<v1::Envelope, _>(payload)), (2, |payload| decode_bare(payload))];

/// The upcaster of one version of a kind of entry.
pub(crate) fn of_entry(kind: Kind, version: u16) -> Option<Upcast<Entry>> {
    ENTRIES.iter().find(|row| (row.0, row.1) == (kind, version)).map(|row| row.2)
}

/// The upcaster of one version of the envelope.
pub(crate) fn of_envelope(version: u16) -> Option<Upcast<Envelope>> {
    ENVELOPES.iter().find(|row| row.0 == version).map(|row| row.1)
}

/// Decodes a frozen shape and turns it into the next one.
fn through<Old: DeserializeOwned, New: From<Old>>(payload: &[u8]) -> Result<New, String> {
    decode_bare::<Old>(payload).map(New::from)
}

/// What was written before the first release.
pub mod v1 {
    use crate::envelope::{Address, Body, MessageId, Principal};
    use crate::id::CorrelationId;
    use crate::time::Timestamp;
    use serde::{Deserialize, Serialize};

    /// An envelope that does not say when it was sent. Frozen.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Envelope {
        /// Its identity.
        pub id: MessageId,
        /// Who says it.
        pub from: Address,
        /// To whom.
        pub to: Address,
        /// The chain of causes it belongs to.
        pub correlation: CorrelationId,
        /// On whose authority.
        pub principal: Principal,
        /// What is said.
        pub body: Body,
    }

    /// It was said at the beginning of time, for all that is known.
    impl From<Envelope> for crate::envelope::Envelope {
        fn from(old: Envelope) -> Self {
            let Envelope { id, from, to, correlation, principal, body } = old;
            Self { id, from, to, correlation, principal, at: Timestamp(0), body }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn every_version_up_to_the_one_written_today_can_be_read() {
        for kind in Kind::ALL {
            let mut versions: Vec<u16> = ENTRIES.iter().filter(|row| row.0 == kind).map(|row| row.1).collect();
            versions.sort_unstable();
            assert_eq!(versions, (1..=codec::version(kind)).collect::<Vec<_>>(), "of {}", kind.name());
        }
        let versions: Vec<u16> = ENVELOPES.iter().map(|row| row.0).collect();
        assert_eq!(versions, (1..=codec::ENVELOPE_VERSION).collect::<Vec<_>>());
    }
}
