//! What a fork came to, beside one in which nothing was commanded: what comes, moves and goes, and its hash.

use super::Trial;
use super::loss::{self, Weak};
use super::world::World;
use crate::fold::Fold;
use crate::job::{Instance, Phase};
use crate::scheduler::Scheduler;
use messages::api::{
    Fragility, Left, NodeLeft, Plan, PlannedCommand, PlannedMove, PlannedPlacement, PlannedRollout, PlannedStop,
    PlannedWait,
};
use messages::codec;
use messages::id::{InstanceId, RolloutId};
use messages::node::Standing;
use messages::reason::Reason;
use messages::time::Timestamp;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// How much of the hash stands in a plan's name.
const HASH_LETTERS: usize = 20;

/// What is in a slot of a job.
type Slots<'a> = BTreeMap<(String, u32), (InstanceId, &'a Instance)>;

/// What takes part in the hash.
type Hashed<'a> = (
    Vec<(&'a str, Vec<(&'a str, &'a str)>, Option<(Reason, &'a str)>)>,
    Vec<(&'a str, u32, u32, Option<u32>, &'a str)>,
    &'a [PlannedMove],
    Vec<(&'a str, u32, u32, &'a str)>,
    Vec<(&'a str, u32, u32, &'a str)>,
    Vec<(&'a str, u32, Reason)>,
    Vec<(&'a str, u32, u32, &'a str)>,
);

/// The plan of what was tried, beside what would come of the same state without it.
pub(super) fn plan(fold: &Fold, at: Timestamp, control: &World, trial: Trial) -> Plan {
    let Trial { world, rest, placements: at_once, commands } = trial;
    let named: BTreeSet<String> = commands
        .iter()
        .flat_map(|(manifest, _)| manifest.jobs.values())
        .map(|spec| format!("{}/{}", spec.realm, spec.name))
        .collect();
    let mut plan = Plan {
        id: String::new(),
        position: fold.position().0,
        at,
        hash: String::new(),
        commands: commands.iter().map(|(manifest, client)| command(&world, &manifest.realm, *client)).collect(),
        placements: Vec::new(),
        moves: Vec::new(),
        stops: Vec::new(),
        evictions: Vec::new(),
        waiting: waiting(control, &world, &named),
        rollouts: rollouts(control.fold(), world.fold()),
        left: left(world.fold()),
        fragile: fragile(control.fold(), world.fold()),
        rest_ms: rest.map(|rest| rest.as_milliseconds()),
        assumed: assumed(fold),
    };
    let (before, after) = (present(control.fold()), present(world.fold()));
    for (key, (id, one)) in &after {
        let (job, slot) = (key.0.clone(), key.1);
        let old = before.get(key).map(|(_, old)| *old);
        match old {
            Some(old) if old.node_name != one.node_name => {
                let (from, to) = (old.node_name.clone(), one.node_name.clone());
                plan.moves.push(PlannedMove { job, slot, from, to, revision: one.revision });
            }
            Some(old) if old.revision == one.revision => {}
            _ => plan.placements.push(PlannedPlacement {
                job,
                slot,
                revision: one.revision,
                instead_of: old.map(|old| old.revision),
                node: one.node_name.clone(),
                at_once: at_once.iter().any(|held| held.ask.instance == *id && Some(held.node) == one.node),
                reason: world.seen.wanted.get(id).copied().unwrap_or(Reason::Declared),
                decision: world.seen.decisions.get(id).cloned().map(Box::new),
            }),
        }
    }
    for (key, (id, old)) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        let reason = world.seen.retired.get(id).copied();
        let (job, node) = (key.0.clone(), old.node_name.clone());
        let to = if named.contains(&job) { &mut plan.stops } else { &mut plan.evictions };
        to.push(PlannedStop { job, slot: key.1, revision: old.revision, node, reason });
    }
    plan.hash = hash(&plan);
    plan.id = format!("{}-{}", plan.position, &plan.hash[..HASH_LETTERS.min(plan.hash.len())]);
    plan
}

fn command(world: &World, realm: &str, client: messages::id::ClientId) -> PlannedCommand {
    let realm = realm.to_string();
    match world.reply(client) {
        Some(Ok(answer)) => {
            PlannedCommand { realm, changes: answer.changes.clone(), verdict: answer.verdict.clone(), refusal: None }
        }
        Some(Err(refusal)) => {
            PlannedCommand { realm, changes: Vec::new(), verdict: String::new(), refusal: Some(refusal.clone()) }
        }
        None => PlannedCommand { realm, changes: Vec::new(), verdict: "not answered yet".into(), refusal: None },
    }
}

/// Every instance that has a place and is to stay there.
fn present(fold: &Fold) -> Slots<'_> {
    let mut slots = Slots::new();
    for (_, job) in fold.jobs() {
        for (id, one) in job.instances.iter().filter(|(_, one)| one.live() && one.placed()) {
            slots.insert((job.full_name(), one.slot), (*id, &**one));
        }
    }
    slots
}

/// What waits for a place, of the jobs that are named, and of others if it would not without the change.
fn waiting(control: &World, world: &World, named: &BTreeSet<String>) -> Vec<PlannedWait> {
    let waits = |world: &World| {
        let mut waits = BTreeMap::new();
        for (_, job) in world.fold().jobs() {
            let wanted = job.instances.values().filter(|one| one.phase == Phase::Wanted);
            for (one, why) in wanted.filter_map(|one| Some((one, one.unplaceable.clone()?))) {
                waits.insert((job.full_name(), one.slot), why);
            }
        }
        waits
    };
    let before = waits(control);
    let new = waits(world).into_iter().filter(|(key, _)| named.contains(&key.0) || !before.contains_key(key));
    new.map(|((job, slot), why)| PlannedWait::new(job, slot, why)).collect()
}

fn rollouts(control: &Fold, world: &Fold) -> Vec<PlannedRollout> {
    let new = world.rollouts().filter(|(id, rollout)| {
        let before = control.rollout(RolloutId(id.id));
        rollout.job.is_some() && before.is_none_or(|before| before.standing != rollout.standing)
    });
    let mut rollouts: Vec<PlannedRollout> = new
        .map(|(_, rollout)| {
            let line = rollout.history.back();
            let bad = rollout.standing != crate::rollout::Standing::Settled;
            PlannedRollout {
                job: rollout.name.clone(),
                from: rollout.from,
                to: rollout.to,
                steps: rollout.steps(),
                ends: rollout.standing.name().into(),
                evidence: line.map(|line| line.evidence.clone()).filter(|text| bad && !text.is_empty()),
            }
        })
        .collect();
    rollouts.sort();
    rollouts
}

fn left(fold: &Fold) -> Left {
    let mut left = Left::default();
    for (_, node) in fold.schedulers().flat_map(|(_, scheduler)| scheduler.cluster().nodes()) {
        let (free, capacity) = (node.capacity().minus(node.used()), node.capacity().clone());
        let open = node.standing() == Standing::Ready;
        if open {
            left.free = left.free.plus(&free);
            left.capacity = left.capacity.plus(&capacity);
        }
        left.nodes.push(NodeLeft { node: node.name().to_string(), open, free, capacity });
    }
    left.nodes.sort_by(|one, other| one.node.cmp(&other.node));
    left
}

/// What would be fragile in the one and is not in the other.
fn fragile(control: &Fold, world: &Fold) -> Vec<Fragility> {
    let (before, after) = (loss::weak(control), loss::weak(world));
    let known = |weak: &Weak| before.contains(weak);
    let new = after.iter().filter(|weak| !known(weak));
    let mut fragile: Vec<Fragility> = new.map(Weak::told).collect();
    fragile.sort();
    fragile
}

fn assumed(fold: &Fold) -> Vec<String> {
    let mut assumed = vec![
        "nothing else is commanded or lost meanwhile".to_string(),
        "what is started runs at once and is well when the grace of its health check is over".to_string(),
    ];
    let away = fold.nodes().filter(|(_, node)| node.epoch() > 0 && !node.up()).count();
    if away > 0 {
        assumed.push(format!("the {away} nodes that cannot be heard stay away"));
    }
    assumed
}

/// The hash over what it comes to: the answers, what comes, moves, goes and waits, and how rollouts end.
fn hash(plan: &Plan) -> String {
    let commands = plan.commands.iter().map(|one| {
        let changes = one.changes.iter().map(|change| (change.what.as_str(), change.how.as_str())).collect();
        (one.realm.as_str(), changes, one.refusal.as_ref().map(|no| (no.reason, no.message.as_str())))
    });
    let placements =
        plan.placements.iter().map(|one| (one.job.as_str(), one.slot, one.revision, one.instead_of, one.node.as_str()));
    fn gone(stops: &[PlannedStop]) -> Vec<(&str, u32, u32, &str)> {
        stops.iter().map(|one| (one.job.as_str(), one.slot, one.revision, one.node.as_str())).collect()
    }
    let hashed: Hashed<'_> = (
        commands.collect(),
        placements.collect(),
        &plan.moves,
        gone(&plan.stops),
        gone(&plan.evictions),
        plan.waiting.iter().map(|one| (one.job.as_str(), one.slot, one.reason)).collect(),
        plan.rollouts.iter().map(|one| (one.job.as_str(), one.from, one.to, one.ends.as_str())).collect(),
    );
    let hash = Sha256::digest(codec::encode_bare(&hashed));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What comes of one plan and not of another, and the other way round: a line each, `-` for what no longer comes of it and
/// `+` for what does now. All of it, where what came of it before is not known.
pub fn difference(before: Option<&Plan>, after: &Plan) -> Vec<String> {
    let (before, after) = (before.map(lines).unwrap_or_default(), lines(after));
    let gone = before.iter().filter(|line| !after.contains(*line)).map(|line| format!("- {line}"));
    let new = after.iter().filter(|line| !before.contains(*line)).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

/// A plan as lines: all that takes part in its hash.
fn lines(plan: &Plan) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for one in &plan.commands {
        lines.extend(one.changes.iter().map(|change| format!("{}: {}", change.what, change.how)));
        lines.extend(one.refusal.as_ref().map(|no| format!("refused: {}", no.message)));
    }
    for one in &plan.placements {
        let instead = one.instead_of.map_or(String::new(), |old| format!(" instead of revision {old}"));
        lines.insert(format!("{}/{} revision {} on {}{instead}", one.job, one.slot, one.revision, one.node));
    }
    for one in &plan.moves {
        lines.insert(format!("{}/{} from {} to {}", one.job, one.slot, one.from, one.to));
    }
    for one in plan.stops.iter().chain(&plan.evictions) {
        lines.insert(format!("{}/{} revision {} leaves {}", one.job, one.slot, one.revision, one.node));
    }
    for one in &plan.waiting {
        lines.insert(format!("{}/{} waits: {}", one.job, one.slot, one.reason));
    }
    for one in &plan.rollouts {
        lines.insert(format!("rollout of {} from {} to {}: {}", one.job, one.from, one.to, one.ends));
    }
    lines
}

/// The scheduler of a fold, and the nothing of a fold that has none.
pub(super) fn scheduler(fold: &Fold) -> Cow<'_, Scheduler> {
    fold.schedulers().next().map_or_else(Cow::default, |(_, scheduler)| Cow::Borrowed(scheduler))
}
