//! The rules that everyone knows, fragmentation as FGD measures it, and ours.

use super::packing::{Policy, fits, without};
use super::trace::{Amounts, Instance, RESOURCES};
use std::collections::BTreeMap;

/// All of a resource of a node.
const ONE: i64 = 1 << 20;
/// Parts of one instance.
const PARTS: i64 = 64;

/// A well-known rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The first node.
    FirstFit,
    /// The node with the least left.
    BestFit,
    /// The node with the most left.
    WorstFit,
    /// The node whose rest points the most in the direction of what is asked.
    DotProduct,
    /// Any node.
    Random,
}

/// One of them, at work. Every resource weighs as what it is of the node.
#[derive(Clone, Debug)]
pub struct Simple {
    rule: Rule,
    shape: Amounts,
    state: u64,
}

/// What asks are like, and how often they come.
#[derive(Clone, Debug)]
pub struct Mix {
    kinds: Vec<(Amounts, i64)>,
    shape: Amounts,
}

/// As FGD: the node whose rest becomes the least useless to what is typical.
#[derive(Clone, Debug)]
pub struct Fragments(pub Mix);

/// Ours: the node that loses the least room for what is typical, measured by how many of each kind still fit.
#[derive(Clone, Debug)]
pub struct Room(pub Mix);

impl Simple {
    /// For nodes of this shape.
    pub const fn new(rule: Rule, shape: &Amounts) -> Self {
        Self { rule, shape: *shape, state: 42 }
    }
}

/// Each resource as a part of the node.
fn parts(amounts: &Amounts, shape: &Amounts) -> Amounts {
    std::array::from_fn(|at| if shape[at] == 0 { 0 } else { amounts[at] * ONE / shape[at] })
}

impl Policy for Simple {
    const STEADY: bool = true;

    fn loss(&mut self, left: &Amounts, asks: &Amounts) -> i64 {
        let (left, asks) = (parts(left, &self.shape), parts(asks, &self.shape));
        match self.rule {
            Rule::FirstFit => 0,
            Rule::BestFit => left.iter().sum(),
            Rule::WorstFit => -left.iter().sum::<i64>(),
            Rule::DotProduct => -left.iter().zip(&asks).map(|(left, asks)| left * asks / ONE).sum::<i64>(),
            Rule::Random => crate::fgd::replay::draw(&mut self.state, ONE as usize).unwrap_or(0) as i64,
        }
    }
}

impl Mix {
    /// The mix of these instances on nodes of this shape.
    pub fn of(instances: &[&Instance], shape: &Amounts) -> Self {
        let mut counts: BTreeMap<Amounts, i64> = BTreeMap::new();
        for instance in instances {
            *counts.entry(instance.asks).or_default() += 1;
        }
        Self { kinds: counts.into_iter().collect(), shape: *shape }
    }

    /// The most a kind takes of any resource of a node.
    fn size(&self, asks: &Amounts) -> i64 {
        parts(asks, &self.shape).into_iter().max().unwrap_or(0)
    }
}

impl Policy for Fragments {
    fn loss(&mut self, left: &Amounts, asks: &Amounts) -> i64 {
        let fragment = |left: &Amounts| -> i64 {
            let idle: i64 = parts(left, &self.0.shape).iter().sum();
            let useless = self.0.kinds.iter().filter(|(kind, _)| !fits(left, kind));
            useless.map(|(_, count)| count * idle / ONE.isqrt()).sum()
        };
        fragment(&without(left, asks)) - fragment(left)
    }
}

impl Policy for Room {
    fn loss(&mut self, left: &Amounts, asks: &Amounts) -> i64 {
        self.room(left) - self.room(&without(left, asks))
    }
}

impl Room {
    /// How many of each kind still fit, weighed by how often they come and how large they are.
    fn room(&self, left: &Amounts) -> i64 {
        self.0.kinds.iter().map(|(kind, count)| count * (self.0.size(kind) / ONE.isqrt()) * times(left, kind)).sum()
    }
}

/// How many of a kind fit, in parts of one: cut to whole ones, what is left would count for nothing until it is enough.
fn times(left: &Amounts, kind: &Amounts) -> i64 {
    (0..RESOURCES).filter(|at| kind[*at] > 0).map(|at| left[at] * PARTS / kind[at]).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::trace::Role;
    use super::*;

    const SHAPE: Amounts = [1_000, 0, 100, 1_000, 1_000];

    fn instance(asks: Amounts) -> Instance {
        Instance { role: Role::Plain, application: 0, asks, limit: usize::MAX }
    }

    #[test]
    fn every_rule_prefers_the_node_it_is_named_for() {
        let (tight, wide, asks) = ([200, 0, 20, 900, 200], [900, 0, 90, 900, 900], [100, 0, 10, 100, 100]);
        let better =
            |rule| Simple::new(rule, &SHAPE).loss(&tight, &asks) < Simple::new(rule, &SHAPE).loss(&wide, &asks);
        assert!(better(Rule::BestFit) && !better(Rule::WorstFit) && !better(Rule::DotProduct));
        assert_eq!(Simple::new(Rule::FirstFit, &SHAPE).loss(&tight, &asks), 0, "for the first of all");
    }

    #[test]
    fn room_is_kept_for_what_is_typical() {
        let (cores, disk) = (instance([500, 0, 1, 10, 10]), instance([10, 0, 1, 10, 500]));
        let mix = Mix::of(&[&cores, &cores, &disk], &SHAPE);
        let (for_cores, spent) = ([600, 0, 50, 500, 400], [300, 0, 50, 500, 400]);
        let asks = [150, 0, 1, 10, 10];
        let mut room = Room(mix.clone());
        assert!(
            room.loss(&spent, &asks) < room.loss(&for_cores, &[150, 0, 1, 10, 300]),
            "disk that others need is spared"
        );
        let mut fragments = Fragments(mix);
        assert!(fragments.loss(&for_cores, &asks) > fragments.loss(&spent, &asks), "one more kind would no longer fit");
    }
}
