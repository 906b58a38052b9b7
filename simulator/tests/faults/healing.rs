//! A world of which only a core is healed: the rest stays wrong, and what waits says why.

use simulator::scenario;
use simulator::verdict::Invariant;

fn plans() -> impl Iterator<Item = simulator::plan::Plan> {
    let text = scenario::own("core-heals").expect("the scenario comes with Orrery");
    let scenario = scenario::read(text, "core-heals").expect("it makes sense");
    (0..30).map(move |seed| simulator::plan(&scenario, seed))
}

#[test]
fn what_is_wrong_outside_the_core_stays_wrong_and_the_world_gets_on() {
    let (mut stayed, mut waited) = (0, 0);
    for plan in plans() {
        assert!(!plan.core.is_empty() && plan.core.len() < plan.machines.len());
        let verdict = simulator::run(&plan);
        assert!(verdict.passed(), "seed {}: {:#?}", plan.seed, verdict.violations);
        stayed += verdict.marks.get("never-healed").copied().unwrap_or_default();
        waited += verdict.marks.get("waits-and-says-why").copied().unwrap_or_default();
    }
    assert!(stayed > 0 && waited > 0, "{stayed} faults stayed, {waited} instances waited with a reason");
}

#[test]
fn a_core_that_is_asked_too_early_has_not_settled() {
    let too_early = |mut plan: simulator::plan::Plan| {
        plan.settled_at = plan.heal_at;
        simulator::run(&plan).violations.iter().any(|found| found.invariant == Invariant::Converges)
    };
    assert!(plans().any(too_early), "every world was settled in the moment it healed");
}
