//! A log taken again: what every actor heard is said to this build's actors, and every entry must come out the same,
//! byte for byte.
//!
//! An actor decides from its own entries alone, so actors can be verified apart from each other and at the same time.
//! [`Piece`] is a run of frames, sorted by actor; [`verify`] takes one actor through its part of a piece.

use super::difference::difference;
use actors::cast::AnyCell;
use actors::ports::Position;
use messages::codec::{HEADER_BYTES, decode_entry, encode_entry, version};
use messages::entry::Entry;
use messages::frame::{self, FrameError};
use messages::id::ActorId;
use serde::Serialize;
use std::collections::BTreeMap;

/// The most mismatches of one actor in one piece that are told.
pub const TOLD_MAX: usize = 8;

/// Frames of a log that follow one another, and where each actor's entries lie in them.
#[derive(Debug, Default)]
pub struct Piece {
    frames: Vec<(Position, Vec<u8>)>,
    bytes: usize,
    actors: BTreeMap<ActorId, Vec<Place>>,
}

/// Where an entry lies in a piece.
#[derive(Clone, Copy, Debug)]
struct Place {
    frame: u32,
    at: u32,
    length: u32,
    version: u16,
}

/// What came of an actor's part of a piece.
#[derive(Debug, Default)]
pub struct Taken {
    /// Entries compared.
    pub entries: u64,
    /// Events in them.
    pub events: u64,
    /// Entries of older versions, which were brought up to today's before they were compared.
    pub older: u64,
    /// Entries that came out otherwise; all are counted.
    pub different: u64,
    /// The first of them.
    pub mismatches: Vec<Mismatch>,
}

/// An entry that this build makes otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// In which frame of the log.
    pub position: u64,
    /// Whose entry.
    pub actor: String,
    /// Which of its entries.
    pub sequence: u64,
    /// The first byte that differs, counted from the beginning of the recorded entry.
    pub byte: usize,
    /// The lines that differ: `-` recorded, `+` as this build makes it.
    pub difference: String,
    /// As recorded.
    pub recorded: String,
    /// As this build makes it.
    pub retaken: String,
}

/// Why a log cannot be taken again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A frame cannot be read.
    #[error("frame {position}: {cause}")]
    Frame {
        /// Where it lies.
        position: Position,
        /// What is wrong with it.
        cause: FrameError,
    },
    /// An entry cannot be read, or is not the next of its actor.
    #[error("frame {position}, {actor}: {cause}")]
    Entry {
        /// Where it lies.
        position: Position,
        /// Whose entry.
        actor: ActorId,
        /// What is wrong with it.
        cause: String,
    },
}

impl Piece {
    /// Takes in the next frame. Checks every checksum in it.
    ///
    /// # Errors
    /// When it is damaged, or of a version that this build does not know.
    pub fn push(&mut self, position: Position, bytes: &[u8]) -> Result<(), Trouble> {
        let (_, labels) = frame::labels(bytes).map_err(|cause| Trouble::Frame { position, cause })?;
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let frame = number(self.frames.len());
        for (at, label) in labels {
            let place = Place { frame, at: number(at), length: number(label.length), version: label.version };
            self.actors.entry(label.actor).or_default().push(place);
        }
        self.bytes += bytes.len();
        self.frames.push((position, bytes.to_vec()));
        Ok(())
    }

    /// How long its frames are together, in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whose entries are in it, the longest part first.
    pub fn actors(&self) -> Vec<ActorId> {
        let length = |places: &[Place]| places.iter().map(|place| u64::from(place.length)).sum::<u64>();
        let mut actors: Vec<_> = self.actors.iter().map(|(actor, places)| (length(places), *actor)).collect();
        actors.sort_unstable_by_key(|(length, actor)| (std::cmp::Reverse(*length), *actor));
        actors.into_iter().map(|(_, actor)| actor).collect()
    }

    fn record(&self, place: Place) -> Option<(Position, &[u8])> {
        let (position, bytes) = self.frames.get(place.frame as usize)?;
        let at = place.at as usize;
        Some((*position, bytes.get(at..at + place.length as usize)?))
    }
}

/// Takes the turns of one actor in a piece again, from its state before the piece, and moves that state on.
///
/// # Errors
/// When an entry cannot be read, or is missing.
pub fn verify(cell: &mut AnyCell, piece: &Piece) -> Result<Taken, Trouble> {
    let (actor, mut taken) = (cell.id(), Taken::default());
    for place in piece.actors.get(&actor).into_iter().flatten() {
        let Some((position, bytes)) = piece.record(*place) else { continue };
        let fail = |cause: String| Trouble::Entry { position, actor, cause };
        // Its checksum was right when it came in.
        let followed = match place.version == version(actor.kind) {
            true => cell.follow(&bytes[HEADER_BYTES..]).map_err(fail)?,
            false => None,
        };
        taken.entries += 1;
        taken.events += match followed {
            Some(events) => events as u64,
            None => again(cell, *place, (position, bytes), &mut taken)?,
        };
    }
    Ok(taken)
}

/// Takes a turn again whose entry is of an older version, or came out otherwise: looks at all of it, and goes on from
/// what was recorded. Returns the number of its events.
fn again(
    cell: &mut AnyCell,
    place: Place,
    (position, bytes): (Position, &[u8]),
    taken: &mut Taken,
) -> Result<u64, Trouble> {
    let actor = cell.id();
    let fail = |cause: String| Trouble::Entry { position, actor, cause };
    let (entry, _) = decode_entry(bytes).map_err(|error| fail(error.to_string()))?;
    let encoded = |entry: &Entry| {
        let mut bytes = Vec::new();
        encode_entry(entry, &mut bytes);
        bytes
    };
    let retaken = cell.retake(&entry);
    let made = retaken.as_ref().map_or_else(Vec::new, encoded);
    let raised = (place.version != version(actor.kind)).then(|| encoded(&entry));
    taken.older += u64::from(raised.is_some());
    let recorded = raised.as_deref().unwrap_or(bytes);
    if made != recorded {
        taken.different += 1;
        if taken.mismatches.len() < TOLD_MAX {
            taken.mismatches.push(mismatch(position, &entry, retaken.as_ref(), recorded, &made));
        }
    }
    cell.apply(&entry).map_err(|error| fail(error.to_string()))?;
    Ok(events(&entry))
}

fn mismatch(position: Position, entry: &Entry, retaken: Option<&Entry>, recorded: &[u8], made: &[u8]) -> Mismatch {
    let head = entry.head();
    let (before, after) = (format!("{entry:#?}"), retaken.map_or_else(String::new, |entry| format!("{entry:#?}")));
    let same = recorded.iter().zip(made).take_while(|(recorded, made)| recorded == made).count();
    Mismatch {
        position: position.0,
        actor: head.actor.to_string(),
        sequence: head.sequence,
        byte: same,
        difference: difference(&before, &after),
        recorded: format!("{entry:?}"),
        retaken: retaken.map_or_else(|| "nothing".into(), |entry| format!("{entry:?}")),
    }
}

const fn events(entry: &Entry) -> u64 {
    let count = match entry {
        Entry::Job(record) => record.events.len(),
        Entry::Node(record) => record.events.len(),
        Entry::Scheduler(record) => record.events.len(),
        Entry::Route(record) => record.events.len(),
        Entry::Rollout(record) => record.events.len(),
        Entry::Policy(record) => record.events.len(),
    };
    count as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::shard::Shard;
    use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
    use messages::frame::FrameHead;
    use messages::id::{ClientId, CorrelationId, PolicyId};
    use messages::policy::{Message, Mode, Request};
    use messages::time::Timestamp;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

    /// Frames of one entry each, of a policy that is set again and again.
    fn frames() -> (ActorId, Vec<Vec<u8>>) {
        let actor = ActorId::from(PolicyId::of_realm("shop"));
        let mut shard = Shard::new(actor.shard());
        let claim = Shard::claim_frame(actor.shard(), 1);
        shard.replay(&claim).expect("a claim is replayed");
        shard.own(1);
        let mut frames = vec![claim];
        for number in 0..3 {
            let id = Uuid::from_u128(number);
            let request = Request::SetPolicy { text: String::new(), mode: Mode::Shadow };
            let envelope = Envelope {
                id: MessageId::Outside(id),
                from: Address::Client(ClientId(id)),
                to: actor.into(),
                correlation: CorrelationId(id),
                principal: Principal::default(),
                at: NOW,
                body: Body::Policy(Message::Submit { realm: "shop".into(), request }),
            };
            shard.deliver(&envelope, None, NOW).expect("it is delivered");
            frames.extend(shard.take_frame());
            shard.committed();
        }
        (actor, frames)
    }

    fn piece(frames: &[Vec<u8>]) -> Piece {
        let mut piece = Piece::default();
        for (frame, position) in frames.iter().zip(1..) {
            piece.push(Position(position), frame).expect("the frame is sound");
        }
        piece
    }

    #[test]
    fn a_log_of_this_build_comes_out_the_same() {
        let (actor, frames) = frames();
        let piece = piece(&frames);
        assert_eq!(piece.actors(), [actor]);
        let taken = verify(&mut AnyCell::new(actor), &piece).expect("it is read");
        assert!(taken.entries >= 3 && taken.events >= taken.entries, "{taken:?}");
        assert_eq!((taken.different, taken.older, taken.mismatches), (0, 0, Vec::new()));
    }

    #[test]
    fn an_entry_that_was_made_otherwise_is_told_with_the_lines_that_differ() {
        let (actor, mut frames) = frames();
        let (head, mut entries) = frame::decode(&frames[2]).expect("the frame is sound");
        if let Entry::Policy(record) = &mut entries[0] {
            record.head.sends.clear();
        }
        frames[2] = frame::encode(&FrameHead { ..head }, &entries);
        let taken = verify(&mut AnyCell::new(actor), &piece(&frames)).expect("it is read");
        assert_eq!(taken.different, 1);
        let told = &taken.mismatches[0];
        assert_eq!((told.position, told.sequence), (3, entries[0].head().sequence));
        assert!(told.byte > 0 && told.difference.contains("- ") && told.difference.contains("+ "), "{told:?}");
    }

    #[test]
    fn a_damaged_frame_and_a_missing_one_are_named() {
        let (actor, frames) = frames();
        let mut damaged = frames[1].clone();
        damaged[80] ^= 1;
        let trouble = Piece::default().push(Position(9), &damaged).expect_err("it is damaged");
        assert_eq!(trouble.to_string(), "frame 9: frame is damaged: its checksum does not match");
        let gap = piece(&[frames[0].clone(), frames[2].clone()]);
        let trouble = verify(&mut AnyCell::new(actor), &gap).expect_err("an entry is missing");
        assert!(trouble.to_string().starts_with("frame 2, policy."), "{trouble}");
    }

    #[test]
    fn a_turn_on_another_state_is_another_turn() {
        let (actor, frames) = frames();
        let mut cell = AnyCell::new(actor);
        let (_, entries) = frame::decode(&frames[1]).expect("the frame is sound");
        assert!(cell.wake(NOW).is_none());
        assert_eq!(cell.retake(&entries[0]).as_ref(), Some(&entries[0]));
        cell.apply(&entries[0]).expect("it is the first");
        assert_ne!(cell.retake(&entries[0]).as_ref(), Some(&entries[0]));
    }
}
