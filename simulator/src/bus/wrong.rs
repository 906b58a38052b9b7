//! What each trouble of the bus does to a message that is said while it lasts.

use super::said::{Said, What};
use crate::plan::trouble::bus::Bus as Trouble;
use crate::world::random::{Domain, Random};
use messages::codec;
use std::collections::BTreeMap;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    pub lost: bool,
    /// How long it travels, in microseconds.
    pub delay: u64,
    /// It arrives no earlier, in microseconds.
    pub not_before: u64,
    /// How much later a copy comes.
    pub copy: Option<u64>,
    /// Whether it may be overtaken by what the same sender says later to the same receiver.
    pub unordered: bool,
}

impl Fate {
    pub fn wait(&mut self, until: u64) {
        self.not_before = self.not_before.max(until);
    }
}

/// A trouble under way.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub trouble: Trouble,
    /// The machines it is about; none when it is about everything.
    pub machines: Vec<usize>,
    pub since: u64,
    pub until: u64,
    /// By link or by machine and direction: until when it is busy, or what comes late over it.
    busy: BTreeMap<(u64, u64), u64>,
    /// By receiver: when what waits for it arrives.
    waiting: BTreeMap<u64, Vec<u64>>,
}

/// What a trouble knows when it judges a message.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub random: Random,
    pub now: u64,
    /// The trouble.
    pub id: u64,
}

impl Moment {
    /// Whether a message is chosen, so many times of a thousand.
    pub fn chance(&self, said: &Said<'_>, per_mille: u64) -> bool {
        self.random.chance(Domain::Trouble, &self.key(said), per_mille)
    }

    /// A number for a message.
    pub fn draw(&self, said: &Said<'_>, low: u64, high: u64) -> u64 {
        let [from, to, message, occurrence, id] = self.key(said);
        self.random.between(Domain::Trouble, &[from, to, message, occurrence, id, 1], low, high)
    }

    pub const fn key(&self, said: &Said<'_>) -> [u64; 5] {
        [said.link.from, said.link.to, said.message, said.occurrence, self.id]
    }
}

impl Wrong {
    pub fn new(trouble: Trouble, machines: &[usize], since: u64, until: u64) -> Self {
        let (machines, busy, waiting) = (machines.to_vec(), BTreeMap::new(), BTreeMap::new());
        Self { trouble, machines, since, until, busy, waiting }
    }

    pub fn is_about(&self, said: &Said<'_>) -> bool {
        self.machines.is_empty() || said.link.machine.is_some_and(|machine| self.machines.contains(&machine))
    }

    /// Changes the fate of a message. True when it did.
    pub fn bear(&mut self, fate: &mut Fate, said: &Said<'_>, moment: Moment) -> bool {
        let key = moment.key(said);
        match self.trouble {
            Trouble::Loss { per_mille } => {
                fate.lost = moment.random.chance(Domain::Loss, &key, per_mille);
                fate.lost
            }
            Trouble::Duplicate { per_mille, late_us } => {
                let comes_again = moment.random.chance(Domain::Duplicate, &key, per_mille);
                if comes_again {
                    fate.copy = Some(moment.random.between(Domain::DuplicateDelay, &key, 0, late_us));
                }
                comes_again
            }
            Trouble::Slow { extra_us } => {
                fate.delay += moment.random.between(Domain::DuplicateDelay, &key, 0, extra_us);
                true
            }
            Trouble::LongTail { per_mille, extra_us } if moment.chance(said, per_mille) => {
                fate.delay += moment.draw(said, extra_us / 2, extra_us);
                true
            }
            Trouble::Reorder { per_mille, extra_us } => self.reorder(fate, said, moment, (per_mille, extra_us)),
            Trouble::Bandwidth { bytes_per_ms, backlog_us } => {
                self.squeeze(fate, said, moment.now, (bytes_per_ms, backlog_us))
            }
            Trouble::SlowConsumer { most } => self.consume(fate, said, moment.now, most),
            Trouble::Oversized { bytes_max } => {
                fate.lost = said.bytes() > bytes_max;
                fate.lost
            }
            Trouble::Batches { every_us } => {
                fate.wait((moment.now + fate.delay).div_ceil(every_us) * every_us);
                true
            }
            Trouble::LeaderPause => {
                fate.wait(self.until);
                true
            }
            _ => self.hold(fate, said, moment) || self.cut(fate, said, moment.now),
        }
    }

    /// Links that hold back what they carry.
    fn hold(&self, fate: &mut Fate, said: &Said<'_>, moment: Moment) -> bool {
        let until = match self.trouble {
            Trouble::Clog if said.link.is_to_machine() => self.until,
            Trouble::ClogFrom if said.link.from_machine => self.until,
            Trouble::SwizzleClog => {
                let Some(machine) = said.link.machine else { return false };
                let (half, key) = ((self.until - self.since) / 2, [moment.id, machine as u64]);
                let draw = |what: u64| moment.random.between(Domain::Target, &[key[0], key[1], what], 0, half);
                let (from, to) = (self.since + draw(1), self.since + half + draw(2));
                if !(from..to).contains(&moment.now) {
                    return false;
                }
                to
            }
            _ => return false,
        };
        fate.wait(until);
        true
    }

    /// Links that carry nothing.
    fn cut(&self, fate: &mut Fate, said: &Said<'_>, now: u64) -> bool {
        let link = said.link;
        let beat = matches!(said.what, What::Beat(_)) || said.is_from_host();
        fate.lost = match self.trouble {
            Trouble::Partition { to_machine, from_machine } => {
                !(if link.from_machine { from_machine } else { to_machine })
            }
            Trouble::CutIn => link.is_to_machine(),
            Trouble::CutOut => link.from_machine,
            Trouble::RackCut | Trouble::SiteCut => true,
            Trouble::RingPartition => match link.machine.map(|machine| machine % 3) {
                Some(0) => beat,
                Some(1) => !beat,
                Some(_) => link.from_machine && !beat,
                None => false,
            },
            Trouble::FlappingLink { every_us } => ((now - self.since) / every_us).is_multiple_of(2),
            Trouble::ClientCut => link.is_of_client(),
            Trouble::BeatsLost => beat,
            Trouble::MessagesLost => !beat,
            _ => false,
        };
        fate.lost
    }

    fn reorder(&mut self, fate: &mut Fate, said: &Said<'_>, moment: Moment, (per_mille, extra_us): (u64, u64)) -> bool {
        let late = self.busy.entry((said.link.from, said.link.to)).or_default();
        if moment.chance(said, per_mille) {
            fate.unordered = true;
            fate.delay += moment.draw(said, 0, extra_us);
            *late = (*late).max(moment.now + fate.delay);
            return false;
        }
        moment.now + fate.delay < *late
    }

    /// A link that carries so many bytes in a millisecond.
    fn squeeze(&mut self, fate: &mut Fate, said: &Said<'_>, now: u64, (bytes_per_ms, backlog_us): (u64, u64)) -> bool {
        let Some(machine) = said.link.machine else { return false };
        let busy = self.busy.entry((machine as u64, u64::from(said.link.from_machine))).or_default();
        let begins = now.max(*busy);
        let waits = begins - now;
        if waits > backlog_us {
            fate.lost = true;
            return true;
        }
        *busy = begins + said.bytes() * 1_000 / bytes_per_ms.max(1);
        fate.wait(*busy + fate.delay);
        waits > 0
    }

    /// A receiver before which only so many may wait.
    fn consume(&mut self, fate: &mut Fate, said: &Said<'_>, now: u64, most: u64) -> bool {
        let waiting = self.waiting.entry(said.link.to).or_default();
        waiting.retain(|arrives| *arrives > now);
        fate.lost = waiting.len() as u64 >= most;
        if !fate.lost {
            waiting.push((now + fate.delay).max(fate.not_before));
        }
        fate.lost
    }

    /// Flips bits of a message, and reads it again. The sentence says what was wrongly taken for a message.
    pub fn flip(&self, said: &Said<'_>, moment: Moment) -> Option<Result<(), String>> {
        let (Trouble::BitFlip { per_mille }, What::Envelope(envelope)) = (self.trouble, said.what) else { return None };
        if !moment.chance(said, per_mille) {
            return None;
        }
        let mut bytes = codec::encode_envelope(envelope);
        let bits = bytes.len() as u64 * 8;
        for flip in 0..moment.draw(said, 1, 8) {
            let [from, to, message, occurrence, id] = moment.key(said);
            let key = [from, to, message, occurrence, id, 2, flip];
            let bit = usize::try_from(moment.random.between(Domain::Trouble, &key, 0, bits - 1)).unwrap_or(0);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        Some(match codec::decode_envelope(&bytes) {
            Ok(read) if read != *envelope => Err(format!("{read:?} is read of what was {envelope:?}")),
            // The same bit was flipped twice, or it was found out.
            Ok(_) | Err(_) => Ok(()),
        })
    }
}
