//! Directions: who may name whom.

use crate::check;
use crate::tree::{Source, has_word, sources};

/// The folders of `actors` that meet each other in messages only.
const DOMAINS: [&str; 8] = ["agent", "job", "node", "package", "policy", "rollout", "route", "scheduler"];

/// The files besides the clock itself that read time, each because it measures a real wait of its own.
const CLOCK_READERS: [&str; 6] = [
    "gateway/src/command/apply.rs",
    "gateway/src/command/client.rs",
    "gateway/src/driver/health/mod.rs",
    "gateway/src/proxy/forward.rs",
    "gateway/src/proxy/link.rs",
    "gateway/src/proxy/upstream.rs",
];

fn under<'a>(sources: &'a [Source], folder: &'a str) -> impl Iterator<Item = &'a Source> {
    sources.iter().filter(move |source| source.path.starts_with(folder))
}

#[test]
fn tidy_actors_do_not_name_each_other() {
    let sources = sources();
    let mut findings = Vec::new();
    for domain in DOMAINS {
        for source in under(&sources, &format!("actors/src/{domain}/")) {
            for other in DOMAINS.iter().filter(|other| **other != domain) {
                let paths = [format!("crate::{other}"), format!("super::super::{other}")];
                if paths.iter().any(|path| has_word(&source.code, path)) {
                    findings.push(format!("{} names {other}", source.path));
                }
            }
            if source.code.contains("use crate::{") {
                findings.push(format!("{} imports from the crate in a list; one line for each", source.path));
            }
        }
    }
    check(&findings, "actors meet in messages only: say what is needed in a message");
}

#[test]
fn tidy_the_planner_cannot_publish() {
    let sources = sources();
    let ways = ["crate::ports", "crate::journal", "crate::shard", "Bus", "Log", "Journal", "Disk"];
    let mut findings = Vec::new();
    for source in under(&sources, "actors/src/planner/").chain(under(&sources, "actors/src/turns.rs")) {
        let named = ways.iter().filter(|way| has_word(source.shipped_code(), way));
        findings.extend(named.map(|way| format!("{} names {way}", source.path)));
    }
    assert!(under(&sources, "actors/src/planner/").count() > 4, "the planner was found");
    check(&findings, "what a fork comes to is told, and never sent: it holds nothing to send it with");
}

#[test]
fn tidy_actix_stays_in_the_thin_shell() {
    let sources = sources();
    let named: Vec<String> = sources
        .iter()
        .filter(|source| source.names("actix") || source.names("actix_rt"))
        .map(|source| source.path.clone())
        .collect();
    let outside: Vec<String> = named.iter().filter(|path| !path.starts_with("gateway/src/")).cloned().collect();
    check(&outside, "only the gateway knows of actix");
    assert!(named.len() <= 3, "actix is named in three files at the most, not in {}", named.join(", "));
}

#[test]
fn tidy_nats_stays_in_its_folder() {
    let sources = sources();
    let named = under(&sources, "gateway/src/").filter(|source| source.names("async_nats"));
    let outside: Vec<String> =
        named.map(|source| source.path.clone()).filter(|path| !path.starts_with("gateway/src/nats/")).collect();
    check(&outside, "async_nats is named in gateway/src/nats/ and nowhere else in the gateway");
}

#[test]
fn tidy_the_wire_format_is_one_file() {
    let findings: Vec<String> = sources()
        .iter()
        .filter(|source| source.names("bincode") && source.path != "messages/src/codec.rs")
        .map(|source| source.path.clone())
        .collect();
    check(&findings, "bincode is named in messages/src/codec.rs and nowhere else");
}

#[test]
fn tidy_time_is_read_in_one_file() {
    let sources = sources();
    let findings: Vec<String> = under(&sources, "gateway/src/")
        .filter(|source| {
            let code = source.shipped_code();
            code.contains("SystemTime::now") || code.contains("Instant::now")
        })
        .map(|source| source.path.clone())
        .filter(|path| path != "gateway/src/clock.rs" && !CLOCK_READERS.contains(&path.as_str()))
        .collect();
    check(&findings, "time is read in gateway/src/clock.rs; a file that measures a wait of its own is listed here");
    for reader in CLOCK_READERS {
        let still = under(&sources, reader).any(|source| source.shipped_code().contains("::now"));
        assert!(still, "{reader} reads no time any more: take it off the list");
    }
}

#[test]
fn tidy_the_two_worlds_do_not_name_each_other() {
    let sources = sources();
    let mut findings = Vec::new();
    for source in under(&sources, "simulator/").filter(|source| source.names("gateway")) {
        findings.push(format!("{} names the gateway", source.path));
    }
    let simulated = |source: &&Source| source.names("simulator") && !source.path.starts_with("gateway/src/command/sim");
    for source in under(&sources, "gateway/src/").filter(simulated) {
        findings.push(format!("{} names the simulator; only the command `sim` does", source.path));
    }
    for folder in ["messages/", "actors/"] {
        let worldly = |source: &&Source| source.names("gateway") || source.names("simulator");
        findings.extend(under(&sources, folder).filter(worldly).map(|source| format!("{} names a world", source.path)));
    }
    check(&findings, "both worlds turn the same actors and know nothing of each other");
}
