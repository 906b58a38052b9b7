//! What a cell does with acknowledgements that wait, shown by an actor of a few lines.

use super::{Cell, Outcome};
use crate::behavior::{Behavior, Turn};
use messages::codec;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, ClientId, CorrelationId, Kind, NodeId};
use messages::policy::Answer;
use messages::reason::{Reason, Refusal};
use messages::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Gives away one thing, and refuses once it is acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Debtor {
    settled: u32,
    keeps: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Message {
    Settled,
    Take,
}

impl Behavior for Debtor {
    const KIND: Kind = Kind::Node;
    type Message = Message;
    type Event = u32;

    fn decide(&self, _message: &Message, turn: &mut Turn<Self>) -> Result<(), Refusal> {
        if self.settled > 0 {
            return Err(Refusal::new(Reason::Invalid, format!("{} settled", self.settled)));
        }
        turn.record(1);
        Ok(())
    }

    fn acknowledged(&self, message: &Message) -> Option<u32> {
        (*message == Message::Settled).then_some(1)
    }

    fn evolve(&mut self, event: &u32, _at: Timestamp) {
        self.settled += event;
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    fn wake(_due: Timestamp) -> Message {
        Message::Take
    }
}

/// From a client; what is in its body does not matter here.
fn envelope(number: u128) -> Envelope {
    Envelope {
        id: MessageId::Outside(Uuid::from_u128(number)),
        from: Address::Client(ClientId(Uuid::from_u128(9))),
        to: ActorId::from(NodeId::named("n1")).into(),
        correlation: CorrelationId::default(),
        principal: Principal::system(),
        at: Timestamp(number as u64),
        body: Body::Reply(Ok(Answer::default())),
    }
}

#[test]
fn a_cell_that_is_longer_than_a_record_is_read_back() {
    let mut cell = Cell::<Debtor>::new(NodeId::named("n1").into());
    cell.state.keeps = vec![u64::MAX; 2 << 20];
    let bytes = cell.snapshot();
    assert!(bytes.len() > codec::PAYLOAD_BYTES_MAX, "{} bytes", bytes.len());
    assert_eq!(Cell::restore(cell.id(), &bytes), Ok(cell));
}

#[test]
fn a_refusal_is_recorded_with_the_acknowledgements_it_was_decided_on() {
    let mut cell = Cell::<Debtor>::new(NodeId::named("n1").into());
    let before = cell.clone();
    let waits = cell.handle(&envelope(1), &Message::Settled, Timestamp(1));
    assert!(matches!(waits, Outcome::Answer(answers) if answers.is_empty()));
    assert_eq!(cell, before, "what waits for an entry is no part of the cell");

    let Outcome::Entry(record) = cell.handle(&envelope(2), &Message::Take, Timestamp(2)) else {
        panic!("a refusal to a client is recorded")
    };
    assert_eq!((&record.noted, &record.events), (&vec![Message::Settled], &vec![1]));
    assert_eq!(record.head.refusal.as_ref().map(|refusal| &*refusal.message), Some("1 settled"));
    assert_eq!(cell.state().settled, 1);

    assert_eq!(before.retake(&record), record, "the log alone says why");
    let mut follower = before.clone();
    assert_eq!(follower.follow(&codec::encode_bare(&record)), Ok(Some(1)));
    assert_eq!(follower, cell);
    let mut folded = before;
    assert_eq!(folded.apply(&record), Ok(()));
    assert_eq!(folded, cell);
}
