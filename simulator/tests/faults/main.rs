//! Every kind of fault, alone in a small world: it has its effect, which a mark shows, and the oracle finds nothing.
//!
//! A family's tests are a table in a file of its own: a name for the test, the row of a scenario, and, where the usual
//! small world does not do, another one.

mod bus;
mod clock;
mod control;
mod disk;
mod healing;
mod machine;
mod mistakes;
mod operator;
mod sites;
mod triggers;
mod view;

use simulator::plan::trouble;
use simulator::scenario;
use simulator::verdict::Verdict;

/// So many seeds are run, and in some of them the fault must have its effect.
const SEEDS: u64 = 6;

/// A small world with everything that matters: replicas, a slow start, an exclusive job, a route and a rollout.
pub const SMALL: &str = r#"
name = "small"
machines = "4"
heal = "20s"
settle = "60s"
[manifest]
one = '''
realm = "sim"
[job.web]
run = ["./server"]
instances = 3
ports = ["http"]
resources = { cpu = "500m", memory = "256MiB" }
health = { http = "/healthz", every = "1s" }
rollout = { steps = [{ weight = 34, hold = "1s" }, { weight = 100, hold = "1s" }], deadline = "20s" }
[job.db]
run = ["./db", "--start=800ms"]
instances = 2
resources = { cpu = "1", memory = "1GiB" }
[job.lock]
run = ["./lock"]
instances = 1
exclusive = true
resources = { cpu = "500m", memory = "256MiB" }
[route."web.sim.test"]
to = "web"
'''
two = '''
realm = "sim"
[job.web]
run = ["./server", "--revision=2"]
instances = 4
ports = ["http"]
resources = { cpu = "500m", memory = "256MiB" }
health = { http = "/healthz", every = "1s" }
rollout = { steps = [{ weight = 34, hold = "1s" }, { weight = 100, hold = "1s" }], deadline = "20s" }
[job.db]
run = ["./db", "--start=800ms"]
instances = 2
resources = { cpu = "1", memory = "1GiB" }
[job.lock]
run = ["./lock"]
instances = 1
exclusive = true
resources = { cpu = "500m", memory = "256MiB" }
[route."web.sim.test"]
to = "web"
'''
[[do]]
at = "2s"
apply = "one"
[[do]]
at = "8s..10s"
apply = "two"
"#;

/// Runs a world with one fault and nothing else that goes wrong, seed by seed. Each must pass, and in one of them at
/// least the fault must have its effect.
pub fn bites(kind: &str, world: &str, row: &str) {
    let verdicts = run_all(world, &format!("[[fault]]\nwhat = \"{kind}\"\n{row}\n"));
    let mark = format!("{kind} bites");
    let reached: u64 = verdicts.iter().filter_map(|verdict| verdict.marks.get(&mark)).sum();
    assert!(reached > 0, "{kind} never has an effect; marks: {:#?}", verdicts[0].marks);
}

fn run_all(world: &str, fault: &str) -> Vec<Verdict> {
    let text = format!("{world}\n{fault}");
    let scenario = scenario::read(&text, "small").unwrap_or_else(|faults| panic!("{faults:#?}"));
    let run = |seed| {
        let verdict = simulator::run(&simulator::plan(&scenario, seed));
        assert!(verdict.passed(), "seed {seed} with {fault}: {:#?}", verdict.violations);
        verdict
    };
    (0..SEEDS).map(run).collect()
}

/// A family's tests: `name: "kind" with "row"`, each in the usual small world, and the list of kinds that have one.
#[macro_export]
macro_rules! kinds {
    ($($test:ident: $kind:literal with $row:expr,)*) => {
        /// The kinds that have a test here.
        pub const TESTED: &[&str] = &[$($kind),*];

        $(#[test]
        fn $test() {
            $crate::bites($kind, $crate::SMALL, $row);
        })*
    };
}

#[test]
fn every_kind_has_a_test() {
    let tested =
        [bus::TESTED, clock::TESTED, control::TESTED, disk::TESTED, machine::TESTED, operator::TESTED, view::TESTED]
            .concat();
    let missing: Vec<&str> = trouble::kinds().map(|kind| kind.name).filter(|name| !tested.contains(name)).collect();
    assert!(missing.is_empty(), "no test for {missing:?}");
}
