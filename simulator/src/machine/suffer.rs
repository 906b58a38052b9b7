//! What goes wrong with a machine, and how that ends.

use super::Machine;
use crate::plan::trouble::machine::Machine as Trouble;
use crate::world::context::Context;

impl Machine {
    /// A trouble begins that lasts until then.
    pub fn suffer(&mut self, trouble: Trouble, until: u64, cx: &mut Context) {
        match trouble {
            Trouble::AgentCrash => self.kill_agent(),
            Trouble::AgentPause => self.pause_agent(until),
            Trouble::Crash => self.lose_power(cx),
            Trouble::WorkloadDies { choice } => self.kill_one(choice, cx),
            Trouble::WorkloadSick { choice } => self.sicken_one(choice, until, cx),
        }
    }

    /// It is over.
    pub fn recover(&mut self, trouble: Trouble, cx: &mut Context) {
        match trouble {
            Trouble::AgentCrash => self.start_agent(cx),
            Trouble::AgentPause => self.resume_agent(cx),
            Trouble::Crash => self.boot(cx),
            Trouble::WorkloadDies { .. } | Trouble::WorkloadSick { .. } => {}
        }
    }
}
