//! Faults of what actors get to see.

crate::kinds! {
    stale_view: "stale-view" with "at = \"1s..12s\"\ntimes = 3\nlasts = \"6s\"",
    stale_reports: "stale-reports" with "at = \"1s..12s\"\ntimes = 3\nlasts = \"6s\"",
    hidden_event: "hidden-event" with "at = \"1s..12s\"\ntimes = 6\nlasts = \"6s\"",
    hidden_kind: "hidden-kind" with "at = \"1s..12s\"\ntimes = 4\nlasts = \"3s\"",
    frozen_scheduler: "frozen-scheduler" with "at = \"1s..12s\"\ntimes = 2\nlasts = \"5s\"",
    frozen_actors: "frozen-actors" with "at = \"1s..12s\"\ntimes = 3\nlasts = \"4s\"",
}
