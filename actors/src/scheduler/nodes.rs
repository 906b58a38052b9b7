//! The nodes, each with what it said last and the room given away on it.
//!
//! In bytes they are a map by their ids. In memory they have slots, numbers from zero in the order in which they came,
//! by which everything derived speaks of them; no answer may depend on those.

use super::census::Spot;
use super::described::Described;
use messages::gpu::Gpus;
use messages::id::{InstanceId, JobId, NodeId};
use messages::manifest::{Level, Tag};
use messages::node::{ClaimView, NodeView, Standing};
use messages::reason::Reason;
use messages::resources::Resources;
use messages::scheduler::Ask;
use messages::time::Timestamp;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// One node.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct NodeState {
    used: Resources,
    gpus: Gpus,
    #[serde(skip)]
    spot: Spot,
    #[serde(skip)]
    slot: u32,
    /// It was removed, and nothing is left of it but where it would be.
    #[serde(skip)]
    gone: bool,
    standing: Standing,
    version: u64,
    described: Described,
    claims: Box<[ClaimView]>,
    reservations: BTreeMap<InstanceId, Reservation>,
}

impl PartialEq for NodeState {
    fn eq(&self, other: &Self) -> bool {
        let said =
            self.version == other.version && self.standing == other.standing && self.described == other.described;
        let left = self.used == other.used && self.gpus == other.gpus;
        said && left && self.claims == other.claims && self.reservations == other.reservations
    }
}

impl Eq for NodeState {}

/// Room given away that the node's view does not show yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The job.
    pub job: JobId,
    /// What was asked.
    pub ask: Ask,
    /// What it takes.
    pub resources: Resources,
    /// The GPUs that the node is thought to give it; none while there are none to give.
    pub gpus: Vec<u16>,
    /// When it lapses, if the node's view does not show the claim before.
    pub until: Timestamp,
    /// Nodes that refused the instance before.
    pub refused: Vec<RefusedBy>,
}

/// A node that refused a claim. It counts until the node's view changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedBy {
    /// Which node.
    pub node: NodeId,
    /// The version of the view it refused with.
    pub version: u64,
    /// Why.
    pub because: Reason,
}

impl NodeState {
    /// Its name.
    pub fn name(&self) -> &str {
        self.described.name()
    }

    /// The version of what it said last.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The claims it said it has.
    pub const fn claims(&self) -> &[ClaimView] {
        &self.claims
    }

    /// What it said it is.
    pub(super) const fn described(&self) -> &Described {
        &self.described
    }

    /// Whether it takes work.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// What it has in all.
    pub const fn capacity(&self) -> &Resources {
        &self.described.capacity
    }

    /// What its claims and the room given away take.
    pub const fn used(&self) -> &Resources {
        &self.used
    }

    /// What is left of each of its GPUs.
    pub const fn gpus(&self) -> &Gpus {
        &self.gpus
    }

    /// The model of its GPUs; empty when it is not known.
    pub fn gpu_model(&self) -> &str {
        self.described.gpu_model()
    }

    /// Where it is, at every level.
    pub const fn spot(&self) -> Spot {
        self.spot
    }

    /// The name of the place where it is at a level; begins with `?` where that is not known.
    pub fn domain(&self, level: Level) -> String {
        self.described.domain(level)
    }

    /// Its slot.
    pub(super) const fn slot(&self) -> u32 {
        self.slot
    }

    /// Its tags, with `node`, `rack`, `site` and `region`.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let all = self.described.tags().chain(self.implicit());
        all.map(|(key, value)| (key.into(), value.into())).collect()
    }

    /// What a tag of it says.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let mut all = self.implicit().chain(self.described.tags());
        all.find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Its taints, each with its value or an empty one.
    pub fn taints(&self) -> impl Iterator<Item = (&str, &str)> {
        self.described.taints()
    }

    /// What every node has as a tag, whatever else it says.
    fn implicit(&self) -> impl Iterator<Item = (&str, &str)> {
        let it = &self.described;
        let all = [("node", it.name()), ("rack", it.rack()), ("site", it.site()), ("region", it.region())];
        all.into_iter().filter(|(_, value)| !value.is_empty())
    }

    /// The room given away that its view does not show yet.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations.values()
    }

    /// The room held for an instance here.
    pub(super) fn reservation(&self, instance: InstanceId) -> Option<&Reservation> {
        self.reservations.get(&instance)
    }

    /// Whether its tags are as this one wants them.
    pub fn satisfies(&self, tag: &Tag) -> bool {
        let found = self.tag(&tag.key).is_some_and(|have| tag.value.as_ref().is_none_or(|want| want == have));
        found != tag.negated
    }

    pub(super) const fn put_at(&mut self, spot: Spot) {
        self.spot = spot;
    }

    /// Takes in what it says, and drops what its claims show by now. Says whether what is left of it or whether it takes
    /// work is another than it was.
    pub(super) fn set_view(&mut self, view: NodeView, shown: &[InstanceId]) -> bool {
        self.reservations.retain(|instance, _| !shown.contains(instance));
        let stood = std::mem::replace(&mut self.standing, view.standing);
        (self.version, self.claims) = (view.version, view.claims.into());
        if !self.described.is(&view.spec) {
            self.described = Described::of(&view.spec);
        }
        self.sum_up() || stood != self.standing
    }

    pub(super) fn reserve(&mut self, instance: InstanceId, reservation: Reservation) {
        if !crate::mutant!(ReservationIgnored) {
            self.used = self.used.plus(&reservation.resources);
        }
        let takes_gpus = reservation.resources.gpu_milli > 0;
        self.reservations.insert(instance, reservation);
        if takes_gpus {
            self.hand_out_gpus();
        }
    }

    /// Room is held again as it was, before anything is summed up.
    pub(super) fn hold_again(&mut self, held: Vec<Reservation>) {
        self.reservations.extend(held.into_iter().map(|reservation| (reservation.ask.instance, reservation)));
        self.sum_up();
    }

    pub(super) fn release(&mut self, instance: InstanceId) -> Option<Reservation> {
        let released = self.reservations.remove(&instance);
        self.sum_up();
        released
    }

    /// It is removed, with all that is on it. Says what was held on it.
    pub(super) fn leave(&mut self) -> Vec<Reservation> {
        self.gone = true;
        (self.version, self.standing, self.claims) = (0, Standing::default(), Box::default());
        let held = std::mem::take(&mut self.reservations).into_values().collect();
        self.sum_up();
        held
    }

    /// It is there, whether it was removed or not. Says whether it was.
    pub(super) const fn come_back(&mut self) -> bool {
        std::mem::replace(&mut self.gone, false)
    }

    /// What it said last, as it said it.
    pub(super) fn as_view(&self) -> NodeView {
        let (version, standing, claims) = (self.version, self.standing, self.claims.to_vec());
        NodeView { version, spec: self.described.unpacked().into(), standing, claims }
    }

    /// Says whether there is less or more left than there was, or something else.
    fn sum_up(&mut self) -> bool {
        let claims = self.claims.iter().map(|claim| &claim.resources);
        let claims = claims.filter(|_| !crate::mutant!(ClaimsIgnored));
        let count = if crate::mutant!(ReservationIgnored) { 0 } else { usize::MAX };
        let reserved = self.reservations.values().map(|reservation| &reservation.resources).take(count);
        let used = claims.chain(reserved).fold(Resources::default(), |sum, one| sum.plus(one));
        let was = std::mem::replace(&mut self.used, used);
        let handed_out = self.hand_out_gpus();
        was != self.used || handed_out
    }

    /// Which GPUs are left: the node says which its claims have, and what is given away is thought to have those that
    /// the node would give it. While there is none for one of them nothing is left. Says whether others are left than
    /// before.
    fn hand_out_gpus(&mut self) -> bool {
        let gpus = deal(&self.described.capacity, &self.claims, self.reservations.values_mut());
        let was = std::mem::replace(&mut self.gpus, gpus);
        was != self.gpus
    }

    /// What would be left of each of its GPUs if it had so many thousandths more of them.
    pub(super) fn gpus_with(&self, more: u64) -> Gpus {
        let gpu_milli = self.capacity().gpu_milli.saturating_add(more);
        let mut reservations = self.reservations.clone();
        deal(&Resources { gpu_milli, ..Resources::default() }, &self.claims, reservations.values_mut())
    }

    /// The jobs of its instances in order, each as often as it has instances here.
    pub(super) fn jobs(&self) -> Vec<JobId> {
        let claims = self.claims.iter().map(|claim| claim.job);
        let mut jobs: Vec<JobId> = claims.chain(self.reservations.values().map(|held| held.job)).collect();
        jobs.sort_unstable();
        jobs
    }
}

/// Gives what is given away its GPUs, and says what is left of each.
fn deal<'r>(
    capacity: &Resources,
    claims: &[ClaimView],
    reservations: impl Iterator<Item = &'r mut Reservation>,
) -> Gpus {
    if capacity.gpu_milli == 0 {
        return Gpus::default();
    }
    let mut left = Gpus::all(capacity.gpu_milli);
    claims.iter().for_each(|claim| left.take(claim.resources.gpu_milli, &claim.gpus));
    let mut without: Vec<&mut Reservation> = Vec::new();
    for held in reservations.filter(|held| held.resources.gpu_milli > 0) {
        if held.gpus.is_empty() || !left.have(held.resources.gpu_milli, &held.gpus) {
            without.push(held);
        } else {
            left.take(held.resources.gpu_milli, &held.gpus);
        }
    }
    let mut all = true;
    for held in without {
        held.gpus = left.give(held.resources.gpu_milli).unwrap_or_default();
        all &= !held.gpus.is_empty();
    }
    if all { left } else { Gpus::default() }
}

/// All nodes, by slot and by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    list: Vec<(NodeId, Box<NodeState>)>,
    slots: BTreeMap<NodeId, u32>,
}

impl Nodes {
    /// How many slots there are. They go from zero to there.
    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn slot(&self, id: NodeId) -> Option<u32> {
        self.slots.get(&id).copied()
    }

    pub(super) fn at(&self, slot: u32) -> Option<(NodeId, &NodeState)> {
        self.ever_at(slot).filter(|(_, node)| !node.gone)
    }

    /// The node in a slot, also when it was removed.
    pub(super) fn ever_at(&self, slot: u32) -> Option<(NodeId, &NodeState)> {
        self.list.get(slot as usize).map(|(id, node)| (*id, &**node))
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> Option<&mut NodeState> {
        self.list.get_mut(slot as usize).map(|(_, node)| &mut **node)
    }

    /// The slot of a node, which is new if it is not known.
    pub(super) fn slot_or_new(&mut self, id: NodeId) -> u32 {
        self.slot(id).unwrap_or_else(|| {
            let slot = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
            self.list.push((id, Box::new(NodeState { slot, ..NodeState::default() })));
            self.slots.insert(id, slot);
            slot
        })
    }

    /// All in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &NodeState)> {
        self.slots.values().filter_map(|slot| self.at(*slot))
    }
}

impl PartialEq for Nodes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Nodes {}

impl FromIterator<(NodeId, Box<NodeState>)> for Nodes {
    fn from_iter<T: IntoIterator<Item = (NodeId, Box<NodeState>)>>(all: T) -> Self {
        let mut list: Vec<_> = all.into_iter().collect();
        list.iter_mut().zip(0..).for_each(|((_, node), slot)| node.slot = slot);
        let slots = list.iter().zip(0..).map(|((id, _), slot)| (*id, slot)).collect();
        Self { list, slots }
    }
}

impl Serialize for Nodes {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(self.iter().count()))?;
        self.iter().try_for_each(|(id, node)| map.serialize_entry(&id, node))?;
        map.end()
    }
}
