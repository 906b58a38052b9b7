//! What a scheduler takes to remember a node and an instance: its log is folded in a process of its own that does nothing
//! else, and the index is asked for every shape of request, so that it is there too.

use super::fleet::{Fleet, Wishes, Work};
use crate::row::{Row, most};
use crate::setting::{Fault, Setting, failed};
use actors::cell::Cell;
use actors::scheduler::Scheduler;
use messages::codec::{decode_entry, encode_entry};
use messages::entry::Entry;
use messages::id::SchedulerId;
use messages::scheduler::DEFAULT_SITE;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The word by which this program measures memory as a child of itself.
pub const CHILD: &str = "child-scheduling";
const NODES: usize = 10_000;

/// Bytes a node with the index for every shape, and bytes an instance on top.
pub fn measure(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let directory = setting.directory()?;
    let count = setting.count(NODES, NODES / 10);
    let mut fleet = Fleet::recorded(count, Wishes::None);
    let path = |name: &str| directory.path().join(name);
    write(&path("nodes"), &fleet.take_entries())?;
    fleet.fill(&mut Work::default());
    write(&path("instances"), &fleet.take_entries())?;
    let instances = fleet.instances();
    drop(fleet);
    let output = Command::new(&setting.program).arg(CHILD).arg(directory.path()).output();
    let output = output.map_err(failed("a child cannot start"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Fault::Failed(format!("a child ended with {}: {said}", output.status)));
    }
    let said: Value =
        serde_json::from_slice(&output.stdout).map_err(failed("a child said something else than JSON"))?;
    let each = |name: &str, of: usize| said[name].as_f64().unwrap_or(f64::INFINITY) / of as f64;
    let note = format!("of {count} nodes, with the index for 40 shapes of requests");
    rows.push(most("scheduling.memory.node", each("nodes", count), "bytes", 1_024.0, 512.0).note(note));
    let note = format!("of {instances} instances of jobs with eight in the mean, their jobs included");
    rows.push(most("scheduling.memory.instance", each("instances", instances), "bytes", 128.0, 64.0).note(note));
    Ok(())
}

fn write(path: &Path, entries: &[Entry]) -> Result<(), String> {
    let mut bytes = Vec::new();
    entries.iter().for_each(|entry| encode_entry(entry, &mut bytes));
    fs::write(path, bytes).map_err(failed(path.display()))
}

/// The child: folds what lies in this directory, and says what it takes.
///
/// # Errors
/// When it is not what a scheduler recorded.
pub fn child(directory: &str) -> Result<Value, String> {
    let mut cell = Cell::new(SchedulerId::of_site(DEFAULT_SITE).into());
    let nodes = folded(&mut cell, &Path::new(directory).join("nodes"), |cell| {
        Fleet::ask_for_all(cell.state());
    })?;
    let instances = folded(&mut cell, &Path::new(directory).join("instances"), |_| ())?;
    Ok(json!({ "nodes": nodes, "instances": instances }))
}

/// By how much the memory of this process grows by folding entries, without the bytes that they are read from.
fn folded(cell: &mut Cell<Scheduler>, path: &Path, after: impl Fn(&Cell<Scheduler>)) -> Result<u64, String> {
    let bytes = fs::read(path).map_err(failed(path.display()))?;
    // All of it was touched once, so that it counts before and after.
    std::hint::black_box(bytes.iter().fold(0_u64, |sum, byte| sum + u64::from(*byte)));
    let before = crate::idle::resident()?;
    let mut rest: &[u8] = &bytes;
    while !rest.is_empty() {
        let (entry, left) = decode_entry(rest).map_err(|error| error.to_string())?;
        let Entry::Scheduler(record) = &entry else { return Err("an entry of somebody else".into()) };
        cell.apply(record).map_err(|error| error.to_string())?;
        rest = left;
    }
    after(cell);
    Ok(crate::idle::resident()?.saturating_sub(before))
}
