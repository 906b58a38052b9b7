//! What a machine is like, in words for people.

use super::Machine;

impl Machine {
    /// What it is like at a moment of the world: its power, its agent, its lease, and what runs.
    pub fn described(&self, now: u64) -> String {
        let agent = match &self.agent {
            Some(agent) if agent.paused_until > now => "agent stands still",
            Some(_) => "agent runs",
            None => "no agent",
        };
        let lease = match self.lease_until {
            Some(_) if !self.on => "no lease".into(),
            Some(until) if until > self.shows(now) => {
                format!("lease for {} ms", until.since(self.shows(now)).0 / 1_000)
            }
            Some(_) => "lease over".into(),
            None => "no lease".into(),
        };
        let power = if self.on { "on" } else { "off" };
        let processes = self.processes.iter().map(|(instance, process)| {
            let state = match (process.has_ended(), process.is_healthy()) {
                (true, _) => "ended",
                (false, true) => "healthy",
                (false, false) => "not healthy",
            };
            format!("\n  {} ({instance}): {state}", process.assignment.label)
        });
        format!("{} {power}, boot {}, {agent}, {lease}{}", self.spec.name, self.boots, processes.collect::<String>())
    }
}
