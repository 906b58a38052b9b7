//! The stream that is the log: made if it is not there, and refused if it does not keep everything.

use super::NatsError;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, stream};
use messages::subject::{Subject, Token};
use std::time::Duration;

/// How long the server remembers the ids of messages, so that one sent twice is kept once.
const DUPLICATES_WITHIN: Duration = Duration::from_secs(120);

/// The name of the stream of a site's log.
pub fn name(site: &Token) -> String {
    format!("orrery-{site}-log")
}

fn wanted(site: &Token) -> Config {
    Config {
        name: name(site),
        description: Some("the log of an Orrery site: never edit or purge it".into()),
        subjects: vec![Subject::logs(site)],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        deny_delete: true,
        deny_purge: true,
        allow_direct: true,
        duplicate_window: DUPLICATES_WITHIN,
        num_replicas: 1,
        ..Config::default()
    }
}

/// The stream of a site's log, as it is or made now.
///
/// # Errors
/// When there is no JetStream, or a stream of this name that does not keep everything.
pub async fn open(context: &Context, url: &str, site: &Token) -> Result<Stream, NatsError> {
    let made = context.get_or_create_stream(wanted(site)).await.map_err(|error| {
        let (url, trouble) = (url.to_string(), crate::host::chain(&error));
        match error.kind() {
            CreateStreamErrorKind::JetStreamUnavailable => {
                NatsError::JetStream { url, trouble: "it is not turned on".into() }
            }
            _ => NatsError::JetStream { url, trouble },
        }
    })?;
    fit(made, url, site).await
}

/// The stream of a site's log, which must be there.
///
/// # Errors
/// As [`open`]; also when it is not there.
pub async fn existing(context: &Context, url: &str, site: &Token) -> Result<Stream, NatsError> {
    let there = context.get_stream(name(site)).await.map_err(|error| match error.kind() {
        GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            NatsError::Absent { url: url.into(), site: site.to_string() }
        }
        _ => NatsError::JetStream { url: url.into(), trouble: crate::host::chain(&error) },
    })?;
    fit(there, url, site).await
}

async fn fit(made: Stream, url: &str, site: &Token) -> Result<Stream, NatsError> {
    let info = made
        .get_info()
        .await
        .map_err(|error| NatsError::JetStream { url: url.into(), trouble: crate::host::chain(&error) })?;
    match unfit(&info.config, site) {
        Some(trouble) => Err(NatsError::Stream { stream: name(site), trouble }),
        None => Ok(made),
    }
}

/// What keeps a stream from being a log.
fn unfit(config: &stream::Config, site: &Token) -> Option<String> {
    let limited = |what: &str| Some(format!("it lets old frames go ({what})"));
    if config.subjects != [Subject::logs(site)] {
        return Some(format!("it takes {:?}, not {:?}", config.subjects, [Subject::logs(site)]));
    }
    if config.retention != RetentionPolicy::Limits {
        return limited("its retention is not `limits`");
    }
    if config.storage != StorageType::File {
        return Some("it is kept in memory".into());
    }
    if !config.max_age.is_zero() {
        return limited("max_age");
    }
    if config.max_messages_per_subject > 0 {
        return limited("max_msgs_per_subject");
    }
    let bounded = config.max_bytes > 0 || config.max_messages > 0;
    if bounded && config.discard != DiscardPolicy::New {
        return limited("discard: old");
    }
    if !config.deny_delete || !config.deny_purge {
        return Some("it can be purged: deny_delete and deny_purge are not set".into());
    }
    (config.sealed || config.no_ack).then(|| "it takes nothing, or acknowledges nothing".into())
}
