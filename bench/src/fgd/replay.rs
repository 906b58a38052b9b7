//! Pods arrive once each, in order, and never leave; one that fits nowhere is dropped. How much of the GPUs is used.

use super::cluster::{Node, Pod, Taken};
use std::collections::HashMap;

/// The curve ends here, in per cent of the GPUs asked for.
pub const POINTS: usize = 131;

/// Which of the nodes is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The best score.
    Best,
    /// The best score, after scores were spread from 0 to 100 over the nodes that fit.
    Spread,
    /// Any node that fits, and any of its GPUs.
    Random,
}

/// How a node is chosen for a pod.
pub trait Policy {
    /// What is worth remembering of a node until it changes.
    type Worth: Clone;

    /// Which of the nodes is taken.
    const CHOICE: Choice = Choice::Best;

    /// What is worth remembering of it.
    fn worth(&self, node: &Node) -> Self::Worth;

    /// How good the node is for the pod, larger is better, and the GPUs it would take. The pod fits.
    fn score(&self, node: &Node, worth: &Self::Worth, pod: &Pod) -> (i64, Taken);
}

/// One order of arrival, and the rank of every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What the order was drawn from.
    pub seed: u64,
    /// Rows of the pod list.
    pub arrivals: Vec<usize>,
    /// The rank of each node: among equal ones, the smallest is taken.
    pub ranks: Vec<usize>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The share of all GPUs in use in per cent, at each per cent of them asked for.
    pub curve: Vec<f64>,
    /// Pods placed.
    pub placed: usize,
    /// Pods that fitted nowhere.
    pub dropped: usize,
}

/// What runs where once so much was asked for.
#[derive(Clone, Debug)]
pub struct Settled {
    /// What is left of each node, by rank.
    pub nodes: Vec<Node>,
    /// The nodes as they were with nothing on them.
    pub empty: Vec<Node>,
    /// Every pod that was placed.
    pub running: Vec<Running>,
    /// Rows of the pod list that fitted nowhere when they came.
    pub dropped: Vec<usize>,
}

/// A pod on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its row of the pod list.
    pub row: usize,
    /// Its node.
    pub node: usize,
    /// The GPUs it has there.
    pub taken: Taken,
}

/// Scores of one kind of pod on every node, as of so many changes.
struct Scores {
    scores: Vec<Option<(i64, Taken)>>,
    changes: usize,
}

struct Replay<'a, P: Policy> {
    policy: &'a P,
    nodes: Vec<Node>,
    worths: Vec<P::Worth>,
    changed: Vec<usize>,
    known: HashMap<Pod, Scores>,
    random: u64,
}

/// Replays one order of arrival.
pub fn replay<P: Policy>(policy: &P, nodes: &[Node], pods: &[Pod], order: &Order) -> Outcome {
    let mut replay = Replay::new(policy, nodes, order);
    let total: i64 = nodes.iter().map(Node::gpu).sum();
    let mut curve = Curve { sums: [(0.0, 0); POINTS] };
    let (mut asked, mut used, mut placed) = (0, 0, 0);
    for row in &order.arrivals {
        let pod = &pods[*row];
        asked += pod.gpu();
        if replay.place(pod).is_some() {
            used += pod.gpu();
            placed += 1;
        }
        curve.add(100.0 * asked as f64 / total as f64, 100.0 * used as f64 / total as f64);
    }
    Outcome { curve: curve.means(), placed, dropped: order.arrivals.len() - placed }
}

/// Replays one order until so many per cent of the GPUs that there are were asked for.
pub fn settle<P: Policy>(policy: &P, nodes: &[Node], pods: &[Pod], order: &Order, percent: i64) -> Settled {
    let mut replay = Replay::new(policy, nodes, order);
    let total: i64 = nodes.iter().map(Node::gpu).sum();
    let empty = replay.nodes.clone();
    let (mut running, mut dropped, mut asked) = (Vec::new(), Vec::new(), 0);
    for row in &order.arrivals {
        if asked * 100 >= total * percent {
            break;
        }
        asked += pods[*row].gpu();
        match replay.place(&pods[*row]) {
            Some((node, taken)) => running.push(Running { row: *row, node, taken }),
            None => dropped.push(*row),
        }
    }
    Settled { nodes: replay.nodes, empty, running, dropped }
}

impl<'a, P: Policy> Replay<'a, P> {
    fn new(policy: &'a P, nodes: &[Node], order: &Order) -> Self {
        let mut by_rank = vec![0; nodes.len()];
        for (node, rank) in order.ranks.iter().enumerate() {
            by_rank[*rank] = node;
        }
        let nodes: Vec<Node> = by_rank.into_iter().map(|node| nodes[node]).collect();
        let worths = nodes.iter().map(|node| policy.worth(node)).collect();
        Self { policy, nodes, worths, changed: Vec::new(), known: HashMap::new(), random: order.seed }
    }

    /// The node it is put on, and the GPUs it takes there; none when it fits nowhere.
    fn place(&mut self, pod: &Pod) -> Option<(usize, Taken)> {
        self.refresh(pod);
        let scores = &self.known[pod].scores;
        let (at, taken) = match P::CHOICE {
            Choice::Best => best(scores, |score| score),
            Choice::Spread => spread(scores),
            Choice::Random => self.any(pod),
        }?;
        self.nodes[at] = self.nodes[at].with(pod, taken);
        self.worths[at] = self.policy.worth(&self.nodes[at]);
        self.changed.push(at);
        Some((at, taken))
    }

    /// Scores the nodes that changed since a pod like this one was last scored.
    fn refresh(&mut self, pod: &Pod) {
        let (nodes, worths, policy) = (&self.nodes, &self.worths, self.policy);
        let score = |at: usize| nodes[at].fits(pod).then(|| policy.score(&nodes[at], &worths[at], pod));
        let known = self
            .known
            .entry(*pod)
            .or_insert_with(|| Scores { scores: (0..nodes.len()).map(score).collect(), changes: self.changed.len() });
        for at in &self.changed[known.changes..] {
            known.scores[*at] = score(*at);
        }
        known.changes = self.changed.len();
    }

    fn any(&mut self, pod: &Pod) -> Option<(usize, Taken)> {
        let scores = &self.known[pod].scores;
        let fitting: Vec<usize> = (0..scores.len()).filter(|at| scores[*at].is_some()).collect();
        let at = *fitting.get(draw(&mut self.random, fitting.len())?)?;
        let mut gpus: Vec<usize> =
            (0..self.nodes[at].count).filter(|gpu| self.nodes[at].left[*gpu] >= pod.milli).collect();
        let mut taken = Vec::new();
        while taken.len() < pod.gpus {
            taken.push(gpus.swap_remove(draw(&mut self.random, gpus.len())?));
        }
        Some((at, Taken::of(taken)))
    }
}

/// The first node of the best score.
fn best(scores: &[Option<(i64, Taken)>], of: impl Fn(i64) -> i64) -> Option<(usize, Taken)> {
    let mut found: Option<(i64, usize, Taken)> = None;
    for (at, scored) in scores.iter().enumerate() {
        let Some((score, taken)) = scored else { continue };
        let score = of(*score);
        if found.is_none_or(|(most, ..)| score > most) {
            found = Some((score, at, *taken));
        }
    }
    found.map(|(_, at, taken)| (at, taken))
}

fn spread(scores: &[Option<(i64, Taken)>]) -> Option<(usize, Taken)> {
    let fitting = scores.iter().flatten().map(|(score, _)| *score);
    let (least, most) = (fitting.clone().min()?, fitting.max()?);
    best(scores, |score| if most == least { 0 } else { (score - least) * 100 / (most - least) })
}

/// The next 64 bits of a state (splitmix64).
pub const fn word(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A number below `below`; none when there is none.
pub fn draw(state: &mut u64, below: usize) -> Option<usize> {
    let word = word(state);
    (below > 0).then(|| (word % below as u64) as usize)
}

/// The mean of what is used, at each per cent of what is asked for.
struct Curve {
    sums: [(f64, u32); POINTS],
}

impl Curve {
    /// Both in per cent.
    fn add(&mut self, asked: f64, used: f64) {
        let at = asked.round_ties_even() as usize;
        if let Some((sum, count)) = self.sums.get_mut(at) {
            *sum += (100.0 * used).round() / 100.0;
            *count += 1;
        }
    }

    fn means(&self) -> Vec<f64> {
        self.sums.iter().map(|(sum, count)| if *count == 0 { f64::NAN } else { sum / f64::from(*count) }).collect()
    }
}
