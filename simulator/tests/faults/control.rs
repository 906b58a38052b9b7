//! Faults of the control plane's process.

crate::kinds! {
    control_crash: "control-crash" with "times = 3\nlasts = \"50ms..2s\"",
}
