//! Why an instance fits nowhere, without looking at every node: how many each reason struck out is counted already, and
//! what is left to find is the node that came nearest.

use super::class::Class;
use super::look::{Found, Look};
use super::order::NOBODY;
use crate::scheduler::explain::{self, distance};
use crate::scheduler::filter::{self, Judge, Strike, Surveyed};
use crate::scheduler::nodes::RefusedBy;
use messages::reason::Reason;
use messages::scheduler::{Ask, Unplaceable};

/// The tiers in which each node is as far as the others, so that the first by name is the nearest.
const ALIKE: [u8; 4] = [0, 3, 4, 6];
/// The tier of what a node has left, and of what it refused.
const ROOM: u8 = 5;

impl<'a> Look<'a, '_> {
    /// What is said of an instance that fits nowhere. Nothing, where only a look at every node can tell.
    pub(super) fn explain(
        &self,
        ask: &Ask,
        refused: &[RefusedBy],
        class: &Class,
        found: &Found,
    ) -> Option<Unplaceable> {
        let (tier, ..) = found.struck.last()?.0;
        let slot = match tier {
            ROOM => self.nearest(refused, class)?,
            alike if ALIKE.contains(&alike) => {
                let of_tier = found.struck.iter().filter(|((other, _), ..)| *other == tier).map(|(.., first)| *first);
                of_tier.min_by(|one, other| self.compare(*one, *other))?
            }
            _ => return None,
        };
        let (id, node) = self.view.state.cluster().at(slot)?;
        let surveyed = Judge::new(self.view.state, self.want).survey(id, node);
        let strike = filter::strike(self.view, &self.want, &surveyed, &self.floors, refused)?;
        let struck_out: Vec<(Reason, u32)> = found.struck.iter().map(|((_, why), count, _)| (*why, *count)).collect();
        Some(explain::nearest_miss(&self.want, &ask.label, struck_out, &surveyed, &strike))
    }

    /// The node that has the least too little room.
    fn nearest(&self, refused: &[RefusedBy], class: &Class) -> Option<u32> {
        let cluster = self.view.state.cluster();
        let mut best: Option<(u64, u32)> = None;
        let mut weigh = |slot: u32, strike: &Strike<'a>| {
            let away = (distance(&self.want, strike), slot);
            let nearer = |held: (u64, u32)| {
                away.0 < held.0 || away.0 == held.0 && self.compare(slot, held.1) == std::cmp::Ordering::Less
            };
            if best.is_none_or(nearer) {
                best = Some(away);
            }
        };
        for group in &self.grouping.groups {
            if filter::unwanted(self.view, &self.want, group.spot, &self.floors).is_some() {
                continue;
            }
            for position in group.begin..group.end {
                let slot = self.grouping.slots[position];
                let short = class.code(class.verdicts[position]).is_some_and(|code| code.tier == ROOM);
                if !short || slot == NOBODY || self.is_special(position) {
                    continue;
                }
                let Some((_, node)) = cluster.at(slot) else { continue };
                if let Some(strike) = filter::no_room(&self.want, &node.capacity().minus(node.used())) {
                    weigh(slot, &strike);
                }
            }
        }
        for special in self.specials.iter().filter(|special| !class.is_fixed(special.verdict)) {
            let Some((id, node)) = cluster.at(special.slot) else { continue };
            let surveyed = Surveyed { id, node, strike: None, policy: None };
            let strike = filter::strike(self.view, &self.want, &surveyed, &self.floors, refused);
            if let Some(strike) = strike.filter(|strike| strike.tier() == ROOM) {
                weigh(special.slot, &strike);
            }
        }
        best.map(|(_, slot)| slot)
    }
}
