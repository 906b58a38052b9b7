//! Which pods arrive, and how often: the distribution that FGD and the bid prices learn from.

use super::cluster::Pod;
use std::collections::BTreeMap;

/// How much of all pods the typical ones make up, at least.
const SHARE: f64 = 0.95;

/// Pods that ask for the same, but for memory.
#[derive(Clone, Debug)]
pub struct Typical {
    /// What they ask for; memory is left out.
    pub pod: Pod,
    /// How often they arrive, of all typical ones.
    pub share: f64,
    /// How many there are.
    pub count: usize,
}

/// The commonest pods that together make up at least 95 % of all, the commonest first.
///
/// Where two are as common, the order is that of the published simulator: the order decides where the list ends, and
/// in which order shares are added up.
pub fn typical(pods: &[(Pod, &str)]) -> Vec<Typical> {
    let mut counts: BTreeMap<(i64, i64, usize, &str), (Pod, usize)> = BTreeMap::new();
    for (pod, models) in pods {
        let entry = counts.entry((pod.cpu, pod.milli, pod.gpus, models)).or_insert((Pod { memory: 0, ..*pod }, 0));
        entry.1 += 1;
    }
    let mut sorted: Vec<(Pod, usize)> = counts.into_values().rev().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let total = pods.len() as f64;
    let mut sum = 0;
    let mut kept = Vec::new();
    for (pod, count) in sorted {
        if sum as f64 >= SHARE * total {
            break;
        }
        sum += count;
        kept.push((pod, count));
    }
    let whole = sum as f64 / total;
    kept.into_iter().map(|(pod, count)| Typical { pod, share: count as f64 / total / whole, count }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rare_ones_are_left_out_and_the_rest_makes_one() {
        let common = Pod { cpu: 1_000, memory: 10, gpus: 0, milli: 0, models: 0 };
        let rare = Pod { cpu: 2_000, ..common };
        let mut pods = vec![(common, ""); 96];
        pods[0].0.memory = 20;
        pods.extend([(rare, ""); 4]);
        let typical = typical(&pods);
        assert_eq!(typical.len(), 1);
        assert_eq!((typical[0].count, typical[0].share, typical[0].pod.memory), (96, 1.0, 0));
    }
}
