//! Every plan that is kept does what its file says: with the bug it names planted it fails as it says, and not without.
#![expect(clippy::disallowed_methods, reason = "a test reads the files that are kept beside it")]

use simulator::repro::{Expect, Repro};
use simulator::run::{Judge, judge};
use std::path::PathBuf;

fn kept() -> Vec<(String, Repro)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("plans");
    let entries = std::fs::read_dir(&directory).expect("plans are kept beside the tests");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a directory can be read").path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("a plan is readable text");
        let name = path.display().to_string();
        let repro = Repro::read(&text, &name).unwrap_or_else(|fault| panic!("{fault}"));
        (name, repro)
    };
    paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "json")).map(read).collect()
}

/// Whether a plan does what its file says, in this build.
fn holds(name: &str, repro: &Repro) {
    let verdict = judge(&repro.plan, Judge::default());
    let holds = match (&repro.planted, &repro.expect) {
        // Its times are cut for the bug; without it, it must not fail that way.
        (Some(_), Expect::Fail(signature)) if !cfg!(feature = "mutant") => !signature.is_in(&verdict),
        (_, expected) => expected.holds(&verdict),
    };
    assert!(holds, "{name}: expected {:?}, found {:#?}", repro.expect, verdict.violations);
}

#[cfg(not(feature = "mutant"))]
#[test]
fn kept_plans_pass() {
    let kept = kept();
    assert!(kept.len() >= 5, "plans are kept: {}", kept.len());
    for (name, repro) in &kept {
        holds(name, repro);
    }
}

#[cfg(feature = "mutant")]
#[test]
fn mutant_kept_plans_fail_with_their_bug() {
    use actors::mutant::{Mutant, plant};
    for (name, repro) in &kept() {
        let planted = repro.planted.as_ref().map(|planted| {
            let is_it = |mutant: &&Mutant| format!("{mutant:?}") == *planted;
            *Mutant::ALL.iter().find(is_it).unwrap_or_else(|| panic!("{name}: there is no bug {planted}"))
        });
        plant(planted);
        holds(name, repro);
    }
    plant(None);
}
