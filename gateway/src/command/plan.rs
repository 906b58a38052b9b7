//! `plan`: what manifests would come to, for people.

use super::apply::read_manifest;
use super::client::Client;
use super::explain::candidates;
use super::fault::Fault;
use super::show::{Show, table};
use messages::api::{EXIT_DONE, EXIT_REFUSED, Left, Plan, PlannedPlacement, PlannedStop};
use messages::reason::Reason;
use messages::resources::{Dimension, Resources};
use std::path::PathBuf;

/// So many nodes are listed; `--json` has all.
const NODES_SHOWN_MAX: usize = 20;

/// `orrery plan`. It would be done: done. Some of it would be refused: refused.
pub(super) async fn plan(client: &Client, show: Show, files: &[PathBuf], verbose: bool) -> Result<u8, Fault> {
    let manifests = files.iter().map(|file| {
        let mut manifest = read_manifest(file)?;
        manifest.build.clear();
        Ok(manifest)
    });
    let manifests: Vec<_> = manifests.collect::<Result<_, Fault>>()?;
    let plan: Plan = client.ask(&["v1", "plan"], manifests).await?;
    show.answer(&plan, |plan| text(plan, verbose));
    let refused = plan.commands.iter().any(|command| command.refusal.is_some());
    Ok(if refused { EXIT_REFUSED } else { EXIT_DONE })
}

fn text(plan: &Plan, verbose: bool) -> String {
    let mut text = format!("plan {}\n", plan.id);
    commands(plan, &mut text);
    instances(plan, &mut text);
    if verbose {
        plan.placements.iter().for_each(|placement| text.push_str(&weighed(placement)));
    }
    let rows = plan.waiting.iter().map(|one| {
        let change = one.change.clone().unwrap_or_default();
        vec![format!("{}/{}", one.job, one.slot), one.reason.to_string(), one.message.clone(), change]
    });
    part(&mut text, &["WAITS", "REASON", "WHY", "CHANGE"], rows.collect());
    let rows = plan.rollouts.iter().map(|one| {
        let (from, steps) = (format!("{} to {}", one.from, one.to), one.steps.to_string());
        vec![one.job.clone(), from, steps, one.ends.clone(), one.evidence.clone().unwrap_or_default()]
    });
    part(&mut text, &["ROLLOUT", "REVISION", "STEPS", "ENDS", "EVIDENCE"], rows.collect());
    let rows = plan.fragile.iter().map(|one| vec![one.job.clone(), one.what.clone(), one.message.clone()]);
    part(&mut text, &["FRAGILE", "WHAT", "WHY"], rows.collect());
    left(&plan.left, &mut text);
    let rest = plan.rest_ms.map_or("not at rest within an hour".to_owned(), |rest| {
        format!("at rest after {}.{} s", rest / 1_000, rest % 1_000 / 100)
    });
    text.push_str(&format!("\n{rest}, if {}\n", plan.assumed.join(", and ")));
    text
}

fn part(text: &mut String, heading: &[&str], rows: Vec<Vec<String>>) {
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(heading, &rows));
    }
}

fn commands(plan: &Plan, text: &mut String) {
    let changes = plan.commands.iter().flat_map(|command| &command.changes);
    part(text, &["WHAT", "HOW"], changes.map(|change| vec![change.what.clone(), change.how.clone()]).collect());
    for command in &plan.commands {
        if let Some(refusal) = &command.refusal {
            text.push_str(&format!(
                "\nrealm {} would refuse it: {} ({})\n",
                command.realm, refusal.message, refusal.reason
            ));
            refusal.nearest.iter().for_each(|nearest| text.push_str(&format!("  nearest: {nearest}\n")));
            refusal.change.iter().for_each(|change| text.push_str(&format!("  change: {change}\n")));
        } else if !command.verdict.is_empty() {
            text.push_str(&format!("\nthe policy of realm {}: {}\n", command.realm, command.verdict));
        }
    }
}

fn instances(plan: &Plan, text: &mut String) {
    let rows = plan.placements.iter().map(|one| {
        let revision = match one.instead_of {
            Some(old) => format!("{} for {old}", one.revision),
            None => one.revision.to_string(),
        };
        let best = one.decision.as_ref().and_then(|decision| decision.candidates.first());
        let score = best.map_or(String::new(), |best| best.score.to_string());
        let when = if one.at_once { "at once" } else { "later" }.to_owned();
        vec![format!("{}/{}", one.job, one.slot), revision, one.node.clone(), when, one.reason.to_string(), score]
    });
    part(text, &["COMES", "REVISION", "NODE", "DECIDED", "REASON", "SCORE"], rows.collect());
    let rows = plan.moves.iter().map(|one| {
        vec![format!("{}/{}", one.job, one.slot), one.revision.to_string(), one.from.clone(), one.to.clone()]
    });
    part(text, &["MOVES", "REVISION", "FROM", "TO"], rows.collect());
    part(text, &["GOES", "REVISION", "NODE", "REASON"], plan.stops.iter().map(gone).collect());
    part(text, &["EVICTED", "REVISION", "NODE", "REASON"], plan.evictions.iter().map(gone).collect());
}

fn gone(one: &PlannedStop) -> Vec<String> {
    let reason = one.reason.map_or("", Reason::code).to_owned();
    vec![format!("{}/{}", one.job, one.slot), one.revision.to_string(), one.node.clone(), reason]
}

fn weighed(placement: &PlannedPlacement) -> String {
    let Some(decision) = &placement.decision else { return String::new() };
    let policy = decision.policy.as_ref().map_or(String::new(), |policy| format!("allowed by policy {policy}\n"));
    format!("\n{}/{}\n{}{policy}", placement.job, placement.slot, candidates(&decision.candidates))
}

/// What would be left, in the dimensions that the nodes have.
fn left(left: &Left, text: &mut String) {
    let shown: Vec<Dimension<'_>> = left.capacity.dimensions().filter(|of| left.capacity.get(*of) > 0).collect();
    let row = |name: String, free: &Resources, capacity: &Resources| {
        let cells = shown.iter().map(|of| format!("{} of {}", of.amount(free.get(*of)), of.amount(capacity.get(*of))));
        std::iter::once(name).chain(cells).collect::<Vec<String>>()
    };
    let mut rows = vec![row("all that take work".into(), &left.free, &left.capacity)];
    for node in left.nodes.iter().take(NODES_SHOWN_MAX) {
        let name = if node.open { node.node.clone() } else { format!("{} (closed)", node.node) };
        rows.push(row(name, &node.free, &node.capacity));
    }
    if left.nodes.len() > NODES_SHOWN_MAX {
        rows.push(vec![format!("and {} more", left.nodes.len() - NODES_SHOWN_MAX)]);
    }
    let names: Vec<String> = shown.iter().map(|of| of.name().to_uppercase()).collect();
    let heading: Vec<&str> = std::iter::once("LEFT").chain(names.iter().map(String::as_str)).collect();
    part(text, &heading, rows);
}
