//! `log` and `logs`: what comes line by line, for as long as it comes.

use super::arguments::OutputStream;
use super::client::Client;
use super::explain::instance_in_realm;
use super::fault::Fault;
use super::show::{Show, write};
use crate::driver::Stream;
use crate::views::trace::summary;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use messages::api::LogEntry;

/// `orrery logs`
pub(super) async fn logs(
    client: &Client,
    instance: &str,
    follow: bool,
    last: Option<usize>,
    stream: Option<OutputStream>,
) -> Result<(), Fault> {
    let instance = instance_in_realm(client, instance);
    let stream = stream.map(|stream| match Stream::from(stream) {
        Stream::Out => "out".to_owned(),
        Stream::Err => "err".to_owned(),
    });
    let query = [("follow", Some(follow.to_string())), ("last", last.map(|last| last.to_string())), ("stream", stream)];
    let mut body = client.open(&["v1", "logs", &instance], &query).await?.into_body();
    while let Some(bytes) = next(&mut body).await? {
        write(&bytes);
    }
    Ok(())
}

/// `orrery log`
pub(super) async fn log(
    client: &Client,
    show: Show,
    from: u64,
    limit: Option<usize>,
    follow: bool,
) -> Result<(), Fault> {
    let query = [
        ("from", Some(from.to_string())),
        ("limit", limit.map(|limit| limit.to_string())),
        ("follow", Some(follow.to_string())),
    ];
    let mut body = client.open(&["v1", "log"], &query).await?.into_body();
    let mut rest = Vec::new();
    while let Some(bytes) = next(&mut body).await? {
        if show.json {
            write(&bytes);
            continue;
        }
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let entry: LogEntry = serde_json::from_slice(&line).map_err(|error| {
                Fault::Unreachable(format!("the log has an entry that this version understands not: {error}"))
            })?;
            show.text(&format!("{}  {:>6}  {}  [{}]\n", entry.at, entry.position, summary(&entry), entry.principal));
        }
    }
    Ok(())
}

async fn next(body: &mut Incoming) -> Result<Option<bytes::Bytes>, Fault> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::Unreachable(format!("the control plane went away: {error}")))?;
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}
