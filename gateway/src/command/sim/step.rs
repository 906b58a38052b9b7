//! `sim step`: through a run, forward and back, with the state of everyone at every moment.

mod app;
mod draw;
mod look;
mod screen;

use super::arguments::SimStep;
use crate::command::fault::Fault;
use crate::command::show::Show;
use app::App;
use look::Look;
use messages::api::EXIT_DONE;
use messages::quantity;
use messages::reason::Reason;
use simulator::travel::{Pursuit, Stop, Travel};
use std::io::IsTerminal;

/// `orrery sim step`
pub(super) fn step(show: Show, step: &SimStep) -> Result<u8, Fault> {
    let stop = step.stop.as_deref().map(Stop::parse).transpose().map_err(Fault::Misuse)?;
    let at = step.at.as_deref().map(time).transpose()?;
    let print = step.print || show.json;
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !print && !terminal {
        return Err(Fault::Misuse("this needs a terminal; show one moment with --print, or with --json".into()));
    }
    let (plan, _) = step.subject.load()?;
    let mut travel = Travel::new(&plan);
    if let Some(at) = at {
        travel.go_to_time(at);
    }
    if let Some(event) = step.event {
        travel.go(event);
    }
    if !print {
        let app = App::new(travel, stop.clone(), step.actor.as_deref());
        return screen::run(app, stop.is_some());
    }
    if let Some(stop) = &stop
        && travel.pursue(stop, u64::MAX) != Pursuit::Reached
    {
        return Err(Fault::refused(Reason::NotFound, format!("there is no {stop} from there on"), "begin earlier"));
    }
    let look = Look::at(&travel, step.actor.as_deref());
    if step.actor.is_some() && look.states.is_empty() {
        let known: Vec<&str> = look.actors.iter().map(|actor| actor.name.as_str()).collect();
        let name = step.actor.as_deref().unwrap_or_default();
        return Err(Fault::Misuse(format!("no actor is called {name:?} then; there are {}", known.join(", "))));
    }
    show.answer(&look, Look::text);
    Ok(EXIT_DONE)
}

/// A time of the world, in microseconds: `12s`, `12.5s`, `1m30s`, or seconds alone.
fn time(text: &str) -> Result<u64, Fault> {
    let number = text.strip_suffix('s').filter(|_| !text.ends_with("ms")).unwrap_or(text);
    let decimal = || {
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits: String = part.chars().chain(std::iter::repeat('0')).take(6).collect();
        let seconds: u64 = whole.parse().ok()?;
        Some(seconds.checked_mul(1_000_000)?.saturating_add(digits.parse::<u64>().ok()?))
    };
    let read = quantity::span(text).ok().map(|span| span.0).or_else(decimal);
    read.ok_or_else(|| Fault::Misuse(format!("{text:?} is no time; expected one like \"12.5s\" or \"1m30s\"")))
}

#[cfg(test)]
mod tests;
