//! `doctor`: what is wrong with this installation, and what to do.

use super::arguments::Nats;
use super::client::Client;
use super::fault::Fault;
use super::show::{Show, table};
use crate::host::{Examined, examine};
use crate::{driver, nats};
use messages::api::{EXIT_DONE, EXIT_REFUSED, Status};
use messages::node::Standing;
use messages::resources::Dimension;
use serde::Serialize;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

/// With less room than this the log is about to be stuck, in bytes.
const ROOM_MIN: u64 = 64 << 10;

/// What came of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Finding {
    /// As it should be.
    Good,
    /// It works, with less than there could be.
    Notice,
    /// It does not work.
    Bad,
}

/// One look at one thing.
#[derive(Clone, Debug, Serialize)]
struct Look {
    finding: Finding,
    what: String,
    detail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    remedy: String,
}

fn look(finding: Finding, what: &str, detail: impl Into<String>, remedy: &str) -> Look {
    Look { finding, what: what.into(), detail: detail.into(), remedy: remedy.into() }
}

/// `orrery doctor`
pub(super) async fn doctor(
    client: &Client,
    show: Show,
    data: &Path,
    ingress: SocketAddr,
    server: &Nats,
) -> Result<u8, Fault> {
    let status: Option<Status> = client.get(&["v1", "status"], &[]).await.ok();
    let mut looks = vec![data_directory(data)];
    looks.extend(room(data));
    match &status {
        Some(status) => looks.extend(control_plane(client.base(), status)),
        None => {
            let remedy = "start one with `orrery up`, or say with --api where it is";
            let detail = format!("none answers at {}", client.base());
            looks.push(look(Finding::Notice, "control plane", detail, remedy));
            let api = client.base().trim_start_matches("http://").parse::<SocketAddr>();
            looks.extend(api.ok().map(|api| port("api port", api)));
            looks.push(port("ingress port", ingress));
            looks.extend(journal(data));
        }
    }
    let notices = driver::missing_limits();
    looks.extend(notices.iter().map(|notice| look(Finding::Notice, &notice.code, notice.what.clone(), &notice.remedy)));
    if notices.is_empty() {
        looks.push(look(Finding::Good, "limits", "processor and memory limits can be kept", ""));
    }
    match &server.url {
        Some(url) => looks.extend(nats_server(url, server).await),
        None => looks.push(nats_program()),
    }
    show.answer(&looks, |looks| {
        let row = |look: &Look| {
            let finding = match look.finding {
                Finding::Good => "good",
                Finding::Notice => "notice",
                Finding::Bad => "bad",
            };
            vec![finding.to_owned(), look.what.clone(), look.detail.clone(), look.remedy.clone()]
        };
        table(&["FINDING", "WHAT", "DETAIL", "WHAT TO DO"], &looks.iter().map(row).collect::<Vec<_>>())
    });
    let bad = looks.iter().any(|look| look.finding == Finding::Bad);
    Ok(if bad { EXIT_REFUSED } else { EXIT_DONE })
}

fn data_directory(data: &Path) -> Look {
    let Ok(absolute) = std::path::absolute(data) else {
        return look(Finding::Bad, "data directory", "the working directory is gone", "change to one that is there");
    };
    let there = absolute.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    let writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match writable {
        Ok(()) if there == absolute => look(Finding::Good, "data directory", absolute.display().to_string(), ""),
        Ok(()) => look(Finding::Good, "data directory", format!("{} will be made", absolute.display()), ""),
        Err(error) => {
            let detail = format!("{} cannot be written: {error}", there.display());
            look(Finding::Bad, "data directory", detail, "give another with --data, or change its owner")
        }
    }
}

/// How much room the disk under the data has.
fn room(data: &Path) -> Option<Look> {
    let absolute = std::path::absolute(data).ok()?;
    let there = absolute.ancestors().find(|ancestor| ancestor.exists())?;
    let room = rustix::fs::statvfs(there).ok()?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let detail = format!("{} free under {}", Dimension::Disk.amount(free), there.display());
    let finding = if free < ROOM_MIN { Finding::Bad } else { Finding::Good };
    let remedy =
        if free < ROOM_MIN { "make room: without it the log cannot be kept, and nothing is decided" } else { "" };
    Some(look(finding, "disk", detail, remedy))
}

/// The journal, read while no control plane has it.
fn journal(data: &Path) -> Option<Look> {
    match examine(data) {
        Examined::Missing => None,
        Examined::Sound(position) => {
            Some(look(Finding::Good, "journal", format!("whole, up to position {position}"), ""))
        }
        Examined::Torn => {
            let detail = "its last write was torn; nothing acknowledged was in it";
            Some(look(Finding::Notice, "journal", detail, "nothing: the next `orrery up` cuts it off"))
        }
        Examined::Unusable(why) => {
            Some(look(Finding::Bad, "journal", why, "put a backup of the journal in its place; keep what is there"))
        }
    }
}

fn control_plane(base: &str, status: &Status) -> Vec<Look> {
    let detail = format!("answers at {base}, log at position {}", status.position);
    let mut looks = vec![look(Finding::Good, "control plane", detail, "")];
    if !status.nodes.iter().any(|node| node.state == Standing::Ready) {
        looks.push(look(Finding::Bad, "nodes", "no node takes work", "`orrery node list` shows how they stand"));
    }
    looks
}

fn port(what: &str, address: SocketAddr) -> Look {
    match TcpListener::bind(address) {
        Ok(_free) => look(Finding::Good, what, format!("{address} is free"), ""),
        Err(error) => {
            look(Finding::Bad, what, format!("{address}: {error}"), "stop what is there, or choose another address")
        }
    }
}

async fn nats_server(url: &str, server: &Nats) -> Vec<Look> {
    let looked = nats::look(url, &server.site, server.monitor.as_deref()).await;
    let finding = |finding| match finding {
        nats::Finding::Good => Finding::Good,
        nats::Finding::Notice => Finding::Notice,
        nats::Finding::Bad => Finding::Bad,
    };
    looked.into_iter().map(|one| look(finding(one.finding), one.what, one.detail, &one.remedy)).collect()
}

fn nats_program() -> Look {
    let output = Command::new("nats-server").arg("--version").stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => {
            look(Finding::Good, "nats-server", String::from_utf8_lossy(&output.stdout).trim().to_owned(), "")
        }
        _ => {
            look(Finding::Notice, "nats-server", "not found; it is only needed for --nats", "install it to use --nats")
        }
    }
}
