//! Stories of instances that are placed together or not at all.

use super::*;

fn gang(name: &str, cpu_milli: u64) -> JobSpec {
    let mut spec = job(name, cpu_milli);
    spec.place.gang = true;
    spec
}

#[test]
fn a_gang_is_placed_at_once_or_waits_as_a_whole_and_says_how_many_would_fit() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 1_000), Machine::new("n2", "r1", 500));
    story.node(&n1);
    let a = gang("a", 500);
    let sends = story.place(&a, 0..3);
    assert!(claims(&sends).is_empty());
    let why = refusals(&sends);
    assert_eq!(why.len(), 3, "each is told");
    let message = "2 of 3 instances of the gang fit at once; no node can take a/2: no-cpu on 1";
    assert!(why.iter().all(|why| why.reason == Reason::GangIncomplete && why.message == message), "{why:?}");
    assert_eq!(why[0].change.as_deref(), Some("have 500m more cpu on n1"));
    assert_eq!(claims(&story.place(&job("small", 1_000), 0..1)), [on("small/0", &n1)], "what waits holds no room");
    story.say(Message::Withdraw { instance: instance(&job("small", 0), 0) });
    assert!(claims(&story.settle()).is_empty());
    story.node(&n2);
    let placed = claims(&story.settle());
    assert_eq!(placed.len(), 3, "all in one turn: {placed:?}");
    story.check();
}

#[test]
fn whoever_of_a_gang_is_asked_for_later_waits_with_those_that_wait() {
    let mut story = Story::new();
    let n1 = Machine::new("n1", "r1", 1_000);
    story.node(&n1);
    let a = gang("a", 400);
    assert_eq!(refusals(&story.place(&a, 0..3)).len(), 3);
    let sends = story.place(&a, 0..2);
    assert_eq!((claims(&sends).len(), refusals(&sends).len()), (0, 2), "a part of it is asked for again");
    story.say(Message::Withdraw { instance: instance(&a, 1) });
    assert_eq!(claims(&story.settle()), [on("a/0", &n1), on("a/2", &n1)], "the gang is smaller now");
    story.check();
}

#[test]
fn one_of_a_gang_that_its_node_refuses_looks_for_another_place() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 1_000), Machine::new("n2", "r1", 1_000));
    story.node(&n1);
    let a = gang("a", 500);
    assert_eq!(claims(&story.place(&a, 0..2)).len(), 2);
    let mut full = n1.clone().holds(&a, 0);
    full.view.spec.capacity.cpu_milli = 500;
    let (node, instance) = (n1.id(), instance(&a, 1));
    let refused = Message::ClaimRefused { node, instance, because: Reason::NoCpu, view: full.view.clone().into() };
    story.say(refused);
    assert_eq!(refusals(&story.settle())[0].reason, Reason::GangIncomplete);
    story.node(&n2);
    assert_eq!(claims(&story.settle()), [on("a/1", &n2)]);
    story.check();
}

#[test]
fn a_gang_that_could_never_be_placed_at_once_is_refused() {
    let mut story = Story::new();
    story.node(&Machine::new("n1", "r1", 1_000).standing(Standing::Cordoned));
    story.node(&Machine::new("n2", "r1", 500).standing(Standing::Cordoned));
    let many = |instances, gang| {
        let mut spec = JobSpec { instances, ..job("a", 300) };
        spec.place.gang = gang;
        check::check(story.cell.state(), &[spec])
    };
    assert_eq!(many(4, true), Ok(()));
    assert_eq!(many(5, false), Ok(()), "nodes are closed just now, and who is no gang may wait in part");
    let refusal = many(5, true).expect_err("four is the most");
    assert_eq!(refusal.reason, Reason::GangIncomplete);
    assert_eq!(refusal.message, "job a is a gang of 5, and all nodes together could take 4");
}
