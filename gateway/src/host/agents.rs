//! Agents of other machines: how they listen to this site, and how they are heard.

use super::{Site, locked, up};
use crate::proxy::Table;
use actors::agent::Beat;
use messages::agent::Order;
use messages::id::{InstanceId, NodeId};
use messages::node::Message;
use tokio::sync::{mpsc, watch};

/// Orders for an agent that may wait.
pub(super) const ORDERS_MAX: usize = 256;

impl Site {
    /// Lets the agent of a node listen; who listened before hears nothing more.
    pub fn listen(&self, node: NodeId) -> mpsc::Receiver<Order> {
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        locked(&self.inner.agents).insert(node, sender);
        orders
    }

    /// Hears what the agent of the node of this name says.
    pub fn hear(&self, name: &str, message: Message) {
        self.say_as_agent(NodeId::named(name), name, message);
    }

    /// Hears a sign of life.
    pub fn hear_beat(&self, name: &str, beat: Beat) {
        self.beat(NodeId::named(name), beat);
    }

    /// Passes an opinion of an instance's health on to the agent that runs it. Whoever has one says it again.
    pub fn opine(&self, node: NodeId, instance: InstanceId, opinion: Result<(), String>) {
        self.to_agent(node, Order::Opinion { instance, opinion }.into());
    }

    /// Changes whenever a route does.
    pub fn routes_changed(&self) -> watch::Receiver<u64> {
        self.inner.routes.subscribe()
    }

    /// What the proxies of every node are told.
    pub fn table(&self) -> Table {
        self.read(up::table_of)
    }
}
