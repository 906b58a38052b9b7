//! Stories of a rollout.

use super::{Rollout, Standing, Targets};
use crate::behavior::{Behavior, Turn};
use messages::envelope::{Address, Body};
use messages::id::{JobId, PolicyId, RolloutId};
use messages::job;
use messages::manifest::{RolloutSpec, Step};
use messages::policy::{self, Change};
use messages::reason::{Reason, Refusal};
use messages::rollout::{Event, Message, RevisionProgress};
use messages::time::{Span, Timestamp};

mod fuzz;

/// A rollout from revision 1 to 2, and a job that does what it is told.
struct Stage {
    rollout: Rollout,
    now: Timestamp,
    ticket: u64,
    progress: u64,
    said: Vec<(Address, Body)>,
    recorded: Vec<Event>,
}

fn me() -> RolloutId {
    RolloutId::of(job(), 2)
}

fn job() -> JobId {
    JobId::named("shop", "b")
}

fn begin(desired: u32, exclusive: bool, spec: RolloutSpec) -> Message {
    Message::Begin { job: job(), name: "shop/b".into(), from: 1, to: 2, desired, exclusive, spec }
}

impl Stage {
    fn new() -> Self {
        let now = Timestamp(1_000_000_000);
        Self { rollout: Rollout::default(), now, ticket: 0, progress: 0, said: vec![], recorded: vec![] }
    }

    fn begun(desired: u32) -> Self {
        let mut stage = Self::new();
        stage.say(job(), begin(desired, false, RolloutSpec::default()));
        stage
    }

    fn say(&mut self, from: impl Into<Address>, message: Message) {
        let mut turn = Turn::by_hand(me(), from.into(), self.now);
        self.rollout.decide(&message, &mut turn).expect("a rollout refuses nobody");
        self.said = turn.sent().to_vec();
        self.recorded = turn.recorded().to_vec();
        for event in &self.recorded {
            self.rollout.evolve(event, self.now);
        }
    }

    fn ask(&mut self, message: impl FnOnce(u64) -> Message) -> Result<String, Refusal> {
        self.ticket += 1;
        let ticket = self.ticket;
        self.say(PolicyId::of_realm("shop"), message(ticket));
        let done = self.said.iter().find_map(|(_, body)| match body {
            Body::Policy(policy::Message::Done { ticket: answered, outcome }) if *answered == ticket => {
                Some(outcome.clone())
            }
            _ => None,
        });
        done.expect("every command is answered in its turn").map(|Change { how, .. }| how)
    }

    fn pass(&mut self, span: Span) {
        let until = self.now.after(span);
        while let Some(due) = self.rollout.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.say(Address::Host, Message::Wake { due });
            assert!(self.rollout.deadline().is_none_or(|next| next > self.now), "a wake moves the deadline");
        }
        self.now = until;
    }

    /// The job took in the latest targets, and so many of revision 2 are healthy and have failed.
    fn progress(&mut self, healthy: u32, failures: u32) {
        let (targets, desired) = (self.rollout.version, self.rollout.desired);
        self.progress_of(targets, desired, healthy, failures);
    }

    fn progress_of(&mut self, targets: u64, desired: u32, healthy: u32, failures: u32) {
        self.progress += 1;
        let evidence = (failures > 0).then(|| "b/4 on n1: unhealthy: 503".to_owned());
        let revisions = vec![RevisionProgress { revision: 2, present: healthy, healthy, failures, evidence }];
        self.say(job(), Message::Progress { version: self.progress, targets, desired, revisions });
    }

    fn told(&self) -> Option<Targets> {
        self.said.iter().find_map(|(_, body)| match body {
            Body::Job(job::Message::Targets { counts, weights, settled, .. }) => {
                Some(Targets { counts: counts.clone(), weights: weights.clone(), settled: *settled })
            }
            _ => None,
        })
    }

    /// What was told: counts of the old and the new revision, and the traffic of the new.
    fn shape(&self) -> (u32, u32, u32) {
        let told = self.told().expect("the job is told");
        let of = |pairs: &[(u32, u32)], revision| pairs.iter().find(|(known, _)| *known == revision).map_or(0, |p| p.1);
        (of(&told.counts, 1), of(&told.counts, 2), of(&told.weights, 2))
    }
}

#[test]
fn a_good_revision_comes_in_step_by_step() {
    let mut stage = Stage::begun(4);
    assert_eq!(stage.shape(), (4, 1, 0), "a canary beside all the old, without traffic");
    stage.progress(0, 0);
    assert_eq!(stage.told(), None, "it is not healthy yet");
    stage.progress(1, 0);
    assert_eq!(stage.shape(), (4, 1, 10), "traffic once it is");
    stage.progress(1, 0);
    stage.pass(Span::seconds(5));
    assert_eq!(stage.shape(), (3, 2, 10), "one passed, so one old gives way");
    stage.progress(2, 0);
    assert_eq!(stage.shape(), (3, 2, 50));
    stage.progress(2, 0);
    stage.pass(Span::seconds(5));
    assert_eq!(stage.shape(), (2, 4, 50));
    stage.progress(4, 0);
    assert_eq!(stage.shape(), (2, 4, 100));
    stage.progress(4, 0);
    stage.pass(Span::seconds(5));
    let told = stage.told().expect("the job is told");
    assert_eq!(told, Targets { counts: vec![(2, 4)], weights: vec![(2, 100)], settled: Some(2) });
    stage.progress(4, 0);
    assert_eq!((stage.rollout.standing, stage.rollout.deadline()), (Standing::Settled, None));
    assert_eq!(stage.rollout.history.len(), 8, "{:#?}", stage.rollout.history);
}

#[test]
fn a_failing_canary_takes_everything_back_and_says_why() {
    let mut stage = Stage::begun(4);
    stage.progress(1, 0);
    stage.progress(0, 1);
    let told = stage.told().expect("the job is told");
    assert_eq!(told, Targets { counts: vec![(1, 4)], weights: vec![(1, 100)], settled: Some(1) });
    let line = stage.rollout.history.back().expect("there is a history");
    assert_eq!((line.reason, line.what.as_str()), (Reason::GateFailed, "reverted to revision 1"));
    assert_eq!(line.evidence, "1 of 1 failures: b/4 on n1: unhealthy: 503");
}

#[test]
fn failures_below_the_bound_only_start_the_hold_anew() {
    let mut stage = Stage::new();
    stage.say(job(), begin(4, false, RolloutSpec { failures_max: 2, ..RolloutSpec::default() }));
    stage.progress(1, 0);
    stage.progress(1, 0);
    stage.pass(Span::seconds(3));
    stage.progress(0, 1);
    stage.pass(Span::seconds(3));
    assert_eq!(stage.rollout.step, 0, "it is not healthy, so it does not go on");
    stage.progress(1, 1);
    stage.pass(Span::seconds(4));
    assert_eq!(stage.rollout.step, 0, "five whole seconds are asked for");
    stage.pass(Span::seconds(1));
    assert_eq!(stage.rollout.step, 1);
}

#[test]
fn a_step_that_does_not_become_healthy_in_time_is_taken_back() {
    let mut stage = Stage::begun(4);
    stage.progress(0, 0);
    stage.pass(Span::seconds(59));
    assert_eq!(stage.rollout.standing, Standing::Rolling);
    stage.pass(Span::seconds(1));
    assert_eq!(stage.rollout.standing, Standing::Reverted);
    let line = stage.rollout.history.back().expect("there is a history");
    assert_eq!((line.reason, line.evidence.as_str()), (Reason::DeadlinePassed, "0 of 1 healthy after 1m00s"));
}

#[test]
fn an_exclusive_job_stops_the_old_first() {
    let mut stage = Stage::new();
    stage.say(job(), begin(4, true, RolloutSpec::default()));
    assert_eq!(stage.shape(), (3, 1, 0));
}

#[test]
fn with_a_smaller_minimum_the_old_give_way_earlier() {
    let mut stage = Stage::new();
    let steps = vec![Step { weight: 50, hold: Span::seconds(1) }];
    stage.say(job(), begin(4, false, RolloutSpec { min_healthy: Some(3), steps, ..RolloutSpec::default() }));
    assert_eq!(stage.shape(), (3, 2, 0));
    assert_eq!(stage.rollout.steps(), 2, "all of it is a step by itself");
}

#[test]
fn targets_are_repeated_until_the_job_has_taken_them_in() {
    let mut stage = Stage::begun(4);
    let first = stage.told();
    stage.pass(Span::seconds(1));
    assert_eq!(stage.told(), first);
    stage.progress(0, 0);
    assert!(stage.said.contains(&(job().into(), job::Message::ProgressNoted { rollout: me(), version: 1 }.into())));
    stage.pass(Span::seconds(20));
    assert!(stage.recorded.is_empty() || stage.told().is_none(), "then they are not");
    stage.say(job(), begin(4, false, RolloutSpec::default()));
    assert!(stage.recorded.is_empty(), "it does not begin twice");
}

#[test]
fn older_progress_is_noted_and_changes_nothing() {
    let mut stage = Stage::begun(4);
    stage.progress(0, 0);
    stage.progress = 0;
    stage.progress(1, 0);
    assert!(stage.recorded.is_empty());
    assert_eq!(stage.said.len(), 1, "only the note");
}

#[test]
fn scaling_while_it_rolls_changes_the_counts_alone() {
    let mut stage = Stage::begun(4);
    stage.progress(1, 0);
    let version = stage.rollout.version;
    stage.progress_of(version, 20, 1, 0);
    assert_eq!(stage.shape(), (20, 2, 10));
    assert_eq!(stage.rollout.healthy_since, None, "there is more to become healthy");
}

#[test]
fn a_person_can_promote_hold_resume_and_abort() {
    let mut stage = Stage::begun(4);
    stage.progress(1, 0);
    stage.progress(1, 0);
    assert_eq!(stage.ask(|ticket| Message::Hold { ticket }), Ok("revision 2 held at 10%".into()));
    stage.pass(Span::seconds(100));
    assert_eq!((stage.rollout.step, stage.rollout.standing), (0, Standing::Held));
    let refusal = stage.ask(|ticket| Message::Hold { ticket }).expect_err("it is held");
    assert_eq!(refusal.reason, Reason::WrongState);
    stage.ask(|ticket| Message::Resume { ticket }).expect("it goes on");
    stage.pass(Span::seconds(5));
    assert_eq!(stage.rollout.step, 1);
    stage.ask(|ticket| Message::Promote { ticket }).expect("it goes to the end");
    assert_eq!(stage.shape(), (3, 4, 10), "all of it, and still never too few");
    stage.progress(4, 0);
    assert_eq!(stage.rollout.standing, Standing::Settled, "once it is healthy, without a hold");
    let refusal = stage.ask(|ticket| Message::Abort { ticket }).expect_err("it is over");
    assert_eq!(refusal.message, "cannot abort shop/b revision 2: it is over (settled)");
}

#[test]
fn an_abort_goes_back_also_when_it_is_held_and_is_done_once() {
    let mut stage = Stage::begun(2);
    stage.ask(|ticket| Message::Hold { ticket }).expect("it is held");
    stage.ask(|ticket| Message::Abort { ticket }).expect("it is aborted");
    assert_eq!(stage.shape(), (2, 0, 0));
    let ticket = stage.ticket;
    stage.say(PolicyId::of_realm("shop"), Message::Abort { ticket });
    assert!(stage.recorded.is_empty(), "the same ticket, the same answer");
    assert_eq!(stage.said.len(), 1);
}

#[test]
fn a_rollout_that_lost_its_purpose_says_so_and_nothing_more() {
    let mut stage = Stage::begun(4);
    stage.say(job(), Message::Supersede { job: job(), by: Some(3) });
    assert_eq!(stage.said, [(job().into(), job::Message::RolloutOver { rollout: me() }.into())]);
    assert_eq!((stage.rollout.standing, stage.rollout.deadline()), (Standing::Superseded, None));
    let mut late = Stage::new();
    late.say(job(), Message::Supersede { job: job(), by: None });
    late.say(job(), begin(4, false, RolloutSpec::default()));
    assert!(late.said.is_empty(), "a begin that was overtaken begins nothing");
    let refusal = late.ask(|ticket| Message::Promote { ticket }).expect_err("there is nothing to promote");
    assert_eq!(refusal.reason, Reason::NotFound);
}

#[test]
fn a_job_without_instances_is_rolled_through_at_once() {
    let mut stage = Stage::begun(0);
    for _ in 0..8 {
        stage.progress(0, 0);
        stage.pass(Span::seconds(5));
    }
    assert_eq!(stage.rollout.standing, Standing::Settled);
}
