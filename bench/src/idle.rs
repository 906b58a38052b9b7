//! Memory of jobs that rest, each in a process of its own: awake in their shards, put to sleep, and in the fold that
//! answers reads. Beside them the bytes of the same cells.

use crate::population::{JobLife, NOW};
use crate::rounds::median;
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting, failed};
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::ports::Position;
use actors::shard::Shard;
use messages::id::SHARDS;
use messages::time::Span;
use serde_json::{Value, json};
use std::process::Command;

/// What holds the jobs, and how many times their bytes they may take.
const FORMS: [(&str, f64); 3] = [("awake", 50.0), ("asleep", 6.0), ("fold", 50.0)];
/// The word by which this program measures memory as a child of itself.
pub const CHILD: &str = "child-idle";
/// Jobs that come up before sleepy ones are looked for.
const PASSIVATE_EVERY: u64 = 500;

/// Bytes a job, in each form.
///
/// # Errors
/// When a child does not say what it was asked.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let jobs = setting.count(100_000, 20_000);
    let mut rows = Vec::new();
    for (form, times) in FORMS {
        let (mut memory, mut bytes) = (Vec::new(), Vec::new());
        for _ in 0..setting.count(5, 3) {
            let said = ask(setting, form, jobs)?;
            let number = |name: &str| said[name].as_f64().ok_or_else(|| format!("the child did not say {name}"));
            memory.push(number("memory")? / jobs as f64);
            bytes.push(number("bytes")? / jobs as f64);
        }
        let row = Row::new(format!("idle.{form}"), median(&memory), "bytes/job").must(Must::AtMost(times));
        rows.push(row.beside("bytes of the same cells", median(&bytes)));
    }
    Ok(Report { rows, faults: Vec::new() })
}

fn ask(setting: &Setting, form: &str, jobs: usize) -> Result<Value, String> {
    let output = Command::new(&setting.program).args([CHILD, form, &jobs.to_string()]).output();
    let output = output.map_err(failed("a child cannot start"))?;
    if !output.status.success() {
        return Err(format!("a child ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(failed("a child said something that is not JSON"))
}

/// The child: brings so many jobs up in this form, and says what they take.
///
/// # Errors
/// When it is asked for something else, or a job does not come up.
pub fn child(form: &str, jobs: u64) -> Result<Value, String> {
    let before = resident()?;
    let bytes = match form {
        "awake" | "asleep" => {
            let shards = in_shards(jobs, form == "asleep")?;
            let after = resident()?;
            let cells = shards.iter().filter_map(Shard::snapshots).flatten();
            let bytes: usize = cells.map(|(_, bytes)| bytes.len()).sum();
            (after, bytes)
        }
        "fold" => {
            let fold = in_fold(jobs)?;
            let after = resident()?;
            (after, fold.cells().map(|cell| AnyCell::snapshot(cell).len()).sum())
        }
        other => return Err(format!("{other} is no form of a job at rest")),
    };
    Ok(json!({ "memory": bytes.0.saturating_sub(before), "bytes": bytes.1 }))
}

fn in_shards(jobs: u64, asleep: bool) -> Result<Vec<Shard>, String> {
    let mut shards: Vec<Shard> = (0..SHARDS).map(Shard::new).collect();
    for number in 0..jobs {
        let life = JobLife::new(number, 1);
        let shard = &mut shards[usize::from(life.id().shard())];
        bring_up(&life, shard)?;
        if asleep && (number + 1 == jobs || number % PASSIVATE_EVERY == 0) {
            shards.iter_mut().for_each(|shard| shard.passivate(NOW, Span(0)));
        }
    }
    let awake: usize = shards.iter().map(|shard| shard.population().1).sum();
    if awake as u64 != if asleep { 0 } else { jobs } {
        return Err(format!("{awake} of {jobs} jobs are awake"));
    }
    Ok(shards)
}

fn in_fold(jobs: u64) -> Result<Fold, String> {
    let mut fold = Fold::default();
    for number in 0..jobs {
        let life = JobLife::new(number, 1);
        let mut shard = Shard::new(life.id().shard());
        for entry in bring_up(&life, &mut shard)? {
            fold.apply(&entry, Position(number)).map_err(|error| error.to_string())?;
        }
    }
    Ok(fold)
}

/// Brings a job up in its shard; nothing of it waits for the journal afterwards.
fn bring_up(life: &JobLife, shard: &mut Shard) -> Result<Vec<messages::entry::Entry>, String> {
    for envelope in life.bring_up() {
        shard.deliver(&envelope, None, NOW).map_err(|error| error.to_string())?;
    }
    let _frame = shard.take_frame();
    Ok(shard.committed().entries)
}

/// The memory this process has now, in bytes.
///
/// # Errors
/// When the kernel does not say it.
pub fn resident() -> Result<u64, String> {
    let text = std::fs::read_to_string("/proc/self/statm").map_err(failed("/proc/self/statm"))?;
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| format!("/proc/self/statm says {text:?}"))?;
    Ok(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_rest_says_what_it_takes() {
        for (form, _) in FORMS {
            let said = child(form, 200).expect("a form");
            assert!(said["bytes"].as_u64() > Some(200 * 100), "{form}: {said}");
        }
        assert!(child("dead", 1).is_err());
    }
}
