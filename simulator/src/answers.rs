//! How a program answers its health checks: how long an answer takes, and how often it is an error.
//!
//! Times of answers double evenly: an answer is as often between 10 and 20 ms as between 20 and 40, so most are quick
//! and a few take very long, as those of services do.

use crate::world::random::{Domain, Random};
use messages::manifest::Health;
use messages::time::Span;

/// What its answers are like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The quickest and the slowest.
    pub takes: (Span, Span),
    /// Errors among a thousand.
    pub errors: u64,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How long after it was asked.
    pub after: u64,
    /// What was wrong with it.
    pub wrong: Option<&'static str>,
}

impl Answers {
    /// Whether an answer may be late or wrong.
    pub const fn may_fail(&self, health: &Health) -> bool {
        self.errors > 0 || self.takes.1.0 > health.timeout.0
    }

    /// The answer to a check of the process with this key, on a machine where things take so many times longer.
    pub fn answer(&self, health: &Health, random: Random, key: u64, number: u64, slower: u64) -> Answer {
        let draw = |what: u64, low: u64, high: u64| random.between(Domain::Answer, &[key, number, what], low, high);
        let (low, high) = (self.takes.0.0.max(1), self.takes.1.0.max(1));
        let doublings = high.checked_div(low).and_then(u64::checked_ilog2).unwrap_or(0);
        let from = low.saturating_mul(1 << draw(0, 0, u64::from(doublings)).min(62));
        let takes = draw(1, from, from.saturating_mul(2).clamp(from, high.max(from))).saturating_mul(slower);
        let late = takes > health.timeout.0;
        let wrong = if draw(2, 0, 999) < self.errors { Some("503") } else { None };
        Answer { after: takes.min(health.timeout.0), wrong: if late { Some("timeout") } else { wrong } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use messages::manifest::Check;

    const HEALTH: Health = Health {
        check: Check::Tcp { port: None },
        every: Span::seconds(1),
        timeout: Span::milliseconds(500),
        failures_max: 3,
        grace: Span(0),
    };

    #[test]
    fn half_are_quick_some_are_late_and_as_many_are_wrong_as_is_said() {
        let answers = Answers { takes: (Span::milliseconds(1), Span::milliseconds(1_024)), errors: 100 };
        let all: Vec<Answer> =
            (0..10_000).map(|number| answers.answer(&HEALTH, Random::new(1), 7, number, 1)).collect();
        let count = |fits: fn(&Answer) -> bool| all.iter().filter(|answer| fits(answer)).count();
        assert!((900..1_100).contains(&(count(|answer| answer.wrong == Some("503")) * 10 / 9)), "errors");
        assert!((4_000..6_000).contains(&count(|answer| answer.after < 32_000)), "half of eleven doublings");
        assert!((700..2_500).contains(&count(|answer| answer.wrong == Some("timeout"))), "the slowest");
        assert!(all.iter().all(|answer| (1_000..=500_000).contains(&answer.after)));
    }

    #[test]
    fn from_nothing_on_answers_may_take_any_time() {
        let answers = Answers { takes: (Span(0), Span::seconds(3_600)), errors: 0 };
        let late = (0..1_000).filter(|number| answers.answer(&HEALTH, Random::new(1), 7, *number, 1).wrong.is_some());
        assert!((200..700).contains(&late.count()));
    }

    #[test]
    fn a_slow_machine_answers_late() {
        let answers = Answers { takes: (Span::milliseconds(10), Span::milliseconds(10)), errors: 0 };
        assert_eq!(answers.answer(&HEALTH, Random::new(1), 7, 0, 1), Answer { after: 10_000, wrong: None });
        let late = Answer { after: 500_000, wrong: Some("timeout") };
        assert_eq!(answers.answer(&HEALTH, Random::new(1), 7, 0, 100), late);
    }
}
