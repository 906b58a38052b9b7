//! What the scheduler has given away: no room twice, and no second place to an instance that has one.

use super::Finding;
use crate::verdict::Invariant;
use messages::entry::Record;
use messages::id::{InstanceId, NodeId};
use messages::resources::Resources;
use messages::scheduler::{Event, Message};
use std::collections::BTreeMap;

/// Places given, by what nodes have shown and by what was given since.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    nodes: BTreeMap<NodeId, NodeGiven>,
}

#[derive(Clone, Debug, Default)]
struct NodeGiven {
    capacity: Resources,
    shown: BTreeMap<InstanceId, Resources>,
    given: BTreeMap<InstanceId, Resources>,
}

impl Given {
    pub(super) fn see(&mut self, record: &Record<Message, Event>, findings: &mut Vec<Finding>) {
        for event in &record.events {
            match event {
                Event::Viewed { node, view } => {
                    let known = self.nodes.entry(*node).or_default();
                    known.capacity = view.spec.capacity;
                    known.shown = view.claims.iter().map(|claim| (claim.instance, claim.resources)).collect();
                    known.given.retain(|instance, _| !known.shown.contains_key(instance));
                }
                Event::Placed { ask, resources, decision, .. } => {
                    if let Some(node) = decision.chosen {
                        self.place(node, ask.instance, *resources, findings);
                    }
                }
                Event::Withdrawn { instance } | Event::Expired { instance } => self.take_back(*instance),
                Event::ClaimRefused { instance, .. } => self.take_back(*instance),
                _ => {}
            }
        }
    }

    fn take_back(&mut self, instance: InstanceId) {
        for known in self.nodes.values_mut() {
            known.given.remove(&instance);
        }
    }

    fn place(&mut self, node: NodeId, instance: InstanceId, need: Resources, findings: &mut Vec<Finding>) {
        let has = |known: &NodeGiven| known.shown.contains_key(&instance) || known.given.contains_key(&instance);
        if let Some((other, _)) = self.nodes.iter().find(|(_, known)| has(known)) {
            let message = format!("{instance} has a place on {other}, and is given one on {node}");
            findings.push((Invariant::InstanceOnce, "an instance that has a place is given another", message));
        }
        let known = self.nodes.entry(node).or_default();
        known.given.insert(instance, need);
        let used =
            known.shown.values().chain(known.given.values()).fold(Resources::default(), |sum, one| sum.plus(one));
        if let Some((dimension, missing)) = known.capacity.shortage(&used) {
            let message = format!("{node} lacks {} of {}", dimension.amount(missing), dimension.name());
            findings.push((Invariant::Capacity, "a scheduler gives room away twice", message));
        }
    }
}
