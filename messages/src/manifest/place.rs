//! `place`: where instances may and should be.

use super::check::{Reference, Relation};
use super::job::INSTANCES_MAX;
use super::model::{Affinity, Level, Place, Spread, Tag};
use super::reader::{Item, Reader};
use super::tree::Value;

const LEVELS: &[(&str, Level)] =
    &[("node", Level::Node), ("rack", Level::Rack), ("site", Level::Site), ("region", Level::Region)];
/// What a preference without a weight weighs.
const WEIGHT: u32 = 50;

/// The constraints and affinities of a job.
pub(super) fn place(reader: &mut Reader<'_>, job: &str, item: &Item<'_>, references: &mut Vec<Reference>) -> Place {
    let mut place = Place::default();
    let Some(table) =
        reader.table(item, &["require", "prefer", "near", "apart", "spread", "per_node_max", "tolerate", "gang"])
    else {
        return place;
    };
    if let Some(item) = table.get("require") {
        let tags = reader.list(&item, "a list of tags, like [\"site=on-premise\", \"!gpu\"]");
        let tags: Vec<_> = tags.iter().filter_map(|item| Some((item, tag(reader, item)?))).collect();
        exclusive_tags(reader, &tags);
        place.require = tags.into_iter().map(|(_, tag)| tag).collect();
    }
    if let Some(item) = table.get("prefer") {
        let tags = reader.list(&item, "a list of tags, like [\"ssd\", { tag = \"zone=a\", weight = 50 }]");
        place.prefer = tags.iter().filter_map(|item| preference(reader, item)).collect();
    }
    if let Some(item) = table.get("near") {
        place.near = affinities(reader, job, &item, Relation::Near, references);
    }
    if let Some(item) = table.get("apart") {
        place.apart = affinities(reader, job, &item, Relation::Apart, references);
        near_and_apart(reader, &item, &place);
    }
    if let Some(item) = table.get("spread") {
        let items = reader.one_or_many(&item, "a level, or a list of them");
        place.spread = items.iter().filter_map(|item| spread(reader, item)).collect();
    }
    if let Some(item) = table.get("tolerate") {
        let items = reader.one_or_many(&item, "a taint, like \"dedicated=ml\", or a list of them");
        place.tolerate = items.iter().filter_map(|item| toleration(reader, item)).collect();
    }
    place.gang = table.get("gang").and_then(|item| reader.boolean(&item)).unwrap_or_default();
    place.per_node_max = table.get("per_node_max").and_then(|item| reader.integer(&item, 1, INSTANCES_MAX));
    place
}

/// Tags of which no node can have both.
fn exclusive_tags(reader: &mut Reader<'_>, tags: &[(&Item<'_>, Tag)]) {
    for (index, (item, tag)) in tags.iter().enumerate() {
        if let Some((_, other)) = tags[..index].iter().find(|(_, other)| other.excludes(tag)) {
            let message = format!("\"{other}\" and \"{tag}\" cannot both hold, so no node would do");
            reader.fault(item.at(), &item.path, message);
        }
    }
}

/// Where the nearness that must hold is inside of the distance that must hold.
fn near_and_apart(reader: &mut Reader<'_>, item: &Item<'_>, place: &Place) {
    for apart in place.apart.iter().filter(|apart| apart.hard) {
        let mut near = place.near.iter().filter(|near| near.hard && near.job == apart.job);
        if let Some(near) = near.find(|near| near.within <= apart.within) {
            let (job, inner, outer) = (&apart.job, near.within.name(), apart.within.name());
            let message = format!("job {job:?} must be in the same {inner} and in another {outer}: no place is both");
            reader.fault(item.key_at, &item.path, message);
        }
    }
}

fn tag(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Tag> {
    let text = reader.text(item, "a tag, like \"site=on-premise\", \"ssd\" or \"!gpu\"")?;
    let parsed = Tag::parse(&text);
    if parsed.is_none() {
        let expected = Some("KEY=VALUE or KEY, with ! in front for \"must not\"".to_owned());
        let inner = text.split_once("!=").map(|(key, value)| format!("!{}={}", key.trim(), value.trim()));
        let spaced = text.replace("==", "=").replace(' ', "");
        let suggestion = [inner.unwrap_or_default(), spaced].into_iter().find(|tidy| Tag::parse(tidy).is_some());
        reader.note(item.at(), &item.path, format!("{text:?} is not a tag"), expected, suggestion);
    }
    parsed
}

/// A taint is there or it is not: that it must not be there is what every job says that does not tolerate it.
fn toleration(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Tag> {
    let taint = tag(reader, item)?;
    if taint.negated {
        let (negated, plain) = (taint.to_string(), Tag { negated: false, ..taint }.to_string());
        let message = format!("{negated:?} is no taint; a job keeps away from every taint that it does not tolerate");
        reader.note(item.at(), &item.path, message, None, Some(plain));
        return None;
    }
    Some(taint)
}

fn preference(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<(Tag, u32)> {
    if matches!(item.value(), Value::Text(_)) {
        return tag(reader, item).map(|tag| (tag, WEIGHT));
    }
    let table = reader.table(item, &["tag", "weight"])?;
    let weight = table.get("weight").map_or(Some(WEIGHT), |item| reader.integer(&item, 1, 100));
    match table.get("tag") {
        Some(item) => tag(reader, &item).zip(weight),
        None => {
            reader.fault(item.at(), &item.path, "missing field \"tag\"");
            None
        }
    }
}

fn affinities(
    reader: &mut Reader<'_>,
    job: &str,
    item: &Item<'_>,
    relation: Relation,
    references: &mut Vec<Reference>,
) -> Vec<Affinity> {
    let items = reader.one_or_many(item, "a table like { job = \"b\", within = \"rack\" }, or a list of them");
    items.iter().filter_map(|item| affinity(reader, job, item, relation, references)).collect()
}

fn affinity(
    reader: &mut Reader<'_>,
    job: &str,
    item: &Item<'_>,
    relation: Relation,
    references: &mut Vec<Reference>,
) -> Option<Affinity> {
    let table = reader.table(item, &["job", "within", "hard"])?;
    let within = table.get("within").map_or(Some(Level::Node), |item| reader.word(&item, "level", LEVELS));
    let hard = table.get("hard").map_or(Some(false), |item| reader.boolean(&item));
    let Some(target) = table.get("job") else {
        reader.fault(item.at(), &item.path, "missing field \"job\"");
        return None;
    };
    let to = reader.text(&target, "the name of a job")?;
    references.push(Reference {
        from: job.into(),
        to: to.clone(),
        relation,
        at: target.at(),
        path: target.path.clone(),
        port: None,
        port_at: target.at(),
    });
    Some(Affinity { job: to, within: within?, hard: hard? })
}

fn spread(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Spread> {
    if matches!(item.value(), Value::Text(_)) {
        return reader.word(item, "level", LEVELS).map(|over| Spread { over, skew_max: None });
    }
    let table = reader.table(item, &["over", "skew_max"])?;
    let skew_max = table.get("skew_max").and_then(|item| reader.integer(&item, 1, INSTANCES_MAX));
    match table.get("over") {
        Some(item) => reader.word(&item, "level", LEVELS).map(|over| Spread { over, skew_max }),
        None => {
            reader.fault(item.at(), &item.path, "missing field \"over\"");
            None
        }
    }
}
