//! `logs`: what an instance wrote, from the driver of this node.

use super::failed::{Asked, Failed};
use super::log::streamed;
use crate::driver::{Driver, Line, LogReader, Status, Stream};
use crate::host::Site;
use crate::views::names;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use messages::reason::Reason;
use serde::Deserialize;
use tokio::sync::mpsc;

/// Lines that wait for a slow reader before reading waits with them.
const LINES_WAITING_MAX: usize = 256;

/// Which part of the output.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct OutputQuery {
    /// Go on with what comes, until the instance is over.
    #[serde(default)]
    follow: bool,
    /// Only the last so many lines of each stream.
    #[serde(default)]
    last: Option<usize>,
    /// `out` or `err`; both when absent.
    #[serde(default)]
    stream: Option<Stream>,
}

/// `GET /v1/logs/{instance}`
pub(super) async fn output(
    State(site): State<Site>,
    Path(instance): Path<String>,
    Asked(query): Asked<OutputQuery>,
) -> Result<Response, Failed> {
    let found = site.read(|fold| names::instance(fold, &instance))?;
    let driver = site.driver();
    let driver = driver.ok_or_else(|| Failed::unavailable(Reason::NodeDown, "no node runs in this process"))?;
    let id = found.id.to_string();
    let streams = query.stream.map_or(vec![Stream::Out, Stream::Err], |one| vec![one]);
    let reader = driver.logs(&id, &streams, query.last);
    let reader = reader.map_err(|error| Failed::unavailable(Reason::NotFound, error.to_string()))?;
    let missing = || format!("this node keeps no output of {}; it may run elsewhere, or not yet", found.label);
    let reader = reader.ok_or_else(|| Failed::not_found(missing()))?;
    let (lines, waiting) = mpsc::channel(LINES_WAITING_MAX);
    let (text, texts) = mpsc::channel(LINES_WAITING_MAX);
    let _reader = tokio::spawn(read(driver, id, reader, query.follow, lines));
    let _writer = tokio::spawn(write(waiting, text));
    Ok(streamed("text/plain; charset=utf-8", texts))
}

async fn read(driver: Driver, id: String, mut reader: LogReader, follow: bool, lines: mpsc::Sender<Line>) {
    let over = move || !follow || matches!(driver.status(&id), Ok(Status::Ended { .. } | Status::Unknown) | Err(_));
    if follow {
        if let Err(error) = reader.follow(over, lines).await {
            tracing::warn!(%error, "the output of an instance cannot be read on");
        }
        return;
    }
    while let Ok(page) = reader.read() {
        let done = page.is_empty();
        let page = if done { reader.rest() } else { page };
        for line in page {
            if lines.send(line).await.is_err() {
                return;
            }
        }
        if done {
            return;
        }
    }
}

async fn write(mut waiting: mpsc::Receiver<Line>, text: mpsc::Sender<Bytes>) {
    while let Some(mut line) = waiting.recv().await {
        line.text.push(b'\n');
        if text.send(Bytes::from(line.text)).await.is_err() {
            return;
        }
    }
}
