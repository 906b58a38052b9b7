//! `status` and the lists of nodes, routes and rollouts, as tables.

use super::client::Client;
use super::fault::Fault;
use super::show::{Show, table};
use crate::clock;
use crate::views::status::code;
use messages::api::{JobStatus, NodeStatus, RolloutStatus, RouteStatus, Status};
use messages::reason::Reason;
use messages::time::Timestamp;

/// The longest evidence in a table.
const EVIDENCE_CHARS_MAX: usize = 120;

/// `orrery status`
pub(super) async fn status(client: &Client, show: Show, job: Option<String>, at: Option<String>) -> Result<(), Fault> {
    let job = match (job, client.realm_named()) {
        (Some(job), Some(realm)) if !job.contains('/') => Some(format!("{realm}/{job}")),
        (job, _) => job,
    };
    let one = job.is_some();
    let status: Status = client.get(&["v1", "status"], &[("at", at), ("job", job.clone())]).await?;
    if let Some(job) = job.filter(|_| status.jobs.is_empty()) {
        let message = format!("there is no job {job}");
        return Err(Fault::refused(Reason::NotFound, message, "see all there are with `orrery status`"));
    }
    show.answer(&status, |status| if one { one_job(status) } else { everything(status) });
    Ok(())
}

/// Everything there is, as tables.
pub(super) fn everything(status: &Status) -> String {
    let mut text = jobs(&status.jobs);
    let mut part = |there: bool, part: String| {
        if there {
            text.push('\n');
            text.push_str(&part);
        }
    };
    part(!status.nodes.is_empty(), nodes(&status.nodes));
    part(!status.routes.is_empty(), routes(&status.routes));
    part(!status.rollouts.is_empty(), rollouts(&status.rollouts));
    text
}

fn one_job(status: &Status) -> String {
    let mut text = jobs(&status.jobs);
    for job in &status.jobs {
        text.push('\n');
        text.push_str(&instances(job));
    }
    if !status.rollouts.is_empty() {
        text.push('\n');
        text.push_str(&rollouts(&status.rollouts));
    }
    text
}

fn jobs(jobs: &[JobStatus]) -> String {
    let row = |job: &JobStatus| {
        vec![
            format!("{}/{}", job.realm, job.name),
            job.state.to_string(),
            format!("{}/{}", job.healthy, job.desired),
            job.revision.to_string(),
            code(job.reason).to_owned(),
            job.detail.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = jobs.iter().map(row).collect();
    table(&["JOB", "STATE", "HEALTHY", "REVISION", "REASON", "DETAIL"], &rows)
}

fn instances(job: &JobStatus) -> String {
    let row = |instance: &messages::api::InstanceStatus| {
        let ports: Vec<String> = instance.ports.iter().map(|(name, port)| format!("{name}={port}")).collect();
        vec![
            instance.label.clone(),
            instance.state.to_string(),
            ago(instance.since),
            instance.node.clone().unwrap_or_default(),
            instance.revision.to_string(),
            ports.join(","),
            instance.reason.to_string(),
            instance.detail.clone().unwrap_or_default(),
            instance.id.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = job.instances.iter().map(row).collect();
    table(&["INSTANCE", "STATE", "SINCE", "NODE", "REVISION", "PORTS", "REASON", "DETAIL", "ID"], &rows)
}

/// Nodes as a table.
pub(super) fn nodes(nodes: &[NodeStatus]) -> String {
    let row = |node: &NodeStatus| {
        vec![
            node.name.clone(),
            node.state.name().to_owned(),
            ago(node.since),
            format!("{}/{}/{}", node.region, node.site, node.rack),
            node.instances.len().to_string(),
            node.claimed.to_string(),
            node.capacity.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = nodes.iter().map(row).collect();
    table(&["NODE", "STATE", "SINCE", "PLACE", "INSTANCES", "CLAIMED", "CAPACITY"], &rows)
}

/// Routes as a table.
pub(super) fn routes(routes: &[RouteStatus]) -> String {
    let row = |route: &RouteStatus| {
        let weights: Vec<String> =
            route.weights.iter().map(|(revision, weight)| format!("{revision}:{weight}%")).collect();
        let permit = if route.permit.is_empty() { "everyone".to_owned() } else { route.permit.join(",") };
        vec![
            route.name.clone(),
            format!("{}/{}", route.realm, route.to),
            format!("{}/{}", route.healthy, route.endpoints),
            weights.join(" "),
            permit,
        ]
    };
    let rows: Vec<Vec<String>> = routes.iter().map(row).collect();
    table(&["ROUTE", "TO", "SERVING", "WEIGHTS", "PERMIT"], &rows)
}

/// Rollouts as a table.
pub(super) fn rollouts(rollouts: &[RolloutStatus]) -> String {
    let row = |rollout: &RolloutStatus| {
        vec![
            rollout.job.clone(),
            format!("{} to {}", rollout.from, rollout.to),
            rollout.state.to_string(),
            format!("{}/{}", rollout.step, rollout.steps),
            format!("{}%", rollout.weight),
            ago(rollout.since),
            code(rollout.reason).to_owned(),
            shortened(rollout.evidence.as_deref().unwrap_or_default()),
        ]
    };
    let rows: Vec<Vec<String>> = rollouts.iter().map(row).collect();
    table(&["ROLLOUT", "REVISION", "STATE", "STEP", "TRAFFIC", "SINCE", "REASON", "EVIDENCE"], &rows)
}

/// The beginning of a long text; `--json` has all of it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(EVIDENCE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// How long ago, in the unit that reads best.
fn ago(at: Timestamp) -> String {
    let seconds = clock::now().since(at).0 / 1_000_000;
    match seconds {
        _ if at == Timestamp::default() => String::new(),
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}
