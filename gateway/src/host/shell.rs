//! The actix actor around a shard: takes messages from its mailbox, drives the shard, and lets out what is durable.

use super::writer::{Job, Writer};
use super::{Done, Site, unkept};
use crate::clock;
use actix::{Actor, AsyncContext, Context, Handler, Message, SpawnHandle};
use actors::ports::{AppendError, Position};
use actors::shard::{Committed, DeliverError, Receipt, Shard};
use messages::envelope::Envelope;
use messages::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many messages may wait in a shard's mailbox; beyond it they are dropped, and asked again by who is owed.
pub const MAILBOX_MAX: usize = 4_096;
/// Cells not used for so long are put to sleep.
const IDLE: Span = Span::seconds(60);
/// How often sleepy cells are looked for.
const PASSIVATE_EVERY: Duration = Duration::from_secs(30);

/// A shard in its actor.
pub struct Shell {
    shard: Shard,
    site: Site,
    writer: Writer,
    armed: Option<(Timestamp, SpawnHandle)>,
    rebuild: bool,
    /// What is acknowledged once it is durable.
    undone: BTreeMap<Receipt, Done>,
    receipts: Receipt,
}

/// A message for an actor of the shard.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Deliver(pub Envelope, pub Done);

/// What became of the frame in flight.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Appended(Result<Position, AppendError>);

/// The cells' bytes, for comparison with the fold; none while something is not durable yet.
#[derive(Message)]
#[rtype(result = "Option<Vec<(messages::id::ActorId, Vec<u8>)>>")]
pub struct Snapshots;

impl Shell {
    /// The shell of a shard that is owned.
    pub const fn new(shard: Shard, site: Site, writer: Writer) -> Self {
        Self { shard, site, writer, armed: None, rebuild: false, undone: BTreeMap::new(), receipts: 0 }
    }

    /// Lets out what may leave, hands the next frame over, and arms the timer.
    fn pump(&mut self, context: &mut Context<Self>) {
        let free = self.shard.take_free();
        self.release(free, None);
        if !self.rebuild
            && let Some(frame) = self.shard.take_frame()
        {
            let address = context.address();
            // One frame is in flight at a time, so this adds one message to the mailbox at the most.
            let tell = Box::new(move |outcome| address.do_send(Appended(outcome)));
            if self.writer.send(Job::Append(frame, tell)).is_err() {
                self.site.fail("stopped, because the log's writer is gone".into());
            }
        }
        let deadline = self.shard.deadline();
        if self.armed.map(|(due, _)| due) != deadline {
            if let Some((_, handle)) = self.armed.take() {
                context.cancel_future(handle);
            }
            self.armed = deadline.map(|due| {
                let wait = Duration::from_micros(due.since(clock::now()).0);
                (due, context.run_later(wait, |shell, context| shell.tick(context)))
            });
        }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        self.armed = None;
        if let Err(error) = self.shard.tick(clock::now()) {
            self.trouble(&error);
        }
        self.pump(context);
    }

    fn release(&mut self, committed: Committed, position: Option<Position>) {
        if let Some(position) = position {
            self.site.took_in(position, committed.entries);
        }
        for envelope in committed.releases {
            self.site.pass_on(envelope, position);
        }
        committed.receipts.iter().filter_map(|receipt| self.undone.remove(receipt)).for_each(Done::done);
    }

    fn trouble(&mut self, error: &DeliverError) {
        tracing::error!(shard = self.shard.id(), %error, "a message was not handled");
        if matches!(error, DeliverError::Panicked { .. } | DeliverError::Cell(_)) {
            self.rebuild = true;
        }
    }

    /// After a panic: what is not durable is given up, and every cell made anew from the fold of the log.
    fn rebuild(&mut self) {
        let (frames, chain) = self.shard.head();
        let mut shard = Shard::new(self.shard.id());
        shard.resume(frames, chain, self.shard.epoch());
        shard.limit_frames(self.shard.frame_bytes_max());
        self.site.read(|fold| {
            let ours = fold.cells().filter(|cell| cell.id().shard() == shard.id()).cloned().collect::<Vec<_>>();
            ours.into_iter().for_each(|cell| shard.insert(cell));
        });
        self.shard = shard;
        // What was given up is not acknowledged, so it comes again where the bus can.
        self.undone.clear();
        self.rebuild = false;
    }
}

impl Actor for Shell {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX_MAX);
        context.run_interval(PASSIVATE_EVERY, |shell, _| shell.shard.passivate(clock::now(), IDLE));
        self.tick(context);
    }
}

impl Handler<Deliver> for Shell {
    type Result = ();

    fn handle(&mut self, Deliver(envelope, done): Deliver, context: &mut Self::Context) {
        self.receipts += 1;
        match self.shard.deliver(&envelope, Some(self.receipts), clock::now()) {
            Ok(()) => {
                self.undone.insert(self.receipts, done);
            }
            Err(error) => {
                // There is room again later; anything else would go wrong again.
                if !matches!(error, DeliverError::Overloaded(_)) {
                    done.done();
                }
                self.trouble(&error);
            }
        }
        if self.rebuild && !self.shard.in_flight() {
            self.rebuild();
        }
        self.pump(context);
    }
}

impl Handler<Appended> for Shell {
    type Result = ();

    fn handle(&mut self, Appended(outcome): Appended, context: &mut Self::Context) {
        match outcome {
            Ok(position) => {
                let committed = self.shard.committed();
                self.release(committed, Some(position));
                if self.rebuild {
                    self.rebuild();
                }
                self.pump(context);
            }
            Err(error) => self.site.fail(unkept(&error)),
        }
    }
}

impl Handler<Snapshots> for Shell {
    type Result = Option<Vec<(messages::id::ActorId, Vec<u8>)>>;

    fn handle(&mut self, _: Snapshots, _: &mut Self::Context) -> Self::Result {
        self.shard.snapshots()
    }
}
