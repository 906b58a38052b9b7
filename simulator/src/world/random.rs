//! Randomness by key: every draw is a hash of the seed, what it is for, and whom it concerns.
//!
//! There is no generator to advance, so leaving one fault or message out of a plan changes no other draw.

use messages::envelope::MessageId;
use messages::id::ActorId;
use uuid::Uuid;

/// What a draw is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
pub enum Domain {
    /// How long a message travels.
    Latency = 1,
    /// Whether a message is lost.
    Loss,
    /// Whether a message comes again.
    Duplicate,
    /// How late the second copy comes.
    DuplicateDelay,
    /// How long a sync of the disk takes.
    Sync,
    /// What of the un-synced bytes a crash leaves.
    CrashData,
    /// What of the un-synced directory a crash leaves.
    CrashDirectory,
    /// How long a program takes to start.
    Start,
    /// How long a program takes to stop.
    Stop,
    /// When a program becomes healthy.
    Healthy,
    /// Which of several is meant.
    Choice,
    /// What a generator of plans chooses.
    Plan,
    /// Whether a start is announced late.
    Announce,
    /// Which machines a fault hits.
    Target,
    /// What a trouble does to a message.
    Trouble,
    /// Where durable bytes are damaged.
    Damage,
    /// When a program exits or falls sick by itself.
    Ends,
    /// How a program answers a health check.
    Answer,
}

/// The seed of all draws of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    seed: u64,
    /// Of ids, which stay what they are when other draws begin anew.
    names: u64,
}

const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A word that depends on all of `hash` and of `word`.
pub(crate) const fn fold(hash: u64, word: u64) -> u64 {
    mix(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ mix(word.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

impl Random {
    /// All draws of this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, names: seed }
    }

    /// The same ids, and all other draws of another seed.
    pub const fn rekeyed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// 64 random bits for this purpose and this identity.
    pub fn word(self, domain: Domain, identity: &[u64]) -> u64 {
        identity.iter().fold(fold(mix(self.seed), domain as u64), |hash, word| fold(hash, *word))
    }

    /// A number from `low` to `high`, both included.
    pub fn between(self, domain: Domain, identity: &[u64], low: u64, high: u64) -> u64 {
        let width = high.saturating_sub(low).saturating_add(1);
        low + self.word(domain, identity) % width
    }

    /// True `per_mille` times of a thousand.
    pub fn chance(self, domain: Domain, identity: &[u64], per_mille: u64) -> bool {
        per_mille > 0 && self.word(domain, identity) % 1_000 < per_mille
    }

    /// A UUID for this purpose and this identity.
    pub fn uuid(self, domain: Domain, identity: &[u64]) -> Uuid {
        let high = Self::new(self.names).word(domain, identity);
        Uuid::from_u64_pair(high, fold(high, self.names))
    }
}

/// A UUID as a key of draws.
pub fn key_of_uuid(id: Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    fold(high, low)
}

/// An actor as a key of draws.
pub fn key_of_actor(id: ActorId) -> u64 {
    fold(key_of_uuid(id.id), id.kind as u64)
}

/// A message as a key of draws.
pub fn key_of_message(id: MessageId) -> u64 {
    match id {
        MessageId::Said { by, sequence, index } => fold(fold(key_of_actor(by), sequence), u64::from(index)),
        MessageId::Outside(id) => key_of_uuid(id),
        MessageId::Deadline { of, sequence } => fold(key_of_actor(of), !sequence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_key_alone() {
        let random = Random::new(7);
        assert_eq!(random.word(Domain::Loss, &[1, 2]), random.word(Domain::Loss, &[1, 2]));
        assert_ne!(random.word(Domain::Loss, &[1, 2]), random.word(Domain::Loss, &[2, 1]));
        assert_ne!(random.word(Domain::Loss, &[1]), random.word(Domain::Latency, &[1]));
        assert!((0..1_000).all(|key| (3..=5).contains(&random.between(Domain::Sync, &[key], 3, 5))));
    }

    #[test]
    fn a_chance_comes_about_as_often_as_it_says() {
        let hits = (0..10_000).filter(|key| Random::new(1).chance(Domain::Loss, &[*key], 250)).count();
        assert!((2_200..2_800).contains(&hits), "{hits} of 10000");
    }
}
