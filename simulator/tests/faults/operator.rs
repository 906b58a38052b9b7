//! What operators do at the worst moment.

crate::kinds! {
    contradictory_scale: "contradictory-scale" with "times = 3",
    contradictory_node: "contradictory-node" with "times = 2\nlasts = \"1s..6s\"",
    rollback: "rollback" with "on = \"StepBegun\"\nafter = \"0ms..900ms\"\ntimes = 2",
    abort_midway: "abort-midway" with "on = \"StepBegun\"\nafter = \"0ms..900ms\"\ntimes = 1",
    forgotten_hold: "forgotten-hold" with "on = \"StepBegun\"\nafter = \"0ms..900ms\"\ntimes = 1\nlasts = \"6s\"",
    repeated_command: "repeated-command" with "at = \"9s..19s\"\ntimes = 6",
    impatient_client: "impatient-client" with "times = 3",
    flapping_drain: "flapping-drain" with "times = 2",
    flapping_scale: "flapping-scale" with "times = 2",
    restart_storm: "restart-storm" with "times = 2",
    nonsense: "nonsense" with "times = 2",
}
