//! The GPUs of a node one by one: what is left of each, and which of them an instance is given.
//!
//! A part of one lies on one device; whole ones are devices of which nothing else has a part. The node hands them out,
//! and a scheduler that waits for its word supposes the same: both ask here.

use serde::{Deserialize, Serialize};

/// A whole GPU, in thousandths.
pub const WHOLE: u64 = 1_000;

/// No node has more devices than this; what it says beyond is not counted.
pub const DEVICES_MAX: usize = 1_024;

/// What is left of each GPU of a node, in thousandths.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gpus(Vec<u64>);

impl Gpus {
    /// So many thousandths, in whole devices of which everything is left.
    pub fn all(milli: u64) -> Self {
        Self(vec![WHOLE; usize::try_from(milli / WHOLE).unwrap_or(DEVICES_MAX).min(DEVICES_MAX)])
    }

    /// The devices that an instance with this need is given: for a part of one, the device with the least left that has
    /// enough; for whole ones, the first that are untouched. Nothing when there are none.
    pub fn pick(&self, milli: u64) -> Option<Vec<u16>> {
        let numbered = || (0u16..).zip(&self.0);
        if milli == 0 {
            return Some(Vec::new());
        }
        if milli < WHOLE {
            let best = numbered().filter(|(_, left)| **left >= milli).min_by_key(|(number, left)| (**left, *number));
            return best.map(|(number, _)| vec![number]);
        }
        let count = usize::try_from(milli.div_ceil(WHOLE)).ok()?;
        let untouched = numbered().filter(|(_, left)| **left == WHOLE).map(|(number, _)| number);
        Some(untouched.take(count).collect::<Vec<u16>>()).filter(|devices| devices.len() == count)
    }

    /// Gives these devices away to an instance with this need. Devices that are not there are passed over.
    pub fn take(&mut self, milli: u64, devices: &[u16]) {
        let share = milli.min(WHOLE);
        for device in devices {
            if let Some(left) = self.0.get_mut(usize::from(*device)) {
                *left = left.saturating_sub(share);
            }
        }
    }

    /// Whether each of these devices has room for an instance with this need.
    pub fn have(&self, milli: u64, devices: &[u16]) -> bool {
        let share = milli.min(WHOLE);
        devices.iter().all(|device| self.0.get(usize::from(*device)).is_some_and(|left| *left >= share))
    }

    /// Gives an instance with this need the devices that it would be given, and says which; nothing when there are none.
    pub fn give(&mut self, milli: u64) -> Option<Vec<u16>> {
        let devices = self.pick(milli)?;
        self.take(milli, &devices);
        Some(devices)
    }

    /// Whether there are devices for an instance with this need.
    pub fn fits(&self, milli: u64) -> bool {
        match milli {
            0 => true,
            part if part < WHOLE => self.0.iter().any(|left| *left >= part),
            many => usize::try_from(many.div_ceil(WHOLE)).is_ok_and(|count| self.untouched() >= count),
        }
    }

    /// The most that is left of one device.
    pub fn most(&self) -> u64 {
        self.0.iter().copied().max().unwrap_or(0)
    }

    /// How many devices are untouched.
    pub fn untouched(&self) -> usize {
        self.0.iter().filter(|left| **left == WHOLE).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_on_one_device_and_whole_ones_on_untouched_ones() {
        let mut gpus = Gpus::all(3_000);
        assert_eq!(gpus.pick(4_000), None);
        assert_eq!(gpus.pick(600), Some(vec![0]));
        gpus.take(600, &[0]);
        assert_eq!(gpus.pick(600), Some(vec![1]), "not enough is left of the first");
        gpus.take(600, &[1]);
        assert_eq!(gpus.pick(400), Some(vec![0]), "the fuller one first, and of equals the first");
        assert_eq!(gpus.pick(2_000), None, "1800 are left, and one device is untouched");
        assert_eq!((gpus.pick(1_000), gpus.most(), gpus.untouched()), (Some(vec![2]), 1_000, 1));
        gpus.take(1_000, &[2]);
        assert_eq!(gpus.pick(401), None);
        assert!(gpus.have(400, &[1]) && !gpus.have(400, &[2]) && !gpus.have(1, &[3]));
        assert_eq!(gpus.pick(0), Some(Vec::new()));
        for need in [0, 1, 400, 401, 1_000, 2_000, u64::MAX] {
            assert_eq!(gpus.fits(need), gpus.pick(need).is_some(), "{need}");
        }
        assert_eq!((gpus.give(300), gpus.give(300), gpus.give(300)), (Some(vec![0]), Some(vec![1]), None));
    }

    #[test]
    fn nobody_has_so_many_that_they_cannot_be_counted() {
        let gpus = Gpus::all(u64::MAX);
        assert_eq!(gpus.untouched(), DEVICES_MAX);
        assert!(gpus.fits(WHOLE) && gpus.pick(u64::MAX).is_none());
    }
}
