//! The walk on the terminal, which is put back as it was however this ends.

use super::app::App;
use super::draw::draw;
use crate::command::fault::Fault;
use crate::command::screen::{Screen, told_to_end};
use crossterm::event::{poll, read};
use messages::api::EXIT_DONE;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::Stdout;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::Duration;

/// So often it is seen whether somebody wants this to end.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Shows where one is until one leaves. `seek` goes to the first stop at once.
pub(super) fn run(mut app: App, seek: bool) -> Result<u8, Fault> {
    if seek {
        app.underway = Some(app.stop.clone());
    }
    // What panics on the way must not write over the picture: it is told of when the terminal is as it was.
    let hook = take_hook();
    let (sender, last_words) = channel();
    set_hook(Box::new(move |panic| drop(sender.send(panic.to_string()))));
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let _screen = Screen::enter()?;
        follow(&mut app)
    }));
    set_hook(hook);
    match ended {
        Ok(ended) => ended.map_err(|error| Fault::Unreachable(format!("the terminal cannot be used: {error}"))),
        Err(panic) => {
            last_words.try_iter().last().iter().for_each(|words| eprintln!("{words}"));
            resume_unwind(panic)
        }
    }
}

fn follow(app: &mut App) -> std::io::Result<u8> {
    let told = told_to_end();
    let mut terminal: Terminal<CrosstermBackend<Stdout>> = Terminal::new(CrosstermBackend::new(std::io::stdout()))?;
    while !told.load(Ordering::Relaxed) {
        terminal.draw(|frame| draw(app, frame))?;
        let wait = if app.underway.is_some() { Duration::ZERO } else { LOOK_EVERY };
        if poll(wait)? {
            let pressed = read()?.as_key_press_event();
            if pressed.is_some_and(|key| app.key(key)) {
                break;
            }
        } else if app.underway.is_some() {
            app.pursue();
        }
    }
    Ok(EXIT_DONE)
}
