//! A class of requests: those to which every node by itself is the same. What each node is to them is kept as a verdict,
//! a small number by position, and counted in each group.

use super::Levels;
use super::order::{BLOCK, Grouping, NOBODY, Order};
use crate::scheduler::Scheduler;
use crate::scheduler::filter::{self, Judge, Want};
use crate::scheduler::nodes::NodeState;
use crate::scheduler::score::{self, OWN_MAX};
use messages::id::NodeId;
use messages::manifest::{Place, Workload};
use messages::node::Standing;
use messages::reason::Reason;
use messages::shared::Shared;

/// Set in the verdict on a node that fits; the rest is the score of its own terms.
pub(super) const FITS: u16 = 1 << 15;
const _: () = assert!(OWN_MAX < FITS as i64, "a score of a node's own terms is part of a verdict");
/// The verdict on nobody.
pub(super) const NOTHING: u16 = 0;

/// What requests of a class have in common, besides the levels at which they look at others.
#[derive(Clone, Debug)]
pub(super) struct Key {
    levels: Levels,
    /// Of one of them; of the others, what they need is the same.
    workload: Shared<Workload>,
    /// Without that which is about who is where.
    place: Place,
    judged: Option<Judged>,
}

/// What the rules of a realm look at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Judged {
    version: u64,
    realm: String,
    name: String,
    exclusive: bool,
}

impl Judged {
    fn of(state: &Scheduler, want: &Want<'_>) -> Option<Self> {
        let version = state.rules.get(want.realm)?.version;
        Some(Self { version, realm: want.realm.into(), name: want.name.into(), exclusive: want.exclusive })
    }

    fn is_of(&self, state: &Scheduler, want: &Want<'_>) -> bool {
        let version = state.rules.get(want.realm).map(|rules| rules.version);
        let named = self.name == want.name && self.realm == want.realm;
        named && version == Some(self.version) && self.exclusive == want.exclusive
    }
}

/// What of a place is about the node alone.
fn alone(place: &Place) -> Place {
    Place { near: Vec::new(), apart: Vec::new(), spread: Vec::new(), per_node_max: None, gang: false, ..place.clone() }
}

impl Key {
    pub(super) fn of(state: &Scheduler, want: &Want<'_>, levels: Levels) -> Self {
        let workload = want.workload.clone();
        Self { levels, workload, place: alone(want.place), judged: Judged::of(state, want) }
    }

    pub(super) fn is_of(&self, state: &Scheduler, want: &Want<'_>, levels: Levels) -> bool {
        let same = self.workload.untouched(want.workload);
        self.levels == levels
            && (same || self.workload.needs_the_same_as(want.workload))
            && self.place == alone(want.place)
            && match &self.judged {
                Some(judged) => judged.is_of(state, want) && (same || self.workload == *want.workload),
                None => !state.rules.contains_key(want.realm),
            }
    }
}

/// What strikes nodes out, as the record counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub tier: u8,
    pub reason: Reason,
    /// It is for good: nothing that is about others comes before it.
    pub fixed: bool,
    /// The node could take one if it had room, and takes work.
    pub open: bool,
}

/// How many nodes of a group have a verdict that strikes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    pub verdict: u16,
    pub count: u32,
    /// None of them is before this position.
    from: u32,
}

/// What is counted of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies {
    pub fitting: u32,
    pub struck: Vec<Tally>,
}

/// What every node is to a class of requests.
pub(super) struct Class {
    pub key: Key,
    /// The number of the decision that used it last.
    pub used_at: u64,
    epoch: u64,
    /// The position of the first change that is not taken in.
    seen: u64,
    /// By position.
    pub verdicts: Vec<u16>,
    /// The greatest verdict of each block.
    pub best: Vec<u16>,
    /// The verdicts on the nodes that have no position yet.
    new: Vec<u16>,
    pub tallies: Vec<Tallies>,
    codes: Vec<Code>,
}

impl Class {
    pub(super) const fn new(key: Key) -> Self {
        Self {
            key,
            used_at: 0,
            epoch: 0,
            seen: 0,
            verdicts: Vec::new(),
            best: Vec::new(),
            new: Vec::new(),
            tallies: Vec::new(),
            codes: Vec::new(),
        }
    }

    /// What a verdict that strikes out stands for.
    pub(super) fn code(&self, verdict: u16) -> Option<Code> {
        self.codes.get(usize::from(verdict).checked_sub(1)?).copied()
    }

    /// The verdict on the node in a slot.
    pub(super) fn verdict(&self, order: &Order, grouping: &Grouping, slot: u32) -> u16 {
        let slot = slot as usize;
        match grouping.positions.get(slot) {
            Some(position) => self.verdicts[*position as usize],
            None => self.new.get(slot - order.placed()).copied().unwrap_or(NOTHING),
        }
    }

    /// Whether a verdict says that a node can take one, or could if it had room and took work.
    pub(super) fn is_fixed(&self, verdict: u16) -> bool {
        self.code(verdict).is_some_and(|code| code.fixed)
    }

    /// Whether a verdict is on a node that could ever take one and takes work.
    pub(super) fn is_open(&self, verdict: u16) -> bool {
        verdict >= FITS || self.code(verdict).is_some_and(|code| code.open)
    }

    /// Whether there is a node that could ever take one.
    pub(super) fn any_open(&self) -> bool {
        let grouped = |tallies: &Tallies| {
            tallies.fitting > 0 || tallies.struck.iter().any(|tally| tally.count > 0 && !self.is_fixed(tally.verdict))
        };
        let loose = |verdict: &u16| *verdict != NOTHING && !self.is_fixed(*verdict);
        self.tallies.iter().any(grouped) || self.new.iter().any(loose)
    }

    /// Takes in what changed since it was used last.
    pub(super) fn catch_up(&mut self, state: &Scheduler, want: Want<'_>, order: &Order) {
        let (cluster, grouping) = (&state.cluster, order.grouping(self.key.levels));
        let changes = cluster.changes();
        match changes.since(self.seen).filter(|_| self.epoch == order.epoch) {
            None => self.judge_all(state, want, order),
            Some(changed) => {
                let known = order.placed() + self.new.len();
                for slot in changed.filter(|slot| (*slot as usize) < known) {
                    let was = self.verdict(order, grouping, slot);
                    let verdict = match cluster.at(slot) {
                        None => NOTHING,
                        Some((id, node)) if was == NOTHING => self.judge_new(&Judge::new(state, want), id, node),
                        Some(_) if self.is_fixed(was) => continue,
                        Some((_, node)) => self.judge(&want, node),
                    };
                    self.put(order, grouping, slot, verdict);
                }
            }
        }
        let known = order.placed() + self.new.len();
        if known < cluster.len() {
            let judge = Judge::new(state, want);
            for slot in known..cluster.len() {
                let node = cluster.at(slot as u32);
                let verdict = node.map_or(NOTHING, |(id, node)| self.judge_new(&judge, id, node));
                self.new.push(verdict);
            }
        }
        self.seen = changes.end();
    }

    /// Judges every node that has a position.
    fn judge_all(&mut self, state: &Scheduler, want: Want<'_>, order: &Order) {
        let (cluster, grouping) = (&state.cluster, order.grouping(self.key.levels));
        self.epoch = order.epoch;
        self.verdicts = vec![NOTHING; grouping.slots.len()];
        self.best = vec![NOTHING; grouping.slots.len() / BLOCK];
        self.tallies = vec![Tallies::default(); grouping.groups.len()];
        self.codes.clear();
        self.new.clear();
        let judge = Judge::new(state, want);
        for slot in grouping.slots.iter().copied().filter(|slot| *slot != NOBODY) {
            let Some((id, node)) = cluster.at(slot) else { continue };
            let verdict = self.judge_new(&judge, id, node);
            self.put(order, grouping, slot, verdict);
        }
    }

    /// The verdict on a node of which nothing is known.
    fn judge_new(&mut self, judge: &Judge<'_>, id: NodeId, node: &NodeState) -> u16 {
        match judge.survey(id, node).strike {
            Some(strike) => self.struck(&strike, true, false),
            None => self.judge(&judge.want, node),
        }
    }

    /// The verdict on a node that nothing strikes out for good.
    fn judge(&mut self, want: &Want<'_>, node: &NodeState) -> u16 {
        let free = node.capacity().minus(node.used());
        let open = node.standing() == Standing::Ready || crate::mutant!(FloorsOverAll);
        match filter::no_room(want, &free, node.gpus()).or_else(|| filter::not_ready(node)) {
            Some(strike) => self.struck(&strike, false, open),
            None => FITS | score::own(want, &free, node).sum() as u16,
        }
    }

    fn struck(&mut self, strike: &filter::Strike<'_>, fixed: bool, open: bool) -> u16 {
        let code = Code { tier: strike.tier(), reason: strike.reason(), fixed, open };
        let at = self.codes.iter().position(|other| *other == code).unwrap_or_else(|| {
            self.codes.push(code);
            self.codes.len() - 1
        });
        at as u16 + 1
    }

    fn put(&mut self, order: &Order, grouping: &Grouping, slot: u32, verdict: u16) {
        let Some(position) = grouping.positions.get(slot as usize).map(|position| *position as usize) else {
            self.new[slot as usize - order.placed()] = verdict;
            return;
        };
        let was = std::mem::replace(&mut self.verdicts[position], verdict);
        if was == verdict {
            return;
        }
        let block = position / BLOCK;
        if verdict >= self.best[block] {
            self.best[block] = verdict;
        } else if was == self.best[block] {
            let verdicts = &self.verdicts[block * BLOCK..(block + 1) * BLOCK];
            self.best[block] = verdicts.iter().copied().fold(NOTHING, u16::max);
        }
        let tallies = &mut self.tallies[grouping.group_of(position)];
        tallies.change(was, position, false);
        tallies.change(verdict, position, true);
    }

    /// The first position of a group at which this verdict is, without those to be passed over.
    pub(super) fn first(
        &mut self,
        group: usize,
        verdict: u16,
        end: usize,
        skip: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let tally = self.tallies[group].struck.iter_mut().find(|tally| tally.verdict == verdict)?;
        let first = find(&self.verdicts[..end], tally.from as usize, verdict)?;
        tally.from = first as u32;
        let mut first = first;
        while skip(first) {
            first = find(&self.verdicts[..end], first + 1, verdict)?;
        }
        Some(first)
    }
}

/// The first position from here on at which a verdict is. Blocks without it are passed over as a whole.
fn find(verdicts: &[u16], from: usize, verdict: u16) -> Option<usize> {
    let mut at = from;
    for some in verdicts.get(from..)?.chunks(BLOCK) {
        if some.iter().fold(false, |found, other| found | (*other == verdict)) {
            return Some(at + some.iter().position(|other| *other == verdict)?);
        }
        at += some.len();
    }
    None
}

impl Tallies {
    fn change(&mut self, verdict: u16, position: usize, comes: bool) {
        let position = position as u32;
        if verdict == NOTHING {
            return;
        }
        if verdict >= FITS {
            self.fitting = if comes { self.fitting + 1 } else { self.fitting - 1 };
            return;
        }
        match self.struck.iter_mut().find(|tally| tally.verdict == verdict) {
            Some(tally) if comes => {
                tally.from = if tally.count == 0 { position } else { tally.from.min(position) };
                tally.count += 1;
            }
            Some(tally) => tally.count -= 1,
            None => self.struck.push(Tally { verdict, count: 1, from: position }),
        }
    }
}
