//! A moment of a recorded log, and what came after it: everything that a what-if begins with.

use super::book::Book;
use super::lives::Lives;
use super::outside::Outside;
use super::planner::Beginning;
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::ports::Position;
use messages::entry::Entry;
use messages::envelope::{Envelope, MessageId};
use messages::frame;
use messages::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What was said so long before the moment may still be on its way then.
const FLIES_MAX: Span = Span::seconds(5);
/// A message between actors takes so long when the log tells nothing, and so long at the most, in microseconds.
const HOP_US: u64 = 500;
const HOP_MAX_US: u64 = 20_000;
/// So many measured hops are enough.
const HOPS_MAX: usize = 10_000;

/// From when, or until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Up to and with this moment.
    Time(Timestamp),
    /// Up to and with this frame.
    Frame(Position),
}

/// Reads a log, and stops for a moment.
#[derive(Debug)]
pub struct Reader {
    from: When,
    until: Option<When>,
    fold: Fold,
    seed: u64,
    /// What was said lately, with when.
    said: VecDeque<(Timestamp, Envelope)>,
    heard: BTreeSet<MessageId>,
    hops: Vec<u64>,
    times: BTreeMap<MessageId, Timestamp>,
    begun: Option<Begun>,
    first: Option<Timestamp>,
    last: Timestamp,
    over: bool,
}

#[derive(Debug)]
struct Begun {
    at: Timestamp,
    fold: Fold,
    lives: Lives,
    outside: Outside,
    book: Book,
}

/// A moment, what came from outside after it, and what came of it.
#[derive(Clone, Debug)]
pub struct Moment {
    /// What a planned world begins with.
    pub beginning: Beginning,
    /// What came from outside.
    pub outside: Outside,
    /// What was recorded of it.
    pub recorded: Book,
    /// The last moment.
    pub until: Timestamp,
}

impl Reader {
    /// A reader that stops there and reads on until then; to the end when nothing is said.
    pub fn new(from: When, until: Option<When>, seed: u64) -> Self {
        Self {
            from,
            until,
            seed,
            fold: Fold::default(),
            said: VecDeque::new(),
            heard: BTreeSet::new(),
            hops: Vec::new(),
            times: BTreeMap::new(),
            begun: None,
            first: None,
            last: Timestamp::default(),
            over: false,
        }
    }

    /// Takes in a cell that the log begins with.
    pub fn insert(&mut self, cell: AnyCell) {
        self.last = self.last.max(cell.at());
        self.fold.insert(cell);
    }

    /// Takes in the next frame.
    ///
    /// # Errors
    /// A sentence, when it cannot be read or an entry is missing.
    pub fn frame(&mut self, position: Position, bytes: &[u8]) -> Result<(), String> {
        if self.over {
            return Ok(());
        }
        let wrong = |trouble: String| format!("frame {position}: {trouble}");
        let (head, entries) = frame::decode(bytes).map_err(|error| wrong(error.to_string()))?;
        if let (true, Some(begun)) = (head.claim, &mut self.begun) {
            begun.outside.claimed();
        }
        for entry in &entries {
            self.entry(position, entry).map_err(wrong)?;
        }
        Ok(())
    }

    fn entry(&mut self, position: Position, entry: &Entry) -> Result<(), String> {
        let at = entry.head().at;
        let passed = |when: When| match when {
            When::Time(time) => at > time,
            When::Frame(frame) => position > frame,
        };
        if self.until.is_some_and(passed) {
            self.over = true;
            return Ok(());
        }
        self.first.get_or_insert(at);
        if self.begun.is_none() && passed(self.from) {
            self.begin(at);
        }
        self.last = self.last.max(at);
        self.fold.apply(entry, position).map_err(|gap| gap.to_string())?;
        self.time(entry);
        match &mut self.begun {
            Some(begun) => {
                if at.since(begun.at) <= FLIES_MAX {
                    self.heard.insert(entry.head().cause);
                }
                begun.lives.see(entry);
                begun.outside.see(entry);
                if let Some(cell) = self.fold.cell(entry.head().actor) {
                    begun.book.see(entry, cell);
                }
            }
            None => self.remember(entry),
        }
        Ok(())
    }

    fn begin(&mut self, next: Timestamp) {
        let at = match self.from {
            When::Time(at) => at.max(self.last),
            When::Frame(_) => {
                if self.last == Timestamp::default() {
                    next
                } else {
                    self.last
                }
            }
        };
        self.begun = Some(Begun {
            at,
            fold: self.fold.clone(),
            lives: Lives::new(&self.fold, at),
            outside: Outside::new(at),
            book: Book::new(&self.fold, at),
        });
    }

    fn remember(&mut self, entry: &Entry) {
        let at = entry.head().at;
        self.said.extend(entry.head().envelopes().map(|envelope| (at, envelope)));
        while self.said.front().is_some_and(|(said, _)| at.since(*said) > FLIES_MAX) {
            self.said.pop_front();
        }
    }

    /// Measures how long messages between actors take.
    fn time(&mut self, entry: &Entry) {
        if self.hops.len() >= HOPS_MAX {
            return;
        }
        let head = entry.head();
        if let Some(said) = self.times.remove(&head.cause) {
            self.hops.push(head.at.since(said).0);
        }
        if self.times.len() < HOPS_MAX {
            self.times.extend(head.envelopes().map(|envelope| (envelope.id, head.at)));
        }
    }

    /// The log is read.
    ///
    /// # Errors
    /// A sentence, when the moment does not lie in the log.
    pub fn finish(mut self) -> Result<Moment, String> {
        let span = self.first.map(|first| format!("the log is from {first} to {}", self.last));
        let span = span.ok_or(if self.until.is_some() {
            "nothing was recorded up to --until"
        } else {
            "there is no entry in the log"
        })?;
        let Some(begun) = self.begun else { return Err(format!("nothing was recorded after --from; {span}")) };
        if let When::Time(from) = self.from
            && self.first.is_some_and(|first| from < first)
        {
            return Err(format!("--from {from} lies before the log; {span}"));
        }
        let Begun { at, fold, lives, mut outside, mut book } = begun;
        outside.finish();
        let until = match self.until {
            Some(When::Time(until)) => until.min(self.last),
            _ => self.last,
        };
        book.close(until);
        self.hops.sort_unstable();
        let hop = self.hops.get(self.hops.len() / 2).copied().unwrap_or(HOP_US).clamp(1, HOP_MAX_US);
        let heard = &self.heard;
        let flying =
            self.said.into_iter().map(|(_, envelope)| envelope).filter(|envelope| heard.contains(&envelope.id));
        let beginning = Beginning {
            fold,
            flying: flying.collect(),
            lives: Arc::new(lives),
            away: Arc::new(outside.away.clone()),
            at,
            hop,
            seed: self.seed,
        };
        Ok(Moment { beginning, outside, recorded: book, until })
    }
}
