//! Which records of a run led to its violation: the chain of causes behind it, and behind what it speaks of.

use super::Names;
use crate::world::tape::{Record, What};
use std::collections::BTreeSet;

/// No story is longer than so many records.
const STORY_MAX: usize = 72;
/// Of whatever a violation speaks of, so many records are followed back at the most.
const MENTIONS_MAX: usize = 2;
/// So many lost messages are shown at the most.
const LOST_MAX: usize = 6;

/// The records that led to `violated`, in their order, and that itself.
pub(super) fn slice(records: &[Record], violated: usize, names: &Names) -> Vec<usize> {
    let mut kept = BTreeSet::new();
    follow(records, violated, &mut kept);
    let What::Violated(violation) = &records[violated].what else { return Vec::new() };
    for subject in subjects(&violation.message, names) {
        let mentions = (0..violated).rev().filter(|index| mentions(&records[*index].what, &subject));
        for index in mentions.take(MENTIONS_MAX).collect::<Vec<_>>() {
            follow(records, index, &mut kept);
        }
    }
    if kept.len() > STORY_MAX {
        let first = kept.iter().rev().nth(STORY_MAX).copied().unwrap_or_default();
        kept = kept.split_off(&first);
    }
    kept.extend(lost(records, violated, &kept, names));
    kept.into_iter().collect()
}

/// Keeps a record, and what led to it.
fn follow(records: &[Record], from: usize, kept: &mut BTreeSet<usize>) {
    let mut next = Some(from);
    while let Some(index) = next {
        if !kept.insert(index) {
            break;
        }
        next = records[index].cause;
    }
}

/// What a sentence speaks of: ids, labels like `job/0`, and names of jobs.
fn subjects(message: &str, names: &Names) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '/' | '_' | '.');
    let words = message.split(|letter| !is_part(letter)).map(|word| word.trim_matches('.'));
    let is_id = |word: &str| word.rsplit('.').next().is_some_and(|id| uuid::Uuid::parse_str(id).is_ok());
    let is_label = |word: &str| word.rsplit_once('/').is_some_and(|(_, slot)| slot.parse::<u32>().is_ok());
    let job = |word: &str| {
        let name = format!("job {word}");
        names.actors().find(|(_, known)| *known == name).map(|(actor, _)| actor.to_string())
    };
    let subject = |word: &str| (is_id(word) || is_label(word)).then(|| word.to_owned()).or_else(|| job(word));
    words.filter_map(subject).collect()
}

/// Whether a record is about what a sentence speaks of.
fn mentions(what: &What, subject: &str) -> bool {
    match what {
        What::Started { instance, label, .. } | What::Ended { instance, label, .. } => {
            label == subject || instance.to_string() == subject
        }
        What::Committed(entry) => {
            let actor = entry.head().actor;
            actor.to_string() == subject || actor.id.to_string() == subject
        }
        _ => false,
    }
}

/// The last messages that were lost on their way between those who take part, while they did.
fn lost(records: &[Record], violated: usize, kept: &BTreeSet<usize>, names: &Names) -> Vec<usize> {
    let who = |index: usize| names.who(&records[index].what);
    let present: BTreeSet<String> = kept.iter().filter_map(|index| who(*index)).collect();
    let first = kept.first().copied().unwrap_or(violated);
    let is_lost = |index: &usize| match &records[*index].what {
        What::Sent { from, to, arrives: [None, None], .. } => {
            present.contains(&names.address(*from)) && present.contains(&names.address(*to))
        }
        _ => false,
    };
    (first..violated).rev().filter(is_lost).take(LOST_MAX).collect()
}
