//! Every performance claim, measured beside a peer or a physical limit of the same run. `bench/run` builds and runs it.

mod cell;
mod children;
mod fgd;
mod fold;
mod history;
mod idle;
mod ingress;
mod journal;
mod log;
mod people;
mod population;
mod recovery;
mod rounds;
mod row;
mod scheduling;
mod setting;
mod simulation;
mod table;

use row::Row;
use setting::{Fault, Report, Setting};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// The allocator of `orrery`, so that what is measured here is what runs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures one group.
type Measure = fn(&Setting) -> Result<Report, Fault>;

/// What can be asked for by name, and what measures it.
const GROUPS: [(&str, Measure); 10] = [
    ("cell", cell::measure),
    ("journal", journal::measure),
    ("fold", fold::measure),
    ("idle", idle::measure),
    ("ingress", ingress::measure),
    ("recovery", recovery::measure),
    ("history", history::measure),
    ("fgd", fgd::measure),
    ("simulation", simulation::measure),
    ("scheduling", scheduling::measure),
];
const HELP: &str = include_str!("../help.txt");

const EXIT_MUST_FAILED: u8 = 1;
const EXIT_MISUSE: u8 = 2;
const EXIT_PEER_MISSING: u8 = 3;

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    json: bool,
    quick: bool,
    help: bool,
    groups: Vec<String>,
    workload: Option<PathBuf>,
    orders: Option<PathBuf>,
    draw: Option<PathBuf>,
    parts: Vec<String>,
}

impl Arguments {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut file = || words.next().map(PathBuf::from).ok_or_else(|| format!("{word} names a file"));
            match word.as_str() {
                "--part" => arguments.parts.push(words.next().ok_or("--part names a part of a group")?.clone()),
                "--workload" => arguments.workload = Some(file()?),
                "--orders" => arguments.orders = Some(file()?),
                "--draw" => arguments.draw = Some(file()?),
                "--json" => arguments.json = true,
                "--quick" => arguments.quick = true,
                "-h" | "--help" => arguments.help = true,
                group if GROUPS.iter().any(|(name, _)| *name == group) => arguments.groups.push(group.to_owned()),
                other => return Err(format!("{other} is neither an option nor a group")),
            }
        }
        if arguments.workload.is_none() && arguments.orders.is_some() {
            return Err("--orders are those of a --workload".into());
        }
        if arguments.workload.is_some() && arguments.groups != ["fgd"] {
            return Err("--workload belongs to the group fgd".into());
        }
        if arguments.draw.is_some() && arguments.groups != ["scheduling"] {
            return Err("--draw belongs to the group scheduling".into());
        }
        if let Some(fault) = arguments.other_part() {
            return Err(fault);
        }
        Ok(arguments)
    }

    /// What is wrong with the parts that are asked for.
    fn other_part(&self) -> Option<String> {
        let first = self.parts.first()?;
        let parts = match self.groups.as_slice() {
            [group] if group == "simulation" => simulation::PARTS.map(|(name, _)| name).to_vec(),
            [group] if group == "scheduling" => scheduling::PARTS.map(|(name, _)| name).to_vec(),
            _ => {
                return Some(format!(
                    "--part {first} belongs to the group simulation or scheduling, and to one of them"
                ));
            }
        };
        let other = self.parts.iter().find(|part| !parts.contains(&part.as_str()))?;
        Some(format!("{other} is no part of {}; its parts are {}", self.groups.join(" "), parts.join(", ")))
    }

    fn wants(&self, group: &str) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|wanted| wanted == group)
    }
}

/// What went wrong so far, for the exit code.
#[derive(Default)]
struct Verdict {
    must_failed: bool,
    peer_missing: bool,
}

impl Verdict {
    const fn code(&self) -> u8 {
        match (self.must_failed, self.peer_missing) {
            (true, _) => EXIT_MUST_FAILED,
            (false, true) => EXIT_PEER_MISSING,
            (false, false) => 0,
        }
    }

    fn take_in(&mut self, fault: &Fault) {
        match fault {
            Fault::Missing { .. } => self.peer_missing = true,
            Fault::Failed(_) => self.must_failed = true,
        }
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = children::run(&words) {
        return code;
    }
    let arguments = match Arguments::parse(&words) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprint!("bench: {what}\n{HELP}");
            return EXIT_MISUSE.into();
        }
    };
    if arguments.help {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match Setting::find(arguments.quick) {
        Ok(mut setting) => {
            (setting.workload, setting.orders) = (arguments.workload.clone(), arguments.orders.clone());
            setting.draw.clone_from(&arguments.draw);
            setting.parts.clone_from(&arguments.parts);
            measure(&arguments, &setting).into()
        }
        Err(fault) => {
            eprintln!("bench: {fault}");
            EXIT_MUST_FAILED.into()
        }
    }
}

fn measure(arguments: &Arguments, setting: &Setting) -> u8 {
    let mut verdict = Verdict::default();
    if !arguments.json {
        say(&Row::head());
    }
    for (name, group) in GROUPS.iter().filter(|(name, _)| arguments.wants(name)) {
        let report = group(setting).unwrap_or_else(|fault| Report { rows: Vec::new(), faults: vec![fault] });
        for row in &report.rows {
            say(&if arguments.json { row.json().to_string() } else { row.line() });
            verdict.must_failed |= row.ok() == Some(false);
        }
        for fault in &report.faults {
            eprintln!("bench: {name}: {fault}");
            verdict.take_in(fault);
        }
    }
    verdict.code()
}

/// A line of the result. When nobody reads it any more, there is nothing left to do.
fn say(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(EXIT_MUST_FAILED.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn without_a_group_all_are_wanted_and_with_some_only_those() {
        let all = parse("--quick").expect("an option");
        assert!(all.quick && GROUPS.iter().all(|(name, _)| all.wants(name)));
        let some = parse("fold --json cell").expect("two groups");
        assert!(some.json && some.wants("cell") && some.wants("fold") && !some.wants("idle"));
        assert!(parse("fgd --workload x.csv --orders x.order.gz").is_ok_and(|some| some.orders.is_some()));
        assert!(parse("scheduling --part shared --part c2m").is_ok_and(|some| some.parts == ["shared", "c2m"]));
        assert!(parse("scheduling --part pairs").is_err_and(|what| what.contains("c2m")));
        assert!(parse("fold --workload x.csv").is_err_and(|what| what.contains("group fgd")));
        assert!(parse("scheduling --draw x").is_ok_and(|some| some.draw.is_some()));
        assert!(parse("--draw x").is_err_and(|what| what.contains("group scheduling")));
        assert!(parse("simulation --part pairs").is_ok_and(|some| some.parts == ["pairs"]));
        assert!(parse("--part pairs").is_err_and(|what| what.contains("group simulation")));
        assert!(parse("simulation --part pear").is_err_and(|what| what.contains("pairs")));
        assert!(parse("fgd --workload").is_err_and(|what| what.contains("names a file")));
        assert!(parse("folds").is_err_and(|what| what.contains("folds")));
    }

    #[test]
    fn the_help_and_the_script_know_every_group() {
        let script = include_str!("../run");
        for (name, _) in GROUPS {
            assert!(HELP.contains(&format!("\n  {name} ")), "{name} in the help");
            assert!(script.contains(&format!("| {name}")), "{name} in the script");
        }
    }

    #[test]
    fn a_must_that_fails_weighs_more_than_a_peer_that_is_missing() {
        let mut verdict = Verdict::default();
        assert_eq!(verdict.code(), 0);
        verdict.take_in(&Fault::Missing { program: "haproxy", remedy: "apt install haproxy".into() });
        assert_eq!(verdict.code(), EXIT_PEER_MISSING);
        verdict.take_in(&Fault::Failed("it did not come up".into()));
        assert_eq!(verdict.code(), EXIT_MUST_FAILED);
    }
}
