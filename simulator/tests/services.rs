//! Services whose answers to health checks are drawn: late ones and wrong ones cost them their health, and the same plan
//! still comes to the same.

use simulator::plan::Plan;
use simulator::scenario;
use simulator::world::Knobs;
use simulator::world::queue::Store;

/// A job of three whose program has these arguments, for two minutes.
fn plan(arguments: &str, seed: u64) -> Plan {
    let text = format!(
        r#"
name = "service"
machines = 2
heal = "100s"
settle = "20s"
[manifest]
shop = '''
realm = "shop"
[job.web]
run = ["./web", {arguments}]
instances = 3
ports = ["http"]
resources = {{ cpu = "100m", memory = "64MiB" }}
health = {{ http = "/healthz", every = "1s", timeout = "500ms", failures = 2, grace = "2s" }}
'''
[[do]]
at = "2s"
apply = "shop"
"#
    );
    simulator::plan(&scenario::read(&text, "service").unwrap_or_else(|faults| panic!("{faults:#?}")), seed)
}

fn starts(arguments: &str) -> u64 {
    let verdicts = (0..4).map(|seed| simulator::run(&plan(arguments, seed)));
    verdicts
        .map(|verdict| {
            assert!(verdict.passed(), "{arguments}: {:?}", verdict.violations);
            verdict.statistics.starts
        })
        .sum()
}

#[test]
fn answers_that_are_good_and_in_time_cost_nothing() {
    assert_eq!(starts("\"--latency=1ms..400ms\""), 12);
    assert_eq!(starts("\"--errors=0\""), 12);
}

#[test]
fn two_bad_answers_in_a_row_cost_an_instance_its_place() {
    let (few, many) = (starts("\"--errors=100\""), starts("\"--errors=300\""));
    assert!(12 < few && few < many, "{few} starts with a tenth of errors, {many} with three");
    assert!(starts("\"--latency=1ms..16s\"") > 12, "some answers are later than the check waits");
}

#[test]
fn such_a_world_comes_to_the_same_whatever_keeps_its_events() {
    for seed in 0..4 {
        let plan = plan("\"--latency=1ms..4s\", \"--errors=50\"", seed);
        let plain = simulator::run_with(&plan, Knobs { store: Store::Heap, rest: false });
        assert_eq!(plain, simulator::run_with(&plan, Knobs { store: Store::Wheel, rest: true }));
    }
}
