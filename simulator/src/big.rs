//! Big worlds: thousands of machines in racks and sites, and a stream of starts, made from a few numbers.
//!
//! The product knows no job that completes, so a batch job is one whose program ends by itself after a while: its job
//! starts the next run in its slot at once. Services are restarted, scaled and lose machines on top of that.

use crate::plan::trouble::{bus, control, machine};
use crate::plan::{Fault, MachinePlan, Operation, Pace, Plan, Target, Trouble, When};
use crate::world::clock::{Clock, EPOCH_US};
use crate::world::random::{Domain, Random};
use messages::manifest::{JobSpec, Manifest, Workload};
use messages::node::NodeSpec;
use messages::policy::Request;
use messages::resources::Resources;
use messages::time::Span;

/// The realm of all jobs.
const REALM: &str = "sim";
/// A second in microseconds.
const SECOND: u64 = 1_000_000;
/// What a machine has, and of which part of it a small instance needs one.
const CPU_MILLI: u64 = 64_000;
const MEMORY_BYTES: u64 = 256 << 30;
const SMALL: u64 = 400;
/// How many jobs one manifest declares.
const JOBS_PER_MANIFEST: u32 = 50;

/// How big, and how busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Big {
    /// How many machines.
    pub machines: u32,
    /// How many machines a rack has.
    pub rack: u32,
    /// How many racks a site has.
    pub site: u32,
    /// Within how many seconds all machines join.
    pub joins: u64,
    /// How many batch jobs there are.
    pub jobs: u32,
    /// How many instances each has.
    pub instances: u32,
    /// Whether they stay and are small, four hundred to a machine.
    pub stays: bool,
    /// The shortest and the longest run of an instance, in seconds; each job has its own.
    pub lasts: (u64, u64),
    /// How many seconds are simulated.
    pub seconds: u64,
    /// How many machines lose power, are cut off, or have their agent killed or paused.
    pub faults: u32,
    /// How often the control plane is killed, and how often the whole bus loses messages.
    pub disasters: u32,
}

impl Big {
    /// Machines that have nothing to do but beat.
    pub const fn idle(machines: u32, seconds: u64) -> Self {
        Self {
            machines,
            rack: 40,
            site: 50,
            joins: 20,
            jobs: 0,
            instances: 0,
            stays: false,
            lasts: (1, 1),
            seconds,
            faults: 0,
            disasters: 0,
        }
    }

    /// Machines with about one instance each, whose runs last so long.
    pub const fn busy(machines: u32, seconds: u64, lasts: (u64, u64)) -> Self {
        Self { jobs: machines / 8, instances: 8, lasts, ..Self::idle(machines, seconds) }
    }

    /// Machines with 328 small instances each that are declared all at once, and stay: with 6,100 machines the two million
    /// of the C2M challenge (HashiCorp, 2020).
    pub const fn packed(machines: u32, seconds: u64) -> Self {
        let (all, instances) = (machines * 328, 1_000);
        Self { jobs: all.div_ceil(instances), instances, stays: true, ..Self::idle(machines, seconds) }
    }

    /// With faults: so many of single machines, and so many that everyone feels.
    pub const fn troubled(self, faults: u32, disasters: u32) -> Self {
        Self { faults, disasters, ..self }
    }

    /// The plan of such a world.
    pub fn plan(&self, seed: u64) -> Plan {
        let draws = Draws { random: Random::new(seed) };
        let end_at = self.seconds * SECOND;
        let quiet_for = 0;
        Plan {
            scenario: format!("big-{}", self.machines),
            seed,
            realm: REALM.into(),
            machines: (0..self.machines).map(|number| self.machine(number, &draws)).collect(),
            clock: Clock { offset_us: EPOCH_US, drift_ppm: 0 },
            pace: Pace {
                inside_us: (20, 200),
                network_us: (200, 2_000),
                sync_us: (100, 2_000),
                proxy_us: (1_000, 50_000),
            },
            rekeys: Vec::new(),
            operations: self.operations(&draws),
            faults: self.faults(&draws),
            heal_at: end_at,
            core: Vec::new(),
            settled_at: end_at + SECOND,
            quiet_for,
            end_at,
            segment_bytes: 64 << 20,
            // A snapshot costs as much as there are machines, and so may what comes between two.
            snapshot_every: 100_000.max(u64::from(self.machines) * 20),
            retake: false,
        }
    }

    fn machine(&self, number: u32, draws: &Draws) -> MachinePlan {
        let rack = number / self.rack.max(1);
        let drift_ppm = i64::try_from(draws.pick(&[1, u64::from(number)], 0, 100)).unwrap_or(0) - 50;
        MachinePlan {
            spec: NodeSpec {
                name: format!("m{number:06}"),
                host: format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255),
                rack: format!("rack-{rack}"),
                site: format!("site-{}", rack / self.site.max(1)),
                region: "region".into(),
                capacity: Resources {
                    cpu_milli: CPU_MILLI,
                    memory_bytes: MEMORY_BYTES,
                    ports: 1_000,
                    ..Resources::default()
                },
                ..NodeSpec::default()
            },
            clock: Clock { offset_us: EPOCH_US, drift_ppm },
            joins_at: draws.pick(&[2, u64::from(number)], 0, self.joins * SECOND),
        }
    }

    fn operations(&self, draws: &Draws) -> Vec<Operation> {
        let manifests = (0..self.jobs).step_by(JOBS_PER_MANIFEST as usize).map(|first| {
            let jobs = first..self.jobs.min(first + JOBS_PER_MANIFEST);
            let jobs = jobs.map(|number| (format!("batch-{number}"), self.job(number, draws))).collect();
            Manifest { realm: REALM.into(), jobs, ..Manifest::default() }
        });
        let apply = |manifest| Request::Apply { manifest };
        let at = (self.joins + 5) * SECOND;
        manifests.map(|manifest| Operation { at, client: 0, request: apply(manifest), refused: false }).collect()
    }

    fn job(&self, number: u32, draws: &Draws) -> JobSpec {
        let mut run = vec!["./batch".into(), "--start=200ms".into()];
        let mut resources =
            Resources { cpu_milli: CPU_MILLI / SMALL, memory_bytes: MEMORY_BYTES / SMALL, ..Resources::default() };
        if !self.stays {
            let lasts = draws.pick(&[3, u64::from(number)], self.lasts.0, self.lasts.1);
            run.push(format!("--exit-after={lasts}s"));
            resources.cpu_milli = 500 << draws.pick(&[4, u64::from(number)], 0, 4);
            resources.memory_bytes = (1 << 30) << draws.pick(&[5, u64::from(number)], 0, 3);
        }
        let workload = Workload { run, resources, stop_grace: Span::seconds(5), ..Workload::default() };
        let (realm, name) = (REALM.into(), format!("batch-{number}"));
        JobSpec { realm, name, workload, instances: self.instances, ..JobSpec::default() }
    }

    fn faults(&self, draws: &Draws) -> Vec<Fault> {
        let (first, last) = ((self.joins + 10) * SECOND, self.seconds * SECOND * 9 / 10);
        let at = |id: u64| When::At(draws.pick(&[6, id], first, last.max(first)));
        let machines = u64::from(self.machines).saturating_sub(1);
        let single = (0..u64::from(self.faults)).map(|id| {
            let target = usize::try_from(draws.pick(&[7, id], 0, machines)).unwrap_or(0);
            let (trouble, longest) = match draws.pick(&[8, id], 0, 4) {
                0 => (Trouble::Machine(machine::Machine::Crash), 300),
                1 => (Trouble::Machine(machine::Machine::AgentCrash), 20),
                2 => (Trouble::Machine(machine::Machine::AgentPause), 20),
                3 => (Trouble::Bus(bus::Bus::Partition { to_machine: false, from_machine: false }), 60),
                _ => (Trouble::Machine(machine::Machine::WorkloadDies { choice: id }), 1),
            };
            let lasts = draws.pick(&[9, id], SECOND / 10, longest * SECOND);
            Fault { id, when: at(id), lasts, target: Target::Machine(target), trouble }
        });
        let wide = (0..u64::from(self.disasters)).map(|number| {
            let id = u64::from(self.faults) + number;
            let trouble = match number % 2 {
                0 => Trouble::Control(control::Control::Crash),
                _ => Trouble::Bus(bus::Bus::Loss { per_mille: 100 }),
            };
            let lasts = draws.pick(&[9, id], SECOND / 10, 2 * SECOND);
            Fault { id, when: at(id), lasts, target: Target::World, trouble }
        });
        single.chain(wide).collect()
    }
}

struct Draws {
    random: Random,
}

impl Draws {
    fn pick(&self, key: &[u64], low: u64, high: u64) -> u64 {
        self.random.between(Domain::Plan, key, low, high)
    }
}
