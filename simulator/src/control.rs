//! The control plane: one process with every shard, one journal and one failure detector. It may die at any moment.

use crate::disk::SimDisk;
use crate::plan::trouble::control::Step;
use crate::store::Store;
use crate::verdict::Invariant;
use crate::world::Event;
use crate::world::context::Context;
use crate::world::random::Domain;
use crate::world::tape::What;
use actors::agent::detector::Detector;
use actors::agent::roll::Roll;
use actors::journal::Frame;
use actors::shard::{Committed, DeliverError, Shard};
use messages::envelope::{Address, Body, Envelope, Principal};
use messages::frame::Hash;
use messages::id::NodeId;
use messages::node::LeaseTerms;
use std::collections::{BTreeMap, BTreeSet};

mod beats;
mod check;
mod clock;
mod disk;
mod other_log;
mod replay;
mod settings;
mod suffer;

use disk::Wrongs;
use other_log::OtherLog;
use replay::Replayed;
use settings::{Death, Settings};

/// How long a control plane that died by itself takes to come back, in microseconds.
const RESTART_US: u64 = 300_000;

/// Something that happens in the control plane's process of this generation.
#[derive(Clone, Copy, Debug)]
pub enum ControlEvent {
    /// The disk has finished a sync.
    Synced(u64),
    /// A deadline has passed.
    Tick(u64),
    /// The process is started again, unless it runs.
    Start,
    /// The process dies, and again and again until then.
    Dies {
        /// Until when, in microseconds.
        until: u64,
        /// The longest life, in microseconds.
        life_us: u64,
    },
}

/// The control plane, whether it runs or not.
#[derive(Clone, Debug, Default)]
pub struct Control {
    disk: SimDisk,
    process: Option<Process>,
    generation: u64,
    wrongs: Wrongs,
    other_log: Option<OtherLog>,
    /// Whether an older copy of the disk is kept now and then, and when the last was.
    remembers: bool,
    remembered: u64,
    down: u32,
    settings: Settings,
    paused_until: u64,
}

#[derive(Clone, Debug)]
struct Process {
    store: Store,
    shards: BTreeMap<u16, Shard>,
    deadlines: BTreeSet<(u64, u16)>,
    due: BTreeMap<u16, u64>,
    dirty: BTreeSet<u16>,
    claims: Vec<Flying>,
    flight: Vec<Flying>,
    epoch: u64,
    detector: Detector,
    roll: Roll,
    tick_at: u64,
    syncs: u64,
    since_snapshot: u64,
}

/// A frame between being written and being durable.
#[derive(Clone, Debug)]
struct Flying {
    shard: u16,
    bytes: Vec<u8>,
    /// The chain of the shard after it.
    chain: Hash,
    claim: bool,
}

impl AsRef<[u8]> for Flying {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Frame for Flying {
    fn chain(&self) -> Option<Hash> {
        Some(self.chain)
    }
}

impl Control {
    /// Starts the process, unless it runs.
    pub fn start(&mut self, cx: &mut Context) {
        if self.process.is_some() || self.down > 0 || self.is_stopped() {
            return;
        }
        self.generation += 1;
        let latest = self.settings.is_from_latest(self.generation.is_multiple_of(2));
        let before = self.is_damaged().then(|| self.disk.clone());
        let faulty = self.disk.is_faulty();
        let opened = Store::open(&mut self.disk, self.settings.segment_bytes(&cx.plan), latest);
        let replayed = opened.and_then(|opened| {
            self.opened(cx);
            Replayed::read(opened, cx)
        });
        match replayed {
            Ok(replayed) => {
                // The process has it now: what both had in common would be copied when it is written to.
                self.disk = SimDisk::default();
                self.go_live(replayed, cx);
            }
            Err(trouble) => self.refused(&trouble, faulty, before.as_ref(), cx),
        }
    }

    /// The log is read: the process is there.
    fn go_live(&mut self, replayed: Replayed, cx: &mut Context) {
        let Replayed { store, shards, known, epoch } = replayed;
        for (signature, message) in cx.oracle.check_reopened(&known) {
            cx.violate(Invariant::AcknowledgedKept, signature, message);
        }
        // As in the live host: when the log is read, so that no time is before what was recorded in its last entry.
        Self::take_time(cx);
        let mut process = Process::new(store, shards, epoch + 1);
        process.own_all(cx);
        process.check_fold(cx);
        process.expect_nodes(cx);
        self.process = Some(process);
        cx.tape(|| What::Control("starts".into()));
        self.with(cx, |process, cx, generation| {
            let shards: Vec<u16> = process.shards.keys().copied().collect();
            for shard in shards {
                process.touched(shard, cx);
            }
            process.arrange_tick(generation, cx);
        });
    }

    /// Runs something in the process, if there is one, and lets the process die if it says so.
    fn with(&mut self, cx: &mut Context, act: impl FnOnce(&mut Process, &mut Context, u64)) {
        let Some(process) = &mut self.process else { return };
        let idle = cx.idle;
        act(process, cx, self.generation);
        if cx.idle == idle && self.settings.is_sleepy() {
            process.passivate(cx);
        }
        if let Err(death) = process.commit(self.generation, &self.wrongs, &mut self.settings, cx) {
            self.fall(&death, cx);
        }
    }

    /// Something happens in the process.
    pub fn happen(&mut self, event: ControlEvent, cx: &mut Context) {
        match event {
            ControlEvent::Start => self.start(cx),
            ControlEvent::Dies { until, life_us } => self.die_again(until, life_us, cx),
            ControlEvent::Tick(generation) if generation != self.generation => cx.idle += 1,
            ControlEvent::Synced(generation) if generation != self.generation => {}
            ControlEvent::Tick(_) if !self.awaits(cx.now()) => cx.idle += 1,
            ControlEvent::Tick(_) => self.with(cx, |process, cx, generation| process.tick(generation, cx)),
            ControlEvent::Synced(_) => {
                let synced = self.process.as_mut().map_or(Ok(()), |process| process.synced(&mut self.settings, cx));
                if let Err(death) = synced {
                    if matches!(death, Death::Journal(_)) {
                        cx.mark("sync-failed");
                    }
                    self.fall(&death, cx);
                } else {
                    self.remember(cx);
                    self.with(cx, |process, cx, generation| process.arrange_tick(generation, cx));
                }
            }
        }
    }

    /// Whether the process is to look at its clock now; an earlier look may have come instead.
    fn awaits(&self, now: u64) -> bool {
        self.process.as_ref().is_some_and(|process| process.tick_at <= now)
    }

    /// A message for an actor.
    pub fn deliver(&mut self, envelope: &Envelope, cx: &mut Context) {
        if let (Address::Agent(node), true) = (envelope.from, self.process.is_some()) {
            cx.oracle.heard(node, cx.now());
        }
        self.with(cx, |process, cx, generation| {
            process.deliver(envelope, cx);
            process.arrange_tick(generation, cx);
        });
    }

    /// The process dies, with the power of its disk or without. With it, what was not synced is in danger.
    fn die(&mut self, power: bool, cx: &mut Context) {
        self.check_all(cx, false);
        let Some(process) = self.process.take() else { return };
        cx.tape(|| What::Control("dies".into()));
        cx.mark(if process.flight.is_empty() { "control-died-idle" } else { "control-died-writing" });
        self.generation += 1;
        self.disk = process.store.into_disk();
        if power {
            self.crash_disk(cx);
        } else {
            cx.mark("control-died-with-power");
        }
    }

    /// Compares what lives with what is durable; at the end, everything with the log on the disk.
    pub fn check_all(&mut self, cx: &mut Context, end: bool) {
        let Some(process) = &self.process else { return };
        process.check_stuck(cx);
        process.check_fold(cx);
        if end {
            process.check_log(cx);
            process.sum_up(cx);
        }
    }
}

impl Process {
    fn new(store: Store, shards: BTreeMap<u16, Shard>, epoch: u64) -> Self {
        Self {
            store,
            shards,
            deadlines: BTreeSet::new(),
            due: BTreeMap::new(),
            dirty: BTreeSet::new(),
            claims: Vec::new(),
            flight: Vec::new(),
            epoch,
            detector: Detector::new(LeaseTerms::STANDARD),
            roll: Roll::default(),
            tick_at: u64::MAX,
            syncs: 0,
            since_snapshot: 0,
        }
    }

    /// Claims a shard; the claim is written before its first frame.
    fn own(&mut self, id: u16, cx: &mut Context) {
        let bytes = Shard::claim_frame(id, self.epoch);
        let shard = self.shards.entry(id).or_insert_with(|| Shard::new(id));
        if let Err(trouble) = shard.replay(&bytes) {
            cx.violate(Invariant::Recovers, "a shard cannot be claimed", trouble.to_string());
        }
        shard.own(self.epoch);
        let (_, chain) = shard.head();
        self.claims.push(Flying { shard: id, bytes, chain, claim: true });
    }

    fn own_all(&mut self, cx: &mut Context) {
        let ids: Vec<u16> = self.shards.keys().copied().collect();
        for id in ids {
            self.own(id, cx);
        }
    }

    fn expect_nodes(&mut self, cx: &Context) {
        let now = cx.host_now();
        for (id, node) in cx.oracle.fold().nodes() {
            self.roll.learn(NodeId(id.id), node.epoch(), node.session());
        }
        for (id, node) in cx.oracle.fold().nodes().filter(|(_, node)| node.up()) {
            self.detector.expect(NodeId(id.id), node.session(), node.epoch(), now);
        }
    }

    fn deliver(&mut self, envelope: &Envelope, cx: &mut Context) {
        let Address::Actor(actor) = envelope.to else { return };
        let id = actor.shard();
        if !self.shards.contains_key(&id) {
            self.own(id, cx);
        }
        let now = cx.host_now();
        let Some(shard) = self.shards.get_mut(&id) else { return };
        let outcome = shard.deliver(envelope, None, now);
        self.judge(outcome, cx);
        self.touched(id, cx);
    }

    fn judge(&self, outcome: Result<(), DeliverError>, cx: &mut Context) {
        match outcome {
            // A message for which there is no room is dropped, as by the live host: who is owed asks again.
            Ok(()) | Err(DeliverError::Overloaded(_)) => {}
            Err(DeliverError::Panicked { actor, message }) => {
                let signature = format!("{} panics: {message}", actor.kind.name());
                cx.violate(Invariant::Panics, &signature, format!("{actor} panicked: {message}"));
            }
            Err(other) => cx.violate(Invariant::Panics, "a message is not handled", other.to_string()),
        }
    }

    /// After a turn in a shard: what may leave leaves, and its deadline is known.
    fn touched(&mut self, id: u16, cx: &mut Context) {
        let Some(shard) = self.shards.get_mut(&id) else { return };
        let free = shard.take_free();
        let early = free.releases.iter().find_map(|envelope| check::check_free(shard, envelope, cx));
        let due = shard.deadline().map(|due| cx.when(due));
        self.dirty.insert(id);
        if let Some(before) = self.due.remove(&id) {
            self.deadlines.remove(&(before, id));
        }
        if let Some(due) = due {
            self.due.insert(id, due);
            self.deadlines.insert((due, id));
        }
        if let Some(message) = early {
            cx.violate(Invariant::DurableFirst, "an answer leaves before what it rests on is durable", message);
        }
        self.release(free, cx);
    }

    fn release(&mut self, committed: Committed, cx: &mut Context) {
        for envelope in committed.releases {
            if let Some(message) = cx.oracle.check_release(&envelope) {
                cx.violate(Invariant::DurableFirst, "something is said before it is durable", message);
            }
            if let (Address::Agent(node), Body::Agent(order)) = (envelope.to, &envelope.body) {
                match cx.machine_of(node).filter(|machine| cx.quiet.rests(*machine)) {
                    Some(machine) if Detector::heeds(order) => cx.quiet.pass(machine, node, order.clone()),
                    _ => self.detector.passing(node, order, cx.host_now()),
                }
                self.roll.passing(node, order);
            }
            cx.send(envelope, 0);
        }
    }

    fn tick(&mut self, generation: u64, cx: &mut Context) {
        let (at, now) = (cx.now(), cx.host_now());
        self.tick_at = u64::MAX;
        let mut idle = true;
        while let Some((due, id)) = self.deadlines.first().copied().filter(|(due, _)| *due <= at) {
            idle = false;
            self.deadlines.remove(&(due, id));
            self.due.remove(&id);
            let Some(shard) = self.shards.get_mut(&id) else { continue };
            let outcome = shard.tick(now);
            self.judge(outcome, cx);
            self.touched(id, cx);
        }
        for (node, message) in self.detector.poll(now) {
            idle = false;
            cx.mark("declared-silent");
            let to = Address::Actor(node.into());
            let envelope = cx.envelope(Address::Host, to, Principal::system(), Body::Node(message));
            cx.send(envelope, 0);
        }
        cx.idle += u64::from(idle);
        self.arrange_tick(generation, cx);
    }

    fn arrange_tick(&mut self, generation: u64, cx: &mut Context) {
        let shards = self.deadlines.first().map(|(due, _)| *due);
        let detector = self.detector.deadline().map(|due| cx.when(due));
        let next = [shards, detector].into_iter().flatten().min();
        if let Some(next) = next.map(|next| next.max(cx.now())).filter(|next| *next < self.tick_at) {
            self.tick_at = next;
            cx.queue.first_at(next, Event::Control(ControlEvent::Tick(generation)));
        }
    }

    /// Writes what waits, unless a sync is under way.
    fn commit(
        &mut self,
        generation: u64,
        wrongs: &Wrongs,
        settings: &mut Settings,
        cx: &mut Context,
    ) -> Result<(), Death> {
        if !self.flight.is_empty() || self.dirty.is_empty() {
            return Ok(());
        }
        let mut frames = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            let Some(shard) = self.shards.get_mut(&id) else { continue };
            shard.limit_frames(settings.frame_bytes_max());
            let frame = shard.take_frame();
            if frame.is_some() && shard.waiting() > 0 && shard.frame_bytes_max() < usize::MAX {
                cx.bite("tiny-frames");
            }
            let (_, chain) = shard.head();
            frames.extend(frame.map(|bytes| Flying { shard: id, bytes, chain, claim: false }));
        }
        if frames.is_empty() {
            return Ok(());
        }
        settings.reach(Step::BeforeWrite)?;
        self.flight = std::mem::take(&mut self.claims);
        self.flight.append(&mut frames);
        self.store.append(&self.flight)?;
        settings.reach(Step::AfterWrite)?;
        self.syncs += 1;
        let (low, high) = cx.plan.pace.sync_us;
        let takes = cx.random.between(Domain::Sync, &[generation, self.syncs], low, high);
        let takes = wrongs.drag(takes);
        wrongs.dragging().for_each(|kind| cx.bite(kind));
        cx.queue.after(takes, Event::Control(ControlEvent::Synced(generation)));
        Ok(())
    }

    fn synced(&mut self, settings: &mut Settings, cx: &mut Context) -> Result<(), Death> {
        self.store.sync()?;
        settings.reach(Step::AfterSync)?;
        let flight = std::mem::take(&mut self.flight);
        let mut ready = Vec::new();
        for Flying { shard: id, bytes, chain, claim } in &flight {
            let Some(shard) = self.shards.get_mut(id) else { continue };
            let committed = if *claim { Committed::default() } else { shard.committed() };
            cx.committed(*id, (bytes, *chain), &committed.entries);
            self.dirty.insert(*id);
            ready.push(committed);
        }
        let half = ready.len() / 2;
        for (number, committed) in ready.into_iter().enumerate() {
            if number == half {
                settings.reach(Step::AmidRelease)?;
            }
            self.release(committed, cx);
        }
        settings.reach(Step::AfterRelease)?;
        self.rest(cx);
        self.check_some(cx);
        self.snapshot(flight.len() as u64, settings, cx)
    }

    /// Now and then, when everything is durable, keeps a snapshot.
    fn snapshot(&mut self, frames: u64, settings: &Settings, cx: &mut Context) -> Result<(), Death> {
        self.since_snapshot += frames;
        let every = settings.snapshot_every(&cx.plan);
        if every == 0 || self.since_snapshot < every || !self.claims.is_empty() {
            return Ok(());
        }
        let mut cells = Vec::new();
        for shard in self.shards.values() {
            let Some(snapshots) = shard.snapshots() else { return Ok(()) };
            cells.extend(snapshots);
        }
        self.since_snapshot = 0;
        cx.mark("snapshot-kept");
        check::check_snapshot(&cells, cx);
        if settings.always_snapshots() {
            cx.bite("snapshot-always");
        }
        Ok(self.store.keep_snapshot(cells)?)
    }
}
