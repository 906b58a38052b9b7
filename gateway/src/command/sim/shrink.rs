//! `sim shrink`: the smallest plan that still fails the same way.

use super::arguments::SimShrink;
use super::interrupt;
use super::progress::Progress;
use crate::clock;
use crate::command::fault::Fault;
use crate::command::show::{Show, table};
use messages::api::EXIT_DONE;
use serde::Serialize;
use simulator::repro::{Repro, Signature};
use simulator::shrink::{Care, Shrunk, Size};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// What came of it, for programs.
#[derive(Serialize)]
struct Told {
    file: String,
    signature: Signature,
    before: Size,
    after: Size,
    runs: u64,
    milliseconds: u64,
    whole: bool,
}

/// `orrery sim shrink`
pub(super) fn shrink(show: Show, shrink: &SimShrink) -> Result<u8, Fault> {
    let begun = clock::monotonic();
    let (plan, signature) = shrink.subject.failing()?;
    let before = Size::of(&plan);
    let pressed = interrupt::flag();
    let mut progress = Progress::new(false);
    let care = Care { rerolls: shrink.rerolls, ..Care::default() };
    let shrunk = simulator::shrink::shrink(&plan, &signature, care, &mut |smaller, runs| {
        progress.tell(|| format!("{}, {runs} runs", words(Size::of(smaller))));
        !pressed.load(Ordering::Relaxed)
    });
    progress.clear();
    let Some(Shrunk { plan: small, runs, whole }) = shrunk else {
        return Err(Fault::Misuse(format!("{} fails, and does not when run again", shrink.subject.what)));
    };
    let file = shrink.out.clone().unwrap_or_else(|| beside(&shrink.subject.what, shrink.subject.seed));
    let after = Size::of(&small);
    let repro = Repro::failing(small, signature.clone(), "shrink");
    super::write(&file, &repro.text())?;
    let milliseconds = clock::monotonic().since(begun).0 / 1_000;
    let told = Told { file: file.display().to_string(), signature, before, after, runs, milliseconds, whole };
    show.answer(&told, text);
    Ok(EXIT_DONE)
}

fn words(size: Size) -> String {
    let Size { faults, operations, machines, jobs, milliseconds } = size;
    format!("{faults} faults, {operations} commands, {machines} machines, {jobs} jobs, {milliseconds} ms")
}

fn text(told: &Told) -> String {
    let row = |name: &str, size: Size| {
        let Size { faults, operations, machines, jobs, milliseconds } = size;
        let numbers = [faults as u64, operations as u64, machines as u64, jobs as u64];
        let mut row = vec![name.to_owned()];
        row.extend(numbers.iter().map(ToString::to_string));
        row.push(format!("{:.1} s", std::time::Duration::from_millis(milliseconds).as_secs_f64()));
        row
    };
    let heading = ["", "FAULTS", "COMMANDS", "MACHINES", "JOBS", "LENGTH"];
    let sizes = table(&heading, &[row("before", told.before), row("after", told.after)]);
    let early = if told.whole { "" } else { " (ended early: it may become smaller still)" };
    let took = std::time::Duration::from_millis(told.milliseconds).as_secs_f64();
    format!(
        "{}\n{sizes}{} runs in {took:.1} s{early}\nwritten to {file}\n  run it:  orrery sim run --plan {file}\n",
        told.signature,
        told.runs,
        file = told.file
    )
}

/// Where the small plan goes when nothing is said.
fn beside(what: &str, seed: Option<u64>) -> PathBuf {
    let Some(seed) = seed else { return Path::new(what).with_extension("small.json") };
    let stem = Path::new(what).file_stem().map_or(what.into(), |stem| stem.to_string_lossy());
    PathBuf::from(format!("{stem}-{seed}.small.json"))
}
