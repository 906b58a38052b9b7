//! The published results, reproduced; and ours, above them.

use super::*;

/// The traces, or a notice that they are not there.
fn there() -> Option<PathBuf> {
    let traces = traces();
    if traces.is_dir() {
        return Some(traces);
    }
    eprintln!("skipped: {} is not there", traces.display());
    None
}

fn workload(file: &Path, traces: &Path, orders: usize) -> Workload {
    let mut setting = Setting::find(false).expect("a program");
    setting.workload = Some(file.to_owned());
    let mut workload = Workload::read(file, traces, &setting).expect("a trace");
    workload.orders.truncate(orders);
    workload
}

#[test]
fn the_published_curves_of_the_first_seed_are_met_at_every_point() {
    let Some(traces) = there() else { return };
    let results = Results::read(&traces).expect("results");
    let mut runs = 0;
    for file in lists(&traces, false).expect("lists") {
        let name = name_of(&file);
        if results.curve(&name, "06-FGD", 42).is_none() {
            continue;
        }
        let workload = workload(&file, &traces, 1);
        for ((policy, there), replayed) in PUBLISHED.iter().zip(workload.published()).skip(1) {
            let theirs = results.curve(&name, there, 42).expect("every policy");
            let off = results::points_off(&replayed.outcomes[0].curve, theirs, SAME);
            assert_eq!(off, 0, "{name}: {policy} at so many of {} points", replay::POINTS);
            runs += 1;
        }
    }
    assert!(runs >= 65, "{runs} runs were compared");
}

#[test]
fn bid_prices_use_more_gpus_than_any_published_policy() {
    let Some(traces) = there() else { return };
    for name in ["default", "cpu250", "gpushare100", "gpuspec33", "multigpu50"] {
        let workload = workload(&traces.join(LISTS).join(format!("{PREFIX}{name}.csv")), &traces, 1);
        let ours = workload.replay(&Prices::find(&workload.mix, &workload.nodes)).mean();
        for ((policy, _), replayed) in PUBLISHED.iter().zip(workload.published()) {
            assert!(ours > replayed.mean(), "{name}: ours {ours}, {policy} {}", replayed.mean());
        }
    }
}
