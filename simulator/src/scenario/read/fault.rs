//! Reads what goes wrong in a scenario: the kind, the time or the event it begins on, and whom it hits.

use super::{Reader, counts, span_of, times};
use crate::plan::trouble::{self, Aim};
use crate::plan::{Pattern, Target, events};
use crate::scenario::{Going, On, Range, Whom};
use messages::id::Kind;
use messages::manifest::Manifest;
use std::collections::BTreeMap;
use toml_span::value::Table;

/// What the rest of a scenario says, against which its faults are checked.
pub(super) struct Around<'s> {
    /// How many machines there may be.
    pub machines: Range,
    /// Over how many racks.
    pub racks: u64,
    /// Over how many sites.
    pub sites: u64,
    /// When nothing goes wrong any more, in microseconds.
    pub heal: u64,
    /// The manifests.
    pub manifests: &'s BTreeMap<String, Manifest>,
}

impl Around<'_> {
    fn has_job(&self, job: &str) -> bool {
        self.manifests.values().any(|manifest| manifest.jobs.contains_key(job))
    }

    fn jobs(&self) -> String {
        let mut jobs: Vec<&str> = self.manifests.values().flat_map(|one| one.jobs.keys().map(String::as_str)).collect();
        jobs.sort_unstable();
        jobs.dedup();
        jobs.join(", ")
    }
}

impl Reader<'_> {
    pub(super) fn going(&mut self, row: (usize, Table<'_>), around: &Around<'_>) -> Option<Going> {
        let (at, mut table) = row;
        let what = self.text(&mut table, "what").unwrap_or_default();
        let kind = trouble::kind(&what);
        if kind.is_none() {
            let known: Vec<&str> = trouble::kinds().map(|kind| kind.name).collect();
            let meant = meant(&what, &known).map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
            self.fault(at, format!("there is no fault {what:?}{meant}; known are {}", known.join(", ")));
        }
        self.heeded(kind, &table);
        let on = self.on(&mut table, around);
        let from = if on.is_some() { Range::exactly(0) } else { Range::new(3_000_000, 25_000_000) };
        let begins = position(&table, "at").unwrap_or(at);
        let going = Going {
            what,
            at: self.times(&mut table, "at", from),
            lasts: self.times(&mut table, "lasts", Range::new(100_000, 3_000_000)),
            times: self.repeats(&mut table, Range::new(0, 2)),
            per_mille: self.counts(&mut table, "per_mille", Range::new(10, 200)),
            extra: self.times(&mut table, "extra", Range::new(1_000, 500_000)),
            target: self.target(&mut table, kind.map(|kind| kind.aim), on.is_some(), around),
            on,
        };
        if going.at.low >= around.heal {
            let (seconds, heal) = (going.at.low / 1_000_000, around.heal / 1_000_000);
            self.fault(begins, format!("it begins at {seconds}s, when the world has healed: heal is {heal}s"));
        }
        self.rest(&table, "what, at, on, nth, after, target, lasts, times, per_mille, extra");
        Some(going)
    }

    /// A field that this kind of fault makes nothing of is a mistake.
    fn heeded(&mut self, kind: Option<&trouble::Kind>, table: &Table<'_>) {
        let Some(kind) = kind else { return };
        let (per_mille, extra) = kind.heeds();
        for (field, heeded) in [("per_mille", per_mille), ("extra", extra)] {
            if let (Some(at), false) = (position(table, field), heeded) {
                self.fault(at, format!("{} has no {field}; leave it out", kind.name));
            }
        }
    }

    fn on(&mut self, table: &mut Table<'_>, around: &Around<'_>) -> Option<On> {
        let at = position(table, "on");
        let (nth, after) = (position(table, "nth"), position(table, "after"));
        let text = self.text(table, "on");
        let on = On {
            pattern: match (&text, at) {
                (Some(text), Some(at)) => self.pattern(text, at, around),
                _ => None,
            }
            .unwrap_or_default(),
            nth: self.parsed(table, "nth", "a number or a range like \"1..5\"", counts).unwrap_or(Range::exactly(1)),
            after: self
                .parsed(table, "after", "a time or a range like \"1ms..5ms\"", times)
                .unwrap_or(Range::exactly(0)),
        };
        if let (Some(at), 0) = (nth, on.nth.low) {
            self.fault(at, "nth is 0; expected 1 for the first time".into());
        }
        if let (None, Some(at)) = (&text, nth.or(after)) {
            self.fault(at, "nth and after go with on, like on = \"Assigned(job=web)\"".into());
        }
        text.map(|_| on)
    }

    /// `Assigned(job=web, slot=2)`, `node.GivenUp(node=m1)`.
    fn pattern(&mut self, text: &str, at: usize, around: &Around<'_>) -> Option<Pattern> {
        let (event, about) = match text.split_once('(') {
            Some((event, about)) => (event.trim(), about.trim().strip_suffix(')')),
            None => (text.trim(), Some("")),
        };
        let Some(about) = about else {
            self.fault(at, format!("on is {text:?}; expected an event like \"Assigned(job=web, slot=2)\""));
            return None;
        };
        let (kind, event) = match event.split_once('.') {
            Some((kind, event)) => (Some(kind), event),
            None => (None, event),
        };
        let mut pattern = Pattern { event: event.into(), ..Pattern::default() };
        if let Some(name) = kind {
            pattern.kind = Kind::from_name(&name.to_lowercase());
            if pattern.kind.is_none() {
                let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                self.fault(at, format!("there is no kind of actor {name:?}; known are {}", known.join(", ")));
            }
        }
        let kinds = Kind::ALL.into_iter().filter(|kind| pattern.kind.is_none_or(|only| only == *kind));
        let known: Vec<&str> = kinds.flat_map(|kind| events::of(kind).iter().copied()).collect();
        if !known.contains(&event) {
            let meant = meant(event, &known).map(|name| format!("; did you mean {name:?}?"));
            let or = || format!("; known are {}", known.join(", "));
            self.fault(at, format!("no actor records {event:?}{}", meant.unwrap_or_else(or)));
        }
        for part in about.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            self.about(&mut pattern, part, at, around);
        }
        Some(pattern)
    }

    fn about(&mut self, pattern: &mut Pattern, part: &str, at: usize, around: &Around<'_>) {
        let (key, value) = part.split_once('=').map_or((part, ""), |(key, value)| (key.trim(), value.trim()));
        match key {
            "job" if around.has_job(value) => pattern.job = Some(value.into()),
            "job" => self.fault(at, format!("no manifest has the job {value:?}; there are {}", around.jobs())),
            "slot" => match value.parse() {
                Ok(slot) => pattern.slot = Some(slot),
                Err(_) => self.fault(at, format!("slot is {value:?}; expected a number from 0")),
            },
            "node" => match machine_number(value) {
                Some(number) if number < around.machines.high => pattern.node = Some(value.into()),
                _ => self.fault(at, format!("there is no node {value:?}; {}", machines(around))),
            },
            _ => self.fault(at, format!("an event has no {key:?}; expected job, slot or node")),
        }
    }

    fn target(&mut self, table: &mut Table<'_>, aim: Option<Aim>, on: bool, around: &Around<'_>) -> Option<Whom> {
        let at = position(table, "target")?;
        let text = self.text(table, "target")?;
        if aim == Some(Aim::World) {
            self.fault(at, "this kind of fault hits no machine in particular; leave target out".into());
        }
        let read = self.whom(&text, on, around);
        if let Err(why) = &read {
            self.fault(at, format!("target is {text:?}; {why}"));
        }
        read.ok()
    }

    fn whom(&self, text: &str, on: bool, around: &Around<'_>) -> Result<Whom, String> {
        let number = |text: &str, below: u64, many: String| match counts(text) {
            Some(range) if range.high < below => Ok(range),
            _ => Err(many),
        };
        let racks = || format!("there are {} racks, from 0", around.racks);
        let sites = || match around.sites {
            1 => "the only site is \"site\"".to_owned(),
            sites => format!("there are {sites} sites, from 0"),
        };
        let site = |text: &str| match (around.sites, text) {
            (1, "site" | "0") => Ok(Range::exactly(0)),
            (1, _) => Err(sites()),
            _ => number(text, around.sites, sites()),
        };
        match text.split_once(' ') {
            None if text == "any" => Ok(Whom::Machine(Range::new(0, u64::MAX))),
            None if text == "all" => Ok(Whom::Named(Target::All)),
            None if text == "half" => Ok(Whom::Named(Target::Half)),
            None if text == "minority" => Ok(Whom::Named(Target::Minority)),
            None if text == "owner" && on => Ok(Whom::Named(Target::Owner { job: None, slot: None })),
            None if text == "owner" => Err("it needs on, or a job as in \"owner of web/2\"".into()),
            None if text.starts_with('m') => {
                let number = machine_number(text).filter(|number| *number < around.machines.high);
                number.map(|number| Whom::Machine(Range::exactly(number))).ok_or_else(|| machines(around))
            }
            Some(("machine", which)) => number(which, around.machines.high, machines(around)).map(Whom::Machine),
            Some(("rack", which)) => number(which, around.racks, racks()).map(Whom::Rack),
            Some(("any", which)) if which.starts_with("of site ") => {
                site(which.trim_start_matches("of site ")).map(Whom::AnyOfSite)
            }
            Some(("beyond", which)) if around.sites > 1 => {
                site(which.strip_prefix("site ").ok_or("expected \"beyond site 0\"")?).map(Whom::Beyond)
            }
            Some(("beyond", _)) => Err("there is nothing beyond the only site; say sites = 2".into()),
            Some(("any", which)) => {
                let rack = which.strip_prefix("of rack ").ok_or("expected \"any of rack 0\"")?;
                number(rack, around.racks, racks()).map(Whom::AnyOfRack)
            }
            Some(("site", which)) => site(which).map(Whom::Site),
            Some(("owner", which)) => owner(which, around),
            _ => Err("expected any, m0, machine 0..2, all, half, minority, rack 0, any of rack 0, site 0, any of site 0, beyond site 0, owner \
                      or owner of web/2"
                .into()),
        }
    }
}

fn owner(which: &str, around: &Around<'_>) -> Result<Whom, String> {
    let which = which.strip_prefix("of ").ok_or("expected \"owner of web/2\"")?;
    let (job, slot) = match which.split_once('/') {
        Some((job, slot)) => (job, Some(slot.parse().map_err(|_| format!("slot {slot:?} is no number"))?)),
        None => (which, None),
    };
    if !around.has_job(job) {
        return Err(format!("no manifest has the job {job:?}; there are {}", around.jobs()));
    }
    Ok(Whom::Named(Target::Owner { job: Some(job.into()), slot }))
}

fn machines(around: &Around<'_>) -> String {
    format!("there are at most {} machines, from m0", around.machines.high)
}

fn machine_number(name: &str) -> Option<u64> {
    name.strip_prefix('m')?.parse().ok()
}

fn position(table: &Table<'_>, key: &str) -> Option<usize> {
    table.get(key).map(|value| value.span.start)
}

/// Why something is no range, if that can be said better than by what was expected.
pub(super) fn backwards(text: &str) -> Option<String> {
    let (low, high) = text.split_once("..")?;
    let one = |text: &str| text.trim().parse().ok().or_else(|| span_of(text.trim()));
    (one(low)? > one(high)?).then(|| format!("it runs backwards: {} comes after {}", low.trim(), high.trim()))
}

/// The one that was probably meant.
fn meant<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let far = (word.chars().count() / 3).clamp(1, 4);
    let scored =
        known.iter().map(|name| (strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase()), *name));
    scored.filter(|(distance, _)| *distance <= far).min().map(|(_, name)| name)
}
