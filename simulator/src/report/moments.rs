//! The moments of a run that people want to read about, one by one.

use crate::plan::Plan;
use crate::verdict::{Verdict, Violation};
use crate::world::tape::{Record, What, names_of};
use messages::entry::Entry;
use messages::id::ActorId;
use messages::node::Event as Node;

/// More are not kept; violations always are.
pub(super) const MOMENTS_MAX: usize = 2_000;

/// A moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// When, in microseconds.
    pub at: u64,
    /// Of which kind, as its class is called.
    pub kind: &'static str,
    /// To whom.
    pub who: Who,
    /// What.
    pub what: String,
}

/// To whom something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// An actor.
    Actor(ActorId),
    /// Somebody else.
    Named(String),
}

/// What a record says that people want to read, if it does.
pub(super) fn of(record: &Record, plan: &Plan) -> Option<Moment> {
    let machine = |index: &usize| plan.machines.get(*index).map_or_else(String::new, |one| one.spec.name.clone());
    let fault = |number: &usize| plan.faults.get(*number).map_or("", |fault| fault.trouble.name());
    let (kind, who, what) = match &record.what {
        What::Committed(entry) => return of_entry(entry, record.at),
        What::Started { machine: on, label, .. } => ("run", machine(on), format!("{label} starts")),
        What::Ended { machine: on, label, why, .. } => ("run", machine(on), format!("{label} ended: {why}")),
        What::Control(what) => ("control", "control plane".into(), what.clone()),
        What::Answered { client, action, done } => {
            let what = format!("{action} {}", if *done { "done" } else { "refused" });
            ("command", format!("client {client}"), what)
        }
        What::Begins { fault: number, machines } => {
            let whom: Vec<String> = machines.iter().map(machine).collect();
            let who = if whom.len() > 3 { format!("{} machines", whom.len()) } else { whom.join(", ") };
            ("fault", who, format!("{} begins", fault(number)))
        }
        What::Ends(number) => ("fault", String::new(), format!("{} is over", fault(number))),
        What::Sent { .. } | What::Arrived { .. } | What::Machine { .. } | What::Violated(_) => return None,
    };
    Some(Moment { at: record.at, kind, who: Who::Named(who), what })
}

/// Of an entry: what a job was told to be, what became of a node, and every step of a rollout.
fn of_entry(entry: &Entry, at: u64) -> Option<Moment> {
    use messages::job::Event as Job;
    let is_news = match entry {
        Entry::Job(record) => record.events.iter().any(|event| {
            matches!(event, Job::Applied { .. } | Job::Scaled { .. } | Job::Failed { .. } | Job::Unplaceable { .. })
        }),
        Entry::Node(record) => record.events.iter().any(|event| {
            matches!(event, Node::Welcomed { .. } | Node::Suspected { .. } | Node::GivenUp)
                || matches!(
                    event,
                    Node::Cordoned { .. } | Node::Uncordoned { .. } | Node::DrainBegan { .. } | Node::Drained
                )
        }),
        Entry::Rollout(record) => !record.events.is_empty(),
        _ => false,
    };
    let (_, mut events) = names_of(entry);
    events.dedup();
    let kind = if matches!(entry, Entry::Rollout(_)) { "rollout" } else { "decision" };
    let moment = || Moment { at, kind, who: Who::Actor(entry.head().actor), what: events.join(", ") };
    is_news.then(moment)
}

/// What was violated stands among them, whatever was left out.
pub(super) fn add_violations(moments: &mut Vec<Moment>, verdict: &Verdict) {
    for Violation { invariant, signature, message, at, .. } in &verdict.violations {
        let what = format!("{signature} ({}): {message}", invariant.name());
        moments.push(Moment { at: *at, kind: "violation", who: Who::Named("oracle".into()), what });
    }
    moments.sort_by_key(|moment| moment.at);
}
