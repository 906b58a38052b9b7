//! Nodes: whose word counts (epochs, sessions, boots, reports), when claims are taken, and when a drain is over.

use super::Finding;
use crate::verdict::Invariant;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::node::Node;
use messages::agent;
use messages::entry::Record;
use messages::envelope::{Address, Body};
use messages::id::{ActorId, InstanceId};
use messages::node::{Event, LeaseTerms, Message, Standing};
use messages::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What nodes have recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    nodes: BTreeMap<ActorId, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    boot: Uuid,
    former: BTreeSet<Uuid>,
    epoch: u64,
    session: u64,
    /// The number of the last hello or report of this boot.
    stamp: u64,
    /// Since when it is suspect.
    suspected: Timestamp,
    /// Whether it was given up and has not been welcomed since.
    lost: bool,
    claims: BTreeSet<InstanceId>,
}

type Entry = Record<Message, Event>;

impl Nodes {
    /// An entry of a node was committed, and folded.
    pub(super) fn see(&mut self, record: &Entry, fold: &Fold, findings: &mut Vec<Finding>) {
        let actor = record.head.actor;
        let Some(AnyCell::Node(cell)) = fold.cell(actor) else { return };
        let seen = self.nodes.entry(actor).or_default();
        seen.check_epoch(record, findings);
        for event in &record.events {
            seen.see(event, cell.state(), record.head.at, findings);
        }
        check_told(record, fold, findings);
    }
}

impl Seen {
    /// What is said in another epoch than the present one is not taken in.
    fn check_epoch(&self, record: &Entry, findings: &mut Vec<Finding>) {
        for heard in record.noted.iter().chain([&record.input]) {
            let (epoch, what) = match heard {
                Message::Report { epoch, .. } => (*epoch, "report"),
                Message::Reconciled { epoch, .. } => (*epoch, "word"),
                _ => continue,
            };
            if epoch != self.epoch {
                let message = format!("{}: a {what} of epoch {epoch} in epoch {}", record.head.actor, self.epoch);
                findings.push((Invariant::Fenced, "a node takes in what is of another epoch", message));
            }
        }
    }

    fn see(&mut self, event: &Event, node: &Node, at: Timestamp, findings: &mut Vec<Finding>) {
        let mut wrong = |invariant, signature, message| findings.push((invariant, signature, message));
        match event {
            Event::Welcomed { boot, sent_at, epoch, session, .. } => {
                if self.former.contains(boot) {
                    wrong(Invariant::Fenced, "a boot that is over is welcomed", format!("{} {boot}", node.name()));
                }
                if *boot == self.boot && sent_at.0 <= self.stamp {
                    let message = format!("{}: {} after {}", node.name(), sent_at.0, self.stamp);
                    wrong(Invariant::Once, "a node takes in a hello that was overtaken", message);
                }
                if self.lost && *epoch <= self.epoch {
                    let message = format!("{}: epoch {epoch}", node.name());
                    wrong(Invariant::EpochGrows, "a node that was given up is back in the same epoch", message);
                }
                if *boot != self.boot && self.epoch > 0 {
                    self.former.insert(self.boot);
                }
                (self.boot, self.epoch, self.session, self.stamp) = (*boot, *epoch, *session, sent_at.0);
                self.lost = false;
            }
            Event::Suspected { session, .. } if *session != self.session => {
                let message = format!("{}: session {session} in session {}", node.name(), self.session);
                wrong(Invariant::Fenced, "a node is suspect for the silence of another session", message);
            }
            Event::ReportTaken { report } => {
                if *report <= self.stamp {
                    let message = format!("{}: report {report} after {}", node.name(), self.stamp);
                    wrong(Invariant::Once, "a node takes in a report that was overtaken", message);
                }
                self.stamp = self.stamp.max(*report);
            }
            Event::Suspected { .. } => self.suspected = at,
            Event::GivenUp => {
                self.lost = true;
                let LeaseTerms { lease, margin, .. } = LeaseTerms::STANDARD;
                if at < self.suspected.after(lease).after(margin) {
                    let message = format!("{}: after {}", node.name(), at.since(self.suspected));
                    wrong(Invariant::Lease, "a node is given up before its lease and a margin have passed", message);
                }
                if node.claims().next().is_some() {
                    wrong(Invariant::Claims, "a node that is given up keeps claims", node.name().into());
                }
            }
            Event::Claimed { claim, .. } => {
                if node.standing() != Standing::Ready {
                    let message = format!("{} is {}: {}", node.name(), node.standing().name(), claim.label);
                    wrong(Invariant::Claims, "a node that takes no work takes a claim", message);
                }
                if !self.claims.insert(claim.instance) {
                    wrong(Invariant::Claims, "a node takes a claim twice", claim.label.clone());
                }
            }
            Event::Released { instance, .. } => drop(self.claims.remove(instance)),
            Event::Drained if node.claims().next().is_some() => {
                wrong(Invariant::Claims, "a drain is over while something is left", node.name().into());
            }
            _ => {}
        }
    }
}

/// What is to run is told to the node's own agent alone, and is of the realm of its job.
fn check_told(record: &Entry, fold: &Fold, findings: &mut Vec<Finding>) {
    for (to, body) in &record.head.sends {
        let (Body::Agent(agent::Order::Desired { assignments, .. })
        | Body::Agent(agent::Order::Changed { changed: assignments, .. })) = body
        else {
            continue;
        };
        if !matches!(to, Address::Agent(node) if ActorId::from(*node) == record.head.actor) {
            let message = format!("{} tells {to:?}", record.head.actor);
            findings.push((Invariant::Tenants, "what is to run is told to somebody else's agent", message));
        }
        for assignment in assignments {
            let Some(AnyCell::Job(cell)) = fold.cell(assignment.job) else { continue };
            if cell.state().spec.as_ref().is_some_and(|spec| spec.realm != assignment.realm) {
                let message = format!("{} runs in realm {}", assignment.label, assignment.realm);
                findings.push((Invariant::Tenants, "an instance runs in another realm than its job", message));
            }
        }
    }
}

/// Room that is held for an instance which its job does not have there.
pub(super) fn stray_claims(fold: &Fold) -> Vec<String> {
    let claims = fold.nodes().flat_map(|(id, node)| node.claims().map(move |claim| (id, node, claim)));
    let stray = claims.filter(|(id, _, claim)| {
        let spec = claim.spec();
        let Some(AnyCell::Job(cell)) = fold.cell(spec.job) else { return true };
        let known = cell.state().instances.get(&spec.instance);
        known.is_none_or(|instance| instance.node.is_none_or(|node| ActorId::from(node) != *id))
    });
    stray.map(|(_, node, claim)| format!("{} holds room for {}", node.name(), claim.spec().label)).collect()
}
