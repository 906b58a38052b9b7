//! `sim search`: looks for failures on every processor, and tells them apart by what was violated.

use super::arguments::SimSearch;
use super::progress::Progress;
use super::{interrupt, seeds};
use crate::clock;
use crate::command::fault::Fault;
use crate::command::show::{Show, table};
use messages::api::{EXIT_DONE, EXIT_REFUSED};
use messages::time::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use simulator::plan::Plan;
use simulator::repro::{Repro, Signature};
use simulator::scenario::Scenario;
use simulator::search::{Strategy, confirmed, explore};
use simulator::world::features::Features;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

/// It lasts so long when nothing is said, in microseconds.
const LASTS_US: u64 = 60_000_000;

/// What a worker tells.
enum Told {
    /// A run came to its end.
    Ran { strategy: Strategy, events: u64 },
    /// A plan fails, also from its beginning.
    Failed { strategy: Strategy, scenario: usize, plan: Box<Plan>, signature: Signature },
    /// A branch failed, and its plan does not from its beginning.
    Lost,
    /// These features are known.
    Knows(BTreeSet<u64>),
}

/// Failures of one kind.
#[derive(Clone, Debug, Serialize)]
struct Group {
    #[serde(flatten)]
    signature: Signature,
    scenario: String,
    strategy: Strategy,
    runs: u64,
    file: String,
}

/// All of it, for programs.
#[derive(Debug, Default, Serialize)]
struct Summary {
    runs: u64,
    by_strategy: BTreeMap<&'static str, u64>,
    events: u64,
    features: usize,
    failed: u64,
    unconfirmed: u64,
    milliseconds: u64,
    failures: Vec<Group>,
}

/// Which plans are tried, and when it is over.
struct Search<'a> {
    scenarios: &'a [(&'a str, Scenario)],
    first: u64,
    seeds: u64,
    turn: AtomicU64,
    until: Option<Timestamp>,
    pressed: Arc<AtomicBool>,
}

/// `orrery sim search`
pub(super) fn search(show: Show, asked: &SimSearch) -> Result<u8, Fault> {
    let scenarios = super::load_all(&asked.scenarios)?;
    let lasts = match (&asked.lasts, asked.seeds) {
        (Some(text), _) => {
            let span = messages::quantity::span(text);
            Some(span.map_err(|error| Fault::Misuse(format!("--for {text}: {error}")))?.0)
        }
        (None, Some(_)) => None,
        (None, None) => Some(LASTS_US),
    };
    let begun = clock::monotonic();
    let search = Search {
        scenarios: &scenarios,
        first: seed_of(&asked.seed),
        seeds: asked.seeds.unwrap_or(u64::MAX),
        turn: AtomicU64::new(0),
        until: lasts.map(|lasts| Timestamp(begun.0.saturating_add(lasts))),
        pressed: interrupt::flag(),
    };
    let summary = std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..seeds::jobs(asked.jobs) {
            let (sender, search) = (sender.clone(), &search);
            scope.spawn(move || search.work(&sender));
        }
        drop(sender);
        let gathered = search.gather(&receiver, &asked.out, begun);
        // Whatever went wrong here, nobody waits for workers that go on.
        search.pressed.store(true, Ordering::Relaxed);
        gathered
    })?;
    let failed = !summary.failures.is_empty();
    show.answer(&summary, text);
    Ok(if failed { EXIT_REFUSED } else { EXIT_DONE })
}

/// A number is itself; any other word is as good as any other.
fn seed_of(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| {
        let hash = Sha256::digest(word.as_bytes());
        u64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default()) >> 16
    })
}

impl Search<'_> {
    fn over(&self) -> bool {
        self.pressed.load(Ordering::Relaxed) || self.until.is_some_and(|until| clock::monotonic() >= until)
    }

    /// Takes turn after turn, until it is over.
    fn work(&self, sender: &Sender<Told>) {
        let mut known = Features::default();
        let count = self.scenarios.len() as u64;
        while !self.over() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let (round, scenario) = (turn / count, usize::try_from(turn % count).unwrap_or(0));
            if round >= self.seeds {
                return;
            }
            let (strategy, seed) = (Strategy::of_turn(round), self.first.wrapping_add(round));
            let before = known.count_all();
            let goes_on = explore(&self.scenarios[scenario].1, strategy, seed, &mut known, &mut |ran| {
                let mut heard = sender.send(Told::Ran { strategy, events: ran.events }).is_ok();
                if !ran.verdict.passed() {
                    heard &= sender.send(failed(scenario, strategy, ran.plan, ran.verdict)).is_ok();
                }
                heard && !self.over()
            });
            let news = known.count_all() > before;
            let told = !news || sender.send(Told::Knows(known.all().collect())).is_ok();
            if !told || !goes_on {
                return;
            }
        }
    }

    /// Takes in what workers tell until all have ended, and says how far it is.
    fn gather(&self, receiver: &Receiver<Told>, out: &Path, begun: Timestamp) -> Result<Summary, Fault> {
        let mut progress = Progress::new(false);
        let mut summary = Summary::default();
        let mut features = BTreeSet::new();
        loop {
            match receiver.recv_timeout(progress.every) {
                Ok(Told::Ran { strategy, events }) => {
                    summary.runs += 1;
                    summary.events += events;
                    *summary.by_strategy.entry(strategy.name()).or_default() += 1;
                }
                Ok(Told::Failed { strategy, scenario, plan, signature }) => {
                    summary.failed += 1;
                    let new = summary.take(strategy, self.scenarios[scenario].0, *plan, signature, out)?;
                    if let Some(line) = new {
                        progress.say(&line);
                    }
                }
                Ok(Told::Lost) => summary.unconfirmed += 1,
                Ok(Told::Knows(known)) => {
                    features.extend(known);
                    summary.features = features.len();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            summary.milliseconds = clock::monotonic().since(begun).0 / 1_000;
            progress.tell(|| summary.line());
        }
        progress.clear();
        Ok(summary)
    }
}

/// What is told of a run that failed.
fn failed(scenario: usize, strategy: Strategy, plan: &Plan, verdict: &simulator::verdict::Verdict) -> Told {
    match confirmed(plan, verdict) {
        Some(signature) => Told::Failed { strategy, scenario, plan: Box::new(plan.clone()), signature },
        None => Told::Lost,
    }
}

impl Summary {
    /// Takes in a failure. A new one is written down at once, and a line says so.
    fn take(
        &mut self,
        strategy: Strategy,
        asked: &str,
        plan: Plan,
        signature: Signature,
        out: &Path,
    ) -> Result<Option<String>, Fault> {
        if let Some(group) = self.failures.iter_mut().find(|group| group.signature == signature) {
            group.runs += 1;
            return Ok(None);
        }
        let (scenario, seed) = (plan.scenario.clone(), plan.seed);
        let file = out.join(file_name(&scenario, &signature));
        super::write(&file, &Repro::failing(plan, signature.clone(), strategy.name()).text())?;
        let file = file.display().to_string();
        let line = format!("FAIL {signature}\n  {asked} seed {seed} by {}: {file}", strategy.name());
        self.failures.push(Group { signature, scenario, strategy, runs: 1, file });
        Ok(Some(line))
    }

    fn line(&self) -> String {
        let Self { runs, events, features, milliseconds, failures, .. } = self;
        let seconds = (milliseconds / 1_000).max(1);
        let (rate, kinds) = (events / seconds, failures.len());
        let kind = if kinds == 1 { "kind" } else { "kinds" };
        format!("{seconds} s: {runs} runs, {rate} events/s, {features} features, {kinds} {kind} of failure")
    }
}

/// The file of a failure: it says what it is, and is another one for each.
fn file_name(scenario: &str, signature: &Signature) -> PathBuf {
    let hash = Sha256::digest(signature.to_string().as_bytes());
    let short: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let safe = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let scenario: String = scenario.chars().map(safe).collect();
    PathBuf::from(format!("{scenario}-{}-{short}.json", signature.invariant.name()))
}

fn text(summary: &Summary) -> String {
    let Summary { by_strategy, failed, unconfirmed, failures, .. } = summary;
    let by: Vec<String> = by_strategy.iter().map(|(name, runs)| format!("{name} {runs}")).collect();
    let mut text = format!("{}\nruns by strategy: {}\n", summary.line(), by.join(", "));
    if *unconfirmed > 0 {
        text += &format!("{unconfirmed} branches failed whose plans do not fail from their beginning\n");
    }
    if failures.is_empty() {
        return text + "nothing failed\n";
    }
    text += &format!("{failed} runs failed, in {} ways\n\n", failures.len());
    let row = |group: &Group| {
        let Group { signature, scenario, strategy, runs, .. } = group;
        vec![runs.to_string(), signature.to_string(), scenario.clone(), strategy.name().into()]
    };
    text += &table(&["RUNS", "WHAT", "SCENARIO", "FIRST BY"], &failures.iter().map(row).collect::<Vec<_>>());
    for Group { file, .. } in failures {
        text += &format!("\n  orrery sim shrink {file}");
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::seed_of;

    #[test]
    fn a_number_is_a_seed_and_so_is_any_word() {
        assert_eq!(seed_of("17"), 17);
        assert_eq!(seed_of("96cc324"), seed_of("96cc324"));
        assert_ne!(seed_of("96cc324"), seed_of("96cc325"));
    }
}
