//! What must not matter does not: other names for machines, and another order of commands given at the same moment,
//! come to a world that is as desired in the same way.

use simulator::plan::Plan;
use simulator::verdict::Verdict;
use simulator::{run, scenario};

fn plan_of(name: &str, seed: u64) -> Plan {
    let text = scenario::own(name).expect("the scenario comes with Orrery");
    simulator::plan(&scenario::read(text, name).expect("the scenario makes sense"), seed)
}

fn assert_alike(one: &Verdict, other: &Verdict, what: &str) {
    assert!(one.passed(), "{what}, before: {:#?}", one.violations);
    assert!(other.passed(), "{what}, after: {:#?}", other.violations);
    assert_eq!(one.statistics.answers, other.statistics.answers, "{what}: other commands are answered");
}

/// Machines by other names, in the same order.
fn renamed(plan: &Plan) -> Plan {
    let mut renamed = plan.clone();
    for (number, machine) in renamed.machines.iter_mut().enumerate() {
        machine.spec.name = format!("other-{number:02}");
    }
    renamed
}

#[test]
fn machines_by_other_names_start_as_many_instances() {
    for seed in 0..40 {
        let plan = plan_of("steady", seed);
        let (one, other) = (run(&plan), run(&renamed(&plan)));
        assert_alike(&one, &other, &format!("seed {seed} of steady, renamed"));
        assert_eq!(one.statistics.starts, other.statistics.starts, "seed {seed} of steady, renamed");
    }
}

#[test]
fn machines_by_other_names_survive_the_same_faults() {
    for name in ["crashing-nodes", "partitions", "exclusive"] {
        for seed in 0..15 {
            let plan = plan_of(name, seed);
            let other = run(&renamed(&plan));
            assert!(other.passed(), "seed {seed} of {name}, renamed: {:#?}", other.violations);
        }
    }
}

/// Commands of different clients that are given at the same moment, the other way round.
fn turned_round(plan: &Plan) -> Plan {
    let mut turned = plan.clone();
    for operation in &mut turned.operations {
        operation.at -= operation.at % 2_000_000;
    }
    turned.operations.sort_by_key(|operation| (operation.at, std::cmp::Reverse(operation.client)));
    turned
}

#[test]
fn commands_of_the_same_moment_may_come_in_any_order() {
    for seed in 0..40 {
        let mut plan = plan_of("steady", seed);
        for operation in &mut plan.operations {
            operation.at -= operation.at % 2_000_000;
        }
        plan.operations.sort_by_key(|operation| (operation.at, operation.client));
        let turned = turned_round(&plan);
        assert_alike(&run(&plan), &run(&turned), &format!("seed {seed} of steady, commands turned round"));
    }
}
