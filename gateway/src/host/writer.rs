//! The thread that writes the log: it groups the frames that wait, appends them together, and tells what became of each.

use actors::ports::{AppendError, Log, Position};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// The most frames that are appended together: one for each shard, which has one in flight.
const FRAMES_MAX: usize = messages::id::SHARDS as usize;
/// The most readers that may wait.
pub const READS_MAX: usize = 32;
/// How often an idle writer looks whether the log is still its own.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tells where a frame lies, or why it was not appended.
type Teller = Box<dyn FnOnce(Result<Position, AppendError>) + Send>;
/// Reads the log.
type Reader = Box<dyn FnOnce(&mut dyn Log) + Send>;

/// What the writer is asked to do.
pub enum Job {
    /// Append a frame and say where it lies, or why not.
    Append(Vec<u8>, Teller),
    /// Read the log: everything asked before is in it.
    Read(Reader),
}

/// The way to the writer.
pub type Writer = SyncSender<Job>;

/// Starts the writer of a log. It ends when every way to it is dropped. `lost` is told when another owner claimed it.
pub fn start(
    log: Box<dyn Log>,
    lost: impl Fn(AppendError) + Send + 'static,
) -> std::io::Result<(Writer, thread::JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(FRAMES_MAX + READS_MAX);
    let handle = thread::Builder::new().name("journal".into()).spawn(move || run(log, &receiver, &lost))?;
    Ok((sender, handle))
}

fn run(mut log: Box<dyn Log>, jobs: &Receiver<Job>, lost: &impl Fn(AppendError)) {
    loop {
        match jobs.recv_timeout(LOOK_EVERY) {
            Ok(first) => work(&mut *log, first, jobs),
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = log.still_owned() {
                    lost(error);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Err(error) = log.close() {
        tracing::warn!(%error, "the log could not be closed tidily; nothing is lost");
    }
}

fn work(log: &mut dyn Log, first: Job, jobs: &Receiver<Job>) {
    let (mut frames, mut tellers, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    for job in std::iter::once(first).chain(jobs.try_iter()).take(FRAMES_MAX) {
        match job {
            Job::Append(frame, tell) => {
                frames.push(frame);
                tellers.push(tell);
            }
            Job::Read(read) => reads.push(read),
        }
    }
    if !frames.is_empty() {
        let outcomes = log.append(&frames);
        tellers.into_iter().zip(outcomes).for_each(|(tell, outcome)| tell(outcome));
    }
    reads.into_iter().for_each(|read| read(log));
}
