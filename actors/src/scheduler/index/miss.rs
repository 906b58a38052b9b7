//! Why an instance fits nowhere, without looking at every node: how many each reason struck out is counted already, and
//! what is left to find is the node that came nearest.
//!
//! That is the one against which the least stands. So when a single thing, which is not for good, stands against some
//! nodes, it is one of them, and those are found here. Otherwise only a look at every node can tell.

use super::class::{Class, FITS};
use super::look::{Found, Look};
use super::order::NOBODY;
use crate::scheduler::explain::{self, distance};
use crate::scheduler::filter::{self, Judge, Strike, Surveyed};
use crate::scheduler::nodes::RefusedBy;
use messages::reason::Reason;
use messages::scheduler::{Ask, Unplaceable};
use std::cmp::Ordering;

/// The tier of what a node has left.
const ROOM: u8 = 5;
/// The tier of what fits and takes nothing new: nothing else stands against such a node.
const STANDING: u8 = 6;

/// The node that came nearest so far: how permanent that is which stands against it, how much is missing, and its slot.
struct Nearest<'l, 'a, 'b> {
    look: &'l Look<'a, 'b>,
    best: Option<(u8, u64, u32)>,
}

impl Nearest<'_, '_, '_> {
    /// A node against which only this stands.
    fn weigh(&mut self, slot: u32, strike: &Strike<'_>) {
        let away = (u8::MAX - strike.tier(), distance(&self.look.want, strike));
        let nearer = |(permanence, missing, held): (u8, u64, u32)| {
            away < (permanence, missing)
                || away == (permanence, missing) && self.look.compare(slot, held) == Ordering::Less
        };
        if self.best.is_none_or(nearer) {
            self.best = Some((away.0, away.1, slot));
        }
    }
}

impl<'a> Look<'a, '_> {
    /// What is said of an instance that fits nowhere. Nothing, where only a look at every node can tell.
    pub(super) fn explain(
        &self,
        ask: &Ask,
        refused: &[RefusedBy],
        class: &Class,
        found: &Found,
    ) -> Option<Unplaceable> {
        let closed = found.struck.iter().filter(|((tier, _), ..)| *tier == STANDING).map(|(.., first)| *first);
        let slot = match closed.min_by(|one, other| self.compare(*one, *other)) {
            Some(first) => first,
            None => self.nearest(refused, class)?,
        };
        let (id, node) = self.view.state.cluster().at(slot)?;
        let surveyed = Judge::new(self.view.state, self.want).survey(id, node);
        let obstacles = filter::obstacles(self.view, &self.want, &surveyed, &self.floors, refused);
        let struck_out: Vec<(Reason, u32)> = found.struck.iter().map(|((_, why), count, _)| (*why, *count)).collect();
        Some(explain::nearest_miss(self.view, &self.want, &ask.label, struck_out, &surveyed, &obstacles))
    }

    /// The nearest of the nodes against which a single thing stands that is not for good.
    fn nearest(&self, refused: &[RefusedBy], class: &Class) -> Option<u32> {
        let mut nearest = Nearest { look: self, best: None };
        for (number, group) in self.grouping.groups.iter().enumerate() {
            match filter::all_unwanted(self.view, &self.want, group.spot, &self.floors).as_slice() {
                [] => self.short_of_room(number, class, &mut nearest),
                [only] => {
                    let fits = |at: &usize| class.verdicts[*at] >= FITS && !self.is_special(*at);
                    if let Some(first) = (group.begin..group.end).find(fits) {
                        nearest.weigh(self.grouping.slots[first], only);
                    }
                }
                _ => {}
            }
        }
        for special in self.specials.iter().filter(|special| !class.is_fixed(special.verdict)) {
            let Some((id, node)) = self.view.state.cluster().at(special.slot) else { continue };
            let surveyed = Surveyed { id, node, strike: None, policy: None };
            let obstacles = filter::obstacles(self.view, &self.want, &surveyed, &self.floors, refused);
            if let [only] = obstacles.as_slice() {
                nearest.weigh(special.slot, only);
            }
        }
        nearest.best.map(|(.., slot)| slot)
    }

    /// Weighs the nodes of a group that take work and have too little left of a single thing.
    fn short_of_room(&self, group: usize, class: &Class, nearest: &mut Nearest<'_, 'a, '_>) {
        let group = &self.grouping.groups[group];
        for position in group.begin..group.end {
            let slot = self.grouping.slots[position];
            let short = class.code(class.verdicts[position]).is_some_and(|code| code.tier == ROOM);
            if !short || slot == NOBODY || self.is_special(position) {
                continue;
            }
            let Some((_, node)) = self.view.state.cluster().at(slot) else { continue };
            let free = node.capacity().minus(node.used());
            let mut shortages = filter::shortages(&self.want, &free, node.gpus());
            if let (Some(only), None, None) = (shortages.next(), shortages.next(), filter::not_ready(node)) {
                nearest.weigh(slot, &only);
            }
        }
    }
}
