//! A machine at rest: nothing to do on it but to beat. Its beats can be skipped and made up for.

use super::{Machine, MachineEvent};
use crate::world::queue::Moment;
use messages::time::Timestamp;

/// Beats that were put off.
#[derive(Clone, Copy, Debug)]
pub struct Beats {
    /// How many.
    pub count: u64,
    /// When the last of them is sent.
    pub last: Moment,
}

impl Machine {
    /// Whether its agent, of this generation, has nothing to do now but to beat.
    pub fn is_at_rest(&self, generation: u64, now: u64) -> bool {
        let agent = self.agent.as_ref().filter(|agent| agent.generation == generation && agent.tick_at == now);
        agent.is_some_and(|agent| {
            let due = agent.reconciler.at_rest().is_some_and(|beat_at| self.when(beat_at) == now);
            due && agent.paused_until <= now && agent.held.is_empty()
        })
    }

    /// The beats that are sent before a moment; the first of them is due at `first`.
    pub fn beats_before(&self, first: Moment, until: Moment) -> Beats {
        let Some(agent) = &self.agent else { return Beats { count: 0, last: first } };
        let every = agent.reconciler.beat_every().0.max(1);
        let due = agent.reconciler.at_rest().unwrap_or_default();
        let mut index = self.shows(until.at).since(due).0 / every;
        let mut last = self.beat_moment(first, index);
        if last >= until && index > 0 {
            index -= 1;
            last = self.beat_moment(first, index);
        }
        Beats { count: if last < until { index + 1 } else { 0 }, last }
    }

    /// When the beat is sent that is so many after the first.
    fn beat_moment(&self, first: Moment, index: u64) -> Moment {
        let Some(before) = index.checked_sub(1) else { return first };
        Moment::new(self.when(self.beat_due(index)), self.when(self.beat_due(before)))
    }

    fn beat_due(&self, index: u64) -> Timestamp {
        let Some(agent) = &self.agent else { return Timestamp::default() };
        let due = agent.reconciler.at_rest().unwrap_or_default();
        due.after(agent.reconciler.beat_every().times(index))
    }

    /// Skips so many beats, of which the first is due at `first`: each was sent, heard and answered. Returns the beat
    /// after them.
    pub fn skip_beats(&mut self, first: Moment, count: u64) -> (Moment, MachineEvent) {
        let next = self.beat_moment(first, count);
        let sent_at = self.shows(next.since);
        let Some(agent) = &mut self.agent else { return (next, MachineEvent::AgentTick(0)) };
        agent.tick_at = next.at;
        if count > 0 {
            agent.reconciler.pass_beats(count, sent_at);
        }
        (next, MachineEvent::AgentTick(agent.generation))
    }
}
