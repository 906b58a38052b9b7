//! Reads a scenario's TOML, and says exactly what is wrong with it.

mod fault;
mod machines;

use super::{Action, Doing, Range, Scenario};
use crate::program::Program;
use crate::text::{TextFault, written};
use fault::Around;
use messages::manifest::{self, Format, Manifest};
use messages::policy::Mode;
use messages::quantity;
use messages::time::Span;
use std::collections::BTreeMap;
use toml_span::value::{Table, Value, ValueInner};

/// Reads a scenario.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn read(text: &str, name: &str) -> Result<Scenario, Vec<TextFault>> {
    let mut reader = Reader { text, file: name, faults: Vec::new() };
    let scenario = match toml_span::parse(text) {
        Ok(mut root) => reader.scenario(&mut root),
        Err(error) => {
            reader.fault(error.span.start, error.to_string());
            None
        }
    };
    reader.faults.sort_by_key(|fault| (fault.line, fault.column));
    match scenario {
        Some(scenario) if reader.faults.is_empty() => Ok(scenario),
        _ => Err(reader.faults),
    }
}

struct Reader<'t> {
    text: &'t str,
    file: &'t str,
    faults: Vec<TextFault>,
}

/// Reads one value of a table.
type Parse<T> = fn(&str) -> Option<T>;

/// What commands may name, and when the world ends, in microseconds.
struct Named<'a> {
    end: u64,
    manifests: &'a BTreeMap<String, Manifest>,
    policies: &'a BTreeMap<String, String>,
}

/// An action's name in a scenario, and the action.
type Called<T> = (&'static str, fn(T) -> Action);

/// The longest time in a scenario: a thousand hours.
const TIME_MAX: Span = Span::seconds(3_600_000);
/// The most machines, and how often something may come.
const MACHINES_MAX: u64 = 100_000;
const MACHINES: &str = "a number or a range like \"1..5\", from 1 to 100000";
const TIMES_MAX: u64 = 10_000;
const TIMES: &str = "a number or a range like \"1..5\", of 10000 at the most";

fn span_of(text: &str) -> Option<u64> {
    quantity::span(text).ok().filter(|span| *span <= TIME_MAX).map(|span| span.0)
}

fn range_of(text: &str, one: Parse<u64>) -> Option<Range> {
    match text.split_once("..") {
        Some((low, high)) => {
            let range = Range { low: one(low.trim())?, high: one(high.trim())? };
            (range.low <= range.high).then_some(range)
        }
        None => one(text.trim()).map(Range::exactly),
    }
}

fn times(text: &str) -> Option<Range> {
    range_of(text, span_of)
}

fn counts(text: &str) -> Option<Range> {
    range_of(text, |text| text.parse().ok())
}

fn machines(text: &str) -> Option<Range> {
    counts(text).filter(|range| range.low > 0 && range.high <= MACHINES_MAX)
}

fn repeats(text: &str) -> Option<Range> {
    counts(text).filter(|range| range.high <= TIMES_MAX)
}

/// The mode of this name.
pub(crate) fn mode_of(text: &str) -> Option<Mode> {
    [("audit", Mode::Audit), ("shadow", Mode::Shadow), ("enforce", Mode::Enforce)]
        .into_iter()
        .find_map(|(name, mode)| (name == text).then_some(mode))
}

impl Reader<'_> {
    fn fault(&mut self, at: usize, message: String) {
        self.faults.push(TextFault::at(self.file, self.text, at, message));
    }

    fn table<'v>(&mut self, value: &mut Value<'v>, expected: &str) -> Option<Table<'v>> {
        let at = value.span.start;
        match value.take() {
            ValueInner::Table(table) => Some(table),
            _ => {
                self.fault(at, format!("expected {expected}"));
                None
            }
        }
    }

    fn parsed<T>(&mut self, table: &mut Table<'_>, key: &str, expected: &str, parse: Parse<T>) -> Option<T> {
        let mut value = table.remove(key)?;
        let at = value.span.start;
        let text = written(value.take());
        let parsed = parse(&text);
        if parsed.is_none() {
            let why = fault::backwards(&text).unwrap_or_else(|| format!("expected {expected}"));
            self.fault(at, format!("{key} is {text:?}; {why}"));
        }
        parsed
    }

    fn text(&mut self, table: &mut Table<'_>, key: &str) -> Option<String> {
        self.parsed(table, key, "text", |text| Some(text.to_string()))
    }

    fn time(&mut self, table: &mut Table<'_>, key: &str, default: u64) -> u64 {
        self.parsed(table, key, "a time like \"30s\", of 1000h at the most", span_of).unwrap_or(default)
    }

    fn times(&mut self, table: &mut Table<'_>, key: &str, default: Range) -> Range {
        self.parsed(table, key, "a time or a range like \"1s..5s\", of 1000h at the most", times).unwrap_or(default)
    }

    fn counts(&mut self, table: &mut Table<'_>, key: &str, default: Range) -> Range {
        self.parsed(table, key, "a number or a range like \"1..5\"", counts).unwrap_or(default)
    }

    fn repeats(&mut self, table: &mut Table<'_>, default: Range) -> Range {
        self.parsed(table, "times", TIMES, repeats).unwrap_or(default)
    }

    fn rest(&mut self, table: &Table<'_>, known: &str) {
        for key in table.keys() {
            self.fault(key.span.start, format!("there is no field {:?} here; known are {known}", key.name));
        }
    }

    fn scenario(&mut self, root: &mut Value<'_>) -> Option<Scenario> {
        let mut table = self.table(root, "a table")?;
        let name = self.text(&mut table, "name");
        if name.is_none() {
            self.fault(0, "field \"name\" is missing".into());
        }
        let capacity = self.capacity(&mut table, &machines::usual());
        let special = self.special(&mut table, &capacity);
        let manifests = self.manifests(&mut table);
        let policies = self.policies(&mut table);
        let machines = self.parsed(&mut table, "machines", MACHINES, machines).unwrap_or(Range::exactly(3));
        let racks = self.counts(&mut table, "racks", Range::exactly(2)).high;
        let sites = self.sites(&mut table, racks);
        let heal = self.time(&mut table, "heal", 30_000_000);
        let (settle, quiet) = (self.time(&mut table, "settle", 60_000_000), self.time(&mut table, "quiet", 20_000_000));
        let named = Named { end: heal + settle + quiet, manifests: &manifests, policies: &policies };
        let operations = self.rows(&mut table, "do");
        let operations = operations.into_iter().filter_map(|row| self.doing(row, &named)).collect();
        let around = Around { machines, racks, sites, heal, manifests: &manifests };
        let faults = self.rows(&mut table, "fault");
        let faults = faults.into_iter().filter_map(|row| self.going(row, &around)).collect();
        let scenario = Scenario {
            name: name.unwrap_or_default(),
            about: self.text(&mut table, "about").unwrap_or_default(),
            machines,
            racks,
            sites,
            capacity,
            special,
            drift_ppm: self.counts(&mut table, "drift_ppm", Range::exactly(200)).high,
            joins: self.times(&mut table, "joins", Range::new(0, 1_000_000)),
            swarm: self.parsed(&mut table, "swarm", "true or false", |text| text.parse().ok()).unwrap_or(false),
            heal,
            core: self.parsed(&mut table, "core", "true or false", |text| text.parse().ok()).unwrap_or(false),
            settle,
            quiet,
            manifests,
            policies,
            operations,
            faults,
        };
        let known = "name, about, machines, racks, sites, capacity, special, drift_ppm, joins, swarm, heal, core, settle, quiet, manifest, policy, do, \
             fault";
        self.rest(&table, known);
        Some(scenario)
    }

    /// Over how many sites the racks are spread.
    fn sites(&mut self, table: &mut Table<'_>, racks: u64) -> u64 {
        let at = table.get("sites").map(|value| value.span.start);
        let sites = self.counts(table, "sites", Range::exactly(1)).high;
        if let Some(at) = at.filter(|_| sites == 0 || sites > racks) {
            self.fault(
                at,
                format!("sites is {sites}; expected 1 to {racks}: each has a rack at least, and there are {racks}"),
            );
        }
        sites.max(1)
    }

    fn manifests(&mut self, table: &mut Table<'_>) -> BTreeMap<String, Manifest> {
        let mut manifests = BTreeMap::new();
        let Some(mut value) = table.remove("manifest") else { return manifests };
        let Some(inner) = self.table(&mut value, "a table of manifests") else { return manifests };
        for (key, mut value) in inner {
            let at = value.span.start;
            let ValueInner::String(text) = value.take() else {
                self.fault(at, format!("manifest {} is not text; expected the text of a manifest", key.name));
                continue;
            };
            match manifest::read(&text, &key.name, Format::Toml) {
                Ok(manifest) => {
                    for (name, job) in &manifest.jobs {
                        if let Some(wrong) = Program::wrong(&job.workload.run) {
                            self.fault(at, format!("manifest {}, job.{name}.run: {wrong}", key.name));
                        }
                    }
                    manifests.insert(key.name.into_owned(), manifest);
                }
                Err(faults) => {
                    for fault in faults {
                        self.fault(at, format!("manifest {}, line {}: {}", key.name, fault.line, fault.sentence()));
                    }
                    // It is there, so whoever names it is not to blame.
                    manifests.insert(key.name.into_owned(), Manifest::default());
                }
            }
        }
        manifests
    }

    fn policies(&mut self, table: &mut Table<'_>) -> BTreeMap<String, String> {
        let Some(mut value) = table.remove("policy") else { return BTreeMap::new() };
        let Some(inner) = self.table(&mut value, "a table of policies") else { return BTreeMap::new() };
        let mut policies = BTreeMap::new();
        for (key, mut value) in inner {
            let at = value.span.start;
            match value.take() {
                ValueInner::String(text) => drop(policies.insert(key.name.into_owned(), text.into_owned())),
                _ => self.fault(at, format!("policy {} is not text; expected the text of a policy", key.name)),
            }
        }
        policies
    }

    fn rows<'v>(&mut self, table: &mut Table<'v>, key: &str) -> Vec<(usize, Table<'v>)> {
        let Some(mut value) = table.remove(key) else { return Vec::new() };
        let at = value.span.start;
        let ValueInner::Array(rows) = value.take() else {
            self.fault(at, format!("expected tables like [[{key}]]"));
            return Vec::new();
        };
        let row = |mut value: Value<'v>| {
            let at = value.span.start;
            self.table(&mut value, "a table").map(|table| (at, table))
        };
        rows.into_iter().filter_map(row).collect()
    }

    fn doing(&mut self, row: (usize, Table<'_>), named: &Named<'_>) -> Option<Doing> {
        let (at, mut table) = row;
        let when_at = table.get("at").map_or(at, |value| value.span.start);
        let when = self.times(&mut table, "at", Range::exactly(2_000_000));
        if when.high > named.end {
            let end = Span(named.end);
            self.fault(
                when_at,
                format!("a command would be given after the end, which is at {end}: heal, settle, quiet"),
            );
        }
        let times = self.repeats(&mut table, Range::exactly(1));
        let every = table.contains_key("every").then(|| self.times(&mut table, "every", Range::exactly(0)));
        let lasts_at = table.get("lasts").map(|value| value.span.start);
        let lasts = lasts_at.map(|_| self.times(&mut table, "lasts", Range::exactly(0)));
        let client = self.counts(&mut table, "client", Range::exactly(0)).low;
        let client = u32::try_from(client).unwrap_or(0);
        let refused = self.parsed(&mut table, "refused", "true or false", |text| text.parse().ok()).unwrap_or(false);
        let action = self.action(&mut table);
        self.rest(&table, "at, times, every, lasts, client, refused, and one action");
        if let (Some(at), false) = (lasts_at, matches!(action, Some(Action::Apply(_)))) {
            self.fault(at, "lasts goes with apply: it says after how long its jobs are stopped".into());
        }
        if let Some(Action::Apply(names)) = &action {
            for name in names.iter().filter(|name| !named.manifests.contains_key(*name)) {
                self.fault(at, format!("there is no manifest {name:?} here"));
            }
        }
        if let Some(Action::Policy(name, _)) = &action
            && !named.policies.contains_key(name)
        {
            self.fault(at, format!("there is no policy {name:?} here"));
        }
        if action.is_none() {
            let known = "apply, scale, restart, stop, cordon, uncordon, drain, promote, hold, resume, abort, \
                         policy, quota";
            self.fault(at, format!("an action is missing; expected one of {known}"));
        }
        Some(Doing { at: when, times, every, lasts, client, action: action?, refused })
    }

    fn action(&mut self, table: &mut Table<'_>) -> Option<Action> {
        if let Some(names) = self.text(table, "apply") {
            return Some(Action::Apply(names.split('|').map(|name| name.trim().to_string()).collect()));
        }
        if let Some(job) = self.text(table, "scale") {
            return Some(Action::Scale(job, self.counts(table, "instances", Range::new(0, 4))));
        }
        if let Some(name) = self.text(table, "policy") {
            let mode = self.parsed(table, "mode", "audit, shadow or enforce", mode_of).unwrap_or_default();
            return Some(Action::Policy(name, mode));
        }
        if table.contains_key("quota") {
            let none_or_count = |text: &str| if text == "none" { Some(None) } else { text.parse().ok().map(Some) };
            return self.parsed(table, "quota", "a number or \"none\"", none_or_count).map(Action::Quota);
        }
        let jobs: [Called<String>; 6] = [
            ("restart", Action::Restart),
            ("stop", Action::Stop),
            ("promote", Action::Promote),
            ("hold", Action::Hold),
            ("resume", Action::Resume),
            ("abort", Action::Abort),
        ];
        for (key, make) in jobs {
            if let Some(job) = self.text(table, key) {
                return Some(make(job));
            }
        }
        let machines: [Called<Range>; 3] =
            [("cordon", Action::Cordon), ("uncordon", Action::Uncordon), ("drain", Action::Drain)];
        let found = machines.into_iter().find(|(key, _)| table.contains_key(*key));
        found.map(|(key, make)| make(self.counts(table, key, Range::exactly(0))))
    }
}
