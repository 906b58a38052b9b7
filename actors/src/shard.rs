//! The shard: many cells with one writer. Groups their turns into frames, and lets nothing out before it is durable.
//!
//! `deliver` and `tick` take turns; `take_frame` hands over the next frame, of which one is in flight at a time;
//! `committed` says that it is durable and returns what may leave. After any refusal or doubt the host drops the shard
//! and opens it again from the journal: start, crash, failover and a panicked actor take the same path.

use crate::cast::{AnyCell, AnyOutcome};
use crate::cell::CellError;
use messages::entry::Entry;
use messages::envelope::{Address, Envelope};
use messages::frame::{self, FrameError, FrameHead, Hash};
use messages::id::ActorId;
use messages::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The most entries that one frame groups.
pub const FRAME_ENTRIES_MAX: usize = 1_024;
/// The most entries that may wait for a frame; beyond it messages are refused.
pub const WAITING_ENTRIES_MAX: usize = 16_384;
/// A deadline that a turn did not move is tried again after this long.
const STUCK_RETRY: Span = Span::seconds(1);

/// Something the host wants to be told when what it delivered is durable, such as a bus's acknowledgement.
pub type Receipt = u64;

/// The cells of one shard, and what of theirs is not durable yet.
#[derive(Clone, Debug)]
pub struct Shard {
    shard: u16,
    epoch: u64,
    frames: u64,
    chain: Hash,
    cells: BTreeMap<ActorId, Resident>,
    deadlines: BTreeSet<(Timestamp, ActorId)>,
    waiting: Batch,
    flight: Option<Batch>,
    free: Batch,
    stuck: u64,
    frame_bytes_max: usize,
}

/// A cell in memory: awake, or passivated into the bytes of its snapshot.
#[derive(Clone, Debug)]
enum Resident {
    Awake { cell: Box<AnyCell>, used: Timestamp, deadline: Option<Timestamp> },
    Asleep { bytes: Box<[u8]>, deadline: Option<Timestamp> },
}

/// Entries that become durable together, and what may leave then.
#[derive(Clone, Debug, Default)]
struct Batch {
    entries: Vec<Entry>,
    releases: Vec<Envelope>,
    receipts: Vec<Receipt>,
}

/// What became durable, and what may leave because of it.
#[derive(Debug, Default)]
pub struct Committed {
    /// The entries, in the order of the log.
    pub entries: Vec<Entry>,
    /// Messages to pass on.
    pub releases: Vec<Envelope>,
    /// Deliveries that are dealt with.
    pub receipts: Vec<Receipt>,
}

/// Why a message was not handled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// Too many entries wait for the journal.
    #[error("shard {0} is overloaded: too many entries wait for the journal")]
    Overloaded(u16),
    /// It is not for an actor of this shard, or not for its kind.
    #[error("message for {0:?} is not for an actor of this shard, or not of its kind")]
    Misaddressed(Address),
    /// The actor panicked. Drop the shard and open it again; never deliver this message again.
    #[error("{actor} panicked: {message}")]
    Panicked {
        /// Which actor.
        actor: ActorId,
        /// What the panic said.
        message: String,
    },
    /// A passivated cell does not come back. Drop the shard and open it again.
    #[error(transparent)]
    Cell(#[from] CellError),
}

/// Why a shard cannot be opened from its frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Bytes that are not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame of another shard, out of order, or whose chain is not that of the frames before.
    #[error("shard {shard}: frame {sequence} does not continue the chain")]
    Chain {
        /// Which shard.
        shard: u16,
        /// The frame's sequence.
        sequence: u64,
    },
    /// An entry that is not the next of its actor.
    #[error(transparent)]
    Cell(#[from] CellError),
}

impl Shard {
    /// An empty shard. Frames are folded into it with [`Shard::replay`], then it is owned with [`Shard::own`].
    pub fn new(shard: u16) -> Self {
        Self {
            shard,
            epoch: 0,
            frames: 0,
            chain: [0; 32],
            cells: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            waiting: Batch::default(),
            flight: None,
            free: Batch::default(),
            stuck: 0,
            frame_bytes_max: usize::MAX,
        }
    }

    /// Continues from a snapshot: the chain and the count of frames it was made at.
    pub fn resume(&mut self, frames: u64, chain: Hash, epoch: u64) {
        (self.frames, self.chain, self.epoch) = (frames, chain, epoch);
    }

    /// Takes in a cell as a snapshot held it.
    pub fn insert(&mut self, cell: AnyCell) {
        let id = cell.id();
        self.put(id, Box::new(cell), Timestamp::default());
        if crate::mutant!(RestoredNeverWakes) {
            self.deadlines.retain(|(_, of)| *of != id);
        }
    }

    /// Folds the shard's next frame. What its entries said is discarded: deadlines ask again.
    ///
    /// # Errors
    /// When the frame is damaged, or does not continue the chain or an actor's entries.
    pub fn replay(&mut self, bytes: &[u8]) -> Result<Vec<Entry>, OpenError> {
        let (head, entries) = frame::decode(bytes)?;
        let (shard, sequence) = (self.shard, head.sequence);
        // A claim that lost a race against a later epoch is there, counts in the chain, and claims nothing.
        let next = head.sequence == self.frames + 1 && head.previous == self.chain && head.epoch >= self.epoch;
        if head.shard != shard || !(head.claim || next) {
            return Err(OpenError::Chain { shard, sequence });
        }
        for entry in &entries {
            let id = entry.head().actor;
            let mut cell = self.take(id)?;
            cell.apply(entry)?;
            self.put(id, cell, entry.head().at);
        }
        self.note(&head, bytes);
        Ok(entries)
    }

    /// Takes ownership with an epoch, after every frame up to and with the claim was replayed.
    pub const fn own(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// The bytes of a claim with an epoch, to be appended whatever came last.
    pub fn claim_frame(shard: u16, epoch: u64) -> Vec<u8> {
        let head = FrameHead { shard, claim: true, epoch, sequence: 0, previous: [0; 32], count: 0 };
        frame::encode(&head, &[])
    }

    /// Keeps frames within so many bytes where their entries can be parted.
    pub const fn limit_frames(&mut self, bytes_max: usize) {
        self.frame_bytes_max = bytes_max;
    }

    /// The longest frame it makes of several entries, in bytes.
    pub const fn frame_bytes_max(&self) -> usize {
        self.frame_bytes_max
    }

    /// Which shard.
    pub const fn id(&self) -> u16 {
        self.shard
    }

    /// The epoch it writes with.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The frames so far, and the chain after them: what a snapshot is labelled with.
    pub const fn head(&self) -> (u64, Hash) {
        (self.frames, self.chain)
    }

    /// How many actors there are, and how many of them are awake.
    pub fn population(&self) -> (usize, usize) {
        let awake = self.cells.values().filter(|resident| matches!(resident, Resident::Awake { .. })).count();
        (self.cells.len(), awake)
    }

    /// The number of an actor's last entry, while it is awake.
    pub fn sequence(&self, actor: ActorId) -> Option<u64> {
        match self.cells.get(&actor)? {
            Resident::Awake { cell, .. } => Some(cell.sequence()),
            Resident::Asleep { .. } => None,
        }
    }

    /// How often a turn left a passed deadline where it was. Zero, unless an actor is wrong.
    pub const fn stuck(&self) -> u64 {
        self.stuck
    }

    /// Handles a message. `receipt` comes back when what it led to is durable.
    ///
    /// # Errors
    /// When the shard is overloaded, the address is wrong, or the actor panicked.
    pub fn deliver(
        &mut self,
        envelope: &Envelope,
        receipt: Option<Receipt>,
        now: Timestamp,
    ) -> Result<(), DeliverError> {
        if self.waiting.entries.len() >= WAITING_ENTRIES_MAX {
            return Err(DeliverError::Overloaded(self.shard));
        }
        let Address::Actor(id) = envelope.to else { return Err(DeliverError::Misaddressed(envelope.to)) };
        if id.shard() != self.shard {
            return Err(DeliverError::Misaddressed(envelope.to));
        }
        let mut cell = self.take(id)?;
        let outcome = guarded(id, || cell.handle(envelope, now))?;
        let known = cell.sequence() > 0;
        if known {
            self.put(id, cell, now);
        }
        if matches!(outcome, AnyOutcome::Misaddressed) {
            return Err(DeliverError::Misaddressed(envelope.to));
        }
        self.keep(outcome, receipt);
        Ok(())
    }

    /// Wakes every actor whose deadline has passed.
    ///
    /// # Errors
    /// When an actor panicked.
    pub fn tick(&mut self, now: Timestamp) -> Result<(), DeliverError> {
        while let Some((due, id)) = self.deadlines.first().copied().filter(|(due, _)| *due <= now) {
            let mut cell = self.take(id)?;
            let outcome = guarded(id, || cell.wake(now))?;
            let moved = cell.deadline().is_none_or(|next| next > now);
            self.put(id, cell, now);
            if !moved {
                self.stuck += 1;
                self.postpone(id, now.after(STUCK_RETRY));
            }
            debug_assert!(due <= now);
            if let Some(outcome) = outcome {
                self.keep(outcome, None);
            }
        }
        Ok(())
    }

    /// When [`Shard::tick`] next has something to do.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// The next frame to append, if there is one and none is in flight.
    pub fn take_frame(&mut self) -> Option<Vec<u8>> {
        if self.flight.is_some() || self.waiting.entries.is_empty() {
            return None;
        }
        let mut entries = self.waiting.entries.len().min(FRAME_ENTRIES_MAX);
        let mut head = FrameHead {
            shard: self.shard,
            claim: false,
            epoch: self.epoch,
            sequence: self.frames + 1,
            previous: self.chain,
            count: 0,
        };
        let bytes = loop {
            head.count = u32::try_from(entries).unwrap_or(u32::MAX);
            let bytes = frame::encode(&head, &self.waiting.entries[..entries]);
            if bytes.len() <= self.frame_bytes_max || entries == 1 {
                break bytes;
            }
            entries /= 2;
        };
        self.note(&head, &bytes);
        self.flight = Some(self.waiting.split(entries));
        Some(bytes)
    }

    /// Whether a frame is in flight.
    pub const fn in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// How many entries wait for a frame.
    pub const fn waiting(&self) -> usize {
        self.waiting.entries.len()
    }

    /// The frame in flight is durable.
    pub fn committed(&mut self) -> Committed {
        self.flight.take().unwrap_or_default().into()
    }

    /// What may leave now without waiting for a frame: answers of turns that rest on durable state alone.
    pub fn take_free(&mut self) -> Committed {
        std::mem::take(&mut self.free).into()
    }

    /// Puts cells to sleep that were not used for `idle`, unless something was acknowledged that is in no entry yet.
    pub fn passivate(&mut self, now: Timestamp, idle: Span) {
        for (id, resident) in &mut self.cells {
            if let Resident::Awake { cell, used, deadline } = resident
                && now.since(*used) >= idle
                && !cell.awaits_entry()
            {
                let (bytes, mut deadline) = (cell.snapshot().into_boxed_slice(), *deadline);
                if crate::mutant!(PassivatedNeverWakes)
                    && let Some(due) = deadline.take()
                {
                    self.deadlines.remove(&(due, *id));
                }
                *resident = Resident::Asleep { bytes, deadline };
            }
        }
    }

    /// Every actor's snapshot, only when all that they know is durable.
    pub fn snapshots(&self) -> Option<Vec<(ActorId, Vec<u8>)>> {
        if self.flight.is_some() || !self.waiting.entries.is_empty() {
            return None;
        }
        let bytes = |resident: &Resident| match resident {
            Resident::Awake { cell, .. } => cell.snapshot(),
            Resident::Asleep { bytes, .. } => bytes.to_vec(),
        };
        let kept = |resident: &Resident| !crate::mutant!(SleepersLeftOut) || matches!(resident, Resident::Awake { .. });
        let cells = self.cells.iter().filter(|(_, resident)| kept(resident));
        Some(cells.map(|(id, resident)| (*id, bytes(resident))).collect())
    }

    fn note(&mut self, head: &FrameHead, bytes: &[u8]) {
        self.frames += 1;
        self.chain = frame::chain(&self.chain, bytes);
        self.epoch = self.epoch.max(head.epoch);
    }

    fn keep(&mut self, outcome: AnyOutcome, receipt: Option<Receipt>) {
        let early = crate::mutant!(ReleaseBeforeDurable);
        let batch = match (&outcome, &mut self.flight) {
            (AnyOutcome::Entry(_), _) => &mut self.waiting,
            _ if crate::mutant!(AnswerNotHeldBack) => &mut self.free,
            _ if !self.waiting.entries.is_empty() => &mut self.waiting,
            (_, Some(flight)) => flight,
            (_, None) => &mut self.free,
        };
        batch.receipts.extend(receipt);
        match outcome {
            AnyOutcome::Entry(entry) => {
                let releases = if early { &mut self.free.releases } else { &mut self.waiting.releases };
                releases.extend(entry.head().envelopes());
                self.waiting.entries.push(entry);
            }
            AnyOutcome::Answer(answers) => batch.releases.extend(answers),
            AnyOutcome::Misaddressed => {}
        }
    }

    fn take(&mut self, id: ActorId) -> Result<Box<AnyCell>, CellError> {
        let (cell, deadline) = match self.cells.remove(&id) {
            None => return Ok(Box::new(AnyCell::new(id))),
            Some(Resident::Awake { cell, deadline, .. }) => (cell, deadline),
            Some(Resident::Asleep { bytes, deadline }) => (Box::new(AnyCell::restore(id, &bytes)?), deadline),
        };
        if let Some(due) = deadline {
            self.deadlines.remove(&(due, id));
        }
        Ok(cell)
    }

    fn put(&mut self, id: ActorId, cell: Box<AnyCell>, used: Timestamp) {
        let deadline = cell.deadline();
        if let Some(due) = deadline {
            self.deadlines.insert((due, id));
        }
        self.cells.insert(id, Resident::Awake { cell, used, deadline });
    }

    fn postpone(&mut self, id: ActorId, until: Timestamp) {
        if let Some(Resident::Awake { deadline: Some(due), .. }) = self.cells.get_mut(&id) {
            self.deadlines.remove(&(*due, id));
            *due = until;
            self.deadlines.insert((until, id));
        }
    }
}

impl Batch {
    /// The first entries, at most `entries_max`, with everything that may leave with them.
    ///
    /// What is said later in the batch leaves with the last part of it, so that nothing leaves early.
    fn split(&mut self, entries_max: usize) -> Self {
        if self.entries.len() <= entries_max {
            return std::mem::take(self);
        }
        let rest = self.entries.split_off(entries_max);
        if crate::mutant!(SplitReleasesEarly) {
            let releases = std::mem::take(&mut self.releases);
            return Self { entries: std::mem::replace(&mut self.entries, rest), releases, ..Self::default() };
        }
        Self { entries: std::mem::replace(&mut self.entries, rest), ..Self::default() }
    }
}

impl From<Batch> for Committed {
    fn from(batch: Batch) -> Self {
        Self { entries: batch.entries, releases: batch.releases, receipts: batch.receipts }
    }
}

fn guarded<T>(actor: ActorId, turn: impl FnOnce() -> T) -> Result<T, DeliverError> {
    catch_unwind(AssertUnwindSafe(turn)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let message = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        DeliverError::Panicked { actor, message }
    })
}
