//! What a machine says it is, in little memory: all its words in one piece, since there are many machines and they
//! rarely change.

use messages::manifest::Level;
use messages::node::NodeSpec;
use messages::resources::Resources;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A [`NodeSpec`], packed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Described {
    pub capacity: Resources,
    /// Name, host, rack, site, region and the model of its GPUs, then keys and values of taints and of tags in turns.
    text: Box<str>,
    /// Where each word ends.
    ends: Box<[u32]>,
    /// How many words are about taints.
    tainted: u32,
}

/// Words before the taints.
const FIXED: usize = 6;

impl Described {
    pub(super) fn of(spec: &NodeSpec) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for word in words(spec) {
            text.push_str(word);
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        let tainted = u32::try_from(2 * spec.taints.len()).unwrap_or(u32::MAX);
        Self { capacity: spec.capacity.clone(), text: text.into(), ends: ends.into(), tainted }
    }

    /// Whether it is what this says.
    pub(super) fn is(&self, spec: &NodeSpec) -> bool {
        let (tainted, tags) = (2 * spec.taints.len(), 2 * spec.tags.len());
        let shape = self.tainted as usize == tainted && self.ends.len() == FIXED + tainted + tags;
        shape && self.capacity == spec.capacity && self.words().eq(words(spec))
    }

    /// What was said.
    pub(super) fn unpacked(&self) -> NodeSpec {
        let [name, host, rack, site, region, gpu_model] = [0, 1, 2, 3, 4, 5].map(|at| self.word(at).to_string());
        let owned = |(key, value): (&str, &str)| (key.to_string(), value.to_string());
        let (tags, taints) = (self.tags().map(owned).collect(), self.taints().map(owned).collect());
        NodeSpec { name, host, rack, site, region, tags, capacity: self.capacity.clone(), gpu_model, taints }
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|at| self.word(at))
    }

    fn word(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).map_or(0, |end| *end as usize);
        let begin = at.checked_sub(1).map_or(0, end);
        self.text.get(begin..end(at)).unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.word(0)
    }

    pub(super) fn rack(&self) -> &str {
        self.word(2)
    }

    pub(super) fn site(&self) -> &str {
        self.word(3)
    }

    pub(super) fn region(&self) -> &str {
        self.word(4)
    }

    pub(super) fn gpu_model(&self) -> &str {
        self.word(5)
    }

    /// The name of the place where it is at a level. A node of which a level is not known is a place of its own there.
    pub(super) fn domain(&self, level: Level) -> String {
        let parts: &[&str] = match level {
            Level::Node => return self.name().into(),
            Level::Rack => &[self.region(), self.site(), self.rack()],
            Level::Site => &[self.region(), self.site()],
            Level::Region => &[self.region()],
        };
        match parts.last() {
            Some(last) if !last.is_empty() => parts.join("/"),
            _ => format!("?{}", self.name()),
        }
    }

    /// Its taints, in the order of their names.
    pub(super) fn taints(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs(FIXED..FIXED + self.tainted as usize)
    }

    /// Its own tags, in the order of their keys.
    pub(super) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs(FIXED + self.tainted as usize..self.ends.len())
    }

    fn pairs(&self, words: Range<usize>) -> impl Iterator<Item = (&str, &str)> {
        words.step_by(2).map(|at| (self.word(at), self.word(at + 1)))
    }
}

fn words(spec: &NodeSpec) -> impl Iterator<Item = &str> {
    let fixed: [&str; FIXED] = [&spec.name, &spec.host, &spec.rack, &spec.site, &spec.region, &spec.gpu_model];
    let pairs = spec.taints.iter().chain(&spec.tags);
    fixed.into_iter().chain(pairs.flat_map(|(key, value)| [key.as_str(), value.as_str()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_said_is_lost() {
        let tags = [("disk", "ssd"), ("empty", "")].map(|(key, value)| (key.into(), value.into())).into();
        let spec = NodeSpec { name: "n1".into(), rack: "ä".into(), region: "eu".into(), tags, ..NodeSpec::default() };
        let taints = [("closed".to_string(), String::new())].into();
        let spec = NodeSpec { gpu_model: "A100".into(), taints, ..spec };
        let packed = Described::of(&spec);
        assert!(packed.is(&spec) && packed.unpacked() == spec);
        assert_eq!((packed.name(), packed.rack(), packed.site(), packed.region()), ("n1", "ä", "", "eu"));
        assert_eq!(packed.gpu_model(), "A100");
        assert_eq!(packed.tags().collect::<Vec<_>>(), [("disk", "ssd"), ("empty", "")]);
        assert_eq!(packed.taints().collect::<Vec<_>>(), [("closed", "")]);
        let mut other = spec.clone();
        other.tags.extend(std::mem::take(&mut other.taints));
        assert!(!packed.is(&other), "a tag is no taint");
        let moved = NodeSpec { rack: String::new(), site: "ä".into(), ..spec.clone() };
        assert!(!packed.is(&moved) && !packed.is(&NodeSpec { host: "h".into(), ..spec }));
    }
}
