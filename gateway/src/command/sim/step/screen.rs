//! The terminal, which is put back as it was however this ends.

use super::app::App;
use super::draw::draw;
use crate::command::fault::Fault;
use crossterm::event::{poll, read};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use messages::api::EXIT_DONE;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::Stdout;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

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

/// Becomes true when the process is told to end.
fn told_to_end() -> Arc<AtomicBool> {
    let told = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&told);
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let (terminate, hang_up) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()));
            let (Ok(mut terminate), Ok(mut hang_up)) = (terminate, hang_up) else { return };
            tokio::select! { _ = terminate.recv() => {}, _ = hang_up.recv() => {} }
            tell.store(true, Ordering::Relaxed);
        });
    });
    told
}

/// The terminal while it is ours.
struct Screen;

impl Screen {
    fn enter() -> std::io::Result<Self> {
        enable_raw_mode()?;
        let screen = Self;
        execute!(std::io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _nothing_else_can_be_done = execute!(std::io::stdout(), cursor::Show, LeaveAlternateScreen);
        let _nothing_else_can_be_done = disable_raw_mode();
    }
}
