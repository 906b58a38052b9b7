//! Faults of clocks.

crate::kinds! {
    control_clock_forward: "control-clock-forward" with "times = 2\nlasts = \"1s..6s\"",
    control_clock_back: "control-clock-back" with "times = 2\nlasts = \"1s..6s\"",
    control_clock_freeze: "control-clock-freeze" with "times = 2\nlasts = \"1s..6s\"",
    control_clock_drift: "control-clock-drift" with "times = 2\nlasts = \"2s..9s\"",
    clock_step: "clock-step" with "times = 2\nlasts = \"1s..6s\"",
    clock_freeze: "clock-freeze" with "times = 2\nlasts = \"1s..9s\"",
    clock_drift: "clock-drift" with "times = 3\nlasts = \"2s..9s\"",
    clock_drift_beyond: "clock-drift-beyond" with "times = 3\nlasts = \"2s..9s\"",
}
