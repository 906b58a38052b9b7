//! Turns of an actor: a message in, an entry out, already folded. Beside them the least a turn can cost that is to be
//! kept: writing the same entries as bytes.

use crate::population::{JobLife, NOW, NodeLife};
use crate::rounds::{in_turns, rate, timed};
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting};
use actors::cast::{AnyCell, AnyOutcome};
use actors::shard::Shard;
use messages::codec::encode_entry;
use messages::entry::Entry;
use messages::envelope::Envelope;
use messages::id::ActorId;
use std::cell::RefCell;

const PEER: &str = "encode of the same entries";
/// A turn may cost so many times what writing its entry costs.
const SHARE_MIN: f64 = 0.01;
/// Instances of the job, and claims of the node.
const INSTANCES: u32 = 4;
const CLAIMS: u32 = 20;
/// Entries that wait before a frame is made of them.
const FRAME_ENTRIES: usize = 100;

/// Turns of a job, of a node, and of a job in its shard with frames made of the entries.
///
/// # Errors
/// When an actor does not do what it is for.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let (job, node) = (JobLife::new(1, INSTANCES), NodeLife::new(CLAIMS));
    let rows = vec![
        alone(setting, "cell.job", job.id(), &job.bring_up(), |number| job.turn(number))?,
        alone(setting, "cell.node", node.id(), &node.bring_up(), |number| node.turn(number))?,
        in_shard(setting, &job)?,
    ];
    Ok(Report { rows, faults: Vec::new() })
}

/// Messages for the next turns, made before the clock runs.
fn next(setting: &Setting, number: &mut u64, turn: impl Fn(u64) -> Envelope) -> Vec<Envelope> {
    let count = setting.count(20_000, 4_000) as u64;
    let first = *number;
    *number += count;
    (first..*number).map(turn).collect()
}

fn alone(
    setting: &Setting,
    name: &str,
    id: ActorId,
    bring_up: &[Envelope],
    turn: impl Fn(u64) -> Envelope,
) -> Result<Row, Fault> {
    let mut cell = AnyCell::new(id);
    for envelope in bring_up {
        entry(cell.handle(envelope, NOW))?;
    }
    let entries = RefCell::new(Vec::new());
    let mut number = 0;
    let mut ours = || {
        let told = next(setting, &mut number, &turn);
        let (made, took) = timed(|| told.iter().map(|envelope| cell.handle(envelope, NOW)).collect::<Vec<_>>());
        *entries.borrow_mut() = made.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        Ok(rate(told.len(), took))
    };
    let mut peer = || Ok(encoding(&entries.borrow()));
    let [value, limit] = in_turns(setting.count(9, 3), [&mut ours, &mut peer])?;
    Ok(Row::new(name, value, "turns/s").must(Must::AtLeast(SHARE_MIN)).beside(PEER, limit))
}

fn in_shard(setting: &Setting, job: &JobLife) -> Result<Row, Fault> {
    let mut shard = Shard::new(job.id().shard());
    let deliver =
        |shard: &mut Shard, envelope: &Envelope| shard.deliver(envelope, None, NOW).map_err(|error| error.to_string());
    job.bring_up().iter().try_for_each(|envelope| deliver(&mut shard, envelope))?;
    let _durable = (shard.take_frame(), shard.committed());
    let entries = RefCell::new(Vec::new());
    let mut number = 0;
    let mut ours = || {
        let told = next(setting, &mut number, |number| job.turn(number));
        let mut kept = Vec::with_capacity(told.len());
        let (done, took) = timed(|| {
            told.chunks(FRAME_ENTRIES).try_for_each(|some| {
                some.iter().try_for_each(|envelope| deliver(&mut shard, envelope))?;
                let _frame = shard.take_frame();
                kept.extend(shard.committed().entries);
                Ok::<_, String>(())
            })
        });
        done?;
        if kept.len() != told.len() {
            return Err(format!("{} messages made {} entries", told.len(), kept.len()));
        }
        *entries.borrow_mut() = kept;
        Ok(rate(told.len(), took))
    };
    let mut peer = || Ok(encoding(&entries.borrow()));
    let [value, limit] = in_turns(setting.count(9, 3), [&mut ours, &mut peer])?;
    Ok(Row::new("cell.shard", value, "turns/s").must(Must::AtLeast(SHARE_MIN)).beside(PEER, limit))
}

fn entry(outcome: AnyOutcome) -> Result<Entry, String> {
    match outcome {
        AnyOutcome::Entry(entry) => Ok(entry),
        other => Err(format!("a turn made no entry but {other:?}")),
    }
}

/// How many entries a second are written as bytes.
fn encoding(entries: &[Entry]) -> f64 {
    let mut out = Vec::new();
    let ((), took) = timed(|| {
        for entry in entries {
            out.clear();
            encode_entry(entry, &mut out);
            std::hint::black_box(&out);
        }
    });
    rate(entries.len(), took)
}
