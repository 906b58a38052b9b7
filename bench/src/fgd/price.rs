//! Bid prices: what each kind of pod is worth, and from that what the rest of a node is worth.
//!
//! A mix of pods is known. The largest multiple of it that fits the cluster is a linear program over the ways to fill
//! a node; its dual gives every kind of pod a price, and a node the worth of the dearest pods that still fit. Placing a
//! pod makes the node lose worth; the pod goes where the loss is the least. Bid prices are how seats of a network of
//! flights are sold (Talluri and van Ryzin, "An Analysis of Bid-Price Controls for Network Revenue Management", 1998);
//! the program is that of Gilmore and Gomory (1961) for cutting stock.
//!
//! - **Worth of a node.** The cores are priced at `core` each (Lagrange), and then every GPU is a knapsack of its own:
//!   `core * cores + sum over GPUs of knapsack(left, core)`. The least over a grid of core prices bounds the true worth
//!   from above. Pods of several GPUs compete for the free ones in a second small table.
//! - **Prices.** Multiplicative weights: fill every node with the dearest pods; a kind that is filled in more often
//!   than it arrives is too dear and gets cheaper. The mean over the second half of the rounds is kept, well before the
//!   prices are exact: exact duals of such a program are so degenerate that most losses are nought.
//! - Everything is in whole numbers, and equal on every machine.

use super::cluster::{Node, Pod, Taken, WHOLE};
use super::mix::Typical;
use super::replay::Policy;

/// What all pods of the mix are worth together.
const WEALTH: i64 = 1 << 44;
/// Prices of a core that are tried.
const CORES: usize = 28;
/// A GPU is cut into so many parts.
const PARTS: usize = 100;
/// Rounds of price finding.
const ROUNDS: i64 = 300;
/// The first step of a price, in millionths; later ones fall with the root of the round.
const STEP: i64 = 50_000;
/// After so many rounds the step has fallen by the root of two.
const SETTLE: i64 = 50;
/// A price falls as if filled in at most so many times too often.
const GLUT: i64 = 10;
/// Losses are counted in tenths of the mean price, so that like nodes are equal and the smallest rank is filled first.
const GRAIN: i64 = 10;

/// Pods that ask for the same, and their price.
#[derive(Clone, Debug)]
struct Kind {
    pod: Pod,
    parts: usize,
    count: i64,
    wealth: i64,
}

/// The best filling of what is left of a GPU, and of a number of free GPUs, at one price of a core.
#[derive(Clone, Debug)]
struct Fill {
    worth: [i64; PARTS + 1],
    pick: [Pick; PARTS + 1],
    free: [i64; 9],
    several: [Option<usize>; 9],
}

/// What fills the last part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pick {
    Nothing,
    Less,
    Kind(usize),
}

/// The prices of a mix on a cluster.
#[derive(Clone, Debug)]
pub struct Prices {
    kinds: Vec<Kind>,
    /// Cores asked for by pods without a GPU, and what they are worth together.
    plain_cores: i64,
    plain_wealth: i64,
    /// All cores asked for.
    all_cores: i64,
    cores: [i64; CORES],
    fills: Vec<Vec<Fill>>,
    grain: i64,
}

/// A filling of all nodes.
struct Filling {
    worth: i64,
    counts: Vec<i64>,
    plain_cores: i64,
}

impl Prices {
    /// Finds the prices of this mix on these nodes.
    pub fn find(mix: &[Typical], nodes: &[Node]) -> Self {
        let models = nodes.iter().map(|node| node.model as usize + 1).max().unwrap_or(0);
        let mut prices = Self::first(mix, models);
        let states = alike(nodes);
        let mut sums = vec![0; prices.kinds.len() + 1];
        for round in 0..ROUNDS {
            let filling = prices.fill(&states);
            prices.step(&filling, STEP * 1_000 / (1_000_000 * (SETTLE + round) / SETTLE).isqrt());
            if round >= ROUNDS / 2 {
                for (sum, wealth) in sums.iter_mut().zip(prices.wealths()) {
                    *sum += wealth;
                }
            }
            prices.tabulate();
        }
        prices.set(&sums);
        prices.tabulate();
        prices
    }

    /// Losses are told apart in steps of this.
    pub const fn grain(&self) -> i64 {
        self.grain
    }

    /// Prices to begin with: four fifths by GPU, one fifth by core.
    fn first(mix: &[Typical], models: usize) -> Self {
        let total = |of: fn(&Pod) -> i64, plain: bool| -> i64 {
            mix.iter().filter(|one| !plain || one.pod.gpus == 0).map(|one| of(&one.pod) * one.count as i64).sum()
        };
        let (gpu, all_cores) = (total(Pod::gpu, false).max(1), total(|pod| pod.cpu, false).max(1));
        let plain_cores = total(|pod| pod.cpu, true);
        let kinds = mix.iter().filter(|one| one.pod.gpus > 0).map(|one| {
            let count = one.count as i64;
            let by_gpu = share(WEALTH / 5 * 4, one.pod.gpu() * count, gpu);
            let by_core = share(WEALTH / 5, one.pod.cpu * count, all_cores);
            let parts = (one.pod.milli as usize).div_ceil(WHOLE as usize / PARTS);
            Kind { pod: one.pod, parts, count, wealth: by_gpu + by_core }
        });
        let kinds: Vec<Kind> = kinds.collect();
        let pods: i64 = mix.iter().map(|one| one.count as i64).sum();
        let plain_wealth = share(WEALTH / 5, plain_cores, all_cores);
        let fills = vec![Vec::new(); models];
        let grain = (WEALTH / pods.max(1) / GRAIN).max(1);
        let mut prices = Self { kinds, plain_cores, plain_wealth, all_cores, cores: [0; CORES], fills, grain };
        prices.set(&prices.wealths());
        prices.tabulate();
        prices
    }

    /// What all pods of each kind are worth, and at last those without a GPU.
    fn wealths(&self) -> Vec<i64> {
        self.kinds.iter().map(|kind| kind.wealth).chain([self.plain_wealth]).collect()
    }

    /// Sets them, in proportion.
    fn set(&mut self, wealths: &[i64]) {
        let sum: i64 = wealths.iter().sum::<i64>().max(1);
        for (kind, wealth) in self.kinds.iter_mut().zip(wealths) {
            kind.wealth = share(WEALTH, *wealth, sum);
        }
        self.plain_wealth = wealths.last().map_or(0, |wealth| share(WEALTH, *wealth, sum));
    }

    /// The tables of every model and price of a core. A core is worth no less than what pods without a GPU pay for it.
    fn tabulate(&mut self) {
        let least = self.plain_wealth / self.plain_cores.max(1);
        let mut more = WEALTH / self.all_cores / 100;
        for (at, core) in self.cores.iter_mut().enumerate() {
            *core = least;
            if at > 0 {
                *core += more;
                more = more * 13 / 10;
            }
        }
        for model in 0..self.fills.len() {
            self.fills[model] = self.cores.iter().map(|core| self.tabulate_one(model as u32, *core)).collect();
        }
    }

    fn tabulate_one(&self, model: u32, core: i64) -> Fill {
        let paying = |several: bool| -> Vec<(usize, i64)> {
            let kinds = self.kinds.iter().enumerate();
            let fitting = kinds.filter(|(_, kind)| kind.pod.allows(model) && (kind.pod.gpus > 1) == several);
            fitting.map(|(at, kind)| (at, kind.price() - core * kind.pod.cpu)).filter(|(_, gain)| *gain > 0).collect()
        };
        let mut fill =
            Fill { worth: [0; PARTS + 1], pick: [Pick::Nothing; PARTS + 1], free: [0; 9], several: [None; 9] };
        let single = paying(false);
        for left in 1..=PARTS {
            let mut best = (fill.worth[left - 1], Pick::Less);
            for (at, gain) in &single {
                let parts = self.kinds[*at].parts;
                if parts <= left && gain + fill.worth[left - parts] > best.0 {
                    best = (gain + fill.worth[left - parts], Pick::Kind(*at));
                }
            }
            fill.worth[left] = best.0;
            fill.pick[left] = if best.0 == 0 { Pick::Nothing } else { best.1 };
        }
        let several = paying(true);
        for free in 1..=8 {
            let mut best = (fill.free[free - 1] + fill.worth[PARTS], None);
            for (at, gain) in &several {
                let gpus = self.kinds[*at].pod.gpus;
                if gpus <= free && gain + fill.free[free - gpus] > best.0 {
                    best = (gain + fill.free[free - gpus], Some(*at));
                }
            }
            (fill.free[free], fill.several[free]) = best;
        }
        fill
    }

    /// What the rest of a node is worth, and at which price of a core.
    fn value(&self, node: &Node) -> (i64, usize) {
        let fills = &self.fills[node.model as usize];
        let free = node.gpus().iter().filter(|left| **left == WHOLE).count();
        let mut best = (i64::MAX, 0);
        for (at, (core, fill)) in self.cores.iter().zip(fills).enumerate() {
            let used = node.gpus().iter().filter(|left| **left < WHOLE);
            let worth = core * node.cpu + fill.free[free] + used.map(|left| fill.worth[parts(*left)]).sum::<i64>();
            if worth < best.0 {
                best = (worth, at);
            }
        }
        best
    }

    /// Fills every node with the dearest pods.
    fn fill(&self, states: &[(Node, i64)]) -> Filling {
        let mut filling = Filling { worth: 0, counts: vec![0; self.kinds.len()], plain_cores: 0 };
        for (node, times) in states {
            let (worth, at) = self.value(node);
            filling.worth += worth * times;
            let fill = &self.fills[node.model as usize][at];
            let mut used = 0;
            let mut free = 0;
            for left in node.gpus() {
                if *left == WHOLE {
                    free += 1;
                } else {
                    used += self.fill_gpu(fill, parts(*left), *times, &mut filling.counts);
                }
            }
            while free > 0 {
                if let Some(kind) = fill.several[free] {
                    filling.counts[kind] += times;
                    used += self.kinds[kind].pod.cpu;
                    free -= self.kinds[kind].pod.gpus;
                } else {
                    used += self.fill_gpu(fill, PARTS, *times, &mut filling.counts);
                    free -= 1;
                }
            }
            if at == 0 {
                filling.plain_cores += (node.cpu - used).max(0) * times;
            }
        }
        filling
    }

    /// Fills one GPU; the cores that takes.
    fn fill_gpu(&self, fill: &Fill, mut left: usize, times: i64, counts: &mut [i64]) -> i64 {
        let mut used = 0;
        loop {
            match fill.pick[left] {
                Pick::Nothing => return used,
                Pick::Less => left -= 1,
                Pick::Kind(at) => {
                    counts[at] += times;
                    used += self.kinds[at].pod.cpu;
                    left -= self.kinds[at].parts;
                }
            }
        }
    }

    /// Makes cheaper what was filled in too often.
    fn step(&mut self, filling: &Filling, step: i64) {
        let fall = |wealth: i64, filled: i64, asked: i64| -> i64 {
            let often = share(1_000_000, filled, asked.max(1));
            let usual = share(1_000_000, filling.worth, WEALTH).max(1);
            let glut = share(1_000_000, often, usual).min(GLUT * 1_000_000);
            share(wealth, 1_000_000, 1_000_000 + share(glut, step, 1_000_000))
        };
        let mut wealths: Vec<i64> = Vec::with_capacity(self.kinds.len() + 1);
        for (kind, filled) in self.kinds.iter().zip(&filling.counts) {
            wealths.push(fall(kind.wealth, *filled, kind.count));
        }
        wealths.push(fall(self.plain_wealth, filling.plain_cores, self.plain_cores));
        self.set(&wealths);
    }
}

impl Kind {
    /// What one of them is worth.
    const fn price(&self) -> i64 {
        self.wealth / self.count
    }
}

impl Policy for Prices {
    type Worth = i64;

    fn worth(&self, node: &Node) -> i64 {
        self.value(node).0
    }

    fn score(&self, node: &Node, before: &i64, pod: &Pod) -> (i64, Taken) {
        let mut best = (i64::MIN, Taken::default());
        for taken in node.ways(pod) {
            let score = -(before - self.value(&node.with(pod, taken)).0).div_euclid(self.grain);
            if score > best.0 {
                best = (score, taken);
            }
        }
        best
    }
}

/// Parts of a GPU, rounded down.
const fn parts(milli: i64) -> usize {
    milli as usize / (WHOLE as usize / PARTS)
}

/// `of * part / whole`, without overflow in between.
fn share(of: i64, part: i64, whole: i64) -> i64 {
    (i128::from(of) * i128::from(part) / i128::from(whole)) as i64
}

/// Nodes of the same state, and how many there are.
fn alike(nodes: &[Node]) -> Vec<(Node, i64)> {
    let mut sorted: Vec<Node> = nodes.to_vec();
    for node in &mut sorted {
        node.left[..node.count].sort_unstable();
    }
    let state = |node: &Node| (node.model, node.cpu, node.count, node.left);
    sorted.sort_by_key(state);
    sorted.chunk_by(|a, b| state(a) == state(b)).map(|alike| (alike[0], alike.len() as i64)).collect()
}
