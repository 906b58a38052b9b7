//! `sim diff`: where two runs part, or two traces of them.

use super::arguments::{SimDiff, Subject};
use crate::command::fault::Fault;
use crate::command::show::Show;
use messages::api::{EXIT_DONE, EXIT_REFUSED};
use simulator::diff::{Parting, Side};
use simulator::plan::Plan;
use simulator::world::context::TraceLine;
use std::path::Path;

/// A longer file is no trace, in bytes.
const TRACE_BYTES_MAX: u64 = 1 << 30;
/// So much of what happened is shown to people, in letters.
const SHOWN_MAX: usize = 600;

/// What is compared.
enum Compared {
    Plan(Box<Plan>),
    Trace(Vec<TraceLine>),
}

/// `orrery sim diff`
pub(super) fn diff(show: Show, diff: &SimDiff) -> Result<u8, Fault> {
    let parting = match (load(&diff.one)?, load(&diff.other)?) {
        (Compared::Plan(one), Compared::Plan(other)) => simulator::diff::diff(&one, &other),
        (Compared::Trace(one), Compared::Trace(other)) => part(&one, &other),
        _ => return Err(Fault::Misuse("a plan and a trace cannot be compared: give two plans, or two traces".into())),
    };
    let parted = parting.is_some();
    show.answer(&parting, |parting| match parting {
        None => "they are the same in all that happens\n".into(),
        Some(parting) => text(parting, diff),
    });
    Ok(if parted { EXIT_REFUSED } else { EXIT_DONE })
}

/// A trace, a plan, or what a seed makes of a scenario.
fn load(what: &str) -> Result<Compared, Fault> {
    if let Some((name, seed)) = what.rsplit_once(':')
        && let Ok(seed) = seed.parse()
        && !Path::new(what).exists()
    {
        let subject = Subject { what: name.into(), seed: Some(seed) };
        return Ok(Compared::Plan(Box::new(subject.load()?.0)));
    }
    let is_trace = Path::new(what).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl"));
    if !is_trace {
        let subject = Subject { what: what.into(), seed: None };
        return Ok(Compared::Plan(Box::new(subject.load()?.0)));
    }
    let mut lines = Vec::new();
    for (number, text) in super::text_of(what, TRACE_BYTES_MAX)?.lines().enumerate() {
        match serde_json::from_str(text) {
            Ok(line) => lines.push(line),
            // The last line is the verdict, which is no part of what happened.
            Err(_) if text.contains("\"log_hash\"") => {}
            Err(error) => {
                let line = number + 1;
                return Err(Fault::Misuse(format!(
                    "{what}:{line}:{}: {error}; expected a line of `orrery sim run --trace --json`",
                    error.column()
                )));
            }
        }
    }
    Ok(Compared::Trace(lines))
}

/// Where two traces part.
fn part(one: &[TraceLine], other: &[TraceLine]) -> Option<Parting> {
    let alike = one.iter().zip(other).take_while(|(ours, theirs)| ours == theirs).count();
    if alike == one.len() && alike == other.len() {
        return None;
    }
    let side = |lines: &[TraceLine]| {
        lines.get(alike).map(|TraceLine { at, actor, what }| {
            let short = what.rsplit(" => ").next().unwrap_or(what);
            Side { at: *at, who: actor.clone(), what: short.into(), whole: what.clone() }
        })
    };
    Some(Parting { alike, one: side(one), other: side(other), state: (Vec::new(), Vec::new()) })
}

fn text(parting: &Parting, diff: &SimDiff) -> String {
    let side = |name: &str, side: &Option<Side>| match side {
        None => format!("{name}\n  nothing more happens\n"),
        Some(Side { at, who, what, whole }) => {
            let whole: String = whole.chars().take(SHOWN_MAX).collect();
            format!("{name}\n  {}.{:06} s  {who}: {what}\n  {whole}\n", at / 1_000_000, at % 1_000_000)
        }
    };
    let mut text = format!("{} things happen alike, then they part\n\n", parting.alike);
    text += &side(&diff.one, &parting.one);
    text += &side(&diff.other, &parting.other);
    let (ours, theirs) = &parting.state;
    if !ours.is_empty() || !theirs.is_empty() {
        text += "\nthe state of the actor then\n";
    }
    ours.iter().for_each(|line| text += &format!("- {line}\n"));
    theirs.iter().for_each(|line| text += &format!("+ {line}\n"));
    text
}
