//! A system under load loses an instance: how long until its slot serves again, and what its visitors notice.

mod interrupt;
mod load;
mod system;

use crate::rounds::median;
use crate::row::{Must, Row};
use crate::setting::{Fault, Report, Setting, failed};
use interrupt::Interrupt;
use load::{Answer, Load};
use messages::manifest::{Format, read};
use std::thread::sleep;
use std::time::{Duration, Instant};
use system::{MANIFEST, System};

/// The jobs that lose instances, and how many of their slots do, one after the other.
const JOBS: [(&str, u32); 2] = [("a", 4), ("b", 2)];
/// How long a killed instance may take to serve again.
const SERVE_WITHIN: Duration = Duration::from_secs(30);
/// A pause between kills, so that each falls into a steady flow.
const PAUSE: Duration = Duration::from_millis(1_500);
/// The time from kill to service may be so many times what the manifest has everyone wait before a restart.
const TIMES_MAX: f64 = 10.0;

/// What came of one job's kills.
#[derive(Default)]
struct Kills {
    took_ms: Vec<f64>,
    failed: usize,
    requests: usize,
    first_failure: Option<String>,
}

/// Brings the example up and kills instances of it, in the whole run in two systems, one after the other.
///
/// # Errors
/// When the system does not come up, or a killed instance does not come back.
pub fn measure(setting: &Setting) -> Result<Report, Fault> {
    let mut kills = [Kills::default(), Kills::default()];
    let interrupt = Interrupt::listen()?;
    for _ in 0..setting.count(2, 1) {
        let system = System::start(setting, &interrupt)?;
        let load = Load::start(system.ingress)?;
        sleep(PAUSE);
        for ((job, slots), kills) in JOBS.into_iter().zip(&mut kills) {
            for slot in 0..slots.min(setting.count(4, 2) as u32) {
                interrupt.check()?;
                kill(&system, &load, job, slot, kills).map_err(|what| format!("{what}\n{}", system.log()))?;
            }
        }
    }
    let mut report = Report::default();
    for ((job, _), kills) in JOBS.into_iter().zip(kills) {
        report.rows.push(
            Row::new(format!("recovery.{job}.time"), median(&kills.took_ms), "ms")
                .must(Must::AtMost(TIMES_MAX))
                .beside("the wait before a restart", waited_ms(job)?),
        );
        let name = format!("recovery.{job}.failed");
        report.rows.push(Row::new(name, kills.failed as f64, "requests").must(Must::Zero));
        if let Some(first) = kills.first_failure {
            let (failed, requests) = (kills.failed, kills.requests);
            report.faults.push(Fault::Failed(format!("{job}: {failed} of {requests} requests failed, first: {first}")));
        }
    }
    Ok(report)
}

/// Kills the instance in a slot, and waits until its slot serves again and the system is whole.
fn kill(system: &System, load: &Load, job: &str, slot: u32, kills: &mut Kills) -> Result<(), String> {
    let label = format!("{job}/{slot}");
    load.take();
    let killed = system.kill(&label)?;
    let mut answers: Vec<Answer> = Vec::new();
    let served = |answer: &Answer| answer.asked > killed && answer.outcome.as_ref().is_ok_and(|by| by.contains(&label));
    let mut back = None;
    while back.is_none() {
        if killed.elapsed() > SERVE_WITHIN {
            return Err(format!("{label} was killed and does not serve within {} s", SERVE_WITHIN.as_secs()));
        }
        sleep(Duration::from_millis(2));
        let more = load.take();
        back = more.iter().filter(|answer| served(answer)).map(|answer| answer.answered).min();
        answers.extend(more);
    }
    let begun = Instant::now();
    while !system.is_whole() {
        if begun.elapsed() > SERVE_WITHIN {
            return Err(format!("after {label} was killed, the system is not whole again"));
        }
        sleep(Duration::from_millis(50));
    }
    sleep(PAUSE);
    answers.extend(load.take());
    let took = back.map_or(SERVE_WITHIN, |back| back.duration_since(killed));
    kills.took_ms.push(took.as_secs_f64() * 1_000.0);
    kills.requests += answers.len();
    let mut failures = answers.into_iter().filter_map(|answer| {
        let what = answer.outcome.err()?;
        let at = answer.asked.checked_duration_since(killed).unwrap_or_default();
        Some(format!("asked {} ms after {label} was killed: {what}", at.as_millis()))
    });
    let first = failures.next();
    kills.failed += usize::from(first.is_some()) + failures.count();
    kills.first_failure = kills.first_failure.take().or(first);
    Ok(())
}

/// The wait before a first restart, as the manifest has it.
fn waited_ms(job: &str) -> Result<f64, String> {
    let path = system::root().join(MANIFEST);
    let text = std::fs::read_to_string(&path).map_err(failed(path.display()))?;
    let manifest = read(&text, MANIFEST, Format::of_file(MANIFEST));
    let manifest = manifest.map_err(|faults| format!("{MANIFEST}: {faults:?}"))?;
    let spec = manifest.jobs.get(job).ok_or_else(|| format!("{MANIFEST} has no job {job}"))?;
    Ok(spec.restart.backoff.0 as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_anyhow_is_in_the_manifest() {
        for (job, _) in JOBS {
            assert!(waited_ms(job).expect("in the manifest") > 0.0);
        }
        assert!(waited_ms("none").is_err());
    }
}
