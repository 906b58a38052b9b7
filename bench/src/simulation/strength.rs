//! What the simulator catches: planted bugs one by one, what their failures shrink to, and bugs that `cargo mutants`
//! makes. The planted ones are in test programs of a build of their own, which `bench/run` makes and names.

use super::{least, on_cores};
use crate::rounds::median;
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting, failed};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `bench/run` says that the test programs are.
const PLANTED: &str = "ORRERY_BENCH_MUTANTS";
const SHRUNK: &str = "ORRERY_BENCH_SHRINK";
/// Of so many planted bugs one is tried when it must be quick.
const QUICK: usize = 20;
/// Into so many parts `cargo mutants` parts its bugs; the first is tried.
const SHARDS: usize = 250;
/// The crates that it makes bugs in.
const CORE: [&str; 2] = ["messages", "actors"];

/// Planted bugs: how many are caught, and what their failures shrink to.
pub fn planted(setting: &Setting, report: &mut Report) -> Result<(), Fault> {
    for (variable, measure) in [(PLANTED, caught as fn(&Setting, &Path) -> _), (SHRUNK, shrunk)] {
        match std::env::var_os(variable) {
            Some(path) => report.rows.extend(measure(setting, &PathBuf::from(path))?),
            None => report.faults.push(Fault::Missing {
                program: "the build with planted bugs",
                remedy: format!("{variable} does not name it; start with bench/run"),
            }),
        }
    }
    Ok(())
}

/// Bugs that `cargo mutants` makes; left out when it must be quick.
pub fn made(setting: &Setting, report: &mut Report) -> Result<(), Fault> {
    if setting.quick {
        return Ok(());
    }
    // What it builds lies beside this build, and is there for the next time.
    match killed(&setting.build.with_file_name("mutants")) {
        Ok(row) => report.rows.push(row),
        Err(fault) => report.faults.push(fault),
    }
    Ok(())
}

/// Every planted bug, on its own, until a seed finds it.
fn caught(setting: &Setting, program: &Path) -> Result<Vec<Row>, Fault> {
    let all: Vec<String> = tests(program)?.into_iter().filter(|name| !name.starts_with("mutant_table_")).collect();
    let some: Vec<&String> = all.iter().step_by(setting.count(1, QUICK)).collect();
    let tries = on_cores(&some, |name| {
        let said = run(program, name).ok()?;
        let seed = said.split(" seed ").nth(1)?.split(':').next()?.parse::<f64>().ok()?;
        Some(seed + 1.0)
    });
    let caught: Vec<f64> = tries.iter().flatten().copied().collect();
    let share = caught.len() as f64 * 100.0 / some.len().max(1) as f64;
    let missed: Vec<&str> =
        some.iter().zip(&tries).filter(|(_, tries)| tries.is_none()).map(|(name, _)| name.as_str()).collect();
    let mut note = format!("{} of {} tried, of {} planted", caught.len(), some.len(), all.len());
    if !missed.is_empty() {
        note += &format!("; missed: {}", missed.join(", "));
    }
    Ok(vec![
        least("simulation.mutants", share, "% in 1000", 95.0, 100.0).note(note),
        Row::new("simulation.mutants.median", median(&caught), "seeds").aim(20.0),
    ])
}

/// Planted bugs whose failures are shrunk: what is left, in the middle of them.
fn shrunk(setting: &Setting, program: &Path) -> Result<Vec<Row>, Fault> {
    let all = tests(program)?;
    // The first by name has many faults, of which all pairs are tried.
    let some: Vec<&String> = all.iter().skip(setting.count(0, 1)).step_by(setting.count(1, 4)).collect();
    let sizes = on_cores(&some, |name| {
        let said = run(program, name)?;
        let left = said.split(" -> Size ").nth(1).ok_or_else(|| format!("{name} does not say what is left"))?;
        let of = |field: &str| {
            let value = left.split(field).nth(1).and_then(|rest| rest.split([',', ' ']).next()?.parse::<f64>().ok());
            value.ok_or_else(|| format!("{name} does not say {field}"))
        };
        Ok([of("faults: ")?, of("machines: ")?, of("jobs: ")?, of("milliseconds: ")? / 1_000.0])
    });
    let sizes = sizes.into_iter().collect::<Result<Vec<_>, String>>()?;
    let note = format!("the middle of {}; each at most twice the fewest faults there can be", sizes.len());
    let kinds = [("faults", 5.0), ("nodes", 3.0), ("jobs", 5.0), ("seconds", 10.0)];
    let row = |(at, (kind, must)): (usize, (&'static str, f64))| {
        let middle = median(&sizes.iter().map(|size| size[at]).collect::<Vec<_>>());
        Row::new(format!("simulation.shrunk.{kind}"), middle, kind).must(Must::Most(must)).note(&note)
    };
    Ok(kinds.into_iter().enumerate().map(row).collect())
}

/// Bugs that `cargo mutants` makes in the core crates, a part of them. The tests of the crate that has the bug look
/// first; the simulator's look at what those missed.
fn killed(build: &Path) -> Result<Row, Fault> {
    let missing = |said: String| Fault::Missing {
        program: "cargo-mutants",
        remedy: format!("{said}; cargo install cargo-mutants"),
    };
    let found =
        Command::new("cargo").args(["mutants", "--version"]).output().map_err(|error| missing(error.to_string()))?;
    if !found.status.success() {
        return Err(missing(String::from_utf8_lossy(&found.stderr).trim().to_owned()));
    }
    let out = tempfile::tempdir().map_err(failed("a directory for cargo mutants"))?;
    let shard = format!("0/{SHARDS}");
    let own = mutants(build, &out.path().join("own"), &["--sharding", "round-robin", "--shard", &shard])?;
    let missed: Vec<String> = own.missed.iter().map(|bug| format!("^{}$", literal(bug))).collect();
    let mut again = vec!["--test-package", "simulator"];
    for (name, bug) in own.missed.iter().zip(&missed) {
        again.extend(["--re", bug, "--file", name.split(':').next().unwrap_or_default()]);
    }
    again.extend(["--", "--test", "scenarios", "--test", "plans"]);
    let left = if missed.is_empty() { None } else { Some(mutants(build, &out.path().join("simulator"), &again)?) };
    let caught = |bug: &&String| left.as_ref().is_some_and(|left| left.killed.contains(bug));
    let (tried, by_own) = (own.killed.len() + own.missed.len(), own.killed.len());
    let by_simulator = own.missed.iter().filter(caught).count();
    let mut note = format!(
        "{by_own} by the crate's own tests and {by_simulator} by the simulator's, of {tried}: one part of {SHARDS}"
    );
    let missed: Vec<&str> = own.missed.iter().filter(|bug| !caught(bug)).map(String::as_str).collect();
    if !missed.is_empty() {
        note += &format!("; missed: {}", missed.join(", "));
    }
    let share = (by_own + by_simulator) as f64 * 100.0 / tried.max(1) as f64;
    Ok(least("simulation.cargo_mutants", share, "% killed", 90.0, 95.0).note(note))
}

/// What came of bugs that were made.
struct Made {
    killed: Vec<String>,
    missed: Vec<String>,
}

/// Has `cargo mutants` make those bugs that `which` says, and try them.
fn mutants(build: &Path, out: &Path, which: &[&str]) -> Result<Made, Fault> {
    std::fs::create_dir_all(out).map_err(failed(out.display()))?;
    let mut command = Command::new("cargo");
    command.args(["mutants", "--no-shuffle", "--test-tool", "nextest", "--exclude", "actors/src/mutant.rs", "-o"]);
    command.arg(out).env("CARGO_TARGET_DIR", build);
    CORE.iter().for_each(|name| _ = command.args(["--package", name]));
    command.args(which);
    let output = command.output().map_err(failed("cargo mutants"))?;
    let list = |name: &str| {
        let path = out.join("mutants.out").join(name);
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(failed(format!("{}: {}", path.display(), String::from_utf8_lossy(&output.stderr))))?;
        Ok::<Vec<String>, Fault>(text.lines().map(str::to_owned).collect())
    };
    let killed = [list("caught.txt")?, list("timeout.txt")?].concat();
    Ok(Made { killed, missed: list("missed.txt")? })
}

/// A regular expression for exactly this text.
fn literal(text: &str) -> String {
    let special = |letter| r"\.+*?()|[]{}^$".contains(letter);
    text.chars().flat_map(|letter| special(letter).then_some('\\').into_iter().chain([letter])).collect()
}

/// The tests about planted bugs of a test program, that of the score left out.
fn tests(program: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(program).args(["--list", "--format", "terse"]).output();
    let output = output.map_err(failed(program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = said.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.filter(|name| name.starts_with("mutant_")).map(str::to_owned).collect())
}

/// What a test says that passes.
fn run(program: &Path, test: &str) -> Result<String, String> {
    let output = Command::new(program).args(["--exact", test, "--nocapture"]).output();
    let output = output.map_err(failed(program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(said) } else { Err(format!("{test} fails: {said}")) }
}
