//! Cordon, uncordon and drain.

use super::*;
use messages::policy::{Change, Message as PolicyMessage};
use messages::reason::Refusal;

impl Story {
    fn done(&self) -> Result<String, Reason> {
        let outcome = self.said.iter().find_map(|(_, body)| match body {
            Body::Policy(PolicyMessage::Done { outcome, .. }) => Some(outcome.clone()),
            _ => None,
        });
        let outcome: Result<Change, Refusal> = outcome.expect("the command is answered");
        outcome.map(|change| format!("{}: {}", change.what, change.how)).map_err(|refusal| refusal.reason)
    }
}

#[test]
fn a_cordon_keeps_new_claims_away_until_it_is_lifted() {
    let mut story = Story::ready();
    story.command(Message::Cordon { ticket: 1 });
    assert_eq!(story.done(), Ok("node n1: cordoned".into()));
    story.claim(instance(1), 1);
    assert_eq!(story.refused(), Some(Reason::Cordoned));
    story.silent();
    story.hello(FIRST_BOOT, 30, &[]);
    assert_eq!(story.standing(), Standing::Cordoned, "it survives a silence");
    story.command(Message::Uncordon { ticket: 2 });
    assert_eq!((story.done(), story.standing()), (Ok("node n1: uncordoned".into()), Standing::Ready));
    story.command(Message::Uncordon { ticket: 2 });
    assert_eq!(story.done(), Ok("node n1: uncordoned".into()), "the same command, answered the same");
    story.command(Message::Uncordon { ticket: 3 });
    assert_eq!(story.done(), Ok("node n1: unchanged".into()));
}

#[test]
fn a_node_that_nobody_has_heard_of_cannot_be_cordoned() {
    let mut story = Story::blank();
    story.command(Message::Cordon { ticket: 1 });
    assert_eq!(story.done(), Err(Reason::NotFound));
}

#[test]
fn a_drain_asks_jobs_to_move_until_nothing_is_left() {
    let mut story = Story::with_running();
    let asked = |story: &Story| story.to_job().iter().any(|told| matches!(told, job::Message::MoveAway { .. }));
    story.command(Message::Drain { ticket: 1 });
    assert_eq!(story.done(), Ok("node n1: draining".into()));
    assert!(asked(&story));
    story.claim(instance(2), 1);
    assert_eq!(story.refused(), Some(Reason::NodeDrained));
    story.pass(1_000);
    assert!(asked(&story));
    story.stop(instance(1));
    story.pass(60_000);
    assert!(!asked(&story) && !story.state().drained());
    story.report(12, &[(instance(1), exited())]);
    assert!(story.state().drained());
    assert_eq!(story.standing(), Standing::Draining);
}

#[test]
fn what_has_no_other_place_may_stay_when_the_drain_was_called_off() {
    let mut story = Story::with_running();
    let stays = |story: &Story| story.to_job().iter().any(|told| matches!(told, job::Message::Stay { .. }));
    story.command(Message::Drain { ticket: 1 });
    story.tell(job().into(), Message::MayStay { instance: instance(1) });
    assert!(!stays(&story), "not while it is drained");
    story.command(Message::Uncordon { ticket: 2 });
    story.tell(job().into(), Message::MayStay { instance: instance(1) });
    assert!(stays(&story) && story.events.is_empty());
    story.stop(instance(1));
    story.tell(job().into(), Message::MayStay { instance: instance(1) });
    assert!(!stays(&story), "not when it was told to stop");
}

#[test]
fn an_empty_node_is_drained_at_once() {
    let mut story = Story::ready();
    story.command(Message::Drain { ticket: 1 });
    assert_eq!(story.events, [Event::DrainBegan { ticket: 1 }, Event::Drained]);
}
