//! `sim trace`: a trace of a real cluster as a plan, in which its jobs come and go and its machines are there.

use super::arguments::{SimTrace, TraceKind};
use crate::command::fault::Fault;
use crate::command::machine::amount;
use crate::command::show::{Show, table};
use messages::api::EXIT_DONE;
use messages::quantity;
use messages::resources::Resources;
use serde::Serialize;
use simulator::plan::Plan;
use simulator::repro::{Expect, Origin, Repro, VERSION};
use simulator::text::TextFault;
use simulator::traces::azure::Texts;
use simulator::traces::{Play, Shape, Skipped, Trace, azure, openb, plan};
use std::path::{Path, PathBuf};

/// A longer file is no trace, in bytes.
const TRACE_BYTES_MAX: u64 = 1 << 30;
/// The scenario whose clocks and pace are used when none is named; its faults are not.
const CALM: &str = "steady";

/// What became of a trace, for programs.
#[derive(Debug, Serialize)]
struct Traced {
    plan: PathBuf,
    plan_hash: String,
    rows: u64,
    /// Jobs that come, of how many in the trace.
    jobs: usize,
    of: usize,
    instances: u64,
    machines: usize,
    commands: usize,
    faults: usize,
    /// What all jobs need that come, and what the machines have.
    needs: Resources,
    capacity: Resources,
    skipped: Vec<Skipped>,
    left_out: Vec<String>,
}

/// `orrery sim trace`
pub(super) fn trace(show: Show, asked: &SimTrace) -> Result<u8, Fault> {
    let within_us = quantity::span(&asked.within).map_err(|error| Fault::Misuse(format!("--within: {error}")))?.0;
    let trace = read(asked)?;
    if trace.arrivals.is_empty() {
        let first = trace.skipped.first().map_or_else(|| "there are no rows".into(), |one| one.first.to_string());
        return Err(Fault::Misuse(format!("no row of {} makes sense: {first}", asked.file.display())));
    }
    let play = Play { within_us, jobs_max: asked.jobs, machines: machines(asked)? };
    let played = plan(&trace, &play, &base(asked)?);
    let traced = summed(asked, &trace, &play, &played);
    let from = Origin { scenario: played.scenario.clone(), seed: played.seed, by: "trace".into() };
    let about = format!("The first {} jobs of {}.", traced.jobs, asked.file.display());
    let repro = Repro { version: VERSION, about, from: Some(from), expect: Expect::Pass, planted: None, plan: played };
    super::write(&asked.out, &repro.text())?;
    show.answer(&traced, told);
    Ok(EXIT_DONE)
}

fn read(asked: &SimTrace) -> Result<Trace, Fault> {
    let misuse = |fault: TextFault| Fault::Misuse(fault.to_string());
    let (name, text) = file(&asked.file)?;
    match asked.kind {
        TraceKind::Openb => {
            let nodes = asked.nodes.as_deref().map(file).transpose()?;
            let nodes = nodes.as_ref().map(|(name, text)| (text.as_str(), name.as_str()));
            openb::read((&text, &name), nodes).map_err(misuse)
        }
        TraceKind::Azure => {
            let beside = |given: &Option<PathBuf>, usual: &str| match given {
                Some(path) => file(path),
                None => file(&asked.file.with_file_name(usual)),
            };
            let sizes = beside(&asked.sizes, "flav_map.txt")?;
            let lifetimes = match &asked.lifetimes {
                Some(lives) => Some((file(lives)?, beside(&asked.bins, "v1.interval_map.txt")?)),
                None => None,
            };
            let pair = |(name, text): &'_ (String, String)| -> (String, String) { (text.clone(), name.clone()) };
            let (sizes, lifetimes) = (pair(&sizes), lifetimes.map(|(lives, bins)| (pair(&lives), pair(&bins))));
            let lifetimes = lifetimes.as_ref();
            azure::read(&Texts {
                arrivals: (&text, &name),
                sizes: (&sizes.0, &sizes.1),
                lifetimes: lifetimes.map(|(lives, bins)| ((&*lives.0, &*lives.1), (&*bins.0, &*bins.1))),
            })
            .map_err(misuse)
        }
    }
}

/// A file's name and text.
fn file(path: &Path) -> Result<(String, String), Fault> {
    let name = path.display().to_string();
    let text = super::text_of(&name, TRACE_BYTES_MAX)?;
    Ok((name, text))
}

/// The machines where the trace names none.
fn machines(asked: &SimTrace) -> Result<Vec<Shape>, Fault> {
    let cpu_milli = amount("--cpu", Some(&asked.cpu), quantity::cpu)?.unwrap_or_default();
    let memory_bytes = amount("--memory", Some(&asked.memory), quantity::bytes)?.unwrap_or_default();
    let capacity = Resources { cpu_milli, memory_bytes, ..Resources::default() };
    Ok((0..asked.machines)
        .map(|index| Shape { name: format!("m{index}"), capacity: capacity.clone(), gpu: None })
        .collect())
}

/// The plan of which the clocks, the pace and the faults are taken.
fn base(asked: &SimTrace) -> Result<Plan, Fault> {
    if let Some(scenario) = &asked.scenario {
        return Ok(simulator::plan(&super::load(scenario)?, asked.seed));
    }
    let mut plan = simulator::plan(&super::load(CALM)?, asked.seed);
    plan.faults.clear();
    plan.scenario = "trace".into();
    Ok(plan)
}

fn summed(asked: &SimTrace, trace: &Trace, play: &Play, played: &Plan) -> Traced {
    let jobs = trace.arrivals.len().min(play.jobs_max);
    let all = |sum: Resources, one: &Resources, times: u64| Resources {
        cpu_milli: sum.cpu_milli.saturating_add(one.cpu_milli.saturating_mul(times)),
        memory_bytes: sum.memory_bytes.saturating_add(one.memory_bytes.saturating_mul(times)),
        ..sum
    };
    let arrivals = &trace.arrivals[..jobs];
    let needs = arrivals.iter().fold(Resources::default(), |sum, one| all(sum, &one.needs, one.instances.into()));
    let capacity = played.machines.iter().fold(Resources::default(), |sum, one| all(sum, &one.spec.capacity, 1));
    Traced {
        plan: asked.out.clone(),
        plan_hash: played.hash(),
        rows: trace.rows,
        jobs,
        of: trace.arrivals.len(),
        instances: arrivals.iter().map(|arrival| u64::from(arrival.instances)).sum(),
        machines: played.machines.len(),
        commands: played.operations.len(),
        faults: played.faults.len(),
        needs,
        capacity,
        skipped: trace.skipped.clone(),
        left_out: trace.left_out.clone(),
    }
}

fn told(traced: &Traced) -> String {
    let Traced { rows, jobs, of, instances, machines, commands, faults, needs, capacity, .. } = traced;
    let skipped: u64 = traced.skipped.iter().map(|one| one.rows).sum();
    let mut text = format!(
        "{rows} rows, {skipped} skipped; {jobs} of {of} jobs with {instances} instances, by {commands} commands\n\
         {machines} machines with {} cores and {} GiB for {} cores and {} GiB in all; {faults} faults\n",
        capacity.cpu_milli / 1_000,
        capacity.memory_bytes >> 30,
        needs.cpu_milli / 1_000,
        needs.memory_bytes >> 30
    );
    if !traced.skipped.is_empty() {
        let row = |one: &Skipped| vec![one.rows.to_string(), one.reason.clone(), one.first.to_string()];
        let rows: Vec<_> = traced.skipped.iter().map(row).collect();
        text += &format!("\n{}", table(&["SKIPPED", "BECAUSE", "FIRST"], &rows));
    }
    for left_out in &traced.left_out {
        text += &format!("\n{left_out}\n");
    }
    text + &format!("\nwritten to {}: orrery sim run --plan {0}\n", traced.plan.display())
}
