//! What came of a scenario's seeds: an object for programs, tables and failures for people.

use super::seeds::{Outcome, Seeds};
use crate::command::show::{Show, table};
use serde::Serialize;
use simulator::scenario::Scenario;
use simulator::verdict::{Invariant, Violation, hash_of_hashes};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much of a hash is shown to people.
const HASH_SHOWN: usize = 12;

/// What came of a scenario's seeds.
pub(super) struct Report {
    summary: Summary,
    single: Option<Single>,
    wall: Duration,
    /// The scenario as it was asked for.
    asked: String,
}

/// All seeds of a scenario, for programs. Nothing in it differs from run to run.
#[derive(Serialize)]
struct Summary {
    scenario: String,
    seeds: u64,
    from: u64,
    plan_hash: String,
    events: u64,
    entries: u64,
    log_hash: String,
    verdict: &'static str,
    failed: u64,
    violations: Vec<Group>,
}

/// Violations of one kind.
#[derive(Clone, Serialize)]
struct Group {
    invariant: Invariant,
    signature: String,
    seeds: u64,
    first_seed: u64,
    message: String,
    at: u64,
}

/// One seed, for programs.
#[derive(Serialize)]
struct Single {
    scenario: String,
    seed: u64,
    plan_hash: String,
    events: u64,
    entries: u64,
    log_hash: String,
    verdict: &'static str,
    violations: Vec<One>,
}

/// A violation of one seed.
#[derive(Serialize)]
struct One {
    invariant: Invariant,
    signature: String,
    message: String,
    at: u64,
}

const fn word(passed: bool) -> &'static str {
    if passed { "pass" } else { "fail" }
}

impl Report {
    /// Sums up.
    pub fn of(asked: &str, scenario: &Scenario, seeds: &Seeds, outcome: Outcome) -> Self {
        let Outcome { verdicts, wall } = outcome;
        let failed = verdicts.iter().filter(|verdict| !verdict.passed()).count() as u64;
        let mut groups: BTreeMap<(Invariant, &str), Group> = BTreeMap::new();
        for verdict in &verdicts {
            for violation in &verdict.violations {
                let Violation { invariant, signature, message, at, .. } = violation;
                let group = groups.entry((*invariant, signature)).or_insert_with(|| Group {
                    invariant: *invariant,
                    signature: signature.clone(),
                    seeds: 0,
                    first_seed: verdict.seed,
                    message: message.clone(),
                    at: *at,
                });
                group.seeds += 1;
            }
        }
        let mut violations: Vec<Group> = groups.into_values().collect();
        violations.sort_by_key(|group| std::cmp::Reverse(group.seeds));
        let summary = Summary {
            scenario: scenario.name.clone(),
            seeds: seeds.count,
            from: seeds.from,
            plan_hash: hash_of_hashes(verdicts.iter().map(|verdict| verdict.plan_hash.as_str())),
            events: verdicts.iter().map(|verdict| verdict.events).sum(),
            entries: verdicts.iter().map(|verdict| verdict.statistics.entries).sum(),
            log_hash: hash_of_hashes(verdicts.iter().map(|verdict| verdict.log_hash.as_str())),
            verdict: word(failed == 0),
            failed,
            violations,
        };
        let single = match <[_; 1]>::try_from(verdicts) {
            Ok([verdict]) => Some(Single {
                verdict: word(verdict.passed()),
                scenario: verdict.scenario,
                seed: verdict.seed,
                plan_hash: verdict.plan_hash,
                events: verdict.events,
                entries: verdict.statistics.entries,
                log_hash: verdict.log_hash,
                violations: verdict.violations.into_iter().map(One::from).collect(),
            }),
            Err(_) => None,
        };
        Self { summary, single, wall, asked: asked.to_owned() }
    }

    /// Whether every seed passed.
    pub const fn passed(&self) -> bool {
        self.summary.failed == 0
    }

    /// Shows it as a line of JSON.
    pub fn line(&self, show: Show) {
        match &self.single {
            Some(single) => show.line(single),
            None => show.line(&self.summary),
        }
    }

    fn row(&self) -> Vec<String> {
        let Summary { scenario, seeds, events, entries, verdict, failed, .. } = &self.summary;
        let verdict = match *failed {
            0 => (*verdict).to_owned(),
            1 => format!("{verdict}: 1 seed"),
            more => format!("{verdict}: {more} seeds"),
        };
        let hash = self.single.as_ref().map_or(&self.summary.log_hash, |single| &single.log_hash);
        let hash = hash.chars().take(HASH_SHOWN).collect();
        let wall = format!("{:.1} s", self.wall.as_secs_f64());
        vec![scenario.clone(), seeds.to_string(), events.to_string(), entries.to_string(), verdict, wall, hash]
    }

    fn failures(&self) -> impl Iterator<Item = String> {
        self.summary.violations.iter().map(|group| {
            let Group { invariant, signature, seeds, first_seed, message, at } = group;
            format!(
                "\n{}: {signature} ({})\n  {seeds} of {} seeds, first {first_seed}, at {} ms: {message}\n  \
                 again: orrery sim run {} --from {first_seed} --trace\n",
                self.summary.scenario,
                invariant.name(),
                self.summary.seeds,
                at / 1_000,
                self.asked
            )
        })
    }
}

impl From<Violation> for One {
    fn from(violation: Violation) -> Self {
        let Violation { invariant, signature, message, at, .. } = violation;
        Self { invariant, signature, message, at }
    }
}

/// All of it, for people.
pub(super) fn text(reports: &[Report]) -> String {
    let heading = ["SCENARIO", "SEEDS", "EVENTS", "ENTRIES", "VERDICT", "TIME", "LOG"];
    let rows: Vec<_> = reports.iter().map(Report::row).collect();
    let failures: String = reports.iter().flat_map(Report::failures).collect();
    table(&heading, &rows) + &failures
}
