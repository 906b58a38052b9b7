//! A plan in a file: what is run, where it came from, and what must come of it. It stays a test when the bug is gone.

mod check;
pub mod json;

use crate::plan::Plan;
use crate::text::TextFault;
use crate::verdict::{Invariant, Verdict, Violation};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the files of this build say they are.
pub const VERSION: u32 = 1;

/// A plan, and what must come of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repro {
    /// The version of the shape of the file.
    pub version: u32,
    /// What it shows, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
    /// What must come of it.
    pub expect: Expect,
    /// The planted bug with which it fails; without it, it does not fail so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<String>,
    /// What is run.
    pub plan: Plan,
}

/// Where a plan came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// How it was come upon.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

/// What must come of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Nothing is violated.
    Pass,
    /// This is violated, perhaps beside other things.
    Fail(Signature),
}

/// What tells one cause of failure from another: the invariant, and what happened without ids and numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// What was violated.
    pub invariant: Invariant,
    /// What happened.
    pub signature: String,
}

impl Signature {
    /// Of the first thing that a run violated.
    pub fn first(verdict: &Verdict) -> Option<Self> {
        Self::all(verdict).next()
    }

    /// Of everything that a run violated.
    pub fn all(verdict: &Verdict) -> impl Iterator<Item = Self> {
        verdict.violations.iter().map(|found| Self { invariant: found.invariant, signature: found.signature.clone() })
    }

    /// Whether this is what was violated.
    pub fn is(&self, violation: &Violation) -> bool {
        violation.invariant == self.invariant && violation.signature == self.signature
    }

    /// Whether a run violated this.
    pub fn is_in(&self, verdict: &Verdict) -> bool {
        verdict.violations.iter().any(|violation| self.is(violation))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.signature, self.invariant.name())
    }
}

impl Expect {
    /// Whether a run came out so.
    pub fn holds(&self, verdict: &Verdict) -> bool {
        match self {
            Self::Pass => verdict.passed(),
            Self::Fail(signature) => signature.is_in(verdict),
        }
    }
}

/// A file, as far as its version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Repro {
    /// A plan that fails so.
    pub fn failing(plan: Plan, signature: Signature, by: &str) -> Self {
        let from = Origin { scenario: plan.scenario.clone(), seed: plan.seed, by: by.into() };
        let about = String::new();
        Self { version: VERSION, about, from: Some(from), expect: Expect::Fail(signature), planted: None, plan }
    }

    /// The text of its file.
    pub fn text(&self) -> String {
        let compact = serde_json::to_string(self).unwrap_or_else(|error| format!("\"cannot be written: {error}\""));
        json::lay_out(&compact)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// The first thing that is wrong with it, and where.
    pub fn read(text: &str, file: &str) -> Result<Self, TextFault> {
        let fault = |line: usize, column: usize, message: String| TextFault {
            file: file.into(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            message,
        };
        let damaged = |error: serde_json::Error| {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let message = format!("{message}; expected a plan as `orrery sim search` writes one");
            fault(error.line(), error.column(), message)
        };
        let Versioned { version } = serde_json::from_str(text).map_err(damaged)?;
        if version != VERSION {
            let (line, column) = json::place(text, &[json::Step::Field("version")]);
            let message = format!(
                "this plan is of version {version}, and this build reads version {VERSION}: \
                 make it anew with the build it came from, or find the failure again"
            );
            return Err(TextFault { file: file.into(), line, column, message });
        }
        let repro: Self = serde_json::from_str(text).map_err(damaged)?;
        match check::senseless(&repro) {
            None => Ok(repro),
            Some((path, message)) => {
                let (line, column) = json::place(text, &path);
                Err(TextFault { file: file.into(), line, column, message })
            }
        }
    }
}

#[cfg(test)]
mod tests;
