//! The thread that writes the journal: it groups the frames that wait, appends them as one batch and syncs once.

use super::files::FileDisk;
use actors::journal::Journal;
use actors::ports::Position;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// The most frames in one batch, and the most that wait: one for each shard.
const FRAMES_MAX: usize = messages::id::SHARDS as usize;

/// Tells where a frame lies, or why it was not appended.
type Teller = Box<dyn FnOnce(Result<Position, String>) + Send>;
/// Reads the journal.
type Reader = Box<dyn FnOnce(&mut Journal<FileDisk>) + Send>;

/// What the writer is asked to do.
pub enum Job {
    /// Append a frame and say where it lies, or why not.
    Append(Vec<u8>, Teller),
    /// Read the journal: everything asked before is in it.
    Read(Reader),
}

/// The way to the writer.
pub type Writer = SyncSender<Job>;

/// Starts the writer of a journal. It ends when every way to it is dropped.
pub fn start(journal: Journal<FileDisk>) -> std::io::Result<(Writer, thread::JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(FRAMES_MAX * 2);
    let handle = thread::Builder::new().name("journal".into()).spawn(move || run(journal, &receiver))?;
    Ok((sender, handle))
}

fn run(mut journal: Journal<FileDisk>, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
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
            let appended = journal.append(&frames).and_then(|positions| journal.sync().map(|()| positions));
            match appended {
                Ok(positions) => tellers.into_iter().zip(positions).for_each(|(tell, position)| tell(Ok(position))),
                Err(error) => {
                    let text = super::chain(&error);
                    tellers.into_iter().for_each(|tell| tell(Err(text.clone())));
                }
            }
        }
        reads.into_iter().for_each(|read| read(&mut journal));
    }
    if let Err(error) = journal.vouch() {
        tracing::warn!(error = super::chain(&error), "the journal could not be closed tidily; nothing is lost");
    }
}
