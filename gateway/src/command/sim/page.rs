//! `sim run --report`: a run as a page for a browser.

use super::arguments::SimRun;
use super::seeds::{Outcome, compare};
use crate::clock;
use crate::command::fault::Fault;
use simulator::plan::Plan;
use simulator::report::{Told, page, report};
use simulator::repro::Expect;
use simulator::scenario::Scenario;
use simulator::verdict::Verdict;
use std::path::Path;
use std::time::Duration;

/// Runs one seed of a scenario, and draws it.
pub(super) fn outcome(name: &str, scenario: &Scenario, file: &Path, run: &SimRun) -> Result<Outcome, Fault> {
    let begun = clock::monotonic();
    let plan = simulator::plan(scenario, run.from);
    let what = format!("{} --from {} --seeds 1", word(name), run.from);
    let verdict = draw(&plan, None, &what, file, run)?;
    Ok(Outcome { verdicts: vec![verdict], wall: Duration::from_micros(clock::monotonic().since(begun).0) })
}

/// Runs a plan, and draws it. `what` is what follows `orrery sim run` to run it again.
pub(super) fn draw(
    plan: &Plan,
    expect: Option<&Expect>,
    what: &str,
    file: &Path,
    run: &SimRun,
) -> Result<Verdict, Fault> {
    let mut drawn = report(plan);
    if !run.once {
        compare(plan, &mut drawn.verdict);
    }
    let expected = expect.map(|expect| match expect {
        Expect::Pass => ("nothing is violated".to_owned(), expect.holds(&drawn.verdict)),
        Expect::Fail(signature) => (signature.to_string(), expect.holds(&drawn.verdict)),
    });
    let told = Told {
        again: format!("orrery sim run {what}"),
        further: further(&drawn.verdict, what),
        expected,
        twice: !run.once,
    };
    let found = drawn.verdict.violations.first();
    let came = found.map_or_else(|| "passed".to_owned(), |found| format!("failed: {}", found.signature));
    let with_verdict = |fault| Fault::Unreachable(format!("{fault}; the run {came}"));
    super::write(file, &page(&drawn, &told)).map_err(with_verdict)?;
    Ok(drawn.verdict)
}

/// What else can be done with a run.
fn further(verdict: &Verdict, what: &str) -> Vec<String> {
    let subject = what.replace("--plan ", "").replace("--from", "--seed").replace(" --seeds 1", "");
    let step = format!("orrery sim step {subject}");
    if verdict.passed() {
        return vec![step];
    }
    vec![step, format!("orrery sim explain {subject} --svg story.svg"), format!("orrery sim shrink {subject}")]
}

/// A word as a shell takes it.
fn word(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    if name.chars().all(is_plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', "'\\''")) }
}
