//! What the scheduler knows, as its entries tell it: nodes as they have shown themselves, places given since, jobs with
//! their needs, rules, and who waits. The checks of what it decides lie in [`super::placing`].

use super::gpus;
use messages::id::{InstanceId, JobId, NodeId};
use messages::manifest::{Level, Place, Tag, Workload};
use messages::node::{ClaimView, NodeSpec, NodeView, Standing};
use messages::policy::Mode;
use messages::resources::Resources;
use messages::scheduler::{Ask, Event};
use messages::shared::Shared;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The model.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) nodes: BTreeMap<NodeId, NodeGiven>,
    pub(super) jobs: BTreeMap<JobId, Needs>,
    pub(super) rules: BTreeMap<String, Rules>,
    pub(super) waiting: BTreeMap<InstanceId, Waits>,
    /// Where each instance has a place, shown or given.
    places: BTreeSet<(InstanceId, NodeId)>,
    /// Who must be apart from the first: the second, at this level.
    repelled: BTreeSet<(JobId, JobId, Level)>,
    counts: BTreeMap<(JobId, Level), BTreeMap<String, u32>>,
    totals: BTreeMap<JobId, u32>,
    queued: u64,
}

/// A node, and what is on it.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeGiven {
    pub(super) view: Shared<NodeView>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) used: Resources,
    domains: Arc<[String; 4]>,
    pub(super) shown: BTreeMap<InstanceId, ClaimView>,
    pub(super) given: BTreeMap<InstanceId, (JobId, Resources)>,
}

/// What the instances of a job need.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    pub(super) realm: String,
    pub(super) name: String,
    pub(super) exclusive: bool,
    pub(super) place: Place,
    pub(super) workloads: BTreeMap<u32, Shared<Workload>>,
}

/// The rules of a realm for placements.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) version: u64,
    pub(super) mode: Mode,
    pub(super) policies: Option<actors::cedar::Policies>,
}

/// An instance that waits, or has a reservation and may wait again.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    pub(super) class: (JobId, u32),
    /// Its place in the queue; none while it has a place.
    pub(super) number: Option<u64>,
    /// Whether it waits for a place together with the others of its job and revision.
    pub(super) gang: bool,
    /// Nodes that refused it, each with the version of its view.
    pub(super) refused: BTreeMap<NodeId, u64>,
}

impl NodeGiven {
    /// The place it is in at this level.
    pub(super) fn domain(&self, level: Level) -> &str {
        &self.domains[level as usize]
    }

    /// Whether it is tagged as wanted.
    pub(super) fn has(&self, tag: &Tag) -> bool {
        let found = match (self.tags.get(&tag.key), &tag.value) {
            (Some(have), Some(want)) => have == want,
            (Some(_), None) => true,
            (None, _) => false,
        };
        found != tag.negated
    }

    /// Whether it has a taint that is not among these.
    pub(super) fn is_tainted_for(&self, tolerated: &[Tag]) -> bool {
        let same = |taint: &Tag, name: &str, value: &str| match &taint.value {
            Some(wanted) => taint.key == name && wanted == value,
            None => taint.key == name,
        };
        self.view.spec.taints.iter().any(|(name, value)| !tolerated.iter().any(|taint| same(taint, name, value)))
    }

    /// Whether it takes work.
    pub(super) fn ready(&self) -> bool {
        self.view.standing == Standing::Ready
    }

    /// Whether there is a way to give each what it needs of the GPUs, if one more comes that needs so much.
    pub(super) fn has_gpus_for(&self, need: u64) -> bool {
        let known = self.shown.values().map(|claim| (claim.resources.gpu_milli, &*claim.gpus));
        let given = self.given.values().map(|(_, resources)| resources.gpu_milli);
        let needs: Vec<u64> = given.chain([need]).collect();
        need == 0 || gpus::can_be_had(self.view.spec.capacity.gpu_milli, known, &needs)
    }

    /// Whether it is known of all GPUs who has them.
    pub(super) fn gpus_are_known(&self) -> bool {
        self.given.values().all(|(_, resources)| resources.gpu_milli == 0)
    }

    fn show(&mut self, view: &Shared<NodeView>) {
        if self.view.spec != view.spec {
            self.describe(&view.spec);
        }
        self.view = view.clone();
        self.shown = view.claims.iter().map(|claim| (claim.instance, claim.clone())).collect();
        self.given.retain(|instance, _| !self.shown.contains_key(instance));
    }

    fn describe(&mut self, spec: &NodeSpec) {
        let unknown = format!("?{}", spec.name);
        let within = |parts: [&str; 3]| match parts.iter().rev().find(|part| !part.is_empty()) {
            Some(_) if !parts[2].is_empty() => parts.join("/"),
            _ => unknown.clone(),
        };
        self.domains = Arc::new([
            within(["", "", &spec.name]),
            within([&spec.region, &spec.site, &spec.rack]),
            within(["", &spec.region, &spec.site]),
            within(["", "", &spec.region]),
        ]);
        self.tags = spec.tags.clone();
        for (key, value) in [("node", &spec.name), ("rack", &spec.rack), ("site", &spec.site), ("region", &spec.region)]
        {
            if !value.is_empty() {
                self.tags.insert(key.into(), value.clone());
            }
        }
    }

    fn sum_up(&mut self) {
        let shown = self.shown.values().map(|claim| &claim.resources);
        let all = shown.chain(self.given.values().map(|(_, resources)| resources));
        self.used = all.fold(Resources::default(), |sum, one| sum.plus(one));
    }

    /// What it holds, in order, each once.
    fn held(&self) -> Vec<(InstanceId, JobId)> {
        let shown = self.shown.values().map(|claim| (claim.instance, claim.job));
        let given = self.given.iter().map(|(instance, (job, _))| (*instance, *job));
        let mut held: Vec<_> = shown.chain(given).collect();
        held.sort_unstable();
        held.dedup();
        held
    }
}

impl Given {
    /// An event of the scheduler.
    pub(super) fn see(&mut self, event: &Event) {
        match event {
            Event::Learned { job, realm, name, revision, exclusive, workload, place } => {
                let needs = self.jobs.entry(*job).or_default();
                (needs.realm, needs.name, needs.exclusive) = (realm.clone(), name.clone(), *exclusive);
                needs.place = place.clone();
                needs.workloads.insert(*revision, workload.clone());
                self.repelled.retain(|(_, by, _)| by != job);
                let hard = place.apart.iter().filter(|apart| apart.hard);
                self.repelled.extend(hard.map(|apart| (JobId::named(realm, &apart.job), *job, apart.within)));
            }
            Event::Viewed { node, view } => {
                self.change(*node, |known| known.show(view));
                for claim in &view.claims {
                    self.waiting.remove(&claim.instance);
                }
            }
            Event::Placed { job, ask, resources, decision } => {
                self.waits(*job, ask).number = None;
                if let Some(node) = decision.chosen {
                    self.change(node, |known| _ = known.given.insert(ask.instance, (*job, resources.clone())));
                }
            }
            Event::Unplaced { job, ask, .. } => self.queue(*job, ask),
            Event::Withdrawn { instance } | Event::Expired { instance } => {
                self.waiting.remove(instance);
                self.take_back(*instance);
            }
            Event::ClaimRefused { node, instance, .. } => {
                let version = self.nodes.get(node).map_or(0, |known| known.view.version);
                self.take_back(*instance);
                if let Some(waits) = self.waiting.get_mut(instance) {
                    waits.refused.insert(*node, version);
                    self.queued += 1;
                    waits.number.get_or_insert(self.queued);
                }
            }
            Event::RulesSet { realm, version, mode, text } => {
                let policies = actors::cedar::Policies::admit(text).ok();
                self.rules.insert(realm.clone(), Rules { version: *version, mode: *mode, policies });
            }
            Event::Retried { .. } => {}
        }
    }

    fn waits(&mut self, job: JobId, ask: &Ask) -> &mut Waits {
        let fresh = || Waits { class: (job, ask.revision), number: None, gang: ask.gang, refused: BTreeMap::new() };
        self.waiting.entry(ask.instance).or_insert_with(fresh)
    }

    fn queue(&mut self, job: JobId, ask: &Ask) {
        self.queued += 1;
        let number = self.queued;
        let waits = self.waits(job, ask);
        (waits.class.1, waits.gang) = (ask.revision, ask.gang);
        waits.number.get_or_insert(number);
    }

    fn take_back(&mut self, instance: InstanceId) {
        if let Some(node) = self.place_of(instance) {
            self.change(node, |known| _ = known.given.remove(&instance));
        }
    }

    /// Changes a node, and keeps the counters right.
    fn change(&mut self, id: NodeId, change: impl FnOnce(&mut NodeGiven)) {
        let node = self.nodes.entry(id).or_default();
        let (held, before) = (node.held(), Arc::clone(&node.domains));
        change(node);
        node.sum_up();
        let (holds, after) = (node.held(), Arc::clone(&node.domains));
        let moved = before != after;
        for (instance, job) in held.iter().filter(|one| moved || holds.binary_search(one).is_err()) {
            self.places.remove(&(*instance, id));
            self.tally(*job, &before, false);
        }
        for (instance, job) in holds.iter().filter(|one| moved || held.binary_search(one).is_err()) {
            self.places.insert((*instance, id));
            self.tally(*job, &after, true);
        }
    }

    /// Counts an instance of a job in these domains in, or out.
    fn tally(&mut self, job: JobId, domains: &[String; 4], add: bool) {
        let one = |count: &mut u32| *count = if add { *count + 1 } else { count.saturating_sub(1) };
        one(self.totals.entry(job).or_default());
        for level in Level::ALL {
            let counts = self.counts.entry((job, level)).or_default();
            let domain = &domains[level as usize];
            match counts.get_mut(domain) {
                Some(count) => one(count),
                None => one(counts.entry(domain.clone()).or_default()),
            }
            if !add && counts.get(domain) == Some(&0) {
                counts.remove(domain);
            }
        }
    }

    /// Where an instance has a place.
    pub(super) fn place_of(&self, instance: InstanceId) -> Option<NodeId> {
        let first = self.places.range((instance, NodeId::default())..).next();
        first.filter(|(holder, _)| *holder == instance).map(|(_, node)| *node)
    }

    /// Whether room is held for an instance that its node does not show.
    pub(super) fn is_held(&self, instance: InstanceId) -> bool {
        let node = self.place_of(instance).and_then(|node| self.nodes.get(&node));
        node.is_some_and(|node| node.given.contains_key(&instance))
    }

    /// How many instances of a job there are in a domain.
    pub(super) fn count(&self, job: JobId, level: Level, domain: &str) -> u32 {
        self.counts.get(&(job, level)).and_then(|domains| domains.get(domain)).copied().unwrap_or(0)
    }

    /// How many instances of a job there are.
    pub(super) fn total(&self, job: JobId) -> u32 {
        self.totals.get(&job).copied().unwrap_or(0)
    }

    /// Who must be apart from a job, other than by its own wish.
    pub(super) fn repelled_by(&self, job: JobId) -> impl Iterator<Item = (JobId, Level)> + '_ {
        let from = self.repelled.range((job, JobId::default(), Level::Node)..);
        from.take_while(move |(target, _, _)| *target == job).map(|(_, by, level)| (*by, *level))
    }
}
