//! What the host is asked to do, and what is seen of it: nodes join, jobs are declared all at once, and then instances
//! are asked for one by one. An instance counts as placed when its node's acceptance can be read from the log.

use super::agents;
use actors::fold::Fold;
use gateway::api::OPERATOR;
use gateway::host::Site;
use messages::entry::Entry;
use messages::envelope::Principal;
use messages::manifest::{JobSpec, Manifest, Workload};
use messages::node::Event;
use messages::policy::Request;
use messages::resources::Resources;
use serde_json::json;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Realms that the jobs are dealt to, each with a policy of its own.
const REALMS: usize = 8;
/// Jobs of one manifest.
const MANIFEST_JOBS: usize = 25;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// No part of it may take longer.
const WITHIN: Duration = Duration::from_secs(300);

/// How much there is to do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub nodes: usize,
    pub jobs: usize,
    pub instances: usize,
    pub rate: usize,
    pub seconds: usize,
}

static LOAD: OnceLock<Load> = OnceLock::new();

/// Says how much there is to do, once for this process.
pub fn set(load: Load) {
    let _first = LOAD.set(load);
}

/// Loads the site, prints what was measured as JSON, and has the process end.
pub async fn run(site: Site) -> Result<(), u8> {
    match loaded(&site).await {
        Ok(()) => Err(0),
        Err(what) => {
            eprintln!("bench: {what}");
            Err(1)
        }
    }
}

async fn loaded(site: &Site) -> Result<(), String> {
    let load = *LOAD.get().ok_or("nobody said how much there is to do")?;
    for number in 0..load.nodes {
        tokio::spawn(agents::run(site.clone(), agents::spec(number)));
    }
    until(site, "nodes have joined", load.nodes, |fold| fold.nodes().filter(|(_, node)| node.up()).count()).await?;
    let begun = Instant::now();
    declare(site, load).await?;
    let all = load.jobs * load.instances;
    until(site, "instances are placed", all, claims).await?;
    let rate = all as f64 / begun.elapsed().as_secs_f64();
    until(site, "instances run", all, running).await?;
    let mut waits = arrivals(site, load).await?;
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| waits.get((waits.len() as f64 * share) as usize).copied();
    println!("{}", json!({ "rate": rate, "p50": at(0.5), "p99": at(0.99) }));
    Ok(())
}

/// Waits until the fold counts so many, or more where another node counts too.
async fn until(site: &Site, what: &str, all: usize, count: impl Fn(&Fold) -> usize) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let counted = site.read(&count);
        if counted >= all {
            return Ok(());
        }
        if begun.elapsed() > WITHIN {
            return Err(format!("{counted} of {all} {what} after {} s", WITHIN.as_secs()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn claims(fold: &Fold) -> usize {
    fold.nodes().map(|(_, node)| node.claims().count()).sum()
}

fn running(fold: &Fold) -> usize {
    let claims = fold.nodes().flat_map(|(_, node)| node.claims());
    claims.filter(|claim| claim.observation().is_some()).count()
}

fn realm(job: usize) -> String {
    format!("bench-{}", job % REALMS)
}

fn name(job: usize) -> String {
    format!("job-{job}")
}

/// Declares all jobs, in manifests that are submitted all at once.
async fn declare(site: &Site, load: Load) -> Result<(), String> {
    let mut answers = JoinSet::new();
    for of in 0..REALMS {
        let jobs: Vec<usize> = (of..load.jobs).step_by(REALMS).collect();
        for some in jobs.chunks(MANIFEST_JOBS) {
            let jobs = some.iter().map(|job| (name(*job), job_spec(*job, load.instances))).collect();
            let manifest = Manifest { realm: realm(of), jobs, ..Manifest::default() };
            answers.spawn(submit(site.clone(), realm(of), Request::Apply { manifest }));
        }
    }
    all_well(answers).await
}

/// Waits for every answer, the first bad one of which is told.
async fn all_well(mut answers: JoinSet<Result<(), String>>) -> Result<(), String> {
    while let Some(answer) = answers.join_next().await {
        answer.map_err(|error| error.to_string())??;
    }
    Ok(())
}

fn job_spec(job: usize, instances: usize) -> JobSpec {
    let resources = Resources { cpu_milli: 250, memory_bytes: 256 << 20, ..Resources::default() };
    let workload = Workload { run: vec!["./serve".into()], resources, ..Workload::default() };
    JobSpec { realm: realm(job), name: name(job), workload, instances: instances as u32, ..JobSpec::default() }
}

async fn submit(site: Site, realm: String, request: Request) -> Result<(), String> {
    let principal = Principal { name: OPERATOR.into(), groups: vec!["operators".into()] };
    let answered = site.submit(Uuid::now_v7(), principal, realm, request).await;
    answered.map(|_| ()).map_err(|error| error.to_string())
}

/// Asks for instances one by one, evenly in time, and says how long each took from then until it was placed, in
/// milliseconds.
async fn arrivals(site: &Site, load: Load) -> Result<Vec<f64>, String> {
    let all = load.rate * load.seconds;
    let mut entries = site.follow();
    let begun = Instant::now();
    let asks: Vec<(usize, usize)> = (0..all).map(|at| (at % load.jobs, load.instances + at / load.jobs)).collect();
    let labels = asks.iter().map(|(job, slot)| (realm(*job), format!("{}/{slot}", name(*job)))).zip(0..);
    let mut waiting: HashMap<(String, String), usize> = labels.collect();
    let due = move |at: usize| begun + Duration::from_secs_f64(at as f64 / load.rate as f64);
    let asking = tokio::spawn(ask(site.clone(), asks, due));
    let mut waits = Vec::with_capacity(all);
    while !waiting.is_empty() {
        let heard = tokio::time::timeout(WITHIN, entries.recv()).await;
        let entry = match heard.map_err(|_| format!("{} instances were never placed", waiting.len()))? {
            Ok(entry) => entry,
            Err(RecvError::Lagged(missed)) => return Err(format!("{missed} entries were missed by who measures")),
            Err(RecvError::Closed) => return Err("the host has stopped".into()),
        };
        let Entry::Node(record) = &entry.1 else { continue };
        for event in &record.events {
            let Event::Claimed { claim, .. } = event else { continue };
            if let Some(at) = waiting.remove(&(claim.realm.clone(), claim.label.clone())) {
                waits.push(due(at).elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    asking.await.map_err(|error| error.to_string())??;
    Ok(waits)
}

async fn ask(site: Site, asks: Vec<(usize, usize)>, due: impl Fn(usize) -> Instant) -> Result<(), String> {
    let mut answers = JoinSet::new();
    for (at, (job, slot)) in asks.into_iter().enumerate() {
        tokio::time::sleep_until(due(at).into()).await;
        let request = Request::Scale { job: name(job), instances: slot as u32 + 1 };
        answers.spawn(submit(site.clone(), realm(job), request));
        while let Some(answer) = answers.try_join_next() {
            answer.map_err(|error| error.to_string())??;
        }
    }
    all_well(answers).await
}
