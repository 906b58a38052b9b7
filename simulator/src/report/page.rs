//! The page: one file that needs nothing else.

use super::Report;
use super::charts::{self, put};
use super::checks::Check;
use super::delays::{STEPS, percentile};
use super::lanes::{lanes, ticks, time};
use super::moments::{Moment, Who};
use super::sample::Job;
use super::style::{SCRIPT, STYLE};
use crate::explain::escaped;
use crate::verdict::Violation;
use messages::resources::Dimension;
use std::collections::BTreeSet;

/// More jobs than this have no chart of their own; those that lacked the most come first.
const JOBS_MAX: usize = 24;

/// What the page says besides what happened.
#[derive(Clone, Debug)]
pub struct Told {
    /// The command that makes this run again.
    pub again: String,
    /// Commands that lead on from here.
    pub further: Vec<String>,
    /// What the plan should have come to, if its file says so: a sentence, and whether it did.
    pub expected: Option<(String, bool)>,
    /// Whether the plan was run again, to compare.
    pub twice: bool,
}

/// The page of a run.
pub fn page(report: &Report, told: &Told) -> String {
    let title = format!("{} seed {}", report.plan.scenario, report.plan.seed);
    let end = report.end();
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body data-end=\"{end}\">\n<div id=\"clock\"></div>\n<main>\n",
        escaped(&title)
    );
    put(&mut out, &head(report, told, &title));
    put(&mut out, &charts::backdrop(report));
    put(&mut out, &over_time(report));
    put(&mut out, &jobs(report));
    put(&mut out, &delays(report));
    put(&mut out, &checks(report, told));
    put(&mut out, &moments(report));
    out + "</main>\n<script>" + SCRIPT + "</script>\n</body>\n</html>\n"
}

fn head(report: &Report, told: &Told, title: &str) -> String {
    let (plan, verdict) = (&report.plan, &report.verdict);
    let (class, word) = if verdict.passed() { ("verdict", "pass") } else { ("verdict fail", "fail") };
    let mut out = format!("<h1>{} <span class=\"{class}\">{word}</span></h1>\n", escaped(title));
    if let Some((expected, holds)) = &told.expected {
        let word = if *holds { "as expected" } else { "expected" };
        put(&mut out, &format!("<div class=\"soft\">{word}: {}</div>\n", escaped(expected)));
    }
    put(&mut out, "<div class=\"facts\">");
    let fact = |name: &str, value: String| format!("<div><b>{value}</b><span>{name}</span></div>");
    for (name, value) in [
        ("seed", plan.seed.to_string()),
        ("machines", grouped(plan.machines.len() as u64)),
        ("simulated", time(verdict.statistics.simulated_ms * 1_000)),
        ("events", grouped(verdict.events)),
        ("entries", grouped(verdict.statistics.entries)),
        ("starts", grouped(verdict.statistics.starts)),
        ("faults that began", grouped(report.drawn.faults.len() as u64)),
        ("commands answered", grouped(verdict.statistics.answers)),
    ] {
        put(&mut out, &fact(name, value));
    }
    put(&mut out, "</div>\n");
    let hashes = format!("plan {}<br>log {}", verdict.plan_hash, verdict.log_hash);
    put(&mut out, &format!("<div class=\"hash\">{hashes}</div>\n"));
    let mut violations: Vec<&Violation> = verdict.violations.iter().collect();
    violations.sort_by_key(|violation| violation.at);
    for (index, violation) in violations.into_iter().enumerate() {
        put(
            &mut out,
            &format!(
                "<div class=\"bad\"><b>{}</b> <span class=\"soft\">{}, at <a href=\"#violation-{index}\">{}</a></span>\
                 <br>{}</div>\n",
                escaped(&violation.signature),
                violation.invariant.name(),
                time(violation.at),
                escaped(&report.drawn.names.said(&violation.message))
            ),
        );
    }
    put(&mut out, "<h2>Run it again</h2>\n");
    for command in std::iter::once(&told.again).chain(&told.further) {
        let command = escaped(command);
        put(&mut out, &format!("<div class=\"again\"><code>{command}</code><button>copy</button></div>\n"));
    }
    out
}

/// What all of time has in common: faults, machines, resources.
fn over_time(report: &Report) -> String {
    let end = report.end();
    let heal = time(report.plan.heal_at);
    let mut out = format!(
        "<h2>Over time <small>faults end at {heal} at the latest (dotted); point at a chart for the time, click for \
         the nearest moment</small></h2>\n"
    );
    put(&mut out, &ticks(end));
    put(&mut out, &lanes(report));
    put(
        &mut out,
        "<h2>Machines <small>how full each truly is, and how the control plane sees it</small></h2>\n<div class=\"key\">\
         <span><i style=\"background:var(--free)\"></i>empty</span><span><i style=\"background:var(--blue)\"></i>full\
         </span><span><i style=\"background:var(--amber)\"></i>suspect</span><span><i style=\"background:var(--red)\">\
         </i>given up</span><span><i style=\"background:var(--soft)\"></i>kept free</span></div>\n",
    );
    for (row, name) in report.drawn.samples.row_names.iter().enumerate() {
        put(&mut out, &in_row(&escaped(name), &charts::machines(&report.drawn.samples.fill, row, end)));
    }
    put(
        &mut out,
        "<h2>Utilisation <small>what the nodes have that are up, what is claimed, and what truly runs</small></h2>\n\
         <div class=\"key\"><span><i style=\"background:var(--soft);height:2px\"></i>capacity</span><span><i \
         style=\"background:var(--blue);opacity:.5\"></i>claimed</span><span><i style=\"background:var(--green);\
         height:2px\"></i>runs</span></div>\n",
    );
    let fills = &report.drawn.samples.fill;
    let all: BTreeSet<Dimension<'_>> = fills.iter().flat_map(|fill| fill.capacity.dimensions()).collect();
    for dimension in all {
        let of = |pick: fn(&super::sample::Fill) -> u64| report.drawn.samples.fill.iter().map(pick).max().unwrap_or(0);
        let used = report.drawn.samples.fill.iter().map(|fill| fill.claimed.get(dimension)).max().unwrap_or(0);
        let most = report.drawn.samples.fill.iter().map(|fill| fill.capacity.get(dimension)).max().unwrap_or(0);
        if used == 0 || of(|fill| fill.at) == 0 {
            continue;
        }
        let label = format!(
            "{}<small>at most {} of {}</small>",
            dimension.name(),
            dimension.amount(used),
            dimension.amount(most)
        );
        put(&mut out, &in_row(&label, &charts::fill(&report.drawn.samples.fill, dimension, end)));
    }
    out
}

fn in_row(label: &str, drawn: &str) -> String {
    format!("<div class=\"row\"><label>{label}</label>{drawn}</div>\n")
}

/// How long fewer were healthy than wanted, each counted, in microseconds.
fn lacked(job: &Job) -> u64 {
    let lack = |pair: &[(u64, u32, u32)]| match pair {
        [(from, wanted, healthy), (to, ..)] => (to - from) * u64::from(wanted.saturating_sub(*healthy)),
        _ => 0,
    };
    job.points.windows(2).map(lack).sum()
}

fn jobs(report: &Report) -> String {
    let mut jobs: Vec<&Job> = report.drawn.samples.jobs.values().collect();
    if jobs.is_empty() {
        return String::new();
    }
    jobs.sort_by(|one, other| (lacked(other), &one.name).cmp(&(lacked(one), &other.name)));
    let mut out = String::from(
        "<h2>Jobs <small>healthy instances against wanted, as the control plane sees them; what is lacking is red</small>\
         </h2>\n",
    );
    let together = (jobs.len() > 1).then_some(&report.drawn.samples.all);
    for job in together.into_iter().chain(jobs.iter().copied().take(JOBS_MAX)) {
        let most = job.points.iter().map(|point| point.1).max().unwrap_or(0);
        let last = job.points.last().map_or((0, 0), |point| (point.2, point.1));
        let label = format!("{}<small>{} of {} in the end, up to {most}</small>", escaped(&job.name), last.0, last.1);
        put(&mut out, &in_row(&label, &charts::job(job, report.end())));
    }
    if jobs.len() > JOBS_MAX {
        let rest: u64 = jobs[JOBS_MAX..].iter().map(|job| lacked(job)).sum();
        let said = format!("and {} more jobs that lacked less: {} together", jobs.len() - JOBS_MAX, time(rest));
        put(&mut out, &in_row("", &format!("<span class=\"soft\">{said}</span>")));
    }
    put(&mut out, &ticks(report.end()));
    out
}

fn delays(report: &Report) -> String {
    let (delays, waits) = (&report.drawn.delays, report.drawn.delays.healthy());
    let mut out = format!(
        "<h2>Decisions <small>how long from being wanted, of {} instances</small></h2>\n",
        grouped(delays.wanted() as u64)
    );
    if delays.wanted() == 0 {
        return out + "<p class=\"soft\">none was wanted</p>\n";
    }
    let all: Vec<Vec<u64>> = (0..STEPS.len()).map(|step| delays.until(step)).collect();
    let least = all.iter().flatten().copied().min().unwrap_or(1);
    let most = all.iter().flatten().copied().max().unwrap_or(1);
    put(
        &mut out,
        "<table><tr><th>until<th class=n>instances<th class=n>half within<th class=n>90 %<th class=n>99 %\
         <th class=n>all<th>how they are spread, each bar half a doubling</tr>\n",
    );
    for (name, sorted) in STEPS.iter().zip(&all) {
        let within = |percent| percentile(sorted, percent).map_or_else(|| "–".to_owned(), time);
        let cells: String = [50, 90, 99, 100].map(|percent| format!("<td class=n>{}", within(percent))).concat();
        let spread = charts::spread(sorted, least, most);
        put(&mut out, &format!("<tr><td>{name}<td class=n>{}{cells}<td>{spread}</tr>\n", grouped(sorted.len() as u64)));
    }
    put(&mut out, "</table>\n");
    if !waits.is_empty() {
        let (drawn, least, most) = charts::waits(&waits, report.end());
        let label = format!("wanted to healthy<small>{} to {}, by doublings</small>", time(least), time(most));
        put(&mut out, &in_row(&label, &drawn));
    }
    out
}

fn checks(report: &Report, told: &Told) -> String {
    let all = Check::all(report, told.twice);
    let looked = all.iter().filter(|check| !check.looked.is_empty()).count();
    let mut out = format!(
        "<h2>Invariants <small>{looked} of {} had something to look at</small></h2>\n\
         <table><tr><th>invariant<th>what it says<th>looked at<th>verdict</tr>\n",
        all.len()
    );
    for check in &all {
        let verdict = match (check.violated, check.looked.is_empty()) {
            (0, true) => "<td class=idle>nothing to look at".to_owned(),
            (0, false) => "<td class=ok>holds".to_owned(),
            (times, _) => {
                format!("<td class=no>violated{}", if times > 1 { format!(", {times} ways") } else { String::new() })
            }
        };
        let looked: Vec<String> =
            check.looked.iter().map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
        put(
            &mut out,
            &format!(
                "<tr><td><code>{}</code><td>{}<td class=soft>{}{verdict}</tr>\n",
                check.invariant.name(),
                check.said,
                looked.join(", ")
            ),
        );
    }
    out + "</table>\n"
}

fn moments(report: &Report) -> String {
    let left_out = if report.drawn.left_out > 0 {
        format!(
            "; {} later ones are left out: narrow the run, or use <code>orrery sim step</code>",
            grouped(report.drawn.left_out)
        )
    } else {
        String::new()
    };
    let mut out = format!(
        "<h2>Moments <small>{}{left_out}</small></h2>\n<p><input id=\"filter\" placeholder=\"words that must be there\" \
         size=\"40\" aria-label=\"filter\"></p>\n<div class=\"scroll\"><table id=\"moments\">\
         <tr><th class=n>time<th>kind<th>who<th>what</tr>\n",
        grouped(report.drawn.moments.len() as u64)
    );
    let mut violations = 0;
    for moment in &report.drawn.moments {
        let Moment { at, kind, who, what } = moment;
        let id = if *kind == "violation" { format!(" id=\"violation-{violations}\"") } else { String::new() };
        violations += usize::from(*kind == "violation");
        let what = if *kind == "violation" { report.drawn.names.said(what) } else { what.clone() };
        let who = match who {
            Who::Actor(actor) => report.drawn.names.actor(*actor),
            Who::Named(name) => name.clone(),
        };
        put(
            &mut out,
            &format!(
                "<tr class=\"{kind}\" data-at=\"{at}\"{id}><td class=n>{}<td class=kind>{kind}<td>{}<td>{}</tr>\n",
                time(*at),
                escaped(&who),
                escaped(&what)
            ),
        );
    }
    out + "</table></div>\n"
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
