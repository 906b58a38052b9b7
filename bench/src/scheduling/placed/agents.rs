//! The agents of made-up nodes: the real reconciler, and workloads that run as soon as they are told to.

use actors::agent::reconciler::Reconciler;
use actors::agent::{Input, Inventory, Output, Verdict, WorkloadEvent};
use gateway::host::Site;
use messages::agent::Ended;
use messages::id::NodeId;
use messages::node::{LeaseTerms, NodeSpec};
use messages::reason::Reason;
use messages::resources::Resources;
use messages::time::Timestamp;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Nodes of a rack.
const RACK: usize = 40;

/// What a node of this number is.
pub fn spec(number: usize) -> NodeSpec {
    NodeSpec {
        name: format!("n{number:05}"),
        host: "127.0.0.1".into(),
        rack: format!("r{}", number / RACK),
        site: "local".into(),
        capacity: Resources { cpu_milli: 32_000, memory_bytes: 128 << 30, ports: 1_000, ..Resources::default() },
        ..NodeSpec::default()
    }
}

/// Runs the agent of a node for as long as the site lives.
pub async fn run(site: Site, spec: NodeSpec) {
    let (begun, name) = (Instant::now(), spec.name.clone());
    let now = || Timestamp(1 + begun.elapsed().as_micros() as u64);
    let mut orders = site.listen(NodeId::named(&name));
    let mut agent = Reconciler::new(spec, Uuid::new_v4(), Inventory::default(), LeaseTerms::STANDARD, now());
    loop {
        while let Some(output) = agent.poll() {
            for event in done(&site, &name, output) {
                agent.handle(Input::Workload(event), now());
            }
        }
        let due = agent.deadline().map_or(u64::MAX, |due| due.0).saturating_sub(now().0).min(1_000_000);
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => agent.handle(Input::Order(order), now()),
                None => return,
            },
            () = tokio::time::sleep(Duration::from_micros(due)) => agent.handle(Input::Tick, now()),
        }
    }
}

/// Does what the agent wants, and says what comes of it.
fn done(site: &Site, name: &str, output: Output) -> Vec<WorkloadEvent> {
    match output {
        Output::Say(message) => site.hear(name, message),
        Output::Beat(beat) => site.hear_beat(name, beat),
        Output::Start(assignment) => {
            let instance = assignment.instance;
            let started = WorkloadEvent::Started { instance, pid: 1, ports: Vec::new() };
            return vec![started, WorkloadEvent::Health { instance, verdict: Verdict::Healthy }];
        }
        Output::Stop { instance, .. } => {
            let ended = Ended::new(Reason::Stopped, "it stopped as it was asked to");
            return vec![WorkloadEvent::Ended { instance, ended }];
        }
        Output::Forget(_) | Output::RenewLease { .. } => {}
    }
    Vec::new()
}
