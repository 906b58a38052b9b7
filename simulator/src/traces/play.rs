//! Plays a trace: its jobs come and go in a world as they did, in less time, while whatever a scenario says goes wrong.

use super::{Arrival, Shape, Trace};
use crate::plan::{MachinePlan, Operation, Plan, Target};
use messages::manifest::{JobSpec, Manifest, Place, Workload};
use messages::node::NodeSpec;
use messages::policy::Request;
use messages::time::Span;
use std::collections::BTreeMap;

/// The realm of everything in a trace.
const REALM: &str = "trace";
/// When the first job comes, in microseconds.
const FIRST_US: u64 = 3_000_000;
/// So many machines make a rack, where a trace does not say.
const RACK: usize = 40;

/// How a trace is played.
#[derive(Clone, Debug)]
pub struct Play {
    /// Into so much time of the world it is pressed, in microseconds.
    pub within_us: u64,
    /// No more jobs than this, the first of the trace.
    pub jobs_max: usize,
    /// The machines, where the trace names none.
    pub machines: Vec<Shape>,
}

/// The plan in which the trace is played. What goes wrong, the clocks and the pace are those of `base`.
pub fn plan(trace: &Trace, play: &Play, base: &Plan) -> Plan {
    let arrivals = &trace.arrivals[..trace.arrivals.len().min(play.jobs_max)];
    let shapes = if trace.machines.is_empty() { &play.machines } else { &trace.machines };
    let mut operations: Vec<Operation> = Vec::new();
    let clock = Clock::of(arrivals, play.within_us);
    // Each job is asked for by somebody of its own, who asks again while there is no room, and keeps nobody waiting.
    for (arrival, client) in arrivals.iter().zip(0..) {
        operations.extend(clock.operations(arrival, client));
    }
    operations.sort_by_key(|operation| operation.at);
    let heal_at = base.heal_at.max(FIRST_US + play.within_us + 1);
    let settled_at = heal_at + base.settled_at.saturating_sub(base.heal_at);
    let mut plan = Plan {
        scenario: base.scenario.clone(),
        realm: REALM.into(),
        machines: shapes.iter().enumerate().map(|(index, shape)| machine(index, shape, base)).collect(),
        operations,
        // What has no place waits, and says why.
        core: (0..shapes.len()).collect(),
        heal_at,
        settled_at,
        end_at: settled_at + base.quiet_for,
        ..base.clone()
    };
    plan.faults.retain(|fault| fault.target.missing_in(base).is_none());
    for fault in &mut plan.faults {
        if let Target::Machine(number) = &mut fault.target {
            *number %= shapes.len().max(1);
        }
    }
    let faults = std::mem::take(&mut plan.faults);
    plan.faults = faults.into_iter().filter(|fault| fault.target.missing_in(&plan).is_none()).collect();
    plan
}

fn machine(index: usize, shape: &Shape, base: &Plan) -> MachinePlan {
    let like = base.machines.get(index % base.machines.len().max(1));
    let tags = shape.gpu.iter().map(|model| ("gpu".to_owned(), model.clone())).collect::<BTreeMap<_, _>>();
    let most = shape.capacity.clone();
    MachinePlan {
        spec: NodeSpec {
            name: shape.name.clone(),
            host: format!("10.{}.{}.{}", index / 65_536 % 256, index / 256 % 256, index % 256),
            rack: format!("rack-{}", index / RACK),
            site: "site".into(),
            region: "region".into(),
            tags,
            capacity: messages::resources::Resources { network_bits: 1_000_000_000, ports: 1_000, ..most },
            gpu_model: String::new(),
            taints: BTreeMap::new(),
        },
        clock: like.map_or(base.clock, |like| like.clock),
        joins_at: like.map_or(0, |like| like.joins_at),
    }
}

/// From seconds of a trace to microseconds of a world.
struct Clock {
    first: u64,
    span: u64,
    within_us: u64,
}

impl Clock {
    fn of(arrivals: &[Arrival], within_us: u64) -> Self {
        let first = arrivals.first().map_or(0, |arrival| arrival.at);
        let last = arrivals.last().map_or(0, |arrival| arrival.at);
        Self { first, span: last.saturating_sub(first).max(1), within_us }
    }

    fn at(&self, seconds: u64) -> u64 {
        let since = u128::from(seconds.saturating_sub(self.first)) * u128::from(self.within_us) / u128::from(self.span);
        FIRST_US.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// An arrival comes, and its instances end one after the other. What ends after the trace has ended runs on.
    fn operations(&self, arrival: &Arrival, client: u32) -> Vec<Operation> {
        let operation = |at: u64, request: Request| Operation { at, client, request, refused: false };
        let job = JobSpec {
            realm: REALM.into(),
            name: arrival.name.clone(),
            workload: Workload {
                run: vec!["./job".into()],
                resources: arrival.needs.clone(),
                stop_grace: Span::seconds(1),
                ..Workload::default()
            },
            instances: arrival.instances,
            place: Place { require: arrival.require.iter().cloned().collect(), ..Place::default() },
            ..JobSpec::default()
        };
        let jobs = BTreeMap::from([(arrival.name.clone(), job)]);
        let manifest = Manifest { realm: REALM.into(), jobs, ..Manifest::default() };
        let begun = self.at(arrival.at);
        let mut all = vec![operation(begun, Request::Apply { manifest })];
        let mut left = arrival.instances;
        for group in arrival.ends.chunk_by(|one, other| self.at(*one) == self.at(*other)) {
            let at = group.first().map_or(begun, |end| self.at(*end).max(begun + 1));
            left = left.saturating_sub(u32::try_from(group.len()).unwrap_or(u32::MAX));
            if at > FIRST_US + self.within_us {
                break;
            }
            let name = arrival.name.clone();
            let request =
                if left == 0 { Request::Stop { job: name } } else { Request::Scale { job: name, instances: left } };
            all.push(operation(at, request));
        }
        all
    }
}
