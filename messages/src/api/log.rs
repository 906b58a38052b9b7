//! `log`, `trace` and `replay --verify`: entries, chains of them, and whether they still hold.

use crate::entry::{Entry, Record};
use crate::envelope::{Address, Body, MessageId};
use crate::reason::Refusal;
use crate::time::{Timestamp, rfc3339};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Where the frame it came in lies.
    pub position: u64,
    /// Whose entry, `kind.id`.
    pub actor: String,
    /// What people call that actor, where it has a name: `job shop/a`, `node n1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which of the actor's entries, from 1.
    pub sequence: u64,
    /// The time of the turn.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// The id of the message that caused it.
    pub cause: String,
    /// Who sent that message.
    pub from: String,
    /// On whose authority.
    pub principal: String,
    /// The chain of causes it belongs to.
    pub correlation: String,
    /// What was acknowledged since the entry before, and counts from this one on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noted: Vec<Value>,
    /// The message.
    pub input: Value,
    /// What was recorded.
    pub events: Vec<Value>,
    /// What was said.
    pub sends: Vec<Sent>,
    /// Why nothing was done, where that was so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// Something an entry said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The id of the message.
    pub id: String,
    /// To whom.
    pub to: String,
    /// What.
    pub message: Value,
}

/// A chain of causes, from something outside to everything that followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The chain's id.
    pub correlation: String,
    /// Its entries, causes before what they caused.
    pub entries: Vec<CauseEntry>,
}

/// An entry in a chain of causes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseEntry {
    /// How far below the first entry of the chain it hangs.
    pub depth: u32,
    /// In one line: what was heard and what came of it.
    pub summary: String,
    /// The entry.
    pub entry: LogEntry,
}

/// Whether the log, taken again from the start, says the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Entries read.
    pub entries: u64,
    /// Actors rebuilt.
    pub actors: u64,
    /// What came out differently; at most the first hundred are listed.
    pub mismatches: Vec<Mismatch>,
    /// Where the journal stood.
    pub position: u64,
}

/// An entry or a state that this build would have made differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// Whose.
    pub actor: String,
    /// In which of its entries.
    pub sequence: u64,
    /// In which frame.
    pub position: u64,
    /// What was recorded.
    pub recorded: String,
    /// What this build would record.
    pub retaken: String,
}

impl LogEntry {
    /// The entry that lies in the frame at `position`; `name` is what people call its actor.
    pub fn of(entry: &Entry, position: u64, name: Option<String>) -> Self {
        let head = entry.head();
        let (noted, input, events) = match entry {
            Entry::Job(record) => written(record),
            Entry::Node(record) => written(record),
            Entry::Scheduler(record) => written(record),
            Entry::Route(record) => written(record),
            Entry::Rollout(record) => written(record),
            Entry::Policy(record) => written(record),
        };
        let sent = |((to, body), index): (&(Address, Body), u32)| Sent {
            id: MessageId::Said { by: head.actor, sequence: head.sequence, index }.to_string(),
            to: to.to_string(),
            message: value(body),
        };
        Self {
            position,
            actor: head.actor.to_string(),
            name,
            sequence: head.sequence,
            at: head.at,
            cause: head.cause.to_string(),
            from: head.from.to_string(),
            principal: head.principal.to_string(),
            correlation: head.correlation.to_string(),
            noted,
            input,
            events,
            sends: head.sends.iter().zip(0..).map(sent).collect(),
            refusal: head.refusal.clone(),
        }
    }
}

fn written<M: Serialize, E: Serialize>(record: &Record<M, E>) -> (Vec<Value>, Value, Vec<Value>) {
    (record.noted.iter().map(value).collect(), value(&record.input), record.events.iter().map(value).collect())
}

/// As JSON; the words of this crate always can be.
fn value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| Value::String(format!("cannot be shown: {error}")))
}
