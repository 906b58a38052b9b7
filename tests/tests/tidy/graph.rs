//! The crate graph: what the pure crates must not pull in, by whatever way, and the bans that hold their own code.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::check;
use crate::tree::root;

const PURE: [&str; 3] = ["messages", "actors", "simulator"];
/// What brings a clock, threads, a network or randomness along. (Cedar brings libc, to grow its stack.)
const IMPURE: [&str; 12] = [
    "actix",
    "async-nats",
    "axum",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "rand",
    "rand_core",
    "rustix",
    "tokio",
    "tracing",
];

#[test]
fn tidy_pure_crates_pull_in_nothing_that_reads_the_world() {
    let mut findings = Vec::new();
    for package in PURE {
        let crates = crates_under(package);
        assert!(crates.contains("serde"), "cargo tree said something about {package}");
        for impure in IMPURE.iter().filter(|impure| crates.contains(**impure)) {
            findings.push(format!("{package} pulls in {impure}: cargo tree -e normal -p {package} -i {impure}"));
        }
        let ours: &[&str] = match package {
            "messages" => &["actors", "gateway", "simulator"],
            "actors" => &["gateway", "simulator"],
            _ => &["gateway"],
        };
        for our in ours.iter().filter(|our| crates.contains(**our)) {
            findings.push(format!("{package} depends on {our}, against the direction of the map"));
        }
    }
    check(&findings, "messages, actors and simulator are pure");
}

/// The names of everything a package is built from, itself included.
fn crates_under(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", package])
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn tidy_pure_crates_ban_alike() {
    let bans = |package: &str| -> BTreeSet<String> {
        let path = root().join(package).join("clippy.toml");
        let text = fs::read_to_string(&path).expect("a pure crate has its bans in clippy.toml");
        text.lines().filter_map(|line| line.trim().strip_prefix("{ path = ")).map(str::to_owned).collect()
    };
    let messages = bans("messages");
    assert!(messages.len() > 40, "the bans are one a line");
    assert_eq!(bans("actors"), bans("simulator"), "actors and simulator are held alike");
    let more: Vec<String> = bans("actors").difference(&messages).cloned().collect();
    assert!(more.iter().all(|ban| ban.starts_with("\"f32\"") || ban.starts_with("\"f64\"")), "{more:?}");
    assert!(messages.is_subset(&bans("actors")), "what messages may not, actors may not");
}
