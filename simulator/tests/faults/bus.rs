//! Faults of the bus.

crate::kinds! {
    loss: "loss" with "times = 3\nper_mille = 200\nlasts = \"4s\"",
    duplicate: "duplicate" with "times = 3\nper_mille = 300\nextra = \"1s..8s\"\nlasts = \"4s\"",
    slow: "slow" with "times = 2\nextra = \"500ms\"\nlasts = \"3s\"",
    clog: "clog" with "times = 3\nlasts = \"2s\"",
    partition: "partition" with "times = 3\nlasts = \"2s..8s\"",
}
