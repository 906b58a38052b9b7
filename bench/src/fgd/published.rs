//! The policies that Weng et al. (ATC'23) published results of, score for score.
//!
//! Their simulator cuts every score to a whole number from 0 to 100, and among equal ones takes the node of the
//! smallest rank. Both matter for the result, so both are kept.

use super::cluster::{Node, Pod, Taken, WHOLE};
use super::fragment::fragment;
use super::mix::Typical;
use super::replay::{Choice, Policy};

/// The most cores and GPUs a node may have, in thousandths: what scores are relative to.
const MOST_CPU: f64 = 128_000.0;
const MOST_GPU: f64 = 8_000.0;

/// Any node where the pod fits.
pub struct Random;
/// The node whose free resources point the most in another direction than the pod's.
pub struct DotProd;
/// The node that runs only pods of the same kind.
pub struct Clustering;
/// GPUs in use before free ones, and nodes in use before idle ones.
pub struct Packing;
/// The node with the least left afterwards.
pub struct BestFit;
/// The node whose fragment grows the least.
pub struct Fgd<'a>(pub &'a [Typical]);

impl Policy for Random {
    type Worth = ();
    const CHOICE: Choice = Choice::Random;

    fn worth(&self, _node: &Node) {}

    fn score(&self, node: &Node, _worth: &(), pod: &Pod) -> (i64, Taken) {
        (0, node.first(pod))
    }
}

impl Policy for DotProd {
    type Worth = ();

    fn worth(&self, _node: &Node) {}

    fn score(&self, node: &Node, _worth: &(), pod: &Pod) -> (i64, Taken) {
        let cpu = node.cpu as f64 / MOST_CPU * pod.cpu as f64 / MOST_CPU;
        let gpu = node.gpu() as f64 / MOST_GPU * pod.gpu() as f64 / MOST_GPU;
        ((100.0 * (1.0 - (cpu + gpu) / 2.0)) as i64, node.tightest(pod))
    }
}

impl Policy for Clustering {
    type Worth = ();

    fn worth(&self, _node: &Node) {}

    fn score(&self, node: &Node, _worth: &(), pod: &Pod) -> (i64, Taken) {
        if pod.gpus == 0 {
            return (0, Taken::default());
        }
        let used = 25 * (MOST_GPU as i64 - node.gpu()) / MOST_GPU as i64;
        let kinds = node.kinds.iter().filter(|count| **count > 0).count();
        let score = match (node.kinds[pod.kind()] > 0, kinds) {
            (true, 1) => used + 75,
            (true, _) => used + 50,
            (false, 0) => used + 25,
            (false, _) => used,
        };
        (score, node.tightest(pod))
    }
}

impl Policy for Packing {
    type Worth = ();

    fn worth(&self, _node: &Node) {}

    fn score(&self, node: &Node, _worth: &(), pod: &Pod) -> (i64, Taken) {
        if pod.gpus == 0 {
            return (0, Taken::default());
        }
        let count = node.count as i64;
        let taken = node.tightest(pod);
        let free = taken.iter().filter(|at| node.left[*at] == WHOLE).count() as i64;
        let score = if node.gpu() == WHOLE * count {
            (33 - count).max(count)
        } else if free > 0 {
            (50 - free).max(33)
        } else {
            let left: i64 = taken.iter().map(|at| node.left[at] * 100 / WHOLE).sum();
            (100 - left / 10).max(50)
        };
        (score, taken)
    }
}

impl Policy for BestFit {
    type Worth = ();
    const CHOICE: Choice = Choice::Spread;

    fn worth(&self, _node: &Node) {}

    fn score(&self, node: &Node, _worth: &(), pod: &Pod) -> (i64, Taken) {
        let cpu = (node.cpu - pod.cpu) as f64 / MOST_CPU * 0.5;
        let gpu = (node.gpu() - pod.gpu()) as f64 / MOST_GPU * 0.5;
        (((1.0 - (cpu + gpu)) * 100.0) as i64, node.tightest(pod))
    }
}

impl Policy for Fgd<'_> {
    type Worth = f64;

    fn worth(&self, node: &Node) -> f64 {
        fragment(node, self.0)
    }

    fn score(&self, node: &Node, before: &f64, pod: &Pod) -> (i64, Taken) {
        let score = |taken: &Taken| {
            let less = (before - fragment(&node.with(pod, *taken), self.0)) / WHOLE as f64;
            (1.0 / (1.0 + (-less).exp()) * 100.0) as i64
        };
        let mut best = (-1, Taken::default());
        for taken in node.ways(pod) {
            let scored = score(&taken);
            if scored > best.0 {
                best = (scored, taken);
            }
        }
        best
    }
}
