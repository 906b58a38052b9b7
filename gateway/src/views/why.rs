//! `why`: the decision that placed an instance, its life, and the causes of both.

use super::names::{Found, label};
use super::trace::Gather;
use super::{life, not_found};
use actors::fold::Fold;
use actors::ports::Position;
use messages::api::{Failure, LifeEvent, Why};
use messages::entry::Entry;
use messages::id::{ActorId, CorrelationId};
use messages::job;
use messages::scheduler::{Decision, Event};

/// Looks for what the log says of an instance; entries are shown to it in order.
#[derive(Clone, Debug)]
pub struct Search {
    found: Found,
    until: Position,
    decision: Option<Decision>,
    life: Vec<LifeEvent>,
    born: Option<Birth>,
}

/// The entry that called for the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Where it lies.
    pub position: Position,
    /// Whose entry.
    pub actor: ActorId,
    /// Which of its entries.
    pub sequence: u64,
    /// The chain of causes.
    pub correlation: CorrelationId,
}

impl Search {
    /// For this instance, up to and with this position.
    pub fn new(found: Found, until: Position) -> Self {
        Self { found, until, decision: None, life: Vec::new(), born: None }
    }

    /// Looks at an entry.
    pub fn take(&mut self, position: Position, entry: &Entry) {
        if position > self.until {
            return;
        }
        let (head, id) = (entry.head(), self.found.id);
        let told = life::told(entry, id).into_iter();
        self.life.extend(told.map(|(what, reason)| LifeEvent { at: head.at, position: position.0, what, reason }));
        match entry {
            Entry::Scheduler(record) => {
                let mut decided = record.events.iter().filter_map(|event| match event {
                    Event::Placed { ask, decision, .. } | Event::Unplaced { ask, decision, .. } => {
                        (ask.instance == id).then_some(decision)
                    }
                    _ => None,
                });
                self.decision = decided.next_back().cloned().or(self.decision.take());
            }
            Entry::Job(record) => {
                let wanted =
                    |event: &job::Event| matches!(event, job::Event::Wanted { instance, .. } if *instance == id);
                if record.events.iter().any(wanted) {
                    let (actor, sequence, correlation) = (head.actor, head.sequence, head.correlation);
                    self.born = Some(Birth { position, actor, sequence, correlation });
                }
            }
            _ => {}
        }
    }

    /// The entry that called for the instance, if it was found.
    pub const fn born(&self) -> Option<Birth> {
        self.born
    }

    /// The answer; `chain` has gathered the chain of the birth.
    ///
    /// # Errors
    /// When the log says nothing of such an instance.
    pub fn answer(mut self, fold: &Fold, chain: Option<&Gather>) -> Result<Why, Failure> {
        let id = self.found.id;
        let known = fold.jobs().find_map(|(_, job)| label(job, id));
        // The log may begin after the instance did; then what is left of its life is told.
        if known.is_none() && self.life.is_empty() {
            return Err(not_found(format!("neither the log nor a job knows instance {}", self.found.label)));
        }
        self.found.label = known.unwrap_or(self.found.label);
        let born = self.born.map(|born| (born.actor, born.sequence));
        let causes = born.zip(chain).map_or(Vec::new(), |(born, chain)| chain.causes(fold, born));
        Ok(Why {
            position: self.until.0,
            instance: self.found.id.to_string(),
            summary: self.summary(),
            label: self.found.label,
            decision: self.decision,
            life: self.life,
            causes,
        })
    }

    fn summary(&self) -> String {
        let label = &self.found.label;
        let now = self.life.last().map_or(String::new(), |last| format!("; at last: {}", last.what));
        let Some(decision) = &self.decision else {
            return format!("the log says nothing of a decision about {label}{now}");
        };
        if let Some(unplaceable) = &decision.unplaceable {
            let change = unplaceable.change.as_deref();
            return format!("{}{}", unplaceable.message, change.map_or(String::new(), |change| format!("; {change}")));
        }
        match decision.candidates.as_slice() {
            [best, second, ..] => format!(
                "{label} is on {} since it scored {} and the next best, {}, scored {}{now}",
                best.name, best.score, second.name, second.score
            ),
            [best] => format!("{label} is on {}, the only node that fitted{now}", best.name),
            [] => format!("{label} was placed{now}"),
        }
    }
}
