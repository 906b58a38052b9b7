//! What is run, shrunk or explained: a plan in a file, or what a seed makes of a scenario.

use super::arguments::{SimRun, Subject};
use super::seeds;
use crate::command::fault::Fault;
use crate::command::show::Show;
use messages::api::{EXIT_DONE, EXIT_REFUSED};
use serde::Serialize;
use simulator::plan::Plan;
use simulator::repro::{Expect, Repro, Signature};
use simulator::run::{Judge, judge};
use simulator::verdict::Violation;
use std::path::Path;

/// A longer file is no plan, in bytes.
const PLAN_BYTES_MAX: u64 = 64 << 20;

/// Reads a plan.
pub(super) fn read(file: &Path) -> Result<Repro, Fault> {
    let name = file.display().to_string();
    let text = super::text_of(&name, PLAN_BYTES_MAX)?;
    Repro::read(&text, &name).map_err(|fault| Fault::Misuse(fault.to_string()))
}

impl Subject {
    /// The plan, and how it should fail, if that is known.
    pub fn load(&self) -> Result<(Plan, Option<Signature>), Fault> {
        let Self { what, seed } = self;
        if let Some(seed) = seed {
            return Ok((simulator::plan(&super::load(what)?, *seed), None));
        }
        let is_plan = Path::new(what).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        if !is_plan && (!Path::new(what).exists() || super::load(what).is_ok()) {
            super::load(what)?;
            return Err(Fault::Misuse(format!("{what} is a scenario: say which of its seeds with --seed")));
        }
        let Repro { plan, expect, .. } = read(Path::new(what))?;
        let signature = match expect {
            Expect::Fail(signature) => Some(signature),
            Expect::Pass => None,
        };
        Ok((plan, signature))
    }

    /// The plan, and how it fails: as its file says, or as it does.
    pub fn failing(&self) -> Result<(Plan, Signature), Fault> {
        let (plan, expected) = self.load()?;
        let verdict = judge(&plan, Judge::default());
        let found = expected.filter(|signature| signature.is_in(&verdict)).or_else(|| Signature::first(&verdict));
        match found {
            Some(signature) => Ok((plan, signature)),
            None => Err(Fault::refused(
                messages::reason::Reason::WrongState,
                format!("{} does not fail: nothing is violated", self.what),
                "find a failure with `orrery sim search`",
            )),
        }
    }
}

/// What came of a plan, for programs.
#[derive(Serialize)]
struct Ran {
    scenario: String,
    seed: u64,
    plan_hash: String,
    events: u64,
    entries: u64,
    log_hash: String,
    verdict: &'static str,
    expected: Expect,
    as_expected: bool,
    violations: Vec<Violation>,
}

/// `orrery sim run --plan`
pub(super) fn run(show: Show, run: &SimRun) -> Result<u8, Fault> {
    let Some(file) = &run.plan else { return Ok(EXIT_DONE) };
    let repro = read(file)?;
    let verdict = match &run.report {
        Some(page) => {
            super::page::draw(&repro.plan, Some(&repro.expect), &format!("--plan {}", file.display()), page, run)?
        }
        None => seeds::one(&repro.plan, run.trace.then_some(show), !run.once),
    };
    let as_expected = repro.expect.holds(&verdict);
    let ran = Ran {
        verdict: if verdict.passed() { "pass" } else { "fail" },
        scenario: verdict.scenario,
        seed: verdict.seed,
        plan_hash: verdict.plan_hash,
        events: verdict.events,
        entries: verdict.statistics.entries,
        log_hash: verdict.log_hash,
        expected: repro.expect,
        as_expected,
        violations: verdict.violations,
    };
    if show.json {
        show.line(&ran);
    } else {
        let drawn = run.report.as_ref().map(|page| format!("drawn in {}\n", page.display()));
        show.text(&(told(&ran, repro.planted.as_deref()) + &drawn.unwrap_or_default()));
    }
    Ok(if as_expected { EXIT_DONE } else { EXIT_REFUSED })
}

fn told(ran: &Ran, planted: Option<&str>) -> String {
    let mut text = format!("{} of {} seed {}: {} events\n", ran.verdict, ran.scenario, ran.seed, ran.events);
    for Violation { invariant, signature, message, at, .. } in &ran.violations {
        text += &format!("  {signature} ({}) at {} ms: {message}\n", invariant.name(), at / 1_000);
    }
    text += &match (&ran.expected, ran.as_expected, planted) {
        (Expect::Pass, true, _) => "as expected\n".into(),
        (Expect::Pass, false, _) => "expected: nothing is violated\n".into(),
        (Expect::Fail(signature), true, _) => format!("as expected: {signature}\n"),
        (Expect::Fail(signature), false, None) => format!("expected: {signature}\n"),
        (Expect::Fail(signature), false, Some(bug)) => {
            format!("expected, in a build with the planted bug {bug}: {signature}\n")
        }
    };
    text
}
