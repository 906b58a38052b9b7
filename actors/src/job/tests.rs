//! Stories of a job.

use super::{Job, Phase};
use crate::behavior::{Behavior, Turn};
use messages::agent::{Ended, Observation};
use messages::envelope::{Address, Body};
use messages::id::{InstanceId, JobId, NodeId, PolicyId, RolloutId, RouteId, SchedulerId};
use messages::job::{Event, Message};
use messages::manifest::{JobSpec, RolloutSpec, Workload};
use messages::policy::{self, Change};
use messages::reason::{Reason, Refusal};
use messages::scheduler::{self, DEFAULT_SITE, Unplaceable};
use messages::time::{Span, Timestamp};
use messages::{node, rollout, route};

mod fuzz;
mod gangs;
mod lives;
mod rolling;

/// A job with everyone it talks to, moved by hand.
struct Stage {
    job: Job,
    now: Timestamp,
    ticket: u64,
    version: u64,
    /// What was said in the last turn.
    said: Vec<(Address, Body)>,
    /// What was recorded in the last turn.
    recorded: Vec<Event>,
}

fn me() -> JobId {
    JobId::named("shop", "a")
}

fn node(name: &str) -> NodeId {
    NodeId::named(name)
}

fn spec(instances: u32) -> JobSpec {
    let workload = Workload { run: vec!["./a".into()], ports: vec!["http".into()], ..Workload::default() };
    JobSpec { realm: "shop".into(), name: "a".into(), workload, instances, ..JobSpec::default() }
}

fn next_workload(instances: u32, run: &str) -> JobSpec {
    let mut spec = spec(instances);
    spec.workload.run = vec![run.into()];
    spec
}

fn healthy() -> Observation {
    Observation::Healthy { ports: vec![("http".into(), 80)], pid: 7 }
}

fn killed() -> Ended {
    Ended { reason: Reason::ExitSignal, code: Some(9), detail: "killed".into() }
}

impl Stage {
    fn new() -> Self {
        let now = Timestamp(1_000_000_000);
        Self { job: Job::default(), now, ticket: 0, version: 0, said: Vec::new(), recorded: Vec::new() }
    }

    /// A job of which all instances are healthy, on nodes n0, n1, … by slot.
    fn running(spec: JobSpec) -> Self {
        let mut stage = Self::new();
        stage.apply(spec);
        stage.bring_up();
        stage
    }

    fn say(&mut self, from: impl Into<Address>, message: Message) {
        let mut turn = Turn::by_hand(me(), from.into(), self.now);
        self.job.decide(&message, &mut turn).expect("a job refuses nobody");
        self.said = turn.sent().to_vec();
        self.recorded = turn.recorded().to_vec();
        for event in &self.recorded {
            self.job.evolve(event, self.now);
        }
    }

    /// Says it on behalf of the realm's policy and gives its answer.
    fn ask(&mut self, message: impl FnOnce(u64) -> Message) -> Result<String, Refusal> {
        self.ticket += 1;
        let (ticket, policy) = (self.ticket, PolicyId::of_realm("shop"));
        self.say(policy, message(ticket));
        let done = self.said.iter().find_map(|(to, body)| match body {
            Body::Policy(policy::Message::Done { ticket: answered, outcome }) if *answered == ticket => {
                assert_eq!(*to, policy.into(), "the policy is answered");
                Some(outcome.clone())
            }
            _ => None,
        });
        done.expect("every command is answered in its turn").map(|Change { what, how }| {
            assert_eq!(what, "job shop/a", "the answer names the job");
            how
        })
    }

    fn apply(&mut self, spec: JobSpec) -> String {
        self.ask(|ticket| Message::Apply { ticket, spec }).expect("the manifest is taken in")
    }

    /// Lets time pass, waking the job whenever it wants.
    fn pass(&mut self, span: Span) {
        let until = self.now.after(span);
        while let Some(due) = self.job.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.wake();
        }
        self.now = until;
    }

    fn wake(&mut self) {
        let due = self.job.deadline().expect("there is a deadline");
        self.say(Address::Host, Message::Wake { due });
        assert!(self.job.deadline().is_none_or(|next| next > self.now), "a turn at a deadline moves it");
    }

    fn slot(&self, slot: u32) -> InstanceId {
        self.job.in_slot(slot).next().expect("the slot has an instance").0
    }

    fn phase(&self, slot: u32) -> Phase {
        self.job.instances[&self.slot(slot)].phase
    }

    fn assign(&mut self, instance: InstanceId, name: &str) {
        let (node, node_name, host) = (node(name), name.to_owned(), "10.0.0.1".into());
        self.say(node, Message::Assigned { instance, node, node_name, host, epoch: 1 });
    }

    fn see(&mut self, instance: InstanceId, observation: Option<Observation>) {
        self.version += 1;
        let (version, node) = (self.version, self.node_of(instance));
        self.say(node, Message::Observed { instance, node, version, observation });
    }

    fn release(&mut self, instance: InstanceId, ended: Ended) {
        self.version += 1;
        let (version, node) = (self.version, self.node_of(instance));
        self.say(node, Message::Released { instance, node, version, ended });
    }

    fn node_of(&self, instance: InstanceId) -> NodeId {
        self.job.instances[&instance].node.expect("it is placed")
    }

    /// Places, starts and makes healthy all that waits.
    fn bring_up(&mut self) {
        let waits = |phase: Phase, job: &Job| {
            let waits = job.instances.iter().filter(|(_, one)| one.phase == phase);
            waits.map(|(id, one)| (*id, one.slot)).collect::<Vec<_>>()
        };
        for (instance, slot) in waits(Phase::Wanted, &self.job) {
            self.assign(instance, &format!("n{slot}"));
        }
        for (instance, _) in waits(Phase::Starting, &self.job) {
            self.see(instance, Some(healthy()));
        }
    }

    /// Lets every node do what it was told: what is to stop is released.
    fn let_go(&mut self) {
        self.pass(Span::seconds(1));
        let stopping: Vec<InstanceId> =
            self.job.instances.iter().filter(|(_, one)| one.phase == Phase::Stopping).map(|(id, _)| *id).collect();
        for instance in stopping {
            self.release(instance, Ended::new(Reason::Stopped, "stopped as asked"));
        }
    }

    fn places_asked(&self) -> Vec<InstanceId> {
        let asked = self.said.iter().filter_map(|(to, body)| match body {
            Body::Scheduler(scheduler::Message::Place { asks, .. }) => {
                assert_eq!(*to, SchedulerId::of_site(DEFAULT_SITE).into(), "the site's scheduler is asked");
                Some(asks.iter().map(|ask| ask.instance).collect::<Vec<_>>())
            }
            _ => None,
        });
        asked.flatten().collect()
    }

    fn started(&self) -> Vec<InstanceId> {
        self.told_nodes(|message| match message {
            node::Message::Start { instance } => Some(*instance),
            _ => None,
        })
    }

    fn stopped(&self) -> Vec<InstanceId> {
        self.told_nodes(|message| match message {
            node::Message::Stop { instance, .. } => Some(*instance),
            _ => None,
        })
    }

    fn told_nodes(&self, pick: impl Fn(&node::Message) -> Option<InstanceId>) -> Vec<InstanceId> {
        let told = self.said.iter().filter_map(|(_, body)| match body {
            Body::Node(message) => pick(message),
            _ => None,
        });
        told.collect()
    }

    fn endpoints_told(&self) -> Vec<(u64, usize)> {
        let told = self.said.iter().filter_map(|(_, body)| match body {
            Body::Route(route::Message::Endpoints { version, endpoints, .. }) => Some((*version, endpoints.len())),
            _ => None,
        });
        told.collect()
    }

    fn rollout_told(&self) -> Vec<rollout::Message> {
        let told = self.said.iter().filter_map(|(_, body)| match body {
            Body::Rollout(message) => Some(message.clone()),
            _ => None,
        });
        told.collect()
    }
}
