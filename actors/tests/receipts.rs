//! A delivery is dealt with when what it led to is durable, and not before.

use actors::shard::Shard;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, ClientId, CorrelationId, PolicyId};
use messages::policy::{Message, Mode, Request};
use messages::time::Timestamp;
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// A command that a policy records, and answers again without an entry when it comes again.
fn command(number: u128) -> Envelope {
    let id = Uuid::from_u128(number);
    let request = Request::SetPolicy { text: String::new(), mode: Mode::Shadow };
    Envelope {
        id: MessageId::Outside(id),
        from: Address::Client(ClientId(id)),
        to: ActorId::from(PolicyId::of_realm("shop")).into(),
        correlation: CorrelationId(id),
        principal: Principal::default(),
        at: NOW,
        body: Body::Policy(Message::Submit { realm: "shop".into(), request }),
    }
}

fn shard() -> Shard {
    let number = ActorId::from(PolicyId::of_realm("shop")).shard();
    let mut shard = Shard::new(number);
    shard.replay(&Shard::claim_frame(number, 1)).expect("a claim is replayed");
    shard.own(1);
    shard
}

#[test]
fn a_delivery_is_dealt_with_when_its_entry_is_durable() {
    let mut shard = shard();
    shard.deliver(&command(1), Some(1), NOW).expect("it is delivered");
    assert!(shard.take_free().receipts.is_empty(), "nothing is durable yet");
    shard.take_frame().expect("an entry waits");
    shard.deliver(&command(2), Some(2), NOW).expect("it is delivered");
    assert!(shard.take_free().receipts.is_empty());
    assert_eq!(shard.committed().receipts, [1], "the second is not in the frame");
    shard.take_frame().expect("an entry waits");
    assert_eq!(shard.committed().receipts, [2]);
}

#[test]
fn a_delivery_that_comes_again_waits_for_the_entry_that_dealt_with_it() {
    let mut shard = shard();
    shard.deliver(&command(1), Some(1), NOW).expect("it is delivered");
    shard.deliver(&command(1), Some(2), NOW).expect("it is delivered");
    assert!(shard.take_free().receipts.is_empty());
    shard.take_frame().expect("an entry waits");
    shard.deliver(&command(1), Some(3), NOW).expect("it is delivered");
    assert!(shard.take_free().receipts.is_empty());
    assert_eq!(shard.committed().receipts, [1, 2, 3]);
    shard.deliver(&command(1), Some(4), NOW).expect("it is delivered");
    assert_eq!(shard.take_free().receipts, [4], "all is durable");
}
