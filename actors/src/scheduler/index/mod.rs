//! The index: exactly what a look at every node decides, without looking at every node.
//!
//! What a node is to a request by itself (struck out, or how good) depends on what is needed and on the node, and on
//! nobody else. So it is kept for each class of requests ([`class`]), and only nodes that changed are judged anew, when
//! a request of the class comes next. Who is where decides the rest, and is the same for all nodes of a rack, site and
//! region on which there is nothing that counts: so nodes are grouped by those ([`order`]), and a decision looks at
//! each group once, at the best of it, and at the few nodes that are like no others ([`look`]).
//!
//! All of it follows from the state, is no part of it, and can be thrown away at any time.

mod class;
mod look;
mod miss;
mod order;
#[cfg(test)]
mod tests;

use super::Scheduler;
use super::filter::{Survey, Want};
use super::nodes::RefusedBy;
use super::view::ClusterView;
use class::{Class, Key};
use messages::id::JobId;
use messages::manifest::Level;
use messages::scheduler::{Ask, Decision};
use order::Order;
use std::cell::Cell;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

/// How many classes of requests are kept; the one that was used least lately goes first.
const CLASSES_MAX: usize = 64;

thread_local! {
    static SCANNING: Cell<bool> = const { Cell::new(false) };
}

/// Runs something in which every decision of this thread looks at every node. It decides the same, slowly.
pub fn scanning<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCANNING.set(self.0);
        }
    }
    let _restore = Restore(SCANNING.replace(true));
    work()
}

/// Whether decisions use the index.
pub(super) fn used() -> bool {
    !SCANNING.get()
}

/// What was worked out so far. No part of the state: equal to any other, never written, and empty in a copy.
#[derive(Default)]
pub(super) struct Memo(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    order: Order,
    classes: Vec<Class>,
    decisions: u64,
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Memo {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Memo")
    }
}

impl Memo {
    /// What was worked out. After a panic in the middle of it, it starts over.
    fn open(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(|poisoned| {
            self.0.clear_poison();
            let mut kept = poisoned.into_inner();
            *kept = Kept::default();
            kept
        })
    }
}

impl Kept {
    /// The class of a request, with all that changed taken in.
    fn class(&mut self, state: &Scheduler, want: Want<'_>, levels: Levels) -> (&Order, &mut Class) {
        self.order.follow(&state.cluster, levels);
        self.decisions += 1;
        let found = self.classes.iter().position(|class| class.key.is_of(state, &want, levels));
        let at = found.unwrap_or_else(|| {
            if self.classes.len() >= CLASSES_MAX {
                let oldest = self.classes.iter().enumerate().min_by_key(|(_, class)| class.used_at);
                let oldest = oldest.map(|(at, _)| at);
                oldest.map(|at| self.classes.swap_remove(at));
            }
            self.classes.push(Class::new(Key::of(state, &want, levels)));
            self.classes.len() - 1
        });
        let class = &mut self.classes[at];
        class.used_at = self.decisions;
        class.catch_up(state, want, &self.order);
        (&self.order, class)
    }
}

/// The levels at which it matters to a request who is in the same place: rack, site and region, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Levels(u8);

impl Levels {
    /// How many there can be.
    const COUNT: usize = 8;

    fn add(&mut self, level: Level) {
        self.0 |= 1 << level as u8 >> 1;
    }

    fn has(self, level: Level) -> bool {
        self.0 & (1 << level as u8 >> 1) != 0
    }
}

/// Whom a request looks at: at which levels beyond the node, and which jobs on the nodes themselves.
struct Company {
    levels: Levels,
    jobs: Vec<JobId>,
    /// All jobs that it looks at, here or there.
    all: Vec<JobId>,
}

impl Company {
    fn of(view: &ClusterView<'_>, want: &Want<'_>) -> Self {
        let mut company = Self { levels: Levels::default(), jobs: vec![want.job], all: vec![want.job] };
        for near in &want.place.near {
            let further = Level::ALL.into_iter().filter(|level| *level > near.within && !near.hard);
            further.for_each(|level| company.levels.add(level));
            company.look(view.job(want.realm, &near.job), near.within);
        }
        for apart in &want.place.apart {
            company.look(view.job(want.realm, &apart.job), apart.within);
        }
        want.place.spread.iter().for_each(|spread| company.look(want.job, spread.over));
        view.repelled_by(want.job).for_each(|(by, level)| company.look(by, level));
        company
    }

    fn look(&mut self, job: JobId, level: Level) {
        self.all.push(job);
        if level == Level::Node {
            self.jobs.push(job);
        } else {
            self.levels.add(level);
        }
    }
}

/// Decides where an instance goes: exactly what looking at every node would decide. Nothing, when only looking at every
/// node can say why it fits nowhere: no node is as is required, or none has so much in all.
pub(super) fn decide<'a>(
    view: &ClusterView<'a>,
    survey: &Survey<'a>,
    ask: &Ask,
    refused: &[RefusedBy],
) -> Option<Decision> {
    let company = Company::of(view, &survey.want);
    let mut kept = view.state.memo.open();
    let (order, class) = kept.class(view.state, survey.want, company.levels);
    look::decide(view, survey.want, ask, refused, order, class, &company)
}

/// Whether some node could take an instance if nothing else were there.
pub(super) fn possible(view: &ClusterView<'_>, survey: &Survey<'_>) -> bool {
    let mut kept = view.state.memo.open();
    let (_, class) = kept.class(view.state, survey.want, Levels::default());
    class.any_open()
}
