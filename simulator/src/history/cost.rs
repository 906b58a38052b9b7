//! What a run cost: how long nodes were there, and how much of them was reserved for how long.

use actors::fold::Fold;
use messages::entry::Record;
use messages::id::{InstanceId, NodeId};
use messages::node::{Event, Message};
use messages::resources::Resources;
use messages::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const HOUR_US: u128 = 3_600_000_000;

/// The cost of a run so far.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    nodes: BTreeSet<NodeId>,
    claims: BTreeMap<InstanceId, Resources>,
    reserved: Resources,
    at: Timestamp,
    node_us: u128,
    cpu_milli_us: u128,
    memory_byte_us: u128,
}

/// The cost of a run, in thousandths of an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// Hours that nodes were there, in thousandths.
    pub node_milli_hours: u64,
    /// Hours that processors were reserved, in thousandths.
    pub cpu_milli_hours: u64,
    /// Hours that a GiB of memory was reserved, in thousandths.
    pub memory_gib_milli_hours: u64,
}

impl Cost {
    /// From a moment on, with what there is then.
    pub fn new(fold: &Fold, at: Timestamp) -> Self {
        let mut cost = Self { at, ..Self::default() };
        for (id, _) in fold.nodes().filter(|(_, node)| node.up()) {
            cost.nodes.insert(NodeId(id.id));
        }
        for claim in fold.nodes().flat_map(|(_, node)| node.claims()) {
            cost.hold(claim.spec().instance, &claim.spec().workload.resources);
        }
        cost
    }

    fn hold(&mut self, instance: InstanceId, resources: &Resources) {
        if self.claims.insert(instance, resources.clone()).is_none() {
            self.reserved = self.reserved.plus(resources);
        }
    }

    /// Takes in the next entry of a node.
    pub fn see(&mut self, record: &Record<Message, Event>) {
        self.pass(record.head.at);
        let node = NodeId(record.head.actor.id);
        for event in &record.events {
            match event {
                Event::Welcomed { .. } => {
                    self.nodes.insert(node);
                }
                Event::GivenUp => {
                    self.nodes.remove(&node);
                }
                Event::Claimed { claim, .. } => self.hold(claim.instance, &claim.workload.resources),
                Event::Released { instance, .. } => {
                    if let Some(resources) = self.claims.remove(instance) {
                        self.reserved = self.reserved.minus(&resources);
                    }
                }
                _ => {}
            }
        }
    }

    /// Time passes.
    pub fn pass(&mut self, at: Timestamp) {
        let took = u128::from(at.since(self.at).0);
        self.at = self.at.max(at);
        self.node_us += took * self.nodes.len() as u128;
        self.cpu_milli_us += took * u128::from(self.reserved.cpu_milli);
        self.memory_byte_us += took * u128::from(self.reserved.memory_bytes);
    }

    /// The bill so far.
    pub fn bill(&self) -> Bill {
        let number = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        Bill {
            node_milli_hours: number(self.node_us * 1_000 / HOUR_US),
            cpu_milli_hours: number(self.cpu_milli_us / HOUR_US),
            memory_gib_milli_hours: number((self.memory_byte_us * 1_000 / HOUR_US) >> 30),
        }
    }
}
