//! Runs seeds of a scenario: `seeds NAME FIRST COUNT [trace]`.
#![expect(clippy::disallowed_methods, reason = "a program for people reads its arguments")]

use simulator::scenario;
use std::collections::BTreeMap;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, first, count, rest @ ..] = arguments.as_slice() else {
        return eprintln!("usage: seeds NAME FIRST COUNT [trace]");
    };
    let (first, count): (u64, u64) = (first.parse().unwrap_or(0), count.parse().unwrap_or(1));
    let scenario = scenario::own(name).map(|text| scenario::read(text, name));
    let scenario = match scenario {
        Some(Ok(scenario)) => scenario,
        Some(Err(faults)) => return faults.iter().for_each(|fault| eprintln!("{fault}")),
        None => return eprintln!("there is no scenario {name}"),
    };
    let mut failures: BTreeMap<String, (u64, u64, String)> = BTreeMap::new();
    let mut marks: BTreeMap<String, u64> = BTreeMap::new();
    let (mut events, mut entries) = (0, 0);
    for seed in first..first + count {
        let plan = simulator::plan(&scenario, seed);
        let verdict = if rest.is_empty() {
            simulator::run(&plan)
        } else {
            for fault in &plan.faults {
                println!("{fault:?}");
            }
            simulator::run_observed(&plan, |line| println!("{:>12} {:<48} {}", line.at, line.actor, line.what))
        };
        events += verdict.events;
        entries += verdict.statistics.entries;
        for (mark, times) in verdict.marks {
            *marks.entry(mark).or_default() += times;
        }
        if let Some(violation) = verdict.violations.first() {
            let key = format!("{:?}: {}", violation.invariant, violation.signature);
            let message = format!("at {}: {}", violation.at, violation.message);
            failures.entry(key).or_insert((0, seed, message)).0 += 1;
        }
    }
    println!("{name}: {count} seeds, {events} events, {entries} entries");
    println!("{marks:?}");
    for (key, (times, seed, message)) in failures {
        println!("{times:>5} x {key}\n        first seed {seed} {message}");
    }
}
