//! `replay --verify`: the log taken again, by the control plane if one answers, else from its files; or from NATS.

use super::client::Client;
use super::fault::Fault;
use super::show::Show;
use crate::host::{self, Recording};
use messages::api::{EXIT_DONE, EXIT_REFUSED, Verified};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `orrery replay --verify`
pub(super) async fn verify(
    client: &Client,
    show: Show,
    data: &Path,
    nats: Option<String>,
    site: String,
) -> Result<u8, Fault> {
    let verified: Verified = match nats {
        Some(url) => {
            let reading = tokio::task::spawn_blocking(move || host::verify_on_nats(&url, &site));
            let read = reading.await.map_err(|error| Fault::Unreachable(error.to_string()))?;
            read.map_err(Fault::Unreachable)?
        }
        None => ask(client, data).await?,
    };
    show.answer(&verified, text);
    Ok(if verified.mismatches.is_empty() { EXIT_DONE } else { EXIT_REFUSED })
}

/// A log that was written to a file.
#[derive(Serialize)]
struct Exported {
    file: String,
    frames: u64,
}

/// `orrery log --export`
pub(super) async fn export(
    show: Show,
    to: PathBuf,
    data: PathBuf,
    nats: Option<String>,
    site: String,
) -> Result<(), Fault> {
    let file = to.display().to_string();
    let writing = tokio::task::spawn_blocking(move || match nats {
        Some(url) => host::export_from_nats(&url, &site, &to),
        None => Recording::open(&data)?.export_to(&to),
    });
    let written = writing.await.map_err(|error| Fault::Unreachable(error.to_string()))?;
    let exported = Exported { frames: written.map_err(Fault::Unreachable)?, file };
    show.answer(&exported, |exported| format!("{} frames written to {}\n", exported.frames, exported.file));
    Ok(())
}

async fn ask(client: &Client, data: &Path) -> Result<Verified, Fault> {
    match client.get(&["v1", "verify"], &[]).await {
        Ok(verified) => Ok(verified),
        Err(Fault::Unreachable(away)) => {
            if !data.is_dir() {
                let message = format!("{away}; and there is no data directory {}: give --data", data.display());
                return Err(Fault::Unreachable(message));
            }
            host::verify_offline(data).map_err(Fault::Unreachable)
        }
        Err(fault) => Err(fault),
    }
}

fn text(verified: &Verified) -> String {
    let Verified { entries, actors, mismatches, position } = verified;
    if mismatches.is_empty() {
        return format!(
            "{entries} entries of {actors} actors up to position {position}: every turn comes out the same\n"
        );
    }
    let told = |mismatch: &messages::api::Mismatch| {
        format!(
            "{} entry {} at position {}\n  recorded: {}\n  retaken:  {}\n",
            mismatch.actor, mismatch.sequence, mismatch.position, mismatch.recorded, mismatch.retaken
        )
    };
    let list: String = mismatches.iter().map(told).collect();
    format!("{} of {entries} entries come out differently\n{list}", mismatches.len())
}
