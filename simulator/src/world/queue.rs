//! What will happen, in the order of time; what happens at the same time, in the order in which it was arranged.
//!
//! Two stores keep the same order: a heap, which is the reference, and a timing wheel, which costs the same however much
//! is to come. [`Store`] is the knob.

mod wheel;

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use wheel::Wheel;

/// What keeps the events to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Store {
    /// A binary heap: the reference, and quick for small worlds.
    #[default]
    Heap,
    /// A hierarchical timing wheel.
    Wheel,
}

/// Events to come, and the time it is.
#[derive(Clone, Debug)]
pub struct Queue<E> {
    events: Events<E>,
    arranged: u64,
    now: u64,
    /// While something that was put off is made up for: what it arranges.
    aside: Option<BinaryHeap<Scheduled<E>>>,
}

#[derive(Clone, Debug)]
enum Events<E> {
    Heap(BinaryHeap<Scheduled<E>>),
    Wheel(Box<Wheel<E>>),
}

/// When something was arranged for, and when it was arranged: among events of the same time the earlier arranged comes
/// first, and among those arranged at the same time the first arranged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// When it happens, in microseconds.
    pub at: u64,
    /// When it was arranged, in microseconds.
    pub since: u64,
    order: u64,
}

#[derive(Clone, Debug)]
struct Scheduled<E> {
    moment: Moment,
    event: E,
}

impl<E> Ord for Scheduled<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.moment.cmp(&self.moment)
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
        Self::new(Store::default())
    }
}

impl<E> Queue<E> {
    /// An empty queue at the first moment.
    pub fn new(store: Store) -> Self {
        let events = match store {
            Store::Heap => Events::Heap(BinaryHeap::new()),
            Store::Wheel => Events::Wheel(Box::default()),
        };
        Self { events, arranged: 0, now: 0, aside: None }
    }

    /// The time of the world, in microseconds since it began.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// When the next event comes, if there is one.
    pub fn next_at(&self) -> Option<u64> {
        match &self.events {
            Events::Heap(heap) => heap.peek().map(|scheduled| scheduled.moment.at),
            Events::Wheel(wheel) => wheel.next_at(),
        }
    }

    /// Arranges an event; not before now.
    pub fn at(&mut self, at: u64, event: E) {
        self.arranged += 1;
        let moment = Moment { at: at.max(self.now), since: self.now, order: self.arranged };
        let scheduled = Scheduled { moment, event };
        match &mut self.aside {
            None => self.push(scheduled),
            Some(aside) => aside.push(scheduled),
        }
    }

    fn push(&mut self, scheduled: Scheduled<E>) {
        match &mut self.events {
            Events::Heap(heap) => heap.push(scheduled),
            Events::Wheel(wheel) => wheel.push(scheduled),
        }
    }

    /// Arranges an event that comes before all others of its time, whenever they were arranged; not before now.
    pub fn first_at(&mut self, at: u64, event: E) {
        self.arranged += 1;
        let moment = Moment { at: at.max(self.now), since: 0, order: self.arranged };
        self.push(Scheduled { moment, event });
    }

    /// Arranges an event `delay` microseconds from now.
    pub fn after(&mut self, delay: u64, event: E) {
        self.at(self.now.saturating_add(delay), event);
    }

    /// The next event and its moment, if it comes no later than `until`. Time moves to it.
    pub fn next(&mut self, until: u64) -> Option<(Moment, E)> {
        let scheduled = match &mut self.events {
            Events::Heap(heap) if heap.peek()?.moment.at <= until => heap.pop()?,
            Events::Heap(_) => return None,
            Events::Wheel(wheel) => wheel.next(until)?,
        };
        self.now = scheduled.moment.at;
        Some((scheduled.moment, scheduled.event))
    }

    /// Begins to make up for an event that was put off: time goes back to it, and what is arranged is kept aside.
    pub fn go_back(&mut self, moment: Moment, event: E) {
        self.aside.get_or_insert_default().push(Scheduled { moment, event });
    }

    /// What is next of what was kept aside, if it comes before `moment`. Time moves to it, also when that is back.
    pub fn next_aside(&mut self, moment: Moment) -> Option<(Moment, E)> {
        let aside = self.aside.as_mut()?;
        if aside.peek()?.moment >= moment {
            return None;
        }
        let scheduled = aside.pop()?;
        self.now = scheduled.moment.at;
        Some((scheduled.moment, scheduled.event))
    }

    /// It was made up for: what is left of what was kept aside will happen in its turn.
    pub fn return_to(&mut self, now: u64) {
        for scheduled in self.aside.take().unwrap_or_default().into_vec() {
            self.push(scheduled);
        }
        self.now = now;
    }
}

impl Moment {
    /// The moment of what was arranged at `since` to happen at `at`, when nothing else was arranged then for then.
    pub const fn new(at: u64, since: u64) -> Self {
        Self { at, since, order: 0 }
    }

    /// After everything that happens at this time.
    pub const fn end_of(at: u64) -> Self {
        Self { at, since: u64::MAX, order: u64::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_arrangement() {
        for store in [Store::Heap, Store::Wheel] {
            let mut queue = Queue::new(store);
            for (at, name) in [(5, "d"), (2, "b"), (2, "c"), (1, "a"), (9, "e")] {
                queue.at(at, name);
            }
            let seen: Vec<_> = std::iter::from_fn(|| queue.next(5)).map(|(_, name)| name).collect();
            assert_eq!(seen, ["a", "b", "c", "d"]);
            assert_eq!(queue.now(), 5);
        }
    }

    #[test]
    fn what_is_made_up_for_keeps_the_place_it_would_have_had() {
        for store in [Store::Heap, Store::Wheel] {
            let mut queue = Queue::new(store);
            queue.at(10, "put off");
            queue.at(20, "tie, arranged at 0");
            let (moment, event) = queue.next(100).expect("an event");
            assert_eq!(event, "put off");
            queue.at(15, "now");
            let (now, _) = queue.next(100).expect("an event");
            queue.at(20, "tie, arranged at 15");
            queue.go_back(moment, event);
            let (_, event) = queue.next_aside(now).expect("it comes before");
            assert_eq!((event, queue.now()), ("put off", 10));
            queue.at(20, "tie, arranged at 10");
            assert!(queue.next_aside(now).is_none());
            queue.return_to(15);
            let seen: Vec<_> = std::iter::from_fn(|| queue.next(100)).map(|(_, name)| name).collect();
            assert_eq!(seen, ["tie, arranged at 0", "tie, arranged at 10", "tie, arranged at 15"]);
        }
    }

    proptest! {
        /// Arranging and taking in any order, over times near and far, the wheel gives what the heap gives.
        #[test]
        fn the_wheel_keeps_the_order_of_the_heap(
            steps in prop::collection::vec((0u64..60, 0u64..64, any::<bool>(), 0u8..4), 1..400),
        ) {
            let (mut heap, mut wheel) = (Queue::new(Store::Heap), Queue::new(Store::Wheel));
            for (number, (bits, low, take, times)) in steps.into_iter().enumerate() {
                let delay = (1u64 << bits >> 1).saturating_add(low);
                for each in 0..times {
                    heap.after(delay, (number, each));
                    wheel.after(delay, (number, each));
                }
                if take {
                    let until = heap.now().saturating_add(delay << 2);
                    prop_assert_eq!(heap.next(until), wheel.next(until));
                    prop_assert_eq!(heap.now(), wheel.now());
                }
            }
            loop {
                let (one, other) = (heap.next(u64::MAX), wheel.next(u64::MAX));
                prop_assert_eq!(one, other);
                if one.is_none() {
                    break;
                }
            }
        }
    }
}
