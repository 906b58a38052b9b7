//! How a world is run changes nothing of what comes of it: neither what keeps the events, nor whether machines rest, nor
//! whether the scheduler looks at every node or asks its index.

use actors::scheduler::scanning;
use simulator::big::Big;
use simulator::plan::Plan;
use simulator::scenario;
use simulator::world::Knobs;
use simulator::world::queue::Store;

const KNOBS: [Knobs; 2] = [Knobs { store: Store::Wheel, rest: true }, Knobs { store: Store::Heap, rest: true }];

fn same(plan: &Plan) {
    let plain = simulator::run_with(plan, Knobs { store: Store::Heap, rest: false });
    for knobs in KNOBS {
        let other = simulator::run_with(plan, knobs);
        assert_eq!(plain, other, "seed {} of {} with {knobs:?}", plan.seed, plan.scenario);
    }
    let scanned = scanning(|| simulator::run_with(plan, KNOBS[0]));
    assert_eq!(plain, scanned, "seed {} of {} with every node looked at", plan.seed, plan.scenario);
}

#[test]
fn every_scenario_comes_to_the_same_with_every_knob() {
    for (name, text) in scenario::OWN {
        let scenario = scenario::read(text, name).expect("the scenario makes sense");
        (1_000..1_006).for_each(|seed| same(&simulator::plan(&scenario, seed)));
    }
}

#[test]
fn a_world_of_racks_comes_to_the_same_with_every_knob() {
    for seed in 0..2 {
        same(&Big::busy(80, 200, (20, 90)).troubled(60, 8).plan(seed));
    }
}

#[test]
fn machines_do_rest() {
    let plan = Big::idle(70, 3_600).plan(1);
    let steps = |knobs| {
        let mut world = simulator::world::World::with(std::sync::Arc::new(plan.clone()), knobs);
        let steps = std::iter::from_fn(|| world.step().then_some(())).count();
        (steps, world.finish())
    };
    let (resting, waking) = (steps(KNOBS[0]), steps(Knobs { store: Store::Wheel, rest: false }));
    assert_eq!(resting.1, waking.1);
    assert!(resting.0 * 100 < waking.0, "{} steps with rest, {} without", resting.0, waking.0);
}
