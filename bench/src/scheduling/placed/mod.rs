//! Placements from end to end: the real host with its journal on a disk, and the agents of thousands of nodes. How many a
//! second are submitted, decided, claimed and durable, and how long that takes of one when many arrive.
//!
//! The host is a child of its own that ends with the measurement. Agents are the real ones too, but for the processes: what
//! they are told to start counts as running.

mod agents;
mod load;

use crate::ingress::free_port;
use crate::row::{Row, least, most};
use crate::setting::{Fault, Setting, failed};
use gateway::host::{UpOptions, up};
use load::Load;
use messages::node::NodeSpec;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The word by which this program is the host as a child of itself.
pub const CHILD: &str = "child-placed";
/// Nodes.
const NODES: usize = 5_000;
/// Jobs, each of which first has as many instances at once.
const JOBS: usize = 1_000;
const INSTANCES: usize = 20;
/// Instances that arrive in a second afterwards, and for how many seconds.
const RATE: usize = 1_000;
const SECONDS: usize = 10;

/// Measures in a host of its own.
///
/// # Errors
/// When the host does not come up or not all is placed.
pub fn measure(setting: &Setting, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let directory = setting.directory()?;
    let [nodes, jobs, rate] = [(NODES, 500), (JOBS, 100), (RATE, 100)].map(|(all, few)| setting.count(all, few));
    let mut child = Command::new(&setting.program);
    child.arg(CHILD).arg(directory.path()).args([nodes, jobs, rate].map(|number| number.to_string()));
    let output = child.output().map_err(failed("a child cannot start"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let Some(said) = said.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok()) else {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(Fault::Failed(format!("the host ended with {}: {why}", output.status)));
    };
    let number = |name: &str| said[name].as_f64().ok_or_else(|| format!("the host does not say {name}: {said}"));
    let note = format!("{} instances of {jobs} jobs, declared at once, on {nodes} nodes", jobs * INSTANCES);
    rows.push(least("scheduling.placed", number("rate")?, "placements/s", 10e3, 30e3).note(note));
    let note =
        |which: &str| format!("{which} of {} instances of which {rate} are asked for in a second", rate * SECONDS);
    rows.push(Row::new("scheduling.placed.p50", number("p50")?, "ms").note(note("the middle")));
    rows.push(most("scheduling.placed.p99", number("p99")?, "ms", 50.0, 10.0).note(note("99 in 100")));
    Ok(())
}

/// The child: a host with nothing on it, which is loaded, says what was measured, and ends.
///
/// # Errors
/// When the words are no numbers, or it does not come up.
pub fn child(directory: &str, numbers: [&str; 3]) -> Result<(), String> {
    let parsed = numbers.map(|number| number.parse::<usize>().map_err(failed(number)));
    let [nodes, jobs, rate] = parsed;
    load::set(Load { nodes: nodes?, jobs: jobs?, instances: INSTANCES, rate: rate?, seconds: SECONDS });
    let port = || free_port().map(|port| ([127, 0, 0, 1], port).into());
    let options = UpOptions {
        data: Path::new(directory).join("data"),
        nats: None,
        apply: Vec::new(),
        listen_api: port()?,
        listen_ingress: port()?,
        tokens: None,
        // Its own node takes no work: it has no room.
        node: NodeSpec { name: "host".into(), host: "127.0.0.1".into(), site: "local".into(), ..NodeSpec::default() },
        json: true,
        no_build: true,
    };
    match up(options, gateway::api::router, |site, _| Box::pin(load::run(site))) {
        0 => Ok(()),
        code => Err(format!("the host ended with {code}")),
    }
}
