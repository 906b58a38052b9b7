//! `policy test`: a policy held against what was recorded, by the control plane or from a recorded log.

use super::client::Client;
use super::fault::Fault;
use super::show::{Show, table};
use crate::api::Trial;
use crate::host::Recording;
use actors::backtest::Backtest;
use actors::cast::AnyCell;
use actors::cedar::Policies;
use messages::api;
use messages::api::{Becomes, EXIT_DONE, EXIT_REFUSED, Flip, Flips};
use messages::entry::Entry;
use messages::frame;
use messages::policy::{Message, SYSTEM_REALM};
use messages::quantity;
use messages::time::{Span, Timestamp};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// So many lines of a kind are shown to people; `--json` has all.
const SHOWN_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct PolicyTest {
    /// A file of Cedar policies
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only decisions of this last stretch of time; of a recorded log, back from its last entry
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    pub since: String,
    /// A data directory of `orrery up`, also while it runs, or a file made with `orrery log --export`, instead of the
    /// log of the running control plane
    #[arg(long, value_name = "LOG")]
    pub log: Option<PathBuf>,
}

/// `orrery policy test`. Nothing would come out otherwise: done. Something would: refused.
pub(super) async fn test(client: &Client, show: Show, arguments: PolicyTest) -> Result<u8, Fault> {
    let PolicyTest { file, since, log } = arguments;
    let span = quantity::span(&since).map_err(|error| Fault::Misuse(format!("--since: {error}")))?;
    let text = std::fs::read_to_string(&file)
        .map_err(|error| Fault::Unreachable(format!("cannot read {}: {error}", file.display())))?;
    Policies::admit(&text).map_err(|refusal| Fault::Misuse(format!("{}: {refusal}", file.display())))?;
    let tested: api::Backtest = match log {
        Some(log) => {
            let realm = client.realm_named().map(str::to_owned);
            let reading = tokio::task::spawn_blocking(move || of_log(&log, realm, &text, span));
            reading.await.map_err(|error| Fault::Unreachable(error.to_string()))??
        }
        None => client.test_policy(&Trial { realm: client.realm().await?, text, since: Some(since) }).await?,
    };
    show.answer(&tested, told);
    Ok(if tested.flips.is_empty() { EXIT_DONE } else { EXIT_REFUSED })
}

/// What is known of a recorded log before its decisions are judged.
#[derive(Default)]
struct Known {
    realms: BTreeSet<String>,
    last: Timestamp,
}

fn of_log(log: &Path, realm: Option<String>, text: &str, span: Span) -> Result<api::Backtest, Fault> {
    let known = known(log)?;
    let realm = match realm {
        Some(realm) => realm,
        None => only(&known.realms, log)?,
    };
    let from = Timestamp(known.last.0.saturating_sub(span.0));
    let mut backtest = Backtest::new(&realm, text, from).map_err(|refusal| Fault::Misuse(refusal.to_string()))?;
    let mut recording = Recording::open(log).map_err(Fault::Unreachable)?;
    recording.cells().map_err(Fault::Unreachable)?.into_iter().for_each(|cell| backtest.insert(cell));
    let read = recording.each(|position, bytes| {
        let (_, entries) = frame::decode(bytes).map_err(|error| format!("frame {position}: {error}"))?;
        let mut entries = entries.iter();
        entries.try_for_each(|entry| backtest.take(position, entry)).map_err(|gap| format!("frame {position}: {gap}"))
    });
    read.map_err(Fault::Unreachable)?;
    Ok(backtest.finish())
}

fn known(log: &Path) -> Result<Known, Fault> {
    let mut known = Known::default();
    let mut recording = Recording::open(log).map_err(Fault::Unreachable)?;
    for cell in recording.cells().map_err(Fault::Unreachable)? {
        if let AnyCell::Policy(cell) = cell {
            known.realms.insert(cell.state().realm().to_owned());
        }
    }
    let read = recording.each(|position, bytes| {
        let (_, entries) = frame::decode(bytes).map_err(|error| format!("frame {position}: {error}"))?;
        for entry in &entries {
            known.last = known.last.max(entry.head().at);
            if let Entry::Policy(record) = entry
                && let Message::Submit { realm, .. } | Message::SubmitPlanned { realm, .. } = &record.input
            {
                known.realms.insert(realm.clone());
            }
        }
        Ok(())
    });
    read.map_err(Fault::Unreachable)?;
    known.realms.retain(|realm| !realm.is_empty() && realm != SYSTEM_REALM);
    Ok(known)
}

/// The only realm there is.
fn only(realms: &BTreeSet<String>, log: &Path) -> Result<String, Fault> {
    let names: Vec<&str> = realms.iter().map(String::as_str).collect();
    match names.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Fault::Misuse(format!("{}: nothing was commanded in any realm", log.display()))),
        several => Err(Fault::Misuse(format!("say with --realm which one: {}", several.join(", ")))),
    }
}

fn told(tested: &api::Backtest) -> String {
    let api::Backtest { realm, from, until, position, begins, commands, placements, .. } = tested;
    let of = format!("{commands} commands and {placements} placements of realm {realm}");
    let since = from.max(begins);
    let mut text = format!("{of}, from {since} to {until}, position {position}\n");
    if begins > from {
        text += "the log does not reach back further\n";
    }
    if tested.flips.is_empty() {
        return text + "nothing would come out otherwise\n";
    }
    text += &format!("{} would be forbidden, {} would be allowed\n", tested.to_forbidden, tested.to_allowed);
    for (becomes, heading) in [(Becomes::Forbidden, "FORBIDDEN"), (Becomes::Allowed, "ALLOWED")] {
        let flips: Vec<&Flips> = tested.flips.iter().filter(|flips| flips.becomes == becomes).collect();
        if flips.is_empty() {
            continue;
        }
        let rows = flips.iter().take(SHOWN_MAX).map(|flips| {
            let first = flips.first.first().map_or(String::new(), |first| first.position.to_string());
            vec![flips.what.clone(), flips.action.clone(), flips.count.to_string(), first]
        });
        text.push('\n');
        text += &table(&[heading, "ACTION", "COUNT", "FIRST"], &rows.collect::<Vec<_>>());
        if flips.len() > SHOWN_MAX {
            text += &format!("and {} more\n", flips.len() - SHOWN_MAX);
        }
        flips.iter().take(SHOWN_MAX).flat_map(|flips| &flips.first).for_each(|flip| text += &shown(flip));
    }
    text
}

/// A decision, and how to ask of it.
fn shown(flip: &Flip) -> String {
    let Flip { position, at, principal, instance, node, was, now, instead, ask } = flip;
    let what = match (instance, node) {
        (Some(instance), Some(node)) => format!("{instance} on {node}"),
        _ => format!("by {principal}"),
    };
    let instead = match (instance, instead) {
        (Some(_), Some(other)) => format!("; it would go to {other}"),
        _ => String::new(),
    };
    format!("\n{position}  {at}  {what}\n  was: {was}\n  now: {now}{instead}\n  see: {ask}\n")
}
