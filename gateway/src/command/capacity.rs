//! `capacity`: how many more instances fit, and what each loss would come to, for people.

use super::apply::read_manifest;
use super::client::Client;
use super::explain::in_realm;
use super::fault::Fault;
use super::show::{Show, table};
use messages::api::{Capacity, JobRoom, LossOf};
use std::path::Path;

/// `orrery capacity`
pub(super) async fn capacity(client: &Client, show: Show, what: Option<&str>, verbose: bool) -> Result<(), Fault> {
    let capacity: Capacity = match what {
        Some(what) if is_file(what) => client.ask(&["v1", "capacity"], vec![read_manifest(Path::new(what))?]).await?,
        what => {
            let job = what.map(|job| in_realm(client, job, 1));
            client.get(&["v1", "capacity"], &[("job", job)]).await?
        }
    };
    show.answer(&capacity, |capacity| text(capacity, verbose));
    Ok(())
}

/// Whether a file is meant: no job has a dot in its name.
fn is_file(what: &str) -> bool {
    what.contains('.') || Path::new(what).is_file()
}

fn text(capacity: &Capacity, verbose: bool) -> String {
    let mut text = String::new();
    if !capacity.jobs.is_empty() {
        let rows: Vec<Vec<String>> = capacity.jobs.iter().map(room).collect();
        text.push_str(&table(&["JOB", "PRESENT", "MORE FIT", "QUOTA", "NO MORE SINCE", "CHANGE"], &rows));
        let more = capacity.jobs.iter().flat_map(|job| {
            job.nodes.iter().map(|(node, count)| vec![job.job.clone(), node.clone(), count.to_string()])
        });
        let more: Vec<Vec<String>> = more.collect();
        if !more.is_empty() {
            text.push_str(&format!("\n{}", table(&["JOB", "NODE", "MORE FIT"], &more)));
        }
        text.push('\n');
    }
    let rows: Vec<Vec<String>> = capacity.losses.iter().map(loss).collect();
    text.push_str(&table(&["LOSS OF", "NAME", "INSTANCES", "PLACED", "STRANDED", "WHY", "CHANGE"], &rows));
    if verbose {
        for loss in capacity.losses.iter().filter(|loss| loss.instances > 0) {
            let placed = loss.placed.iter().map(|(label, node)| vec![label.clone(), format!("to {node}")]);
            let stranded = loss.stranded.iter().map(|one| {
                vec![format!("{}/{}", one.job, one.slot), format!("nowhere: {} ({})", one.message, one.reason)]
            });
            let rows: Vec<Vec<String>> = placed.chain(stranded).collect();
            let heading = format!("WITHOUT {} {}", loss.level, loss.name);
            text.push_str(&format!("\n{}", table(&[&heading, "GOES"], &rows)));
        }
    }
    text
}

fn room(job: &JobRoom) -> Vec<String> {
    let fit = if job.bounded { format!("{} or more", job.fit) } else { job.fit.to_string() };
    let quota = job.quota.map_or("any".to_owned(), |quota| quota.to_string());
    let why = job.reason.map_or(String::new(), |reason| {
        let nearest = job.nearest.as_ref().map_or(String::new(), |nearest| format!(": {nearest}"));
        format!("{reason}{nearest}")
    });
    vec![job.job.clone(), job.present.to_string(), fit, quota, why, job.change.clone().unwrap_or_default()]
}

fn loss(loss: &LossOf) -> Vec<String> {
    let first = loss.stranded.first();
    vec![
        loss.level.clone(),
        loss.name.clone(),
        loss.instances.to_string(),
        loss.placed.len().to_string(),
        loss.stranded.len().to_string(),
        first.map_or(String::new(), |one| format!("{}/{}: {}", one.job, one.slot, one.reason)),
        first.and_then(|one| one.change.clone()).unwrap_or_default(),
    ]
}
