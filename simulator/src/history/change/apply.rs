//! Puts a change into what happens after a moment, and says what in it cannot be.

use super::{Change, Edit, How, Nodes, Row, Wrong};
use crate::history::moment::Moment;
use crate::history::outside::{Command, Happening};
use crate::history::planner::Deed;
use actors::fold::Fold;
use messages::agent::{Ended, Observation};
use messages::envelope::Principal;
use messages::id::{ClientId, JobId, NodeId};
use messages::manifest::did_you_mean;
use messages::node::NodeSpec;
use messages::policy::{Request, SYSTEM_REALM};
use messages::reason::Reason;
use messages::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What happens after a moment, with a change in it.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// What is done, and when.
    pub deeds: Vec<(Timestamp, Deed)>,
    /// When there is no control plane.
    pub away: Vec<(Timestamp, Timestamp)>,
    /// The change's own commands, by id.
    pub own: BTreeSet<Uuid>,
}

/// What in a change cannot be: where its row begins, and why.
pub type Impossible = (usize, String);

impl Change {
    /// What happens after the moment, with this change in it.
    ///
    /// # Errors
    /// Every row that cannot be.
    pub fn apply(&self, moment: &Moment) -> Result<Applied, Vec<Impossible>> {
        let mut maker = Maker {
            fold: &moment.beginning.fold,
            from: moment.beginning.at,
            happenings: moment.outside.happenings.clone(),
            applied: Applied { away: moment.outside.away.clone(), ..Applied::default() },
            impossible: Vec::new(),
            specs: specs(moment),
        };
        let length = moment.until.since(moment.beginning.at);
        for row in &self.rows {
            if row.at > length.0 {
                let at = Span(row.at);
                maker.cannot(row, format!("at {at} nothing is left to change: the log ends {length} after the moment"));
            } else {
                maker.row(row);
            }
        }
        if !maker.impossible.is_empty() {
            return Err(maker.impossible);
        }
        let Maker { happenings, mut applied, .. } = maker;
        applied.deeds.extend(happenings.into_iter().map(|(at, happening)| (at, Deed::Happens(happening))));
        applied.deeds.sort_by_key(|(at, _)| *at);
        applied.away.sort_unstable();
        Ok(applied)
    }
}

/// Every node there is at the moment or comes after it.
fn specs(moment: &Moment) -> BTreeMap<String, NodeSpec> {
    let there = moment.beginning.fold.nodes().map(|(_, node)| node.spec().clone());
    let later = moment.outside.happenings.iter().filter_map(|(_, happening)| match happening {
        Happening::Hello { spec, .. } => Some(spec.clone()),
        _ => None,
    });
    later.chain(there).map(|spec| (spec.name.clone(), spec)).collect()
}

struct Maker<'a> {
    fold: &'a Fold,
    from: Timestamp,
    happenings: Vec<(Timestamp, Happening)>,
    applied: Applied,
    impossible: Vec<Impossible>,
    specs: BTreeMap<String, NodeSpec>,
}

fn meant<'c>(word: &str, known: impl IntoIterator<Item = &'c str>) -> String {
    did_you_mean(word, known).map(|known| format!("; did you mean {known:?}?")).unwrap_or_default()
}

impl Maker<'_> {
    fn row(&mut self, row: &Row) {
        let at = self.from.after(Span(row.at));
        match &row.edit {
            Edit::Remove { nodes, drained } => {
                for spec in self.chosen(row, nodes) {
                    if *drained {
                        self.command(row, at, SYSTEM_REALM, Request::Drain { node: spec.name });
                    } else {
                        self.deed(at, Deed::Remove(NodeId::named(&spec.name)));
                    }
                }
            }
            Edit::Add { like, count, name, given } => {
                let model = match like {
                    Some(like) => self.chosen(row, &Nodes::Named(like.clone())).pop(),
                    None => Some(self.specs.values().next().cloned().unwrap_or_default()),
                };
                let Some(model) = model else { return };
                for number in 1..=*count {
                    let name = format!("{name}-{number}");
                    if self.specs.contains_key(&name) {
                        return self.cannot(row, format!("there is a node {name:?} already; give another name"));
                    }
                    self.deed(at, Deed::Become(NodeSpec { name, ..given.applied(&model) }));
                }
            }
            Edit::Resize { nodes, given } => {
                for spec in self.chosen(row, nodes) {
                    self.deed(at, Deed::Become(given.applied(&spec)));
                }
            }
            Edit::Command { realm, request } => {
                let Some(realm) = self.realm(row, realm) else { return };
                if let Request::Scale { job, .. } = &**request {
                    self.job(row, &format!("{realm}/{job}"));
                }
                self.command(row, at, &realm, (**request).clone());
            }
            Edit::Fault { what, lasts } => self.wrong(row, at, what, *lasts),
            Edit::Recorded { action, job, how } => self.recorded(row, action.as_deref(), job.as_deref(), *how),
        }
    }

    fn cannot(&mut self, row: &Row, message: String) {
        self.impossible.push((row.place, message));
    }

    fn deed(&mut self, at: Timestamp, deed: Deed) {
        self.applied.deeds.push((at, deed));
    }

    /// The nodes that are meant; at least one.
    fn chosen(&mut self, row: &Row, nodes: &Nodes) -> Vec<NodeSpec> {
        let chosen: Vec<NodeSpec> = self.specs.values().filter(|spec| nodes.hold(spec)).cloned().collect();
        if chosen.is_empty() {
            let meant = match nodes {
                Nodes::Named(name) => meant(name, self.specs.keys().map(String::as_str)),
                Nodes::Rack(rack) => meant(rack, self.specs.values().map(|spec| spec.rack.as_str())),
                Nodes::Site(site) => meant(site, self.specs.values().map(|spec| spec.site.as_str())),
                Nodes::Shaped(_) => String::new(),
            };
            self.cannot(row, format!("there is no {} in this log{meant}", nodes.told()));
        }
        chosen
    }

    fn realm(&mut self, row: &Row, realm: &str) -> Option<String> {
        if !realm.is_empty() {
            return Some(realm.into());
        }
        let realms: BTreeSet<&str> =
            self.fold.jobs().map(|(_, job)| job.realm()).filter(|name| !name.is_empty()).collect();
        match Vec::from_iter(realms).as_slice() {
            [only] => Some((*only).to_string()),
            [] => {
                self.cannot(row, "there is no realm in the log at this moment; say which is meant".into());
                None
            }
            several => {
                let message = format!("in which realm? there are {}", several.join(", "));
                self.cannot(row, message);
                None
            }
        }
    }

    /// The job that is meant, by its name or its realm and name.
    fn job(&mut self, row: &Row, text: &str) -> Option<JobId> {
        let found = self.fold.jobs().find(|(_, job)| job.full_name() == text || job.name() == text);
        if let Some((id, _)) = found {
            return Some(JobId(id.id));
        }
        let names: Vec<String> = self.fold.jobs().map(|(_, job)| job.full_name()).collect();
        let meant = meant(text, names.iter().map(String::as_str));
        self.cannot(row, format!("there is no job {text:?} in the log at this moment{meant}"));
        None
    }

    fn command(&mut self, row: &Row, at: Timestamp, realm: &str, request: Request) {
        let seed = format!("{}:{}:{:?}", row.place, self.applied.own.len(), at);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, seed.as_bytes());
        self.applied.own.insert(id);
        let principal = Principal { name: "user:what-if".into(), groups: Vec::new() };
        let command = Command { id, client: ClientId(id), principal, realm: realm.into(), request };
        self.deed(at, Deed::Happens(Happening::Command(command)));
    }

    fn wrong(&mut self, row: &Row, at: Timestamp, what: &Wrong, lasts: u64) {
        let over = at.after(Span(lasts));
        match what {
            Wrong::MachineCrash(nodes) | Wrong::Partition(nodes) => {
                for spec in self.chosen(row, nodes) {
                    let node = NodeId::named(&spec.name);
                    let crash = matches!(what, Wrong::MachineCrash(_));
                    let (begin, end) =
                        if crash { (Deed::Lose(node), Deed::Boot(node)) } else { (Deed::Cut(node), Deed::Link(node)) };
                    self.deed(at, begin);
                    self.deed(over, end);
                }
            }
            Wrong::ControlCrash => self.applied.away.push((at, over)),
            Wrong::WorkloadDies(text, slot) => {
                let Some((id, label)) = self.slot(row, text, *slot) else { return };
                let ended =
                    Ended { code: Some(9), ..Ended::new(Reason::ExitSignal, "it was killed, as the change says") };
                self.deed(at, Deed::End(id, label, Observation::Ended(ended)));
            }
            Wrong::WorkloadSick(text, slot) => {
                let Some((id, label)) = self.slot(row, text, *slot) else { return };
                self.deed(at, Deed::See(id, label.clone(), false));
                self.deed(over, Deed::See(id, label, true));
            }
        }
    }

    fn slot(&mut self, row: &Row, text: &str, slot: u32) -> Option<(JobId, String)> {
        let id = self.job(row, text)?;
        let label = self.fold.jobs().find(|(actor, _)| actor.id == id.0).map(|(_, job)| job.label(slot))?;
        Some((id, label))
    }

    fn recorded(&mut self, row: &Row, action: Option<&str>, job: Option<&str>, how: How) {
        let mut touched = 0;
        let from = self.from;
        self.happenings.retain_mut(|(at, happening)| {
            let Happening::Command(command) = happening else { return true };
            if !is_meant(command, action, job) {
                return true;
            }
            match how {
                How::Drop => {
                    touched += 1;
                    return false;
                }
                How::Shift(by) => {
                    touched += 1;
                    *at = Timestamp(at.0.saturating_add_signed(by)).max(from);
                }
                How::Instances(count) => touched += rescale(&mut command.request, job, |_| count),
                How::Percent(percent) => {
                    let scaled = |count: u32| u64::from(count) * u64::from(percent);
                    let whole = |count: u64| u32::try_from(count.div_ceil(100)).unwrap_or(u32::MAX);
                    touched += rescale(&mut command.request, job, |count| whole(scaled(count)));
                }
            }
            true
        });
        if touched == 0 {
            self.cannot(row, "no recorded command after this moment is meant by this".into());
        }
    }
}

/// The jobs that a command is about, by name.
fn about(request: &Request) -> Vec<&str> {
    match request {
        Request::Apply { manifest } => manifest.jobs.keys().map(String::as_str).collect(),
        other => other.job().into_iter().collect(),
    }
}

fn is_meant(command: &Command, action: Option<&str>, job: Option<&str>) -> bool {
    let jobs = about(&command.request);
    let named = |job: &str| jobs.iter().any(|one| *one == job || format!("{}/{one}", command.realm) == job);
    action.is_none_or(|action| command.request.action() == action) && job.is_none_or(named)
}

/// Changes how many instances a command asks for. Returns in how many places.
fn rescale(request: &mut Request, job: Option<&str>, count: impl Fn(u32) -> u32) -> usize {
    match request {
        Request::Scale { instances, .. } => {
            *instances = count(*instances);
            1
        }
        Request::Apply { manifest } => {
            let meant = |name: &str| job.is_none_or(|job| job.rsplit('/').next() == Some(name));
            let specs = manifest.jobs.iter_mut().filter(|(name, _)| meant(name));
            specs.map(|(_, spec)| spec.instances = count(spec.instances)).count()
        }
        _ => 0,
    }
}
