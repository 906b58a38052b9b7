//! The terminal while a command has it, and whether the command is told to end.

use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Becomes true when the process is told to end.
pub(super) fn told_to_end() -> Arc<AtomicBool> {
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
pub(super) struct Screen;

impl Screen {
    /// Makes it ours, until this is dropped.
    pub fn enter() -> std::io::Result<Self> {
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
