//! `health`, `restart` and `rollout`: how a job is watched, brought back and renewed.

use super::fault::did_you_mean;
use super::model::{Check, Health, Restart, RolloutSpec, Step, Workload};
use super::reader::{Item, Reader, Table};
use super::tree::Value;
use crate::quantity;
use crate::time::Span;

/// How health is judged where the manifest does not say: every second, within a second, three failures in a row, and
/// two seconds after the start in which a failure does not count.
const EVERY: Span = Span::seconds(1);
const TIMEOUT: Span = Span::seconds(1);
const FAILURES: u32 = 3;
const GRACE: Span = Span::seconds(2);
/// The most failures or restarts that can be asked for.
const FAILURES_MAX: u32 = 1_000;
/// The most steps of a rollout.
const STEPS_MAX: usize = 100;
/// How long a step must hold where neither it nor its rollout says.
const HOLD: Span = Span::seconds(5);

const CHECKS: [&str; 4] = ["http", "tcp", "command", "opinion"];

/// How the health of a job is judged.
pub(super) fn health(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Health> {
    let fields = ["http", "tcp", "command", "opinion", "port", "every", "timeout", "failures", "grace"];
    let table = reader.table(item, &fields)?;
    let port_item = table.get("port");
    let port = port_item.as_ref().and_then(|item| reader.text(item, "the name of a port"));
    let asked: Vec<&str> = CHECKS.into_iter().filter(|name| table.get(name).is_some()).collect();
    let check = match asked.as_slice() {
        ["http"] => table.get("http").and_then(|item| http(reader, &item, port)),
        ["tcp"] => table.get("tcp").and_then(|item| tcp(reader, &item, port)),
        ["command"] => table.get("command").map(|item| Check::Command { run: reader.command(&item) }),
        [_] => table.get("opinion").and_then(|item| opinion(reader, &item)),
        [] => {
            let expected = Some("one of http, tcp, command, opinion".to_owned());
            reader.note(item.key_at, &item.path, "does not say what to ask", expected, None);
            None
        }
        [first, second, ..] => {
            reader.fault(item.key_at, &item.path, format!("asks for both {first} and {second}; only one is possible"));
            None
        }
    };
    if let (Some(item), ["command" | "opinion"]) = (&port_item, asked.as_slice()) {
        reader.fault(item.key_at, &item.path, format!("a check by {} has no port", asked[0]));
    }
    let mut span = |name: &str, default| {
        let item = table.get(name);
        item.and_then(|item| positive(reader, &item)).unwrap_or(default)
    };
    let (every, timeout) = (span("every", EVERY), span("timeout", TIMEOUT));
    let grace = table.get("grace").and_then(|item| reader.amount(&item, quantity::span)).unwrap_or(GRACE);
    let failures = table.get("failures").and_then(|item| reader.integer(&item, 1, FAILURES_MAX));
    Some(Health { check: check?, every, timeout, failures_max: failures.unwrap_or(FAILURES), grace })
}

fn http(reader: &mut Reader<'_>, item: &Item<'_>, port: Option<String>) -> Option<Check> {
    let path = reader.text(item, "a path, like \"/healthz\"")?;
    if !path.starts_with('/') || path.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        let suggestion = Some(format!("/{path}")).filter(|tidy| !path.is_empty() && !tidy.contains([' ', ':']));
        let expected = Some("a path that begins with /".to_owned());
        reader.note(item.at(), &item.path, format!("{path:?} is not a path"), expected, suggestion);
        return None;
    }
    Some(Check::Http { port, path })
}

fn tcp(reader: &mut Reader<'_>, item: &Item<'_>, port: Option<String>) -> Option<Check> {
    match item.value() {
        Value::Boolean(true) => Some(Check::Tcp { port }),
        Value::Text(name) => {
            if port.is_some_and(|port| port != *name) {
                reader.fault(item.at(), &item.path, "names another port than the field \"port\"");
            }
            Some(Check::Tcp { port: Some(name.clone()) })
        }
        _ => {
            reader.expected(item, "true, or the name of a port");
            None
        }
    }
}

fn opinion(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Check> {
    if matches!(item.value(), Value::Boolean(true)) {
        return Some(Check::Opinion);
    }
    reader.expected(item, "true");
    None
}

/// A span that is not zero.
fn positive(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Span> {
    let span = reader.amount(item, quantity::span)?;
    if span == Span(0) {
        reader.fault(item.at(), &item.path, "must be longer than zero");
        return None;
    }
    Some(span)
}

/// Checks that the port a health check asks is one of the job's.
pub(super) fn check_port(reader: &mut Reader<'_>, table: &Table<'_>, workload: &Workload) {
    let Some(item) = table.get("health") else { return };
    let Some(Check::Http { port, .. } | Check::Tcp { port }) = workload.health.as_ref().map(|health| &health.check)
    else {
        return;
    };
    let known = || workload.ports.iter().map(String::as_str);
    match port {
        None if workload.ports.is_empty() => {
            let expected = Some("${PORT_HTTP} in run or environment, or ports = [\"http\"]".to_owned());
            reader.note(item.key_at, &item.path, "asks a port, and the job has none", expected, None);
        }
        Some(port) if !workload.ports.contains(port) => {
            let suggestion = did_you_mean(port, known());
            let message = format!("the job has no port {port:?}");
            let expected = Some(format!("one of {}", workload.ports.join(", "))).filter(|_| known().count() > 0);
            reader.note(item.key_at, &item.path, message, expected, suggestion);
        }
        _ => {}
    }
}

/// How an instance that ended comes back.
pub(super) fn restart(reader: &mut Reader<'_>, item: &Item<'_>) -> Restart {
    let mut restart = Restart::default();
    let Some(table) = reader.table(item, &["backoff", "backoff_max", "forget_after"]) else { return restart };
    let mut span = |name: &str, value: &mut Span| {
        let item = table.get(name);
        *value = item.and_then(|item| positive(reader, &item)).unwrap_or(*value);
    };
    span("backoff", &mut restart.backoff);
    span("backoff_max", &mut restart.backoff_max);
    span("forget_after", &mut restart.forget_after);
    if restart.backoff > restart.backoff_max {
        let message =
            format!("backoff is {}, longer than backoff_max, which is {}", restart.backoff, restart.backoff_max);
        reader.fault(item.key_at, &item.path, message);
    }
    restart
}

/// How a new revision comes in.
pub(super) fn rollout(reader: &mut Reader<'_>, item: &Item<'_>) -> RolloutSpec {
    let mut rollout = RolloutSpec::default();
    let Some(table) = reader.table(item, &["steps", "hold", "min_healthy", "failures", "deadline"]) else {
        return rollout;
    };
    let hold = table.get("hold").and_then(|item| reader.amount(&item, quantity::span));
    match table.get("steps") {
        Some(item) => rollout.steps = steps(reader, &item, hold.unwrap_or(HOLD)),
        None => rollout.steps.iter_mut().for_each(|step| step.hold = hold.unwrap_or(step.hold)),
    }
    let most = super::job::INSTANCES_MAX;
    rollout.min_healthy = table.get("min_healthy").and_then(|item| reader.integer(&item, 0, most));
    if let Some(failures) = table.get("failures").and_then(|item| reader.integer(&item, 1, FAILURES_MAX)) {
        rollout.failures_max = failures;
    }
    if let Some(deadline) = table.get("deadline").and_then(|item| positive(reader, &item)) {
        rollout.deadline = deadline;
    }
    rollout
}

fn steps(reader: &mut Reader<'_>, item: &Item<'_>, hold: Span) -> Vec<Step> {
    let items = reader.list(item, "a list, like [10, 50, 100] or [{ weight = 10, hold = \"5s\" }]");
    if items.len() > STEPS_MAX {
        reader.fault(item.at(), &item.path, format!("more than {STEPS_MAX} steps"));
    }
    let mut steps: Vec<Step> = Vec::new();
    for item in items.iter().take(STEPS_MAX) {
        let Some((step, at)) = step(reader, item, hold) else { continue };
        if let Some(before) = steps.last().filter(|before| before.weight >= step.weight) {
            let message =
                format!("the weight goes from {} to {}; each step must have more", before.weight, step.weight);
            reader.fault(at.at(), &at.path, message);
        }
        steps.push(step);
    }
    steps
}

fn step<'n>(reader: &mut Reader<'_>, item: &Item<'n>, hold: Span) -> Option<(Step, Item<'n>)> {
    if !matches!(item.value(), Value::Table(_)) {
        return reader.integer(item, 1, 100).map(|weight| (Step { weight, hold }, item.clone()));
    }
    let table = reader.table(item, &["weight", "hold"])?;
    let hold = table.get("hold").map_or(Some(hold), |item| reader.amount(&item, quantity::span));
    match table.get("weight") {
        Some(item) => reader.integer(&item, 1, 100).zip(hold).map(|(weight, hold)| (Step { weight, hold }, item)),
        None => {
            reader.fault(item.at(), &item.path, "missing field \"weight\"");
            None
        }
    }
}
