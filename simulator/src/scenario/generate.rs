//! From a scenario and a seed to a plan. Pure: the same two always make the same plan.

use super::{Action, Doing, Going, Range, Scenario, Special, Whom};
use crate::plan::trouble::{self, Aim, Given};
use crate::plan::{Fault, MachinePlan, Operation, Pace, Plan, Target, Trigger, When};
use crate::world::clock::{Clock, EPOCH_US};
use crate::world::random::{Domain, Random};
use messages::node::NodeSpec;
use messages::policy::{Quota, Request};

/// One seed in so many has every turn taken again at the end.
const RETAKE_EVERY: u64 = 8;

/// The plan that a seed makes of a scenario.
pub fn plan(scenario: &Scenario, seed: u64) -> Plan {
    let draws = Draws { random: Random::new(seed) };
    let machines = draws.machines(scenario);
    let count = machines.len();
    let operations = scenario.operations.iter().zip(0..);
    let faults =
        scenario.faults.iter().zip(0..).filter(|(_, row)| !scenario.swarm || draws.pick(&[9, *row], 0, 1) == 1);
    let settled_at = scenario.heal + scenario.settle;
    let mut plan = Plan {
        scenario: scenario.name.clone(),
        seed,
        realm: scenario.manifests.values().next().map_or_else(|| "sim".into(), |manifest| manifest.realm.clone()),
        machines,
        clock: draws.clock(scenario, 0xc0),
        pace: draws.pace(),
        operations: operations.flat_map(|(doing, row)| draws.operations(scenario, doing, row, count)).collect(),
        faults: faults.flat_map(|(going, row)| draws.faults(scenario, going, row, count)).collect(),
        rekeys: Vec::new(),
        heal_at: scenario.heal,
        core: if scenario.core { draws.core(count) } else { Vec::new() },
        settled_at,
        quiet_for: scenario.quiet,
        end_at: settled_at + scenario.quiet,
        segment_bytes: 1 << draws.pick(&[13], 12, 22),
        snapshot_every: [0, 40, 200][usize::try_from(draws.pick(&[14], 0, 2)).unwrap_or(0)],
        retake: seed.is_multiple_of(RETAKE_EVERY),
    };
    plan.operations.sort_by_key(|operation| operation.at);
    plan.faults.sort_by_key(|fault| fault.when.earliest());
    plan.faults.iter_mut().zip(0..).for_each(|(fault, id)| fault.id = id);
    plan
}

struct Draws {
    random: Random,
}

impl Draws {
    fn pick(&self, key: &[u64], low: u64, high: u64) -> u64 {
        self.random.between(Domain::Plan, key, low, high)
    }

    fn range(&self, key: &[u64], range: Range) -> u64 {
        self.pick(key, range.low, range.high)
    }

    fn clock(&self, scenario: &Scenario, who: u64) -> Clock {
        let ppm = scenario.drift_ppm;
        let drift = i64::try_from(self.pick(&[1, who], 0, ppm * 2)).unwrap_or(0);
        let offset_us = EPOCH_US + self.pick(&[2, who], 0, 3_600_000_000);
        Clock { offset_us, drift_ppm: drift - i64::try_from(ppm).unwrap_or(0) }
    }

    fn pace(&self) -> Pace {
        let slow = self.pick(&[3], 0, 3);
        Pace {
            inside_us: (20, 200 << slow),
            network_us: (200, 2_000 << slow),
            sync_us: (100, 2_000 << self.pick(&[4], 0, 4)),
            proxy_us: (1_000, 50_000),
        }
    }

    fn machines(&self, scenario: &Scenario) -> Vec<MachinePlan> {
        let count = self.range(&[5], scenario.machines);
        let usual = Special { capacity: scenario.capacity.clone(), ..Special::default() };
        let kind = |index: u64| {
            let mut before = 0;
            let mut kinds = scenario.special.iter();
            let found = kinds.find(|kind| {
                before += kind.machines;
                index < before
            });
            found.unwrap_or(&usual).clone()
        };
        let machine = |index: u64| MachinePlan {
            spec: NodeSpec {
                name: format!("m{index}"),
                host: format!("10.0.0.{}", index + 1),
                rack: rack(index % scenario.racks.max(1)),
                site: site(index % scenario.racks.max(1) % scenario.sites.max(1), scenario),
                region: "region".into(),
                capacity: kind(index).capacity,
                gpu_model: kind(index).gpu_model,
                taints: kind(index).taints,
                ..NodeSpec::default()
            },
            clock: self.clock(scenario, index),
            joins_at: self.range(&[6, index], scenario.joins),
        };
        (0..count).map(machine).collect()
    }

    /// The machines that are healed: half of them at least, and not all where there are two or more.
    fn core(&self, machines: usize) -> Vec<usize> {
        let most = (machines as u64).saturating_sub(1);
        let count = self.pick(&[15], (machines as u64).div_ceil(2).min(most), most).max(1);
        let mut order: Vec<usize> = (0..machines).collect();
        order.sort_by_key(|machine| self.random.word(Domain::Plan, &[16, *machine as u64]));
        order.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        order.sort_unstable();
        order
    }

    fn operations(&self, scenario: &Scenario, doing: &Doing, row: u64, machines: usize) -> Vec<Operation> {
        let times = self.range(&[7, row], doing.times);
        let mut next = 0;
        let mut all = Vec::new();
        for time in 0..times {
            let at = match doing.every {
                Some(every) if time > 0 => next + self.range(&[17, row, time], every),
                _ => self.range(&[8, row, time], doing.at),
            };
            next = at;
            let Some(mut request) = self.request(scenario, &doing.action, [row, time], machines) else { continue };
            let ends = doing.lasts.map(|lasts| at.saturating_add(self.range(&[18, row, time], lasts).max(1)));
            let stops = ends.map(|ends| (ends, as_new(&mut request, row, time)));
            let operation =
                |at: u64, request: Request| Operation { at, client: doing.client, request, refused: doing.refused };
            all.push(operation(at, request));
            if let Some((ends, jobs)) = stops {
                all.extend(jobs.into_iter().map(|job| operation(ends, Request::Stop { job })));
            }
        }
        all
    }

    fn request(&self, scenario: &Scenario, action: &Action, key: [u64; 2], machines: usize) -> Option<Request> {
        let key = [10, key[0], key[1]];
        let node = |range: &Range| {
            let most = (machines as u64).saturating_sub(1);
            format!("m{}", self.pick(&key, range.low.min(most), range.high.min(most)))
        };
        Some(match action {
            Action::Apply(names) => {
                let index = self.pick(&key, 0, (names.len() as u64).checked_sub(1)?);
                let name = names.get(usize::try_from(index).ok()?)?;
                Request::Apply { manifest: scenario.manifests.get(name)?.clone() }
            }
            Action::Scale(job, range) => {
                let instances = u32::try_from(self.range(&key, *range)).unwrap_or(u32::MAX);
                Request::Scale { job: job.clone(), instances }
            }
            Action::Restart(job) => Request::Restart { job: job.clone(), slot: None },
            Action::Stop(job) => Request::Stop { job: job.clone() },
            Action::Cordon(range) => Request::Cordon { node: node(range) },
            Action::Uncordon(range) => Request::Uncordon { node: node(range) },
            Action::Drain(range) => Request::Drain { node: node(range) },
            Action::Promote(job) => Request::Promote { job: job.clone(), revision: 0 },
            Action::Hold(job) => Request::Hold { job: job.clone(), revision: 0 },
            Action::Resume(job) => Request::Resume { job: job.clone(), revision: 0 },
            Action::Abort(job) => Request::Abort { job: job.clone(), revision: 0 },
            Action::Policy(name, mode) => {
                Request::SetPolicy { text: scenario.policies.get(name)?.clone(), mode: *mode }
            }
            Action::Quota(instances) => {
                let quota = instances.map(|count| Quota { instances: Some(count), ..Quota::default() });
                Request::SetQuota { quota }
            }
        })
    }

    fn faults(&self, scenario: &Scenario, going: &Going, row: u64, machines: usize) -> Vec<Fault> {
        let times = self.range(&[11, row], going.times);
        let make = |time: u64| {
            let key = |what: u64| [12, row, time, what];
            let at = self.range(&key(0), going.at);
            let lasts = self.range(&key(1), going.lasts);
            let given = Given {
                per_mille: self.range(&key(3), going.per_mille),
                extra_us: self.range(&key(4), going.extra),
                lasts,
                choice: self.random.word(Domain::Plan, &key(5)),
                random: self.random,
                key: [row, time],
            };
            let kind = trouble::kind(&going.what)?;
            let target = match &going.target {
                Some(whom) => self.whom(whom, &key, scenario, machines)?,
                None => self.usual(kind.aim, &key, scenario, machines)?,
            };
            let when = match &going.on {
                None => When::At(at),
                Some(on) => When::On(Trigger {
                    pattern: on.pattern.clone(),
                    nth: self.range(&key(7), on.nth),
                    after: self.range(&key(8), on.after),
                    from: at,
                }),
            };
            let fault = Fault { id: 0, when, lasts, target, trouble: (kind.make)(&given) };
            (at < scenario.heal).then_some(fault)
        };
        (0..times).filter_map(make).collect()
    }

    fn machine(&self, key: &impl Fn(u64) -> [u64; 4], range: Range, machines: usize) -> Option<usize> {
        let most = (machines as u64).checked_sub(1)?;
        usize::try_from(self.pick(&key(2), range.low.min(most), range.high.min(most))).ok()
    }

    /// Whom a kind of fault hits, if the scenario says nothing.
    fn usual(&self, aim: Aim, key: &impl Fn(u64) -> [u64; 4], scenario: &Scenario, machines: usize) -> Option<Target> {
        Some(match aim {
            Aim::World | Aim::Either => Target::World,
            Aim::Machines => Target::Machine(self.machine(key, Range::new(0, u64::MAX), machines)?),
            Aim::Rack => Target::Rack(rack(self.pick(&key(2), 0, scenario.racks.max(1) - 1))),
            Aim::Site => Target::Site(site(self.pick(&key(2), 0, scenario.sites.max(1) - 1), scenario)),
            Aim::Half => Target::Half,
            Aim::All => Target::All,
        })
    }

    fn whom(
        &self,
        whom: &Whom,
        key: &impl Fn(u64) -> [u64; 4],
        scenario: &Scenario,
        machines: usize,
    ) -> Option<Target> {
        let of = |range: &Range| site(self.range(&key(2), *range), scenario);
        Some(match whom {
            Whom::Machine(range) => Target::Machine(self.machine(key, *range, machines)?),
            Whom::Rack(range) => Target::Rack(rack(self.range(&key(2), *range))),
            Whom::AnyOfRack(range) => Target::AnyOfRack(rack(self.range(&key(2), *range))),
            Whom::Site(range) => Target::Site(of(range)),
            Whom::AnyOfSite(range) => Target::AnyOfSite(of(range)),
            Whom::Beyond(range) => Target::Beyond(of(range)),
            Whom::Named(target) => target.clone(),
        })
    }
}

/// Gives the jobs of a manifest names of their own, and returns them. What goes by another's name still means the old.
fn as_new(request: &mut Request, row: u64, time: u64) -> Vec<String> {
    let Request::Apply { manifest } = request else { return Vec::new() };
    let jobs = std::mem::take(&mut manifest.jobs);
    for (name, mut job) in jobs {
        let name = format!("{name}-{row}-{time}");
        job.name.clone_from(&name);
        manifest.jobs.insert(name, job);
    }
    manifest.jobs.keys().cloned().collect()
}

/// The name of a site. Where there is one only, it needs no number.
fn site(number: u64, scenario: &Scenario) -> String {
    if scenario.sites <= 1 { "site".into() } else { format!("site-{number}") }
}

/// The name of a rack.
fn rack(number: u64) -> String {
    format!("rack-{number}")
}
