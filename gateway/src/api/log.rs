//! The log as lines of JSON, and reading all of it page by page.

use super::failed::{Asked, Failed};
use super::reads::unread;
use crate::host::Site;
use crate::views::names;
use actors::ports::Position;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use messages::api::LogEntry;
use messages::entry::Entry;
use messages::id::ActorId;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::convert::Infallible;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

/// Entries read at once for somebody who reads along.
const PAGE_ENTRIES: usize = 1_000;
/// Entries read at once for a walk through all of the log.
const WALK_ENTRIES: usize = 10_000;
/// Entries given when nobody says how many.
const LIMIT_DEFAULT: usize = 1_000;
/// Lines that wait for a slow reader before the log waits with them.
const LINES_WAITING_MAX: usize = 256;

/// Which part of the log.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct LogQuery {
    /// From this position on.
    #[serde(default)]
    from: u64,
    /// At most so many entries; when following, all of them.
    #[serde(default)]
    limit: Option<usize>,
    /// Go on with what comes.
    #[serde(default)]
    follow: bool,
}

/// Reads the log page by page, each entry once, however pages and frames meet.
pub(super) struct Pages {
    next: Position,
    /// Entries of the frame at `next` that were given already.
    given: BTreeSet<(ActorId, u64)>,
    length: usize,
}

impl Pages {
    /// From this position on, about so many entries at once.
    pub fn new(from: Position, length: usize) -> Self {
        Self { next: from, given: BTreeSet::new(), length }
    }

    /// The next entries; none at the end of what there is now.
    pub async fn read(&mut self, site: &Site) -> Result<Vec<(Position, Entry)>, String> {
        loop {
            let page = site.entries(self.next, self.length).await?;
            let full = page.len() >= self.length;
            let new: Vec<(Position, Entry)> =
                page.into_iter().filter(|(at, entry)| !self.was_given(*at, entry)).collect();
            for (at, entry) in &new {
                self.note(*at, entry);
            }
            if !new.is_empty() || !full {
                return Ok(new);
            }
            // A frame longer than a page: nothing new comes of it until the page is longer.
            self.length *= 2;
        }
    }

    /// Whether this entry was given before.
    fn was_given(&self, at: Position, entry: &Entry) -> bool {
        at < self.next || (at == self.next && self.given.contains(&(entry.head().actor, entry.head().sequence)))
    }

    /// Remembers that an entry was given.
    fn note(&mut self, at: Position, entry: &Entry) {
        if at > self.next {
            self.next = at;
            self.given.clear();
        }
        self.given.insert((entry.head().actor, entry.head().sequence));
    }
}

/// Shows every entry of the log up to and with a position, in order.
pub(super) async fn each(site: &Site, until: Position, mut take: impl FnMut(Position, &Entry)) -> Result<(), Failed> {
    let mut pages = Pages::new(Position::default(), WALK_ENTRIES);
    loop {
        let page = pages.read(site).await.map_err(unread)?;
        let over = page.last().is_none_or(|(at, _)| *at > until);
        page.iter().filter(|(at, _)| *at <= until).for_each(|(at, entry)| take(*at, entry));
        if over {
            return Ok(());
        }
    }
}

/// `GET /v1/log`
pub(super) async fn log(State(site): State<Site>, Asked(query): Asked<LogQuery>) -> Result<Response, Failed> {
    let limit = query.limit.unwrap_or(if query.follow { usize::MAX } else { LIMIT_DEFAULT });
    let mut pages = Pages::new(Position(query.from), limit.clamp(1, PAGE_ENTRIES));
    // Subscribed before the first page is read, so that nothing falls between the two.
    let follow = query.follow.then(|| site.follow());
    let first = pages.read(&site).await.map_err(unread)?;
    let (lines, waiting) = mpsc::channel(LINES_WAITING_MAX);
    let _writer = tokio::spawn(async move {
        let mut writer = Writer { site, pages, lines, left: limit };
        if let Some(()) = writer.give_all(first).await
            && let Some(follow) = follow
        {
            writer.follow(follow).await;
        }
    });
    Ok(streamed("application/x-ndjson", waiting))
}

/// A body of what comes through a channel.
pub(super) fn streamed(content_type: &'static str, waiting: mpsc::Receiver<Bytes>) -> Response {
    let lines = futures::stream::unfold(waiting, |mut waiting| async move {
        let bytes = waiting.recv().await?;
        Some((Ok::<Bytes, Infallible>(bytes), waiting))
    });
    ([(header::CONTENT_TYPE, content_type)], Body::from_stream(lines)).into_response()
}

struct Writer {
    site: Site,
    pages: Pages,
    lines: mpsc::Sender<Bytes>,
    left: usize,
}

impl Writer {
    /// Gives these and everything after them that is there now. None when enough was given or nobody reads on.
    async fn give_all(&mut self, mut page: Vec<(Position, Entry)>) -> Option<()> {
        while !page.is_empty() {
            for (at, entry) in page {
                self.give(at, &entry).await?;
            }
            page = self.pages.read(&self.site).await.ok()?;
        }
        Some(())
    }

    async fn give(&mut self, at: Position, entry: &Entry) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        let name = self.site.read(|fold| names::actor(fold, entry.head().actor));
        let mut line = serde_json::to_vec(&LogEntry::of(entry, at.0, name)).ok()?;
        line.push(b'\n');
        self.lines.send(Bytes::from(line)).await.ok()
    }

    async fn follow(mut self, mut follow: tokio::sync::broadcast::Receiver<std::sync::Arc<(Position, Entry)>>) {
        loop {
            let new = tokio::select! {
                () = self.lines.closed() => return,
                new = follow.recv() => new,
            };
            let gone_on = match new {
                Ok(new) if self.pages.was_given(new.0, &new.1) => Some(()),
                Ok(new) => {
                    self.pages.note(new.0, &new.1);
                    self.give(new.0, &new.1).await
                }
                // Too slow for the live ones: what was missed is in the journal.
                Err(RecvError::Lagged(_)) => match self.pages.read(&self.site).await {
                    Ok(page) => self.give_all(page).await,
                    Err(_) => None,
                },
                Err(RecvError::Closed) => None,
            };
            if gone_on.is_none() {
                return;
            }
        }
    }
}
