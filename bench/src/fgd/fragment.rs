//! How much of a node's idle GPUs the next pod could not use: the measure of Weng et al., "Beware of Fragmentation"
//! (ATC'23).

use super::cluster::Node;
use super::mix::Typical;

/// The thousandths of a GPU that are of no use to a pod drawn from the mix, in the mean.
///
/// The sums are kept apart by what is missing and added in the order of the published simulator, for the scores made
/// of them are cut to whole numbers.
pub fn fragment(node: &Node, mix: &[Typical]) -> f64 {
    let idle = node.gpu() as f64;
    let mut sums = [0.0; 6];
    for Typical { pod, share, .. } in mix {
        let cpu = node.cpu >= pod.cpu;
        let (sum, amount) = if pod.gpus == 0 {
            (if cpu { 3 } else { 4 }, idle)
        } else if !pod.allows(node.model) {
            (5, idle)
        } else {
            match (node.has(pod), cpu) {
                (false, false) => (0, idle),
                (false, true) => (1, idle),
                (true, true) => (1, node.gpus().iter().filter(|left| **left < pod.milli).sum::<i64>() as f64),
                (true, false) => (2, idle),
            }
        };
        sums[sum] += share * amount;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fgd::cluster::{GPUS, Pod};

    #[test]
    fn what_no_pod_can_use_is_a_fragment() {
        let half = Pod { cpu: 4_000, memory: 0, gpus: 1, milli: 500, models: 0 };
        let mix = [Typical { pod: half, share: 1.0, count: 1 }];
        let mut left = [0; GPUS];
        left[..2].copy_from_slice(&[300, 700]);
        let node = Node { cpu: 4_000, memory: 0, left, count: 2, model: 0, kinds: [0; 5] };
        assert_eq!(fragment(&node, &mix), 300.0, "the GPU with too little left");
        assert_eq!(fragment(&Node { cpu: 3_999, ..node }, &mix), 1_000.0, "no core for it");
        let elsewhere = [Typical { pod: Pod { models: 2, ..half }, share: 1.0, count: 1 }];
        assert_eq!(fragment(&node, &elsewhere), 1_000.0, "the wrong model");
    }
}
