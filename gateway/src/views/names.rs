//! Names for people, and what people mean by the names they give.

use super::{not_found, unclear};
use actors::cast::AnyCell;
use actors::fold::Fold;
use actors::job::Job;
use messages::api::Failure;
use messages::id::{ActorId, InstanceId, JobId, NodeId};
use messages::manifest::JobSpec;
use serde_json::Value;
use uuid::Uuid;

/// What people call an actor, with its kind: `job shop/a`, `node n1`. None for one that has no name yet.
pub fn actor(fold: &Fold, id: ActorId) -> Option<String> {
    let name = match fold.cell(id)? {
        AnyCell::Job(cell) => cell.state().spec.as_deref().map(full_name)?,
        AnyCell::Node(cell) => cell.state().name().to_owned(),
        AnyCell::Scheduler(_) => return Some("scheduler".into()),
        AnyCell::Route(cell) => cell.state().spec.as_ref().map(|spec| spec.name.clone())?,
        AnyCell::Rollout(cell) => cell.state().title(),
        AnyCell::Policy(cell) => cell.state().realm().to_owned(),
    };
    (!name.is_empty()).then(|| format!("{} {name}", id.kind.name()))
}

/// A job's name with its realm.
pub fn full_name(spec: &JobSpec) -> String {
    format!("{}/{}", spec.realm, spec.name)
}

/// An instance that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which instance.
    pub id: InstanceId,
    /// Its label, `job/slot`; its id, where no job remembers it.
    pub label: String,
}

/// The instance that a text means: an id, `job/slot` or `realm/job/slot`.
///
/// # Errors
/// When there is no such job or slot, or when more than one realm has one.
pub fn instance(fold: &Fold, text: &str) -> Result<Found, Failure> {
    if let Ok(id) = Uuid::parse_str(text) {
        let id = InstanceId(id);
        let label = fold.jobs().find_map(|(_, job)| label(job, id)).unwrap_or_else(|| id.to_string());
        return Ok(Found { id, label });
    }
    let parts = text.rsplit_once('/').and_then(|(job, slot)| Some((job, slot.parse::<u32>().ok()?)));
    let Some((name, slot)) = parts else {
        return Err(unclear(format!("{text:?} is not an instance"), "write JOB/SLOT, REALM/JOB/SLOT or an id"));
    };
    let (id, _) = job(fold, name)?;
    let AnyCell::Job(cell) = fold.cell(id).ok_or_else(|| not_found(format!("there is no job {name}")))? else {
        return Err(not_found(format!("there is no job {name}")));
    };
    let (state, label) = (cell.state(), format!("{}/{slot}", name.rsplit('/').next().unwrap_or(name)));
    let present = state.instances.iter().filter(|(_, instance)| instance.slot == slot);
    let newest = present.max_by_key(|(_, instance)| instance.incarnation).map(|(id, _)| *id);
    let past = || state.past.iter().rev().find(|past| past.slot == slot).map(|past| past.instance);
    let id = newest.or_else(past);
    id.map(|id| Found { id, label }).ok_or_else(|| {
        let mut failure = not_found(format!("job {name} has no instance in slot {slot}"));
        let slots: Vec<String> = state.instances.values().map(|instance| instance.slot.to_string()).collect();
        failure.nearest = (!slots.is_empty()).then(|| format!("it has slots {}", slots.join(", ")));
        failure
    })
}

/// The node that an instance is on.
pub fn node_of(fold: &Fold, instance: InstanceId) -> Option<NodeId> {
    fold.jobs().find_map(|(_, job)| job.instances.get(&instance)).and_then(|instance| instance.node)
}

/// The job that a text means: `job` or `realm/job`.
///
/// # Errors
/// When there is none, or when more than one realm has one.
pub fn job<'f>(fold: &'f Fold, text: &str) -> Result<(JobId, &'f JobSpec), Failure> {
    let (realm, name) = text.split_once('/').map_or((None, text), |(realm, name)| (Some(realm), name));
    let meant = |spec: &JobSpec| spec.name == name && realm.is_none_or(|realm| spec.realm == realm);
    let specs = fold.jobs().filter_map(|(id, job)| Some((JobId(id.id), job.spec.as_deref()?)));
    let found: Vec<(JobId, &JobSpec)> = specs.filter(|(_, spec)| meant(spec)).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let mut failure = not_found(format!("there is no job {text}"));
            failure.nearest = nearest(fold, name);
            Err(failure)
        }
        several => {
            let names: Vec<String> = several.iter().map(|(_, spec)| full_name(spec)).collect();
            Err(unclear(format!("job {text} may be {}", names.join(" or ")), "say which with its realm"))
        }
    }
}

fn nearest(fold: &Fold, name: &str) -> Option<String> {
    let specs = fold.jobs().filter_map(|(_, job)| job.spec.as_ref());
    let near = specs.map(|spec| (strsim::damerau_levenshtein(&spec.name, name), full_name(spec)));
    near.min().filter(|(distance, _)| *distance <= 3).map(|(_, name)| format!("there is {name}"))
}

/// The label of an instance that a job has or remembers.
pub(super) fn label(job: &Job, id: InstanceId) -> Option<String> {
    let name = &job.spec.as_ref()?.name;
    let present = job.instances.get(&id).map(|instance| instance.slot);
    let slot = present.or_else(|| job.past.iter().find(|past| past.instance == id).map(|past| past.slot))?;
    Some(format!("{name}/{slot}"))
}

/// The name of a message or an event in its JSON form, as words: `RolloutBegun` is `rollout begun`.
pub(super) fn spoken(value: &Value) -> String {
    let name = match value {
        Value::String(name) => name.as_str(),
        Value::Object(fields) => fields.keys().next().map_or("", String::as_str),
        _ => "",
    };
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_messages_and_events_are_spoken_as_words() {
        assert_eq!(spoken(&json!({ "RolloutBegun": { "to": 2 } })), "rollout begun");
        assert_eq!(spoken(&json!("Drained")), "drained");
    }

    #[test]
    fn what_is_not_there_is_said_to_be_missing() {
        let fold = Fold::default();
        let missing = instance(&fold, "shop/a/3").expect_err("there is nothing");
        assert_eq!(missing.message, "there is no job shop/a");
        let unclear = instance(&fold, "a").expect_err("no slot was named");
        assert_eq!(unclear.change.as_deref(), Some("write JOB/SLOT, REALM/JOB/SLOT or an id"));
    }
}
