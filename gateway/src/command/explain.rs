//! `why`, `why-not` and `trace`, for people.

use super::client::Client;
use super::fault::Fault;
use super::show::{Show, table};
use messages::api::{CauseEntry, EXIT_DONE, EXIT_REFUSED, Trace, Why, WhyNot};
use messages::reason::Reason;
use messages::scheduler::{Candidate, Decision};

/// A label with the realm that was named, if one was.
pub(super) fn in_realm(client: &Client, named: &str, parts: usize) -> String {
    match client.realm_named() {
        Some(realm) if named.split('/').count() == parts => format!("{realm}/{named}"),
        _ => named.to_owned(),
    }
}

/// The instance as the API wants it.
pub(super) fn instance_in_realm(client: &Client, instance: &str) -> String {
    in_realm(client, instance, 2)
}

/// `orrery why`
pub(super) async fn why(client: &Client, show: Show, instance: &str, at: Option<String>) -> Result<(), Fault> {
    let instance = instance_in_realm(client, instance);
    let why: Why = client.get(&["v1", "why", &instance], &[("at", at)]).await?;
    show.answer(&why, why_text);
    Ok(())
}

fn why_text(why: &Why) -> String {
    let mut text = format!("{}\n", why.summary);
    if let Some(decision) = &why.decision {
        text.push_str(&decision_text(decision));
    }
    let row = |event: &messages::api::LifeEvent| {
        let reason = event.reason.map_or("", Reason::code).to_owned();
        vec![event.at.to_string(), event.position.to_string(), event.what.clone(), reason]
    };
    let rows: Vec<Vec<String>> = why.life.iter().map(row).collect();
    text.push_str(&format!("\n{}", table(&["TIME", "POSITION", "LIFE", "REASON"], &rows)));
    if !why.causes.is_empty() {
        text.push_str(&format!("\nBecause of\n{}", causes(&why.causes)));
    }
    text
}

fn decision_text(decision: &Decision) -> String {
    let mut text = String::new();
    if !decision.candidates.is_empty() {
        text.push_str(&format!("\n{}", candidates(&decision.candidates)));
    }
    if !decision.struck_out.is_empty() {
        let row =
            |(reason, count, name): &(Reason, u32, String)| vec![reason.to_string(), count.to_string(), name.clone()];
        let rows: Vec<Vec<String>> = decision.struck_out.iter().map(row).collect();
        text.push_str(&format!("\n{}", table(&["STRUCK OUT", "NODES", "FOR EXAMPLE"], &rows)));
    }
    if let Some(policy) = &decision.policy {
        text.push_str(&format!("\nallowed by policy {policy}\n"));
    }
    text
}

/// What was weighed, as a table.
pub(super) fn candidates(candidates: &[Candidate]) -> String {
    let row = |candidate: &Candidate| {
        let terms = candidate.terms.iter().map(|term| format!("{} {}x{}", term.name, term.value, term.weight));
        vec![candidate.name.clone(), candidate.score.to_string(), terms.collect::<Vec<_>>().join(", ")]
    };
    let rows: Vec<Vec<String>> = candidates.iter().map(row).collect();
    table(&["CANDIDATE", "SCORE", "TERMS"], &rows)
}

/// `orrery why-not`. It fits: done. It does not: refused.
pub(super) async fn why_not(
    client: &Client,
    show: Show,
    job: &str,
    node: &str,
    at: Option<String>,
) -> Result<u8, Fault> {
    let job = in_realm(client, job, 1);
    let answer: WhyNot = client.get(&["v1", "why-not", &job, node], &[("at", at)]).await?;
    show.answer(&answer, |answer| {
        let mut text = format!("{}\n", answer.summary);
        for against in &answer.against {
            text.push_str(&format!("  {}: {}\n", against.reason, against.message));
            against.change.iter().for_each(|change| text.push_str(&format!("  change: {change}\n")));
        }
        if !answer.scores.is_empty() {
            text.push_str(&format!("\n{}", candidates(&answer.scores)));
        }
        text
    });
    Ok(if answer.fits { EXIT_DONE } else { EXIT_REFUSED })
}

/// `orrery trace`
pub(super) async fn trace(client: &Client, show: Show, id: &str, at: Option<String>) -> Result<(), Fault> {
    let trace: Trace = client.get(&["v1", "trace", id], &[("at", at)]).await?;
    show.answer(&trace, |trace| causes(&trace.entries));
    Ok(())
}

fn causes(entries: &[CauseEntry]) -> String {
    let line = |cause: &CauseEntry| {
        let indent = "  ".repeat(cause.depth.min(20) as usize);
        format!("{}  {:>6}  {indent}{}\n", cause.entry.at, cause.entry.position, cause.summary)
    };
    entries.iter().map(line).collect()
}
