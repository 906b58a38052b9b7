//! Nodes with GPUs that can be shared by the thousandth, and the pods that ask for them.

/// GPUs of one node, at most.
pub const GPUS: usize = 8;
/// A whole GPU, in thousandths.
pub const WHOLE: i64 = 1_000;

/// What one pod asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pod {
    /// Thousandths of a core.
    pub cpu: i64,
    /// Mebibytes.
    pub memory: i64,
    /// How many GPUs.
    pub gpus: usize,
    /// Thousandths of each of them; less than a whole one only of a single GPU.
    pub milli: i64,
    /// The models it may have, a bit each; none: any.
    pub models: u64,
}

/// What is left of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Thousandths of a core.
    pub cpu: i64,
    /// Mebibytes.
    pub memory: i64,
    /// Thousandths of each GPU; those beyond `count` are not there.
    pub left: [i64; GPUS],
    /// How many GPUs it has.
    pub count: usize,
    /// Which model they are.
    pub model: u32,
    /// How many pods of each [`Pod::kind`] run on it.
    pub kinds: [u32; 5],
}

/// The GPUs a pod takes on a node, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taken(u8);

impl Pod {
    /// Thousandths of a GPU in all.
    pub const fn gpu(&self) -> i64 {
        self.gpus as i64 * self.milli
    }

    /// Shares one GPU, or takes 1, 2, 4 or 8 of them.
    pub const fn kind(&self) -> usize {
        match self.gpus {
            _ if self.milli < WHOLE => 0,
            1 => 1,
            2 => 2,
            4 => 3,
            _ => 4,
        }
    }

    /// Whether it shares a GPU with others.
    pub const fn shares(&self) -> bool {
        self.gpus == 1 && self.milli < WHOLE
    }

    /// Whether it may run on GPUs of this model.
    pub const fn allows(&self, model: u32) -> bool {
        self.gpus == 0 || self.models == 0 || self.models & (1 << model) != 0
    }
}

impl Node {
    /// What is left of each of its GPUs.
    pub fn gpus(&self) -> &[i64] {
        &self.left[..self.count]
    }

    /// What is left of all its GPUs.
    pub fn gpu(&self) -> i64 {
        self.gpus().iter().sum()
    }

    /// Whether so many of its GPUs have so much left each.
    pub fn has(&self, pod: &Pod) -> bool {
        self.gpus().iter().filter(|left| **left >= pod.milli).count() >= pod.gpus
    }

    /// Whether the pod fits.
    pub fn fits(&self, pod: &Pod) -> bool {
        self.cpu >= pod.cpu && self.memory >= pod.memory && pod.allows(self.model) && self.has(pod)
    }

    /// With the pod on it.
    pub fn with(mut self, pod: &Pod, taken: Taken) -> Self {
        self.cpu -= pod.cpu;
        self.memory -= pod.memory;
        for at in taken.iter() {
            self.left[at] -= pod.milli;
        }
        if pod.gpus > 0 {
            self.kinds[pod.kind()] += 1;
        }
        self
    }

    /// Without a pod that was on it.
    pub fn without(mut self, pod: &Pod, taken: Taken) -> Self {
        self.cpu += pod.cpu;
        self.memory += pod.memory;
        for at in taken.iter() {
            self.left[at] += pod.milli;
        }
        if pod.gpus > 0 {
            self.kinds[pod.kind()] -= 1;
        }
        self
    }

    /// The first GPUs that have enough, as many as the pod asks for.
    pub fn first(&self, pod: &Pod) -> Taken {
        Taken::of((0..self.count).filter(|at| self.left[*at] >= pod.milli).take(pod.gpus))
    }

    /// The GPUs with the least left that is enough, as many as the pod asks for.
    pub fn tightest(&self, pod: &Pod) -> Taken {
        let mut enough: Vec<usize> = (0..self.count).filter(|at| self.left[*at] >= pod.milli).collect();
        enough.sort_by_key(|at| self.left[*at]);
        Taken::of(enough.into_iter().take(pod.gpus))
    }

    /// Every way to put a pod that shares a GPU on one of them; for others, the first GPUs that have enough.
    pub fn ways<'a>(&'a self, pod: &'a Pod) -> impl Iterator<Item = Taken> + 'a {
        let shares = pod.shares();
        let every = (0..if shares { self.count } else { 0 })
            .filter(|at| self.left[*at] >= pod.milli && !self.left[..*at].contains(&self.left[*at]))
            .map(|at| Taken::of([at]));
        every.chain((!shares).then(|| self.first(pod)))
    }
}

impl Taken {
    /// These GPUs.
    pub fn of(gpus: impl IntoIterator<Item = usize>) -> Self {
        Self(gpus.into_iter().fold(0, |bits, at| bits | 1 << at))
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..GPUS).filter(move |at| self.0 & (1 << at) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(left: &[i64]) -> Node {
        let mut all = [0; GPUS];
        all[..left.len()].copy_from_slice(left);
        Node { cpu: 8_000, memory: 1_024, left: all, count: left.len(), model: 1, kinds: [0; 5] }
    }

    const SHARED: Pod = Pod { cpu: 1_000, memory: 64, gpus: 1, milli: 400, models: 0 };

    #[test]
    fn a_pod_fits_where_everything_it_asks_for_is_left() {
        let node = node(&[300, 1_000]);
        assert!(node.fits(&SHARED));
        assert!(!node.fits(&Pod { gpus: 2, milli: WHOLE, ..SHARED }), "only one is whole");
        assert!(!node.fits(&Pod { cpu: 9_000, ..SHARED }));
        assert!(!node.fits(&Pod { memory: 2_048, ..SHARED }));
        assert!(!node.fits(&Pod { models: 1, ..SHARED }), "another model");
        assert!(node.fits(&Pod { gpus: 0, milli: 0, models: 0, ..SHARED }), "no GPU at all");
    }

    #[test]
    fn a_shared_gpu_is_tried_once_of_each_that_are_alike() {
        let node = node(&[1_000, 500, 500, 300]);
        let ways: Vec<Vec<usize>> = node.ways(&SHARED).map(|taken| taken.iter().collect()).collect();
        assert_eq!(ways, [vec![0], vec![1]]);
        let whole = Pod { milli: WHOLE, ..SHARED };
        assert_eq!(node.ways(&whole).map(|taken| taken.iter().collect::<Vec<_>>()).collect::<Vec<_>>(), [vec![0]]);
        assert_eq!(node.tightest(&SHARED).iter().collect::<Vec<_>>(), [1]);
        assert_eq!(node.with(&SHARED, node.tightest(&SHARED)).gpus(), [1_000, 100, 500, 300]);
    }
}
