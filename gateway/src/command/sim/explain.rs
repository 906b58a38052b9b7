//! `sim explain`: what led to a failure, as a sequence of who said what to whom, and when it was decided.

use super::arguments::SimExplain;
use crate::command::fault::Fault;
use crate::command::show::{Show, table};
use messages::api::EXIT_DONE;
use serde::Serialize;
use simulator::explain::{Odds, Story, svg, text, turning_point};
use simulator::repro::Signature;

/// So wide is a bar of all branches.
const BAR: u64 = 30;

/// All of it, for programs.
#[derive(Serialize)]
struct Told {
    signature: Signature,
    story: Story,
    /// How many branches fail from each moment on.
    odds: Vec<Odds>,
    /// The first moment from which on most of them fail, in microseconds.
    decided_at: Option<u64>,
}

/// `orrery sim explain`
pub(super) fn explain(show: Show, explain: &SimExplain) -> Result<u8, Fault> {
    let (plan, signature) = explain.subject.failing()?;
    let story = simulator::explain::explain(&plan, &signature);
    let story = story.ok_or_else(|| {
        let what = &explain.subject.what;
        Fault::Misuse(format!("{what} panics before it can be explained: run it with `orrery sim run --trace`"))
    })?;
    if let Some(file) = &explain.svg {
        super::write(file, &svg(&story))?;
    }
    let odds = match explain.branches {
        0 => Vec::new(),
        branches => turning_point(&plan, &signature, &story, branches),
    };
    let decided_at = odds.iter().find(|odds| odds.most()).map(|odds| odds.at);
    let told = Told { signature, story, odds, decided_at };
    show.answer(&told, |told| {
        let mut shown = text(&told.story) + &told_odds(told);
        if let Some(file) = &explain.svg {
            shown += &format!("\ndrawn in {}\n", file.display());
        }
        shown
    });
    Ok(EXIT_DONE)
}

fn told_odds(told: &Told) -> String {
    let Some(first) = told.odds.first() else { return String::new() };
    let row = |odds: &Odds| {
        let bar = "█".repeat(usize::try_from(odds.failing * BAR / odds.of.max(1)).unwrap_or(0));
        let share = odds.failing * 100 / odds.of.max(1);
        let mark = if Some(odds.at) == told.decided_at { "  <- decided" } else { "" };
        vec![milliseconds(odds.at), format!("{share} %"), bar + mark]
    };
    let rows: Vec<_> = told.odds.iter().map(row).collect();
    let decided = match told.decided_at {
        Some(at) => format!("from {} on, most of {} branches fail", milliseconds(at), first.of),
        None => format!("at no moment do most of {} branches fail: it takes luck to the end", first.of),
    };
    format!("\n{decided}\n{}", table(&["FROM", "FAIL", ""], &rows))
}

fn milliseconds(at: u64) -> String {
    format!("{}.{:03} ms", at / 1_000, at % 1_000)
}
