//! What `up` shows while it runs: on a terminal a table that follows the log, elsewhere a line for each change.

use super::show::write;
use super::status::everything;
use crate::host::Site;
use crate::views;
use crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{cursor, queue};
use messages::api::{LogEntry, Status};
use std::collections::{BTreeMap, VecDeque};
use std::io::IsTerminal;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// The shortest time between two pictures.
const REDRAW_EVERY: Duration = Duration::from_millis(200);
/// The longest time between two pictures, for ages that grow.
const REDRAW_WITHIN: Duration = Duration::from_secs(1);
/// How many of the latest entries are remembered.
const LATEST_MAX: usize = 64;
/// The size of a terminal that does not tell its own.
const SIZE_UNKNOWN: (u16, u16) = (100, 30);

/// Shows how things are until the task is dropped.
pub(super) async fn watch(site: &Site, head: &str) {
    if std::io::stdout().is_terminal() { table(site, head).await } else { lines(site).await }
}

/// Puts the terminal back as it was.
struct Screen;

impl Screen {
    fn enter() -> Self {
        let mut bytes = Vec::new();
        if queue!(bytes, EnterAlternateScreen, cursor::Hide, DisableLineWrap).is_ok() {
            write(&bytes);
        }
        Self
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut bytes = Vec::new();
        if queue!(bytes, EnableLineWrap, cursor::Show, LeaveAlternateScreen).is_ok() {
            write(&bytes);
        }
    }
}

async fn table(site: &Site, head: &str) {
    let _screen = Screen::enter();
    let mut entries = site.follow();
    let mut latest: VecDeque<String> = VecDeque::new();
    loop {
        picture(&site.read(|fold| views::status::status(fold, None)), head, &latest);
        tokio::time::sleep(REDRAW_EVERY).await;
        let first = tokio::time::timeout(REDRAW_WITHIN, entries.recv()).await;
        let mut next = first.ok();
        while let Some(heard) = next {
            match heard {
                Ok(entry) => {
                    let name = site.read(|fold| views::names::actor(fold, entry.1.head().actor));
                    let entry = LogEntry::of(&entry.1, entry.0.0, name);
                    let summary = views::trace::summary(&entry);
                    if !only_notes(&summary) {
                        latest.push_back(format!("{:>7}  {summary}", entry.position));
                    }
                    latest.drain(..latest.len().saturating_sub(LATEST_MAX));
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
            next = entries.try_recv().ok().map(Ok);
        }
    }
}

/// Whether an entry only says that something was heard, which is no news.
fn only_notes(summary: &str) -> bool {
    summary.split_once(" -> ").is_some_and(|(_, outcome)| outcome.split(", ").all(|event| event.ends_with("noted")))
}

fn picture(status: &Status, head: &str, latest: &VecDeque<String>) {
    let (width, height) = crossterm::terminal::size().unwrap_or(SIZE_UNKNOWN);
    let (width, height) = (usize::from(width), usize::from(height));
    let mut lines = vec![format!("{head}  position {}", status.position), String::new()];
    lines.extend(everything(status).lines().map(str::to_owned));
    lines.push(String::new());
    let room = height.saturating_sub(lines.len() + 2);
    if room > 1 {
        lines.push("LATEST".into());
        lines.extend(latest.iter().skip(latest.len().saturating_sub(room - 1)).cloned());
    }
    lines.resize(height.saturating_sub(1), String::new());
    lines.push("ctrl-c stops the control plane; what it runs goes on".into());
    let mut bytes = Vec::new();
    let _infallible = queue!(bytes, cursor::MoveTo(0, 0));
    for (row, line) in lines.iter().enumerate() {
        let end = if row + 1 == lines.len() { "" } else { "\r\n" };
        bytes.extend(line.chars().take(width).collect::<String>().into_bytes());
        let _infallible = queue!(bytes, Clear(ClearType::UntilNewLine));
        bytes.extend(end.as_bytes());
    }
    write(&bytes);
}

async fn lines(site: &Site) {
    let mut entries = site.follow();
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let status = site.read(|fold| views::status::status(fold, None));
        for (what, how) in changes(&status) {
            if told.get(&what) != Some(&how) {
                write(format!("{what}  {how}\n").as_bytes());
                told.insert(what, how);
            }
        }
        if matches!(entries.recv().await, Err(RecvError::Closed)) {
            return;
        }
        tokio::time::sleep(REDRAW_EVERY).await;
    }
}

/// What is worth a line when it changes: jobs, nodes and rollouts.
fn changes(status: &Status) -> Vec<(String, String)> {
    let jobs = status.jobs.iter().map(|job| {
        let reason = job.detail.as_ref().map(|detail| format!("  {detail}")).unwrap_or_default();
        let how = format!("{}  {}/{} healthy, revision {}{reason}", job.state, job.healthy, job.desired, job.revision);
        (format!("job {}/{}", job.realm, job.name), how)
    });
    let nodes = status.nodes.iter().map(|node| (format!("node {}", node.name), node.state.name().to_string()));
    let rollouts = status.rollouts.iter().map(|rollout| {
        let what = format!("rollout {} {} to {}", rollout.job, rollout.from, rollout.to);
        (
            what,
            format!(
                "{}  step {} of {}, {}% of the traffic",
                rollout.state, rollout.step, rollout.steps, rollout.weight
            ),
        )
    });
    jobs.chain(nodes).chain(rollouts).collect()
}
