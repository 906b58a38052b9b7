//! Signs of life: the control plane's failure detector hears and answers them.

use super::Control;
use crate::world::context::Context;
use actors::agent::Beat;
use actors::agent::detector::Detector;
use messages::agent::Order;
use messages::id::NodeId;

impl Control {
    /// Whether there is a process.
    pub const fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// The failure detector, while the process runs.
    pub fn detector(&mut self) -> Option<&mut Detector> {
        self.process.as_mut().map(|process| &mut process.detector)
    }

    /// Arranges the next look at the clock again.
    pub fn look_again(&mut self, cx: &mut Context) {
        if let Some(process) = &mut self.process {
            process.arrange_tick(self.generation, cx);
        }
    }

    /// A sign of life of a machine, which is this node.
    pub fn hear_beat(&mut self, machine: usize, node: NodeId, beat: Beat, cx: &mut Context) {
        if self.process.is_none() && !cx.quiet.makes_up() {
            return;
        }
        cx.oracle.heard(node, cx.now());
        if let Some(told) = self.process.as_ref().and_then(|process| process.roll.check(node, beat)) {
            self.notice_other_log(told, cx);
        }
        let order = match &mut self.process {
            Some(process) => process.detector.beat(node, beat, cx.host_now()),
            // It was there when this beat came, and has died since.
            None if cx.quiet.makes_up() => {
                Order::BeatHeard { epoch: beat.epoch, session: beat.session, sent_at: beat.sent_at }
            }
            None => return,
        };
        cx.answer_beat(machine, node, beat, order);
    }
}
