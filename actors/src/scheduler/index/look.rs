//! One decision over the groups of a class: what strikes out whole groups, the best of the others, and the nodes that
//! are like no others, each looked at on its own.

use super::Company;
use super::class::{Class, FITS, NOTHING};
use super::order::{BLOCK, Grouping, Order};
use crate::scheduler::census::{Domain, Spot};
use crate::scheduler::filter::{self, Floors, Judge, Strike, Surveyed, Want};
use crate::scheduler::nodes::RefusedBy;
use crate::scheduler::score;
use crate::scheduler::select::candidate;
use crate::scheduler::view::ClusterView;
use messages::manifest::Level;
use messages::reason::Reason;
use messages::scheduler::{Ask, Candidate, Decision, Unplaceable};
use std::cell::RefCell;
use std::cmp::Ordering;

/// How many blocks with the best of all are found before any is looked at, at the most.
const LEADING_MAX: usize = 32;

/// So many verdicts are looked at together before each is.
const STRIDE: usize = 16;

/// A node that is like no others of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Special {
    /// None when it has no position yet.
    position: Option<usize>,
    pub slot: u32,
    pub verdict: u16,
}

/// A look for one request.
pub(super) struct Look<'a, 'b> {
    pub view: &'b ClusterView<'a>,
    pub want: Want<'a>,
    order: &'b Order,
    pub grouping: &'b Grouping,
    /// Sorted by position.
    pub specials: Vec<Special>,
    pub floors: Floors,
    /// The domains in which there is something that counts, sorted.
    touched: Vec<Domain>,
    /// Whether a node that is not special is to be avoided: it is not, where any is.
    avoided: Option<bool>,
    /// What was found out of places by what counts there: what strikes them out, or the terms that follow.
    known: RefCell<Vec<(Spot, Fate)>>,
}

/// What the nodes of a place have in common for who is where.
#[derive(Clone, Copy)]
enum Fate {
    Struck(u8, Reason),
    Worth(i64),
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// The best first: the sum of the terms, and the slot.
    best: Vec<(i64, u32)>,
    fitting: u32,
    /// How many each reason struck out, with the first by name.
    pub struck: Vec<((u8, Reason), u32, u32)>,
}

/// Decides where an instance goes. Nothing, when it fits nowhere and only a look at every node can say why.
pub(super) fn decide<'a>(
    view: &ClusterView<'a>,
    want: Want<'a>,
    ask: &Ask,
    refused: &[RefusedBy],
    order: &Order,
    class: &mut Class,
    company: &Company,
) -> Option<Decision> {
    let grouping = order.grouping(company.levels);
    let specials = specials(view, ask, refused, order, class, company);
    let mut touched = Vec::new();
    company.all.iter().for_each(|job| view.domains_with(*job, &mut touched));
    touched.sort_unstable();
    touched.dedup();
    let (avoided, known) = ((!ask.avoid.is_empty()).then_some(false), RefCell::default());
    let mut look = Look { view, want, order, grouping, specials, floors: Floors::new(), touched, avoided, known };
    look.floors = look.floors(class);
    let mut found = Found::default();
    for group in 0..grouping.groups.len() {
        look.group(group, class, &mut found);
    }
    for at in 0..look.specials.len() {
        look.special(at, ask, refused, class, &mut found);
    }
    found.struck.sort_unstable_by_key(|(why, ..)| *why);
    let why = if found.best.is_empty() { Some(look.explain(ask, refused, class, &found)?) } else { None };
    Some(look.conclude(ask, found, why))
}

/// Nodes that are like no others: those that have something of the jobs that count there, those to which something was
/// given just now, those of which something is said, and those that have no position yet. Without those that are struck
/// out for good, whatever else there is, and have a position.
fn specials(
    view: &ClusterView<'_>,
    ask: &Ask,
    refused: &[RefusedBy],
    order: &Order,
    class: &Class,
    company: &Company,
) -> Vec<Special> {
    let cluster = view.state.cluster();
    let grouping = order.grouping(company.levels);
    let mut slots: Vec<u32> = Vec::new();
    company.jobs.iter().for_each(|job| view.nodes_with(*job, &mut slots));
    slots.extend(view.given());
    let named = ask.avoid.iter().copied().chain(refused.iter().map(|no| no.node));
    slots.extend(named.filter_map(|node| cluster.slot(node)));
    slots.extend(order.placed() as u32..cluster.len() as u32);
    let special = |slot: u32| {
        let position = grouping.positions.get(slot as usize).map(|position| *position as usize);
        Special { position, slot, verdict: class.verdict(order, grouping, slot) }
    };
    let mut specials: Vec<Special> = slots.into_iter().map(special).collect();
    specials.retain(|special| special.position.is_none() || !class.is_fixed(special.verdict));
    specials.sort_unstable();
    specials.dedup();
    specials
}

impl<'a> Look<'a, '_> {
    /// The special nodes among these positions.
    fn among(&self, begin: usize, end: usize) -> &[Special] {
        let before = |at: usize| self.specials.partition_point(|special| special.position < Some(at));
        &self.specials[before(begin)..before(end)]
    }

    /// The fewest instances that a domain has which could take one, for each spread that must hold.
    fn floors(&self, class: &Class) -> Floors {
        let (want, view) = (&self.want, self.view);
        if want.place.spread.is_empty() {
            return Floors::new();
        }
        let alike: Vec<bool> = (0..self.grouping.groups.len()).map(|group| self.has_open(group, class)).collect();
        let floor = |level: Level| {
            let groups = self.grouping.groups.iter().zip(&alike).filter(|(_, open)| **open);
            let in_groups = groups.map(|(group, _)| view.count(want.job, level, group.spot));
            let special = self.specials.iter().filter(|special| class.is_open(special.verdict));
            let nodes = special.filter_map(|special| view.state.cluster().at(special.slot));
            in_groups.chain(nodes.map(|(_, node)| view.count(want.job, level, node.spot()))).min().unwrap_or(0)
        };
        want.place.spread.iter().map(|spread| (spread.over, floor(spread.over))).collect()
    }

    /// Whether a group has a node that takes work and could ever take the job, and is not special.
    fn has_open(&self, group: usize, class: &Class) -> bool {
        let (place, tallies) = (&self.grouping.groups[group], &class.tallies[group]);
        let struck = tallies.struck.iter().filter(|tally| class.is_open(tally.verdict));
        let all = tallies.fitting + struck.map(|tally| tally.count).sum::<u32>();
        let special = self.among(place.begin, place.end).iter().filter(|special| class.is_open(special.verdict));
        all as usize > special.count()
    }

    /// Looks at the nodes of a group that are not special.
    fn group(&self, group: usize, class: &mut Class, found: &mut Found) {
        let place = &self.grouping.groups[group];
        let specials = self.among(place.begin, place.end);
        let is_special = |position: usize| specials.binary_search_by_key(&Some(position), |it| it.position).is_ok();
        let mut left = 0;
        for at in 0..class.tallies[group].struck.len() {
            let tally = class.tallies[group].struck[at];
            let Some(code) = class.code(tally.verdict) else { continue };
            let special = specials.iter().filter(|special| special.verdict == tally.verdict).count() as u32;
            let count = tally.count - special;
            if !code.fixed {
                left += count;
            } else if count > 0 {
                self.strike(
                    found,
                    (code.tier, code.reason),
                    count,
                    self.first(class, group, tally.verdict, is_special),
                );
            }
        }
        let special = specials.iter().filter(|special| special.verdict >= FITS).count() as u32;
        let fitting = class.tallies[group].fitting - special;
        if left + fitting == 0 {
            return;
        }
        let fate = self.fate(place.spot);
        if let Fate::Struck(tier, reason) = fate {
            let mut positions = place.begin..place.end;
            let loose = |verdict: u16| verdict != NOTHING && !class.is_fixed(verdict);
            let first = positions.find(|at| !is_special(*at) && loose(class.verdicts[*at]));
            let slot = first.and_then(|at| self.grouping.slots.get(at).copied());
            self.strike(found, (tier, reason), left + fitting, slot);
            return;
        }
        for at in 0..class.tallies[group].struck.len() {
            let tally = class.tallies[group].struck[at];
            let Some(code) = class.code(tally.verdict).filter(|code| !code.fixed) else { continue };
            let special = specials.iter().filter(|special| special.verdict == tally.verdict).count() as u32;
            if tally.count > special {
                let first = self.first(class, group, tally.verdict, is_special);
                self.strike(found, (code.tier, code.reason), tally.count - special, first);
            }
        }
        if let (Fate::Worth(bonus), true) = (fate, fitting > 0) {
            found.fitting += fitting;
            self.best_of(place.blocks(), bonus, class, is_special, found);
        }
    }

    /// What the nodes of a place have in common. Places with the same in all that counts are asked about once.
    fn fate(&self, spot: Spot) -> Fate {
        let spot = spot.only(&self.touched);
        if let Some((_, fate)) = self.known.borrow().iter().find(|(known, _)| *known == spot) {
            return *fate;
        }
        let fate = match filter::unwanted(self.view, &self.want, spot, &self.floors) {
            Some(strike) => Fate::Struck(strike.tier(), strike.reason()),
            None => Fate::Worth(score::company(self.view, &self.want, spot, &self.floors, self.avoided).sum()),
        };
        self.known.borrow_mut().push((spot, fate));
        fate
    }

    fn first(&self, class: &mut Class, group: usize, verdict: u16, skip: impl Fn(usize) -> bool) -> Option<u32> {
        let position = class.first(group, verdict, self.grouping.groups[group].end, skip)?;
        self.grouping.slots.get(position).copied()
    }

    /// Keeps the best of these blocks, when they are among the best so far. Of equals the first counts, since they stand
    /// in the order of their names.
    fn best_of(
        &self,
        blocks: std::ops::Range<usize>,
        bonus: i64,
        class: &Class,
        is_special: impl Fn(usize) -> bool,
        found: &mut Found,
    ) {
        let mut top: Vec<(u16, usize)> = Vec::with_capacity(Decision::CANDIDATES_MAX + 1);
        // No node counts that is no better than this.
        let mut bar = self.least(&class.best[blocks.clone()]) - 1;
        for block in blocks {
            if class.best[block] <= bar {
                continue;
            }
            let positions = (block * BLOCK..(block + 1) * BLOCK).step_by(STRIDE);
            for (first, some) in positions.zip(class.verdicts[block * BLOCK..].chunks(STRIDE)) {
                if !some.iter().fold(false, |any, verdict| any | (*verdict > bar)) {
                    continue;
                }
                for (position, verdict) in (first..).zip(some) {
                    if *verdict > bar && !is_special(position) {
                        let at = top.partition_point(|(other, _)| other >= verdict);
                        top.insert(at, (*verdict, position));
                        top.truncate(Decision::CANDIDATES_MAX);
                        if top.len() == Decision::CANDIDATES_MAX {
                            bar = bar.max(top[Decision::CANDIDATES_MAX - 1].0);
                        }
                    }
                }
            }
        }
        for (verdict, position) in top {
            let sum = i64::from(verdict & !FITS) + bonus;
            if !found.is_beyond(sum) {
                self.keep(found, (sum, self.grouping.slots[position]));
            }
        }
    }

    /// What the best that count have at least: of so many blocks, and one more for each special node, the best is no
    /// worse, and at most as many of them as there are special nodes are special.
    fn least(&self, best: &[u16]) -> u16 {
        let mut most = [FITS; LEADING_MAX];
        let count = Decision::CANDIDATES_MAX + self.specials.len();
        if count > LEADING_MAX || best.len() <= count {
            return FITS;
        }
        for one in best {
            if *one > most[count - 1] {
                let at = most[..count].partition_point(|other| other >= one);
                most.copy_within(at..count - 1, at + 1);
                most[at] = *one;
            }
        }
        most[count - 1]
    }

    /// Looks at a special node.
    fn special(&self, at: usize, ask: &Ask, refused: &[RefusedBy], class: &Class, found: &mut Found) {
        let Special { slot, verdict, .. } = self.specials[at];
        let Some((id, node)) = self.view.state.cluster().at(slot) else { return };
        let known = class.code(verdict).filter(|code| code.fixed).map(|code| (code.tier, code.reason));
        let surveyed = Surveyed { id, node, strike: None, policy: None };
        let of = |strike: Strike<'_>| (strike.tier(), strike.reason());
        let strike = || filter::strike(self.view, &self.want, &surveyed, &self.floors, refused).map(of);
        if let Some(strike) = known.or_else(strike) {
            self.strike(found, strike, 1, Some(slot));
            return;
        }
        found.fitting += 1;
        let sum = score::score(self.view, &self.want, id, node, &self.floors, &ask.avoid).sum();
        if !found.is_beyond(sum) {
            self.keep(found, (sum, slot));
        }
    }

    /// Counts nodes that are struck out, of which this is the first by name.
    fn strike(&self, found: &mut Found, why: (u8, Reason), count: u32, first: Option<u32>) {
        let Some(first) = first else { return };
        match found.struck.iter_mut().find(|(other, ..)| *other == why) {
            Some((_, counted, slot)) => {
                *counted += count;
                if self.compare(first, *slot) == Ordering::Less {
                    *slot = first;
                }
            }
            None => found.struck.push((why, count, first)),
        }
    }

    pub(super) fn is_special(&self, position: usize) -> bool {
        self.specials.binary_search_by_key(&Some(position), |special| special.position).is_ok()
    }

    pub(super) fn compare(&self, one: u32, other: u32) -> Ordering {
        self.order.compare(self.view.state.cluster(), one, other)
    }

    fn keep(&self, found: &mut Found, (sum, slot): (i64, u32)) {
        let before =
            |(other, at): &(i64, u32)| *other > sum || *other == sum && self.compare(*at, slot) == Ordering::Less;
        let at = found.best.partition_point(before);
        if at < Decision::CANDIDATES_MAX {
            found.best.truncate(Decision::CANDIDATES_MAX - 1);
            found.best.insert(at, (sum, slot));
        }
    }

    /// The record of the decision.
    fn conclude(&self, ask: &Ask, found: Found, unplaceable: Option<Unplaceable>) -> Decision {
        let (view, want) = (self.view, &self.want);
        let cluster = view.state.cluster();
        let nodes = found.best.iter().filter_map(|(_, slot)| cluster.at(*slot));
        let candidates: Vec<Candidate> = nodes
            .map(|(id, node)| candidate(id, node, &score::score(view, want, id, node, &self.floors, &ask.avoid)))
            .collect();
        let second = candidates.get(usize::from(crate::mutant!(SecondBestChosen)));
        let chosen = second.or(candidates.first()).map(|candidate| candidate.node);
        let judged = chosen.filter(|_| view.state.has_rules(want.realm)).and_then(|id| Some((id, cluster.node(id)?)));
        let policy = judged.and_then(|(id, node)| Judge::new(view.state, *want).survey(id, node).policy);
        let struck = found.struck.into_iter();
        let name = |slot: u32| cluster.at(slot).map(|(_, node)| node.name().to_string()).unwrap_or_default();
        Decision {
            instance: ask.instance,
            label: ask.label.clone(),
            chosen,
            candidates,
            fitting: found.fitting,
            struck_out: struck.map(|((_, reason), count, slot)| (reason, count, name(slot))).collect(),
            policy,
            unplaceable,
        }
    }
}

impl Found {
    /// Whether a node of this sum is worse than all that are kept, and no more are kept.
    fn is_beyond(&self, sum: i64) -> bool {
        self.best.len() >= Decision::CANDIDATES_MAX && self.best.last().is_some_and(|(worst, _)| sum < *worst)
    }
}
