//! Which nodes changed, in order, so that what was worked out before can catch up instead of starting over.

/// So many changes are kept for each node, and so many more.
const KEPT_PER_NODE: usize = 2;
const KEPT: usize = 4_096;

/// The latest changes, by the slots of the nodes. Positions count all changes there ever were.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// The position of the first that is kept.
    begin: u64,
    slots: Vec<u32>,
    /// The position of the last change of each node.
    last: Vec<u64>,
    /// Grows when a node has become another: its name, its place, its tags, or what it has in all.
    shape: u64,
}

impl Changes {
    /// What a node has left, or whether it takes work, has changed; or it is new.
    pub(super) fn note(&mut self, slot: u32) {
        if self.last.len() <= slot as usize {
            self.last.resize(slot as usize + 1, 0);
        }
        self.last[slot as usize] = self.end();
        self.slots.push(slot);
        if self.slots.len() > KEPT + KEPT_PER_NODE * self.last.len() {
            let half = self.slots.len() / 2;
            self.slots.drain(..half);
            self.begin += half as u64;
        }
    }

    /// A known node has become another.
    pub(super) const fn reshaped(&mut self) {
        self.shape += 1;
    }

    /// How many times a known node has become another.
    pub(super) const fn shape(&self) -> u64 {
        self.shape
    }

    /// The position of the next change.
    pub(super) const fn end(&self) -> u64 {
        self.begin + self.slots.len() as u64
    }

    /// The nodes that changed at this position or later, each once. `None` when that is not known any more.
    pub(super) fn since(&self, position: u64) -> Option<impl Iterator<Item = u32>> {
        let first = usize::try_from(position.checked_sub(self.begin)?).ok()?;
        let slots = self.slots.get(first..)?.iter().zip(position..);
        Some(slots.filter(|(slot, at)| self.last[**slot as usize] == *at).map(|(slot, _)| *slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_that_changed_is_told_once_and_the_oldest_changes_are_forgotten() {
        let mut changes = Changes::default();
        [3, 1, 3, 2].into_iter().for_each(|slot| changes.note(slot));
        let since = |changes: &Changes, position| changes.since(position).map(Iterator::collect::<Vec<_>>);
        assert_eq!(since(&changes, 0), Some(vec![1, 3, 2]));
        assert_eq!(since(&changes, 3), Some(vec![2]));
        assert_eq!(since(&changes, changes.end()), Some(vec![]));
        (0..2 * KEPT as u32).for_each(|number| changes.note(number % 4));
        assert_eq!(since(&changes, 0), None);
        assert_eq!(since(&changes, changes.end() - 5), Some(vec![0, 1, 2, 3]));
    }
}
