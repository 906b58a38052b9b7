//! How long machines live, learned from those that lived: for every class, how many that reached an age passed it.
//!
//! A class is the size of the machine and about how many came with it; where little is known of it, all machines of the
//! size speak for it, and where little is known of those, all machines. Ages are steps of five minutes up to an hour,
//! of an hour up to a day, and of days. All in whole numbers.

use super::trace::Request;
use std::collections::BTreeMap;

/// Steps of an age, and of the time to come.
pub const STEPS: usize = 38;
/// Certainty, or all of it.
pub const ONE: i64 = 1 << 16;
/// What the class above says counts as so many machines.
const TRUST: i64 = 5 * WEIGHT;
/// What a machine counts that came alone. One of a batch of n counts as much over the root of n, for they live alike.
const WEIGHT: i64 = 1 << 10;
/// The share that ends in a step, where nothing is known.
const UNKNOWN: i64 = ONE / 20;

/// The chance that a machine still runs, in the middle of each step of the time to come.
pub type Survival = [i64; STEPS];
/// A size and about how many, or less.
type Class = (u8, u32);

/// Seconds of a step.
pub const fn width(step: usize) -> i64 {
    match step {
        0..12 => 300,
        12..35 => 3_600,
        _ => 86_400,
    }
}

/// The step of an age, and the seconds of it that are over.
pub fn step(age: i64) -> (usize, i64) {
    let mut rest = age;
    for step in 0..STEPS - 1 {
        if rest < width(step) {
            return (step, rest);
        }
        rest -= width(step);
    }
    (STEPS - 1, rest.min(width(STEPS - 1) - 1))
}

/// What was seen of one class: how many reached each step, and how many of them ended in it.
#[derive(Clone, Debug)]
struct Seen {
    reached: [i64; STEPS],
    ended: [i64; STEPS],
}

/// What was seen of all classes.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    classes: BTreeMap<Class, Seen>,
}

/// The class of a request.
pub const fn class(request: &Request) -> Class {
    let about = match request.size {
        0..=1 => 1,
        2 => 2,
        3..=4 => 3,
        5..=8 => 4,
        9..=16 => 5,
        17..=32 => 6,
        33..=100 => 7,
        _ => 8,
    };
    (request.flavor, about)
}

impl Learned {
    /// A machine reached this step, and ended in it or not.
    pub fn take_in(&mut self, request: &Request, step: usize, ended: bool) {
        let weight = WEIGHT / i64::from(request.size.max(1).isqrt());
        for class in above(class(request)) {
            let seen = self.classes.entry(class).or_insert(Seen { reached: [0; STEPS], ended: [0; STEPS] });
            seen.reached[step] += weight;
            seen.ended[step] += if ended { weight } else { 0 };
        }
    }

    /// The share of a class that ends in each step, of those that reach it.
    pub fn hazards(&self, of: Class) -> [i64; STEPS] {
        let mut hazards = [UNKNOWN; STEPS];
        for seen in above(of).iter().filter_map(|class| self.classes.get(class)) {
            for (step, hazard) in hazards.iter_mut().enumerate() {
                *hazard = (seen.ended[step] * ONE + TRUST * *hazard) / (seen.reached[step] + TRUST);
            }
        }
        hazards
    }
}

/// All machines, all of the size, and the class itself.
const fn above(class: Class) -> [Class; 3] {
    [(0, 0), (class.0, 0), class]
}

/// What is to come for a machine of this age.
pub fn survival(hazards: &[i64; STEPS], age: i64) -> Survival {
    let (mut at, over) = step(age);
    let mut left = width(at) - over;
    let mut alive = ONE;
    std::array::from_fn(|to_come| {
        let before = alive;
        let mut need = width(to_come);
        while need > 0 {
            let passed = left.min(need);
            alive -= alive * hazards[at] / ONE * passed / width(at);
            need -= passed;
            left -= passed;
            if left == 0 {
                at = (at + 1).min(STEPS - 1);
                left = width(at);
            }
        }
        i64::midpoint(before, alive)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Request = Request { at: 0, cores: 1, memory: 4, flavor: b'b', batch: 0, size: 1 };

    #[test]
    fn ages_fall_into_steps_that_grow() {
        assert_eq!(
            [0, 299, 300, 3_599, 3_600, 7_199, 86_400, i64::from(i32::MAX)].map(|age| step(age).0),
            [0, 0, 1, 11, 12, 12, 35, 37]
        );
        assert_eq!(step(3_700), (12, 100));
    }

    #[test]
    fn what_lived_long_is_expected_to_live_on() {
        let mut learned = Learned::default();
        for machine in 0..100 {
            let last = if machine < 90 { 1 } else { 30 };
            for step in 0..=last {
                learned.take_in(&REQUEST, step, step == last);
            }
        }
        let hazards = learned.hazards(class(&REQUEST));
        let (young, old) = (survival(&hazards, 0), survival(&hazards, 3_600));
        assert!(young[5] < ONE / 5 && old[5] > ONE * 9 / 10, "{} and {}", young[5], old[5]);
        assert!(young.iter().zip(&young[1..]).all(|(sooner, later)| sooner >= later));
        let other = Request { flavor: b'g', ..REQUEST };
        let unknown = learned.hazards(class(&other));
        assert_eq!(unknown, learned.hazards((b'm', 8)), "of sizes never seen, all machines speak");
        assert!(unknown[1] > ONE / 2 && unknown[5] < ONE / 20, "{unknown:?}");
    }
}
