//! Faults of the control plane's process, and of how it is set.

crate::kinds! {
    control_crash: "control-crash" with "times = 3\nlasts = \"50ms..2s\"",
    control_crash_loop: "control-crash-loop" with "at = \"1s..12s\"\ntimes = 1\nextra = \"30ms..600ms\"\nlasts = \"4s\"",
    control_pause: "control-pause" with "at = \"1s..12s\"\ntimes = 2\nlasts = \"1s..9s\"",
    crash_before_write: "crash-before-write" with "at = \"1s..12s\"\ntimes = 6\nlasts = \"8s\"",
    crash_after_write: "crash-after-write" with "at = \"1s..12s\"\ntimes = 6\nlasts = \"8s\"",
    crash_after_sync: "crash-after-sync" with "at = \"1s..12s\"\ntimes = 6\nlasts = \"8s\"",
    crash_amid_release: "crash-amid-release" with "at = \"1s..12s\"\ntimes = 6\nlasts = \"8s\"",
    crash_after_release: "crash-after-release" with "at = \"1s..12s\"\ntimes = 6\nlasts = \"8s\"",
    upgrade: "upgrade" with "at = \"1s..15s\"\ntimes = 3\nlasts = \"50ms..2s\"",
    snapshot_always: "snapshot-always" with "at = \"1s..12s\"\ntimes = 2\nlasts = \"8s\"",
    tiny_frames: "tiny-frames" with "at = \"1s..12s\"\ntimes = 2\nlasts = \"8s\"",
    passivation: "passivation" with "at = \"1s..12s\"\ntimes = 2\nlasts = \"6s\"",
}
