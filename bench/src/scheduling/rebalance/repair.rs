//! Small repairs: few moves of running pods that let in what was dropped.
//!
//! A dropped pod is let in on a node by moving one or two of its pods away. A pod that fits nowhere as it is may take
//! the place of another, which moves on in turn, and so on up to a few moves (an ejection chain). Where there are
//! several ways, bid prices say which of them leaves the cluster worth the most.
//!
//! - **All at once.** What a proposal moves is stopped where it was, and then started where it goes: two pods may change
//!   places. Each proposal stands for itself, so that they can be done one after the other, or not at all.
//! - **Disruption budget.** No pod moves twice, none of those let in moves at all, and of pods that ask for the same,
//!   which is as near to a job as the trace has it, no more than one in ten moves, or one where they are fewer.
//! - The best proposals come first: the most GPU let in for a move. Whole numbers, no draw, the same on every machine.

use crate::fgd::cluster::{Node, Pod, Taken};
use crate::fgd::price::Prices;
use crate::fgd::replay::{Policy, Settled};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Of pods that ask for the same, one in so many may move.
const BUDGET: usize = 10;
/// Moves of one chain at most.
const CHAIN: usize = 3;
/// Pods that may leave a node for one that is let in.
const LEAVE: usize = 2;
/// Dropped pods of each size that are tried on a node: those that cost the least.
const GUESTS: usize = 2;
/// Two pods change places only for a node with a GPU that has so much left.
const ROOMY: i64 = 200;
/// Ways remembered for a pod to take another's place.
const WAYS: usize = 8;
/// Thousandths of a GPU let in for a move, at least.
const LEAST: i64 = 100;
/// Where pods fit, and whose place they can take, is found again after so many proposals.
const OFTEN: usize = 16;

/// One pod goes from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// The kind of pod, see [`Repair::kinds`].
    pub kind: usize,
    /// Where it was.
    pub from: usize,
    /// The GPUs it had there.
    pub had: Taken,
    /// Where it goes.
    pub to: usize,
    /// The GPUs it takes there.
    pub taken: Taken,
}

/// What lets one dropped pod in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proposal {
    /// The kind of pod.
    pub kind: usize,
    /// The node it runs on afterwards.
    pub node: usize,
    /// The GPUs it takes there.
    pub taken: Taken,
    /// Thousandths of a GPU in use that were not.
    pub frees: i64,
    /// What makes room for it.
    pub moves: Vec<Move>,
}

/// A pod on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resident {
    kind: usize,
    taken: Taken,
    moved: bool,
}

/// A way for a pod to take the place of another of this kind on this node.
#[derive(Clone, Copy, Debug)]
struct Way {
    loss: i64,
    node: usize,
    leaves: usize,
}

/// A cluster under repair.
pub struct Repair<'a> {
    prices: &'a Prices,
    /// What is left of each node.
    pub nodes: Vec<Node>,
    worths: Vec<i64>,
    residents: Vec<Vec<Resident>>,
    /// What pods ask for, each once.
    pub kinds: Vec<Pod>,
    hosts: Vec<BTreeSet<usize>>,
    allowed: Vec<usize>,
    waiting: Vec<usize>,
    /// Nodes where a pod of the kind fits as it is.
    places: Vec<Vec<usize>>,
    /// For each kind, ways to take the place of one that can move on within so many moves.
    ways: [Vec<Vec<Way>>; CHAIN - 1],
    moves_left: usize,
}

/// Moves thought of, and what nodes would then be.
#[derive(Clone, Debug, Default)]
struct Draft {
    moves: Vec<Move>,
    changed: BTreeMap<usize, Node>,
    loss: i64,
    swap: bool,
}

impl<'a> Repair<'a> {
    /// A cluster as it settled, where so many pods may move.
    pub fn new(prices: &'a Prices, settled: &Settled, pods: &[Pod], moves: usize) -> Self {
        let mut numbers: BTreeMap<(i64, i64, i64, usize, i64, u64), usize> = BTreeMap::new();
        let mut kinds = Vec::new();
        let mut kind = |pod: &Pod| {
            let order = (-pod.gpu(), pod.cpu, pod.memory, pod.gpus, pod.milli, pod.models);
            *numbers.entry(order).or_insert_with(|| {
                kinds.push(*pod);
                kinds.len() - 1
            })
        };
        let mut residents = vec![Vec::new(); settled.nodes.len()];
        for running in &settled.running {
            let kind = kind(&pods[running.row]);
            residents[running.node].push(Resident { kind, taken: running.taken, moved: false });
        }
        let dropped: Vec<usize> = settled.dropped.iter().map(|row| kind(&pods[*row])).collect();
        let mut waiting = vec![0; kinds.len()];
        for kind in dropped {
            waiting[kind] += 1;
        }
        let mut hosts = vec![BTreeSet::new(); kinds.len()];
        let mut counts = vec![0; kinds.len()];
        for (node, residents) in residents.iter().enumerate() {
            for resident in residents {
                hosts[resident.kind].insert(node);
                counts[resident.kind] += 1;
            }
        }
        let allowed = counts.iter().map(|count: &usize| (count / BUDGET).max(1)).collect();
        let nodes = settled.nodes.clone();
        let worths = nodes.iter().map(|node| prices.worth(node)).collect();
        let ways = std::array::from_fn(|_| Vec::new());
        let places = Vec::new();
        Self { prices, nodes, worths, residents, kinds, hosts, allowed, waiting, places, ways, moves_left: moves }
    }

    /// Proposes and applies, the best first, until nothing more is let in or no more may move.
    pub fn run(&mut self) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        loop {
            let before = proposals.len();
            self.pass(&mut proposals);
            if proposals.len() == before {
                return proposals;
            }
        }
    }

    /// Every node is looked at; the best is applied, and looked at again before if anything changed since.
    fn pass(&mut self, proposals: &mut Vec<Proposal>) {
        self.refresh();
        let mut best = BinaryHeap::new();
        for node in 0..self.nodes.len() {
            best.extend(self.propose(node).map(|(rank, proposal)| (rank, Reverse(node), proposals.len(), proposal)));
        }
        while let Some((_, Reverse(node), as_of, proposal)) = best.pop() {
            if as_of < proposals.len() {
                best.extend(
                    self.propose(node).map(|(rank, proposal)| (rank, Reverse(node), proposals.len(), proposal)),
                );
                continue;
            }
            self.apply(&proposal);
            proposals.push(proposal);
            if proposals.len().is_multiple_of(OFTEN) {
                self.refresh();
            }
            best.extend(self.propose(node).map(|(rank, proposal)| (rank, Reverse(node), proposals.len(), proposal)));
        }
    }

    /// The best way to let a dropped pod in on this node, and how good it is.
    fn propose(&self, node: usize) -> Option<((i64, i64), Proposal)> {
        let mut best: Option<((i64, i64), Proposal)> = None;
        for leaving in self.leavings(node) {
            let leaving: Vec<Resident> = leaving.iter().map(|at| self.residents[node][*at]).collect();
            let rest = leaving.iter().fold(self.nodes[node], |rest, resident| self.without(&rest, resident));
            for (kind, loss, taken) in self.guests(&rest) {
                let pod = &self.kinds[kind];
                let least = best.as_ref().map_or(LEAST, |((each, _), _)| *each);
                let most = ((pod.gpu() / least) as usize).min(self.moves_left);
                if most < leaving.len() {
                    continue;
                }
                let changed = BTreeMap::from([(node, rest.with(pod, taken))]);
                let swap = leaving.len() == 1 && self.nodes[node].gpus().iter().any(|left| *left >= ROOMY);
                let draft = Draft { changed, loss, moves: Vec::new(), swap };
                let Some(draft) = self.send_away(node, &leaving, most, draft) else { continue };
                let rank = (pod.gpu() / (draft.moves.len() as i64).max(1), -draft.loss);
                if best.as_ref().is_none_or(|(most, _)| rank > *most) {
                    best = Some((rank, Proposal { kind, node, taken, frees: pod.gpu(), moves: draft.moves }));
                }
            }
        }
        best
    }

    /// Dropped pods that may be let in on a node: of every size those that cost the least, with the GPUs they would
    /// take.
    fn guests(&self, rest: &Node) -> Vec<(usize, i64, Taken)> {
        let waiting = (0..self.kinds.len()).filter(|kind| self.waiting[*kind] > 0 && self.kinds[*kind].gpus > 0);
        let mut fitting = waiting.filter(|kind| rest.fits(&self.kinds[*kind])).peekable();
        let worth = fitting.peek().map_or(0, |_| self.prices.worth(rest));
        let put = |kind: usize| {
            let (loss, taken) = self.put(rest, worth, &self.kinds[kind]);
            (kind, loss, taken)
        };
        let mut guests: Vec<(usize, i64, Taken)> = fitting.map(put).collect();
        guests.sort_by_key(|(kind, loss, _)| (-self.kinds[*kind].gpu(), *loss, *kind));
        let sizes = guests.chunk_by(|a, b| self.kinds[a.0].gpu() == self.kinds[b.0].gpu());
        sizes.flat_map(|size| size.iter().take(GUESTS).copied()).collect()
    }

    /// Sets of pods that may leave a node: none, one, or two.
    fn leavings(&self, node: usize) -> Vec<Vec<usize>> {
        let residents = &self.residents[node];
        let movable = |at: &usize| {
            let Resident { kind, moved, .. } = residents[*at];
            !moved && self.allowed[kind] > 0
        };
        let movable: Vec<usize> = (0..residents.len()).filter(movable).collect();
        let mut sets = vec![Vec::new()];
        let mut last = vec![Vec::new()];
        for _ in 0..LEAVE {
            let more = |set: &Vec<usize>| {
                let after = set.last().copied();
                let kinds: Vec<usize> = set.iter().map(|at: &usize| residents[*at].kind).collect();
                let set = set.clone();
                movable
                    .iter()
                    .filter(move |at| after.is_none_or(|last| **at > last))
                    .map(move |at| (kinds.clone(), [set.clone(), vec![*at]].concat()))
                    .collect::<Vec<_>>()
            };
            last = last.iter().flat_map(more).map(|(_, set)| set).collect();
            sets.extend(last.iter().cloned());
        }
        sets
    }

    /// Finds places for pods that leave a node, with so many moves at most.
    fn send_away(&self, node: usize, leaving: &[Resident], most: usize, mut draft: Draft) -> Option<Draft> {
        for (at, resident) in leaving.iter().enumerate() {
            let spare = most.checked_sub(draft.moves.len() + leaving.len() - at)?;
            let longest = if leaving.len() == 1 { CHAIN.min(spare + 1) } else { 1 };
            draft = (1..=longest).find_map(|length| self.chain(resident, node, length, &draft))?;
        }
        Some(draft)
    }

    /// Finds a place for a pod with exactly so many moves.
    fn chain(&self, resident: &Resident, from: usize, length: usize, draft: &Draft) -> Option<Draft> {
        if length == 1 { self.place(resident, from, draft) } else { self.replace(resident, from, length, draft) }
    }

    /// Finds a place where the pod fits as things are.
    fn place(&self, resident: &Resident, from: usize, draft: &Draft) -> Option<Draft> {
        let pod = &self.kinds[resident.kind];
        let unchanged = self.places[resident.kind].iter().filter(|to| !draft.changed.contains_key(to));
        let unchanged = unchanged.map(|to| (*to, &self.nodes[*to], self.worths[*to]));
        let changed = draft.changed.iter().map(|(to, node)| (*to, node, self.prices.worth(node)));
        let fitting = unchanged.chain(changed).filter(|(to, node, _)| *to != from && node.fits(pod));
        let ((loss, taken), to, node) = fitting
            .map(|(to, node, worth)| (self.put(node, worth, pod), to, node))
            .min_by_key(|((loss, _), to, _)| (*loss, *to))?;
        let mut draft = draft.clone();
        draft.changed.insert(to, node.with(pod, taken));
        draft.loss += loss;
        draft.moves.push(Move { kind: resident.kind, from, had: resident.taken, to, taken });
        Some(draft)
    }

    /// Finds the place of another pod, which goes on.
    fn replace(&self, resident: &Resident, from: usize, length: usize, draft: &Draft) -> Option<Draft> {
        let mut best: Option<Draft> = None;
        let swaps = if length == 2 && draft.swap { self.swaps(resident.kind, draft) } else { Vec::new() };
        for way in self.ways[length - 2][resident.kind].iter().chain(&swaps) {
            let enough = best.as_ref().is_some_and(|best| best.loss <= draft.loss + way.loss);
            if enough || draft.changed.contains_key(&way.node) {
                continue;
            }
            let Some(leaves) = self.movable(way.node, way.leaves) else { continue };
            let pod = &self.kinds[resident.kind];
            let rest = self.without(&self.nodes[way.node], leaves);
            if !rest.fits(pod) {
                continue;
            }
            let (_, taken) = self.put(&rest, self.prices.worth(&rest), pod);
            let mut started = draft.clone();
            started.changed.insert(way.node, rest.with(pod, taken));
            started.loss += way.loss;
            started.moves.push(Move { kind: resident.kind, from, had: resident.taken, to: way.node, taken });
            let found = self.chain(leaves, way.node, length - 1, &started);
            if let Some(found) = found.filter(|found| best.as_ref().is_none_or(|best| found.loss < best.loss)) {
                best = Some(found);
            }
        }
        best
    }

    /// Ways to take the place of a pod that fits on a node as it would be.
    fn swaps(&self, kind: usize, draft: &Draft) -> Vec<Way> {
        let fits = |leaves: &usize| draft.changed.values().any(|node| node.fits(&self.kinds[*leaves]));
        let mut ways: Vec<Way> = (0..self.kinds.len())
            .filter(|leaves| *leaves != kind && fits(leaves))
            .flat_map(|leaves| self.way(kind, leaves))
            .collect();
        ways.sort_by_key(|way| (way.loss, way.node, way.leaves));
        ways.truncate(WAYS);
        ways
    }

    /// A pod of this kind on a node that may move; none when there is none.
    fn movable(&self, node: usize, kind: usize) -> Option<&Resident> {
        let found = self.residents[node].iter().find(|resident| resident.kind == kind && !resident.moved);
        found.filter(|_| self.allowed[kind] > 0)
    }

    /// What the node loses in worth by the pod, beyond what the pod pays, and the GPUs it would take.
    fn put(&self, node: &Node, worth: i64, pod: &Pod) -> (i64, Taken) {
        let (score, taken) = self.prices.score(node, &worth, pod);
        (-score * self.prices.grain(), taken)
    }

    fn without(&self, node: &Node, resident: &Resident) -> Node {
        node.without(&self.kinds[resident.kind], resident.taken)
    }

    /// Everything that leaves leaves, and then everything that comes comes.
    fn apply(&mut self, proposal: &Proposal) {
        for Move { kind, from, had, .. } in &proposal.moves {
            let leaves = Resident { kind: *kind, taken: *had, moved: false };
            let Some(at) = self.residents[*from].iter().position(|resident| *resident == leaves) else {
                unreachable!("a proposal moves pods that are there");
            };
            self.residents[*from].remove(at);
            self.nodes[*from] = self.without(&self.nodes[*from], &leaves);
            self.worths[*from] = self.prices.worth(&self.nodes[*from]);
            self.allowed[*kind] -= 1;
        }
        for Move { kind, to, taken, .. } in &proposal.moves {
            self.arrive(*kind, *to, *taken);
        }
        self.arrive(proposal.kind, proposal.node, proposal.taken);
        self.moves_left -= proposal.moves.len();
        self.waiting[proposal.kind] -= 1;
    }

    /// Puts a pod on a node for good.
    fn arrive(&mut self, kind: usize, node: usize, taken: Taken) {
        let pod = self.kinds[kind];
        let enough = taken.iter().all(|gpu| self.nodes[node].left[gpu] >= pod.milli);
        assert!(enough && self.nodes[node].fits(&pod), "a pod comes where there is room for it");
        self.nodes[node] = self.nodes[node].with(&pod, taken);
        self.worths[node] = self.prices.worth(&self.nodes[node]);
        self.residents[node].push(Resident { kind, taken, moved: true });
        self.hosts[kind].insert(node);
    }

    /// Finds again where each kind fits, and whose place it can take.
    fn refresh(&mut self) {
        self.worths = self.nodes.iter().map(|node| self.prices.worth(node)).collect();
        let fitting = |pod: &Pod| (0..self.nodes.len()).filter(|node| self.nodes[*node].fits(pod)).collect();
        self.places = self.kinds.iter().map(fitting).collect();
        let mut reach: Vec<bool> = self.places.iter().map(|places: &Vec<usize>| !places.is_empty()).collect();
        for length in 0..CHAIN - 1 {
            let ways: Vec<Vec<Way>> = (0..self.kinds.len()).map(|kind| self.ways_of(kind, &reach)).collect();
            reach = ways.iter().map(|ways| !ways.is_empty()).collect();
            self.ways[length] = ways;
        }
    }

    /// Ways for a pod to take the place of another that can go on.
    fn ways_of(&self, kind: usize, reach: &[bool]) -> Vec<Way> {
        let others = (0..self.kinds.len()).filter(|leaves| reach[*leaves] && *leaves != kind);
        let mut ways: Vec<Way> = others.flat_map(|leaves| self.way(kind, leaves)).collect();
        ways.sort_by_key(|way| (way.loss, way.node, way.leaves));
        ways.truncate(WAYS);
        ways
    }

    /// The nodes where a pod of one kind can take the place of one of the other.
    fn way(&self, kind: usize, leaves: usize) -> Vec<Way> {
        let pod = &self.kinds[kind];
        let mut ways = Vec::new();
        for node in &self.hosts[leaves] {
            let Some(leaving) = self.movable(*node, leaves) else { continue };
            let rest = self.without(&self.nodes[*node], leaving);
            if rest.fits(pod) {
                let worth = self.prices.worth(&rest);
                let loss = self.put(&rest, worth, pod).0 - (worth - self.worths[*node]);
                ways.push(Way { loss, node: *node, leaves });
            }
        }
        ways
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fgd::cluster::{GPUS, WHOLE};
    use crate::fgd::mix::Typical;
    use crate::fgd::replay::Running;

    const PLAIN: Pod = Pod { cpu: 6_000, memory: 1, gpus: 0, milli: 0, models: 0 };
    const GPU: Pod = Pod { cpu: 4_000, memory: 1, gpus: 1, milli: WHOLE, models: 0 };

    fn node(free: usize) -> Node {
        let mut left = [0; GPUS];
        left[..free].fill(WHOLE);
        Node { cpu: 8_000, memory: 10, left, count: 1, model: 0, kinds: [0; 5] }
    }

    #[test]
    fn a_pod_that_needs_no_gpu_makes_room_for_one_that_does() {
        let typical = |pod| Typical { pod, share: 0.5, count: 1 };
        let prices = Prices::find(&[typical(PLAIN), typical(GPU)], &[node(1), node(0)]);
        let empty = vec![node(1), node(0)];
        let nodes = vec![empty[0].with(&PLAIN, Taken::default()), empty[1]];
        let running = vec![Running { row: 0, node: 0, taken: Taken::default() }];
        let settled = Settled { nodes, empty, running, dropped: vec![1] };
        let mut repair = Repair::new(&prices, &settled, &[PLAIN, GPU], 1);
        let proposals = repair.run();
        assert_eq!(proposals.len(), 1, "{proposals:?}");
        let Proposal { node, frees, moves, .. } = &proposals[0];
        assert_eq!((*node, *frees, moves.len(), moves[0].from, moves[0].to), (0, WHOLE, 1, 0, 1));
        assert_eq!((repair.nodes[0].cpu, repair.nodes[0].gpu(), repair.nodes[1].cpu), (4_000, 0, 2_000));
        assert!(Repair::new(&prices, &settled, &[PLAIN, GPU], 0).run().is_empty(), "nothing may move");
    }
}
