//! `top`: the cluster on a terminal, again and again, or once as text.

mod draw;

use super::client::Client;
use super::fault::Fault;
use super::screen::{Screen, told_to_end};
use super::show::Show;
use crossterm::event::{KeyCode, KeyModifiers, poll, read};
use draw::{draw, printed};
use messages::api::Status;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it is looked at the cluster.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a key may wait.
const KEY_WITHIN: Duration = Duration::from_millis(100);

/// `orrery top`
pub(super) async fn top(client: &Client, show: Show, once: bool) -> Result<(), Fault> {
    if once || show.json {
        show.answer(&status(client).await?, printed);
        return Ok(());
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Fault::Misuse("this needs a terminal; print one picture with --once".into()));
    }
    // Nobody there to answer is told before the terminal is ours.
    let first = status(client).await?;
    watch(client, first).await
}

async fn status(client: &Client) -> Result<Status, Fault> {
    client.get(&["v1", "status"], &[]).await
}

async fn watch(client: &Client, first: Status) -> Result<(), Fault> {
    let unusable = |error: std::io::Error| Fault::Unreachable(format!("the terminal cannot be used: {error}"));
    let told = told_to_end();
    let _screen = Screen::enter().map_err(unusable)?;
    let mut terminal = Terminal::new(CrosstermBackend::new(std::io::stdout())).map_err(unusable)?;
    let (mut shown, mut trouble) = (first, None);
    loop {
        terminal.draw(|frame| draw(&shown, trouble.as_deref(), frame)).map_err(unusable)?;
        for _ in 0..LOOK_EVERY.as_millis() / KEY_WITHIN.as_millis() {
            if told.load(Ordering::Relaxed) || (poll(KEY_WITHIN).map_err(unusable)? && leaves().map_err(unusable)?) {
                return Ok(());
            }
        }
        match status(client).await {
            Ok(status) => (shown, trouble) = (status, None),
            Err(fault) => trouble = Some(fault.to_string()),
        }
    }
}

/// Whether what was typed ends it.
fn leaves() -> std::io::Result<bool> {
    let key = read()?.as_key_press_event();
    Ok(key.is_some_and(|key| match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }))
}
