//! Plans beside worlds in which they are applied: messages take other times there, and others command as well.

mod capacity;
mod scene;

use super::world::World;
use super::{Planned, plan, planned};
use messages::id::PolicyId;
use messages::manifest::{JobSpec, Manifest};
use messages::policy::{Message, Request};
use messages::reason::Reason;
use messages::scheduler::Ask;
use messages::time::{Span, Timestamp};
use proptest::prelude::*;
use scene::{Scene, job, manifest, node, operator, present, quiet};
use std::collections::BTreeMap;

const BEGUN: Timestamp = Timestamp(1_700_000_000_000_000);

/// What a plan says there will be: what there would be anyway, with what it says on top.
fn foretold(before: &World, planned: &Planned) -> BTreeMap<(String, u32), (u32, String)> {
    let mut control = before.clone();
    control.rest();
    let mut foretold = present(control.fold());
    let plan = &planned.plan;
    for one in &plan.placements {
        foretold.insert((one.job.clone(), one.slot), (one.revision, one.node.clone()));
    }
    for one in &plan.moves {
        foretold.insert((one.job.clone(), one.slot), (one.revision, one.to.clone()));
    }
    for one in plan.stops.iter().chain(&plan.evictions) {
        foretold.remove(&(one.job.clone(), one.slot));
    }
    foretold
}

/// What the realm's policy says that its jobs are.
fn declared(world: &World) -> BTreeMap<String, JobSpec> {
    let policy = world.fold().policy(PolicyId::of_realm("shop"));
    policy.map_or_else(BTreeMap::new, |(policy, _)| {
        policy.jobs().iter().map(|(name, spec)| (name.clone(), JobSpec::clone(spec))).collect()
    })
}

/// Commands what was planned.
fn submit(world: &mut World, manifest: &Manifest, planned: &Planned) -> messages::id::ClientId {
    let (realm, request) = (manifest.realm.clone(), Request::Apply { manifest: manifest.clone() });
    let (rests_on, placements) = (planned.rests_on, planned.placements.clone());
    let message = Message::SubmitPlanned { realm, request, rests_on, placements };
    world.submit(&manifest.realm, operator(), message)
}

#[test]
fn a_plan_says_what_comes_and_changes_nothing() {
    let world = quiet(BEGUN, &[node("n1", "r1", 2_000), node("n2", "r2", 2_000)], &[]);
    let before = world.fold().clone();
    let wanted = manifest("shop", vec![job("a", 3, 500)]);
    let plan = plan(world.fold(), world.time(), &operator(), std::slice::from_ref(&wanted));
    assert_eq!(world.fold(), &before);
    let where_to: Vec<(&str, u32, &str)> =
        plan.placements.iter().map(|one| (one.job.as_str(), one.slot, one.node.as_str())).collect();
    assert_eq!(where_to, [("shop/a", 0, "n1"), ("shop/a", 1, "n2"), ("shop/a", 2, "n1")]);
    assert!(plan.placements.iter().all(|one| one.at_once && one.reason == Reason::Declared), "{plan:?}");
    assert!(plan.placements.iter().all(|one| one.decision.as_ref().is_some_and(|it| !it.candidates.is_empty())));
    assert_eq!(plan.commands[0].changes[0].how, "created");
    assert_eq!(plan.left.free.cpu_milli, 2_500);
    assert!(plan.rest_ms.is_some() && plan.waiting.is_empty() && plan.stops.is_empty(), "{plan:?}");
}

#[test]
fn a_plan_names_refusals_rollouts_and_what_becomes_fragile() {
    let nodes = [node("n1", "r1", 2_000), node("n2", "r2", 1_000)];
    let world = quiet(BEGUN, &nodes, &[manifest("shop", vec![job("a", 2, 400)])]);
    let too_much = plan(world.fold(), world.time(), &operator(), &[manifest("shop", vec![job("b", 9, 900)])]);
    let refusal = too_much.commands[0].refusal.as_ref().expect("it does not fit");
    assert_eq!(refusal.reason, Reason::NoCpu);
    assert!(refusal.nearest.is_some() && refusal.change.is_some(), "{refusal:?}");
    assert!(too_much.placements.is_empty() && too_much.fragile.is_empty());

    let mut next = job("a", 2, 300);
    next.workload.run.push("--better".into());
    let rolled = plan(world.fold(), world.time(), &operator(), &[manifest("shop", vec![next])]);
    assert_eq!(rolled.rollouts.len(), 1, "{rolled:?}");
    assert_eq!((rolled.rollouts[0].to, rolled.rollouts[0].ends.as_str()), (2, "settled"));
    assert_eq!(
        rolled.stops.len()
            + rolled.moves.len()
            + rolled.placements.iter().filter(|one| one.instead_of.is_some()).count(),
        2
    );

    let heavy = plan(world.fold(), world.time(), &operator(), &[manifest("shop", vec![job("b", 1, 1_200)])]);
    let told: Vec<(&str, &str, &str)> =
        heavy.fragile.iter().map(|one| (one.job.as_str(), one.what.as_str(), one.place.as_str())).collect();
    assert_eq!(told, [("shop/b", "node-loss", "n1")], "the other node has no room for it");
}

#[test]
fn a_command_that_came_in_between_makes_a_plan_stale() {
    let world = quiet(BEGUN, &[node("n1", "r1", 4_000)], &[]);
    let wanted = manifest("shop", vec![job("a", 1, 500)]);
    let planned = planned(world.fold(), world.time(), &operator(), &wanted);
    let mut live = world.clone();
    let other = Request::Apply { manifest: manifest("shop", vec![job("z", 1, 100)]) };
    live.submit("shop", operator(), Message::Submit { realm: "shop".into(), request: other });
    let client = submit(&mut live, &wanted, &planned);
    live.rest();
    let refusal = live.reply(client).expect("it is answered").clone().expect_err("it is refused");
    assert_eq!(refusal.reason, Reason::Stale);
    assert!(present(live.fold()).keys().all(|(job, _)| job == "shop/z"), "nothing of it was applied");
}

#[test]
fn a_node_that_closes_in_between_makes_a_plan_stale() {
    let world = quiet(BEGUN, &[node("n1", "r1", 4_000), node("n2", "r1", 4_000)], &[]);
    let wanted = manifest("shop", vec![job("a", 1, 500)]);
    let planned = planned(world.fold(), world.time(), &operator(), &wanted);
    assert_eq!(planned.plan.placements[0].node, "n1");
    let mut live = world.clone();
    let cordon = Request::Cordon { node: "n1".into() };
    live.submit("system", operator(), Message::Submit { realm: "system".into(), request: cordon });
    live.run(Span::seconds(1));
    let client = submit(&mut live, &wanted, &planned);
    live.rest();
    let refusal = live.reply(client).expect("it is answered").clone().expect_err("it is refused");
    assert_eq!((refusal.reason, refusal.nearest.as_deref()), (Reason::Stale, Some("a/0 would go to n2 now")));
    assert!(present(live.fold()).is_empty());
}

#[test]
fn room_that_was_held_and_not_asked_for_is_given_back() {
    let world = quiet(BEGUN, &[node("n1", "r1", 1_000)], &[]);
    let wanted = manifest("shop", vec![job("a", 1, 900)]);
    let mut planned = planned(world.fold(), world.time(), &operator(), &wanted);
    // Room for an instance that no job will ever ask for.
    planned.placements[0].ask.instance = messages::id::InstanceId::default();
    let mut live = world.clone();
    let client = submit(&mut live, &wanted, &planned);
    live.rest();
    assert!(live.reply(client).is_some_and(Result::is_ok));
    assert_eq!(present(live.fold()).len(), 1, "once the room lapsed, it is placed after all");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// When nothing else happens, what was planned comes out, however long messages take.
    #[test]
    fn in_quiet_what_is_planned_is_what_comes(scene in scene::scene(), seed in any::<u64>()) {
        let Scene { nodes, before, wanted, .. } = scene;
        let world = quiet(BEGUN, &nodes, &before);
        let planned = planned(world.fold(), world.time(), &operator(), &wanted);
        let mut live = world.with_hops_of(seed);
        let client = submit(&mut live, &wanted, &planned);
        live.rest();
        let command = &planned.plan.commands[0];
        match live.reply(client).expect("it is answered") {
            Err(refusal) => {
                prop_assert_eq!(Some(refusal), command.refusal.as_ref());
                prop_assert_eq!(present(live.fold()), foretold(&world, &planned));
            }
            Ok(answer) => {
                prop_assert_eq!(&answer.changes, &command.changes);
                if planned.plan.rollouts.is_empty() {
                    prop_assert_eq!(present(live.fold()), foretold(&world, &planned), "{:#?}", planned.plan);
                }
            }
        }
        // Planned again in the same state, later: the same hash.
        let again = super::planned(world.fold(), world.time().after(Span::seconds(77)), &operator(), &wanted);
        prop_assert_eq!(&again.plan.hash, &planned.plan.hash);
    }

    /// Whatever others command at the same time: it is refused and nothing of it is applied, or all that was to be decided
    /// at once was decided as planned.
    #[test]
    fn in_a_race_it_is_as_planned_or_not_at_all(
        scene in scene::scene(),
        seed in any::<u64>(),
        (early, late) in (0..8_000_u64, 0..8_000_u64),
    ) {
        let Scene { nodes, before, wanted, rival } = scene;
        let world = quiet(BEGUN, &nodes, &before);
        let planned = planned(world.fold(), world.time(), &operator(), &wanted);
        let mut live = world.with_hops_of(seed);
        let (realm, request) = rival;
        let drains = matches!(request, Request::Drain { .. });
        live.run(Span(early));
        live.submit(&realm, operator(), Message::Submit { realm: realm.clone(), request });
        live.run(Span(late));
        let mut alone = live.clone();
        let client = submit(&mut live, &wanted, &planned);
        live.run(Span::seconds(5));
        alone.run(Span::seconds(5));
        // A node that closes afterwards may still refuse the claim: it is the arbiter of its own room.
        let placed = |planned: &Ask| {
            let same = |ask: &Ask| (ask.instance, ask.revision) == (planned.instance, planned.revision);
            live.seen.asks.iter().find(|(_, ask, _)| same(ask)).and_then(|(_, _, chosen)| *chosen)
        };
        match live.reply(client).expect("it is answered") {
            // A drain may reach a job after the room was held and before the command, and take the slot for what it moves.
            Ok(_) => for held in &planned.placements {
                let node = placed(&held.ask);
                prop_assert!(node == Some(held.node) || (node.is_none() && drains), "{}: {node:?}", held.ask.label);
            },
            Err(_) => prop_assert_eq!(declared(&live), declared(&alone), "nothing of it was applied"),
        }
    }
}
