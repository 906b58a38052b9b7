//! The roll: how far each agent can have been welcomed, as the log knows it. No welcome leaves before it is durable, so an
//! agent that was welcomed further is a proof: this log is older than what was acknowledged, or of another installation.

use super::Beat;
use messages::agent::Order;
use messages::id::NodeId;
use std::collections::BTreeMap;

/// The last epoch and session of each node that the log knows.
#[derive(Clone, Debug, Default)]
pub struct Roll {
    nodes: BTreeMap<NodeId, (u64, u64)>,
}

impl Roll {
    /// The log says that a node was welcomed so far.
    pub fn learn(&mut self, node: NodeId, epoch: u64, session: u64) {
        let known = self.nodes.entry(node).or_default();
        *known = (epoch, session).max(*known);
    }

    /// An order passes by on its way to an agent.
    pub fn passing(&mut self, node: NodeId, order: &Order) {
        if let Order::Welcome { epoch, session, .. } = order {
            self.learn(node, *epoch, *session);
        }
    }

    /// What is wrong with the log, if an agent that beats so was welcomed further than the log knows.
    pub fn check(&self, node: NodeId, beat: Beat) -> Option<String> {
        let known = self.nodes.get(&node).copied().unwrap_or_default();
        ((beat.epoch, beat.session) > known).then(|| {
            format!(
                "an agent was welcomed in epoch {} as session {}, and this log knows epoch {}, session {} of it: the log \
                 is older than what was acknowledged, or of another installation; restore the newest copy, or restart \
                 the agent if this log is the right one",
                beat.epoch, beat.session, known.0, known.1
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use messages::time::Timestamp;

    fn beat(epoch: u64, session: u64) -> Beat {
        Beat { epoch, session, sent_at: Timestamp(1) }
    }

    #[test]
    fn an_agent_that_was_welcomed_further_than_the_log_knows_shows_that_the_log_is_older() {
        let node = NodeId::named("n1");
        let mut roll = Roll::default();
        assert!(roll.check(node, beat(1, 1)).is_some(), "an empty log was not the one that welcomed it");
        roll.learn(node, 2, 7);
        assert!(roll.check(node, beat(2, 8)).is_some() && roll.check(node, beat(3, 1)).is_some());
        assert!(roll.check(node, beat(2, 7)).is_none() && roll.check(node, beat(1, 9)).is_none());
        assert!(roll.check(node, beat(0, 0)).is_none(), "who was never welcomed proves nothing");
    }
}
