//! What will happen, in the order of time; what happens at the same time, in the order in which it was arranged.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Events to come, and the time it is.
#[derive(Clone, Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Scheduled<E>>,
    arranged: u64,
    now: u64,
}

#[derive(Clone, Debug)]
struct Scheduled<E> {
    at: u64,
    order: u64,
    event: E,
}

impl<E> Ord for Scheduled<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<E> PartialOrd for Scheduled<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Scheduled<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<E> Eq for Scheduled<E> {}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), arranged: 0, now: 0 }
    }
}

impl<E> Queue<E> {
    /// The time of the world, in microseconds since it began.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// When the next event comes, if there is one.
    pub fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|scheduled| scheduled.at)
    }

    /// Arranges an event; not before now.
    pub fn at(&mut self, at: u64, event: E) {
        self.arranged += 1;
        self.heap.push(Scheduled { at: at.max(self.now), order: self.arranged, event });
    }

    /// Arranges an event `delay` microseconds from now.
    pub fn after(&mut self, delay: u64, event: E) {
        self.at(self.now.saturating_add(delay), event);
    }

    /// The next event, if it comes no later than `until`. Time moves to it.
    pub fn next(&mut self, until: u64) -> Option<E> {
        if self.heap.peek()?.at > until {
            return None;
        }
        let scheduled = self.heap.pop()?;
        self.now = scheduled.at;
        Some(scheduled.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_arrangement() {
        let mut queue = Queue::default();
        for (at, name) in [(5, "d"), (2, "b"), (2, "c"), (1, "a"), (9, "e")] {
            queue.at(at, name);
        }
        let seen: Vec<_> = std::iter::from_fn(|| queue.next(5)).collect();
        assert_eq!(seen, ["a", "b", "c", "d"]);
        assert_eq!(queue.now(), 5);
    }
}
