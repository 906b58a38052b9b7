//! Every scenario that comes with Orrery passes some seeds, and the same seed gives the same log again.

use simulator::scenario::{self, Scenario};

fn scenario_of(name: &str) -> Scenario {
    let text = scenario::own(name).expect("the scenario comes with Orrery");
    scenario::read(text, name)
        .unwrap_or_else(|faults| panic!("{}", faults.iter().map(|fault| format!("{fault}\n")).collect::<String>()))
}

/// Seeds that once found a bug, and what it was.
const FOUND: &[(&str, u64, &str)] = &[
    ("tight", 0, "a scheduler that placed one instance left the retry of the next in the past"),
    (
        "exclusive",
        902,
        "a scheduler gave a place to an instance that a late refusal had made wait, and that had one by then",
    ),
    ("exclusive", 643, "an exclusive job forgot instances that were to be restarted before they had a place"),
    (
        "meddling",
        21,
        "the journal could not keep a snapshot when its segment was full: it began the next segment twice, and the \
         control plane died at every snapshot",
    ),
    ("everything", 318, "the oracle wanted health of a revision that was declared while every node was lost"),
    ("everything", 583, "the oracle wanted a revision to be taken back that fell sick after its gates were passed"),
    ("everything", 107, "the oracle took two commands that overlapped in the order of their answers"),
    ("clocks", 6, "a host told time by the wall clock: set forward, it ended the wait for a suspect node's lease"),
    ("gray", 0, "two machines with one name were of one epoch, so that both started what was meant for one"),
    ("disks", 3, "a journal took a short read for a torn tail, and cut off what was acknowledged"),
    ("disks", 16, "a journal believed what the cache had and a failed sync had dropped"),
    ("disks", 117, "a journal took a page of an older segment for proof that a torn write had been durable"),
    ("placement", 2, "a job that was to leave a node asked for another place for ever when the node's drain was over"),
    ("clocks", 43, "the oracle held a lease that was over against a clock that had changed its rate since"),
];

#[test]
fn what_once_failed_passes() {
    for (name, seed, bug) in FOUND {
        let verdict = simulator::run(&simulator::plan(&scenario_of(name), *seed));
        assert!(verdict.passed(), "seed {seed} of {name}, where {bug}: {:#?}", verdict.violations);
    }
}

#[test]
fn no_disk_fails_in_a_sound_world() {
    let scenario = scenario_of("steady");
    // With the first of them a snapshot that met a full segment once looked like a failed sync.
    for seed in [1011].into_iter().chain(0..20) {
        let marks = simulator::run(&simulator::plan(&scenario, seed)).marks;
        assert!(!marks.contains_key("sync-failed"), "seed {seed}: {marks:?}");
    }
}

fn passes(name: &str) {
    let scenario = scenario_of(name);
    for seed in 0..30 {
        let plan = simulator::plan(&scenario, seed);
        let verdict = simulator::run(&plan);
        assert!(verdict.passed(), "seed {seed} of {name}: {:#?}", verdict.violations);
        if seed % 4 == 0 {
            let again = simulator::run(&simulator::plan(&scenario, seed));
            assert_eq!(verdict, again, "seed {seed} of {name} is not the same twice");
        }
    }
}

macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {$(
        #[test]
        fn $test() {
            passes($name);
        }
    )*};
}

scenarios! {
    steady_passes: "steady",
    lossy_bus_passes: "lossy-bus",
    crashing_nodes_passes: "crashing-nodes",
    control_plane_crashes_passes: "control-plane-crashes",
    partitions_passes: "partitions",
    rollouts_passes: "rollouts",
    operators_pass: "operators",
    exclusive_passes: "exclusive",
    everything_passes: "everything",
    tight_passes: "tight",
    disks_pass: "disks",
    gray_passes: "gray",
    clocks_pass: "clocks",
    meddling_passes: "meddling",
    half_blind_passes: "half-blind",
    core_heals_passes: "core-heals",
    placement_passes: "placement",
    hostile_passes: "hostile",
    crash_loops_pass: "crash-loops",
    sites_pass: "sites",
}
