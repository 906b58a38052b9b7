//! Measuring fairly: contenders take turns, the first turn of each only warms up, and the median counts.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Runs one contender once and gives what it reached.
pub type Contender<'a> = &'a mut dyn FnMut() -> Result<f64, String>;

/// The median of each contender over so many rounds, after one round that is thrown away. Every round runs all of
/// them one after the other, so that what disturbs the machine disturbs them alike.
///
/// # Errors
/// What the first contender that failed said.
pub fn in_turns<const N: usize>(rounds: usize, mut contenders: [Contender<'_>; N]) -> Result<[f64; N], String> {
    let mut reached: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for round in 0..=rounds {
        for (contender, reached) in contenders.iter_mut().zip(&mut reached) {
            let value = contender()?;
            if round > 0 {
                reached.push(value);
            }
        }
    }
    Ok(reached.map(|values| median(&values)))
}

/// The middle of the values, or between the two in the middle; zero of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// How many a second, when `count` of them took so long.
pub fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// Runs something and says how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let made = work();
    (made, begun.elapsed())
}

/// Processor time of this process so far, in seconds: on a busy machine it says more than the clock on the wall.
pub fn processor_time() -> f64 {
    seconds(ClockId::ProcessCPUTime)
}

/// Processor time of this thread so far, in seconds.
pub fn thread_time() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn contenders_take_turns_and_the_first_round_does_not_count() {
        let order = RefCell::new(String::new());
        let mut values = [1_000.0, 3.0, 1.0, 2.0].into_iter();
        let mut a = || {
            order.borrow_mut().push('a');
            values.next().ok_or_else(|| "asked too often".into())
        };
        let mut b = || {
            order.borrow_mut().push('b');
            Ok(7.0)
        };
        assert_eq!(in_turns(3, [&mut a, &mut b]), Ok([2.0, 7.0]));
        assert_eq!(*order.borrow(), "abababab");
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!([&[][..], &[5.0], &[9.0, 1.0, 2.0], &[4.0, 1.0]].map(median), [0.0, 5.0, 2.0, 2.5]);
    }
}
