//! Faults of the control plane's disk.

crate::kinds! {
    sync_fails: "sync-fails" with "times = 3\nat = \"3s..9s\"\nlasts = \"4s\"",
    disk_full: "disk-full" with "times = 3\nlasts = \"200ms..2s\"",
    disk_stall: "disk-stall" with "times = 3\nextra = \"20ms..1s\"\nlasts = \"500ms..3s\"",
    disk_throttle: "disk-throttle" with "times = 3\nlasts = \"500ms..3s\"",
    torn_write: "torn-write" with "times = 4\nlasts = \"3s\"",
    lost_pages: "lost-pages" with "times = 60\nat = \"2s..12s\"\nlasts = \"2s\"",
    garbled_pages: "garbled-pages" with "times = 4\nlasts = \"3s\"",
    lost_names: "lost-names" with "times = 4\nlasts = \"5s\"",
    fsync_gate: "fsync-gate" with "times = 3\nlasts = \"1s..3s\"",
    syncs_fail: "syncs-fail" with "times = 3\nlasts = \"500ms..3s\"",
    short_write: "short-write" with "times = 3\nlasts = \"2s\"",
    read_only_disk: "read-only-disk" with "times = 3\nlasts = \"500ms..3s\"",
    short_read: "short-read" with "times = 3\nlasts = \"500ms..3s\"",
    unreadable_sector: "unreadable-sector" with "times = 2\nlasts = \"500ms..3s\"",
    silent_flip: "silent-flip" with "times = 2\nlasts = \"500ms..3s\"",
    misdirected_write: "misdirected-write" with "times = 3\nlasts = \"500ms..3s\"",
    wiped_disk: "wiped-disk" with "times = 1\nat = \"6s..12s\"\nlasts = \"2s..5s\"",
    older_disk: "older-disk" with "times = 1\nat = \"8s..14s\"\nlasts = \"2s..5s\"\n[[fault]]\nwhat = \"agent-crash\"\ntimes = 8\nat = \"4s..12s\"\nlasts = \"200ms\"",
    phantom_write: "phantom-write" with "times = 3\nlasts = \"500ms..3s\"",
}
