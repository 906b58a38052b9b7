//! Public events: what was recorded, as CloudEvents in JSON on `orrery.<site>.event.<kind>.<id>.<name>`.
//!
//! They are folded from the log and go on where the last one in their stream ends, so none is left out; one may come
//! twice, with the same id. A stream of a week's events is kept; the log is the truth.

use super::connect::connected;
use crate::host::{Site, chain};
use crate::views::names;
use actors::ports::Position;
use async_nats::Client;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, RawMessageErrorKind, StorageType};
use async_nats::jetstream::{self, Context};
use futures::future::try_join_all;
use messages::api::LogEntry;
use messages::entry::Entry;
use messages::subject::{Subject, Token};
use messages::time::rfc3339;
use serde::Serialize;
use serde_json::Value;
use std::future::IntoFuture;
use std::time::Duration;

/// How long events are kept.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// Events of so long are published together.
const GATHER: Duration = Duration::from_millis(250);
/// Entries read at once.
const PAGE_ENTRIES: usize = 500;
/// The pause after a try that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// What an event is, for those who read headers.
const MEDIA_TYPE: &str = "application/cloudevents+json";

/// An event as CloudEvents 1.0 has it.
#[derive(Debug, Serialize)]
struct CloudEvent {
    specversion: &'static str,
    /// The position of its frame, and which event of the frame it is.
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(with = "rfc3339")]
    time: messages::time::Timestamp,
    datacontenttype: &'static str,
    correlation: String,
    principal: String,
    data: Value,
}

/// How far the log is published: everything before a frame, and so many events of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    position: u64,
    out: usize,
}

/// Publishes what is recorded for as long as the process lives.
pub async fn publish(client: Client, name: Token, site: Site) {
    let context = jetstream::new(client.clone());
    let mut follow = site.follow();
    let mut cursor = None;
    loop {
        connected(&client).await;
        match step(&context, &name, &site, cursor).await {
            Ok(next) => cursor = Some(next),
            Err(trouble) => {
                tracing::info!("public events wait: {trouble}");
                cursor = None;
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            }
        }
        // What came meanwhile is read from the log with the next step.
        let _more_or_lagging = follow.recv().await;
        tokio::time::sleep(GATHER).await;
        follow = follow.resubscribe();
    }
}

/// Publishes everything from a place in the log on, or behind the last event in the stream. Returns how far it came.
async fn step(context: &Context, name: &Token, site: &Site, from: Option<Cursor>) -> Result<Cursor, String> {
    let mut cursor = match from {
        Some(cursor) => cursor,
        None => resume(context, name).await?,
    };
    loop {
        // Whole frames come, so the first entry is the first of the frame that the cursor is in.
        let page = site.entries(Position(cursor.position), PAGE_ENTRIES).await?;
        let (mut sent, mut number) = (Vec::new(), 0);
        for (position, entry) in &page {
            if position.0 > cursor.position {
                (cursor, number) = (Cursor { position: position.0, out: 0 }, 0);
            }
            let people = site.read(|fold| names::actor(fold, entry.head().actor));
            let told = LogEntry::of(entry, position.0, people);
            for event in &told.events {
                if number >= cursor.out {
                    sent.push(send(context, name, entry, &told, event, number).await?);
                    cursor.out = number + 1;
                }
                number += 1;
            }
        }
        try_join_all(sent.into_iter().map(IntoFuture::into_future)).await.map_err(|error| chain(&error))?;
        if let Some((last, _)) = page.last() {
            cursor = Cursor { position: last.0 + 1, out: 0 };
        }
        if page.len() < PAGE_ENTRIES {
            return Ok(cursor);
        }
    }
}

async fn send(
    context: &Context,
    name: &Token,
    entry: &Entry,
    told: &LogEntry,
    event: &Value,
    number: usize,
) -> Result<PublishAckFuture, String> {
    let (what, data) = match event {
        Value::Object(fields) if fields.len() == 1 => fields.iter().next().map(|(what, data)| (what.as_str(), data)),
        Value::String(what) => Some((what.as_str(), &Value::Null)),
        _ => None,
    }
    .unwrap_or(("Event", event));
    let actor = entry.head().actor;
    let what = Token::new(what).map_err(|error| error.to_string())?;
    let id = format!("{}-{number}", told.position);
    let event = CloudEvent {
        specversion: "1.0",
        id: id.clone(),
        source: format!("/orrery/{name}/{}/{}", actor.kind.name(), actor.id),
        kind: format!("orrery.{}.{what}", actor.kind.name()),
        subject: told.name.clone(),
        time: told.at,
        datacontenttype: "application/json",
        correlation: told.correlation.clone(),
        principal: told.principal.clone(),
        data: data.clone(),
    };
    let bytes = serde_json::to_vec(&event).map_err(|error| error.to_string())?;
    let subject = Subject::Event { site: name.clone(), of: actor, name: what }.to_string();
    let message = PublishMessage::build().payload(bytes.into()).message_id(&id).header("Content-Type", MEDIA_TYPE);
    context.send_publish(subject, message).await.map_err(|error| chain(&error))
}

/// Where publishing goes on: behind the last event in the stream, which is made if it is not there.
async fn resume(context: &Context, name: &Token) -> Result<Cursor, String> {
    let config = Config {
        name: format!("orrery-{name}-event"),
        description: Some("public events of an Orrery site, folded from its log".into()),
        subjects: vec![Subject::events(name)],
        storage: StorageType::File,
        max_age: KEPT_FOR,
        num_replicas: 1,
        ..Config::default()
    };
    let stream = context.get_or_create_stream(config).await.map_err(|error| chain(&error))?;
    let last = match stream.get_last_raw_message_by_subject(&Subject::events(name)).await {
        Ok(message) => message,
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(Cursor::default()),
        Err(error) => return Err(chain(&error)),
    };
    let event: Value = serde_json::from_slice(&last.payload).map_err(|error| error.to_string())?;
    let (position, number) =
        event["id"].as_str().and_then(|id| id.split_once('-')).ok_or("an event without a place")?;
    let position = position.parse().map_err(|_| "an event without a place")?;
    let number: usize = number.parse().map_err(|_| "an event without a place")?;
    Ok(Cursor { position, out: number + 1 })
}
