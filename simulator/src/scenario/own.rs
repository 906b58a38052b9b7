//! The scenarios that come with Orrery.

macro_rules! own {
    ($($name:literal),* $(,)?) => {
        /// Name and text of every scenario that comes with Orrery.
        pub const OWN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/", $name, ".toml")))),*];
    };
}

own! {
    "steady",
    "lossy-bus",
    "crashing-nodes",
    "control-plane-crashes",
    "partitions",
    "rollouts",
    "operators",
    "exclusive",
    "everything",
    "tight",
    "disks",
    "gray",
    "clocks",
    "meddling",
    "half-blind",
    "core-heals",
    "placement",
    "hostile",
    "crash-loops",
    "sites",
    "devices",
    "classes",
}

/// The text of the scenario of this name.
pub fn own(name: &str) -> Option<&'static str> {
    OWN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
