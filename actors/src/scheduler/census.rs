//! Counters of who is where: for each job, how many instances it has in each domain. Derived from the nodes.
//!
//! Domains and jobs have numbers, so that counting compares numbers and not names. Numbers are given in the order in
//! which names come up, and say nothing: no answer may depend on them.

use super::described::Described;
use super::nodes::NodeState;
use messages::id::JobId;
use messages::manifest::Level;
use std::collections::BTreeMap;

/// A place at one level, as a number: the level in the upper two bits, so that domains of a level lie side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain(u32);

const INDEX_BITS: u32 = 30;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;

impl Domain {
    /// A domain of a level in which there is nothing: that of a node of which nothing is known but its neighbours.
    const fn none(level: Level) -> Self {
        Self((level as u32) << INDEX_BITS | INDEX_MASK)
    }

    const fn index(self) -> usize {
        (self.0 & INDEX_MASK) as usize
    }
}

/// Where a node is, at every level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot([Domain; 4]);

impl Spot {
    /// The domain of a level.
    pub const fn at(&self, level: Level) -> Domain {
        self.0[level as usize]
    }

    /// The same, but for domains that are not among these, which are sorted: there is nothing that counts there.
    pub(super) fn only(mut self, domains: &[Domain]) -> Self {
        for (level, domain) in Level::ALL.into_iter().zip(&mut self.0) {
            if domains.binary_search(domain).is_err() {
                *domain = Domain::none(level);
            }
        }
        self
    }

    /// Some node of the same rack, site and region on which there is nothing that counts.
    pub(super) const fn of_stranger(mut self) -> Self {
        self.0[Level::Node as usize] = Domain::none(Level::Node);
        self
    }
}

/// The numbers of domains, and the nodes of each name.
#[derive(Clone, Debug, Default)]
pub(super) struct Domains {
    numbers: [BTreeMap<Box<str>, Domain>; 4],
    /// Nodes by their names' numbers. As good as always there is one of each.
    named: Vec<Named>,
}

#[derive(Clone, Debug, Default)]
enum Named {
    #[default]
    Nobody,
    One(u32),
    Some(Vec<u32>),
}

impl Domains {
    /// The domain of this name, with a new number if it has none.
    fn number(&mut self, level: Level, name: &str) -> Domain {
        let numbers = &mut self.numbers[level as usize];
        if let Some(number) = numbers.get(name) {
            return *number;
        }
        let index = u32::try_from(numbers.len()).unwrap_or(INDEX_MASK);
        assert!(index < INDEX_MASK, "there are never so many domains");
        let number = Domain((level as u32) << INDEX_BITS | index);
        numbers.insert(name.into(), number);
        if level == Level::Node {
            self.named.push(Named::Nobody);
        }
        number
    }

    /// Where a node of this description is.
    pub(super) fn spot(&mut self, it: &Described) -> Spot {
        Spot(Level::ALL.map(|level| self.number(level, &it.domain(level))))
    }

    /// A node takes this place, or leaves it.
    pub(super) fn settle(&mut self, spot: Spot, slot: u32, comes: bool) {
        let Some(named) = self.named.get_mut(spot.at(Level::Node).index()) else { return };
        let mut slots = match std::mem::take(named) {
            Named::Nobody => Vec::new(),
            Named::One(slot) => vec![slot],
            Named::Some(slots) => slots,
        };
        slots.retain(|other| *other != slot);
        if comes {
            slots.push(slot);
        }
        *named = match slots.as_slice() {
            [] => Named::Nobody,
            [one] => Named::One(*one),
            _ => Named::Some(slots),
        };
    }

    /// The nodes of this name.
    pub(super) fn nodes(&self, domain: Domain) -> &[u32] {
        match self.named.get(domain.index()) {
            Some(Named::One(slot)) => std::slice::from_ref(slot),
            Some(Named::Some(slots)) => slots,
            Some(Named::Nobody) | None => &[],
        }
    }

    /// The names of all domains, by their numbers.
    #[cfg(test)]
    fn names(&self) -> BTreeMap<Domain, (usize, &str)> {
        let levels = self.numbers.iter().enumerate();
        levels.flat_map(|(level, all)| all.iter().map(move |(name, number)| (*number, (level, &**name)))).collect()
    }
}

/// How many instances of each job there are: in each domain, and in all.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    numbers: BTreeMap<JobId, u32>,
    jobs: Vec<Counts>,
    /// Numbers of jobs that are gone.
    free: Vec<u32>,
}

/// How many instances of a job there are: in each domain that has any, in order, and in all.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    domains: Vec<(Domain, u32)>,
    pub(super) total: u32,
}

impl Counts {
    pub(super) fn of(&self, domain: Domain) -> u32 {
        self.domains.binary_search_by_key(&domain, |(other, _)| *other).map_or(0, |at| self.domains[at].1)
    }

    /// The domains that have any, in order.
    pub(super) fn domains(&self) -> impl Iterator<Item = Domain> {
        self.domains.iter().map(|(domain, _)| *domain)
    }

    /// The nodes' names that have any.
    pub(super) fn at_nodes(&self) -> impl Iterator<Item = Domain> {
        let domains = self.domains.iter().map(|(domain, _)| *domain);
        domains.take_while(|domain| domain.0 >> INDEX_BITS == Level::Node as u32)
    }

    pub(super) fn change(&mut self, spot: Spot, add: bool) {
        self.total = if add { self.total + 1 } else { self.total.saturating_sub(1) };
        for domain in spot.0 {
            match self.domains.binary_search_by_key(&domain, |(other, _)| *other) {
                Ok(at) if add => self.domains[at].1 += 1,
                Ok(at) if self.domains[at].1 > 1 => self.domains[at].1 -= 1,
                Ok(at) => _ = self.domains.remove(at),
                Err(at) if add => self.domains.insert(at, (domain, 1)),
                Err(_) => {}
            }
        }
    }
}

impl Census {
    /// The number by which a job is counted, if there is any instance of it.
    pub(super) fn number(&self, job: JobId) -> Option<u32> {
        self.numbers.get(&job).copied()
    }

    /// What is counted of the job of this number.
    pub(super) fn counts(&self, number: u32) -> Option<&Counts> {
        self.jobs.get(number as usize)
    }

    /// How many instances of a job there are.
    pub(super) fn total(&self, job: JobId) -> u32 {
        self.number(job).and_then(|number| self.counts(number)).map_or(0, |counts| counts.total)
    }

    /// Counts an instance of a job on a node in, or out.
    pub(super) fn count(&mut self, job: JobId, node: &NodeState, add: bool) {
        let number = match self.numbers.get(&job) {
            Some(number) => *number,
            None if !add => return,
            None => {
                let number = self.free.pop().unwrap_or_else(|| {
                    self.jobs.push(Counts::default());
                    u32::try_from(self.jobs.len() - 1).unwrap_or(u32::MAX)
                });
                self.numbers.insert(job, number);
                number
            }
        };
        let Some(counts) = self.jobs.get_mut(number as usize) else { return };
        counts.change(node.spot(), add);
        if counts.total == 0 {
            *counts = Counts::default();
            self.numbers.remove(&job);
            self.free.push(number);
        }
    }

    /// All that is counted, by names, so that it can be compared with what is counted anew.
    #[cfg(test)]
    pub(super) fn in_words(&self, domains: &Domains) -> BTreeMap<(JobId, usize, String), u32> {
        let names = domains.names();
        let of = |(job, number): (&JobId, &u32)| {
            let (job, counts) = (*job, self.jobs[*number as usize].clone());
            let all = (job, usize::MAX, String::new());
            let each = counts.domains.into_iter().map(|(domain, count)| {
                let (level, name) = names[&domain];
                ((job, level, name.to_string()), count)
            });
            each.chain([(all, counts.total)]).collect::<Vec<_>>()
        };
        self.numbers.iter().flat_map(of).collect()
    }
}
