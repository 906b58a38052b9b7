//! Whom a fault hits: named in the plan, and found when the fault begins.

use super::Plan;
use crate::world::random::{Domain, Random};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whom a fault hits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The world as a whole.
    World,
    /// The machine of this number in the plan.
    Machine(usize),
    /// Every machine.
    All,
    /// One half of the machines.
    Half,
    /// As many machines as are just not the half.
    Minority,
    /// The machines of this rack.
    Rack(String),
    /// One machine of this rack.
    AnyOfRack(String),
    /// The machines of this site.
    Site(String),
    /// The machine that has this slot of this job at that moment. Without a job, the one that the triggering event is
    /// about.
    Owner {
        /// The job.
        job: Option<String>,
        /// The slot; without one, the lowest slot that has a place.
        slot: Option<u32>,
    },
    /// One machine of this site.
    AnyOfSite(String),
    /// The machines of every other site: the sites are apart, and the control plane is in this one.
    Beyond(String),
}

impl Target {
    /// The machines that are meant, where that is known before the fault begins: it is not for owners.
    pub fn machines(&self, plan: &Plan, random: Random, id: u64) -> Option<Vec<usize>> {
        let count = plan.machines.len();
        let of = |belongs: &dyn Fn(usize) -> bool| (0..count).filter(|machine| belongs(*machine)).collect::<Vec<_>>();
        let in_rack = |rack: &String| of(&|machine| plan.machines[machine].spec.rack == *rack);
        Some(match self {
            Self::World => Vec::new(),
            Self::Machine(machine) => of(&|other| other == *machine),
            Self::All => of(&|_| true),
            Self::Half => some(random, id, of(&|_| true), count.div_ceil(2)),
            Self::Minority => some(random, id, of(&|_| true), count.saturating_sub(1) / 2),
            Self::Rack(rack) => in_rack(rack),
            Self::AnyOfRack(rack) => some(random, id, in_rack(rack), 1),
            Self::Site(site) => of(&|machine| plan.machines[machine].spec.site == *site),
            Self::AnyOfSite(site) => some(random, id, of(&|machine| plan.machines[machine].spec.site == *site), 1),
            Self::Beyond(site) => of(&|machine| plan.machines[machine].spec.site != *site),
            Self::Owner { .. } => return None,
        })
    }

    /// Why nobody is meant by it in this plan, if nobody is.
    pub(crate) fn missing_in(&self, plan: &Plan) -> Option<String> {
        let count = plan.machines.len();
        let machines = || plan.machines.iter();
        match self {
            Self::Machine(number) if *number >= count => {
                Some(format!("there is no machine {number}; the plan has {count}, counted from 0"))
            }
            Self::Rack(name) | Self::AnyOfRack(name) if !machines().any(|machine| machine.spec.rack == *name) => {
                Some(format!("no machine is in the rack {name:?}"))
            }
            Self::Site(name) | Self::AnyOfSite(name) | Self::Beyond(name)
                if !machines().any(|machine| machine.spec.site == *name) =>
            {
                Some(format!("no machine is in the site {name:?}"))
            }
            _ => None,
        }
    }
}

/// So many of the machines, in an order of chance.
fn some(random: Random, id: u64, mut machines: Vec<usize>, count: usize) -> Vec<usize> {
    machines.sort_by_key(|machine| random.word(Domain::Target, &[id, *machine as u64]));
    machines.truncate(count);
    machines
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => write!(out, "world"),
            Self::Machine(machine) => write!(out, "m{machine}"),
            Self::All => write!(out, "all"),
            Self::Half => write!(out, "half"),
            Self::Minority => write!(out, "minority"),
            Self::Rack(rack) => write!(out, "rack {rack}"),
            Self::AnyOfRack(rack) => write!(out, "any of rack {rack}"),
            Self::Site(site) => write!(out, "site {site}"),
            Self::AnyOfSite(site) => write!(out, "any of site {site}"),
            Self::Beyond(site) => write!(out, "beyond site {site}"),
            Self::Owner { job: None, .. } => write!(out, "owner"),
            Self::Owner { job: Some(job), slot: None } => write!(out, "owner of {job}"),
            Self::Owner { job: Some(job), slot: Some(slot) } => write!(out, "owner of {job}/{slot}"),
        }
    }
}
