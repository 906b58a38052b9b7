//! The rule that makes a state of health out of single observations: the same for real checks and for made-up ones.

use std::collections::VecDeque;
use std::time::Duration;

/// How many failures are kept as evidence.
const EVIDENCE_MAX: usize = 5;

/// An instance's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It was not well yet, and has time.
    Starting,
    /// It is well.
    Healthy,
    /// It failed too often in a row.
    Unhealthy {
        /// The last failure.
        why: String,
        /// The last few failures, oldest first, with the time since the instance's start.
        evidence: Vec<String>,
    },
}

/// Judges observations in their order.
#[derive(Debug, Clone)]
pub struct Judge {
    after_failures: u32,
    grace: Duration,
    health: Health,
    failures: u32,
    evidence: VecDeque<String>,
}

impl Judge {
    /// An instance that has just started.
    #[must_use]
    pub fn new(after_failures: u32, grace: Duration) -> Judge {
        Judge {
            after_failures: after_failures.max(1),
            grace,
            health: Health::Starting,
            failures: 0,
            evidence: VecDeque::new(),
        }
    }

    /// Whether it was not well yet and is not given up.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        self.health == Health::Starting
    }

    /// Takes an observation, made so long after the start; answers the new health if it changed.
    pub fn observe(&mut self, since_start: Duration, outcome: Result<(), String>) -> Option<Health> {
        let health = match outcome {
            Ok(()) => {
                self.failures = 0;
                self.evidence.clear();
                Health::Healthy
            }
            Err(why) => {
                self.evidence.push_back(format!("after {} ms: {why}", since_start.as_millis()));
                if self.evidence.len() > EVIDENCE_MAX {
                    self.evidence.pop_front();
                }
                if self.is_starting() && since_start < self.grace {
                    return None;
                }
                self.failures = self.failures.saturating_add(1);
                if self.failures < self.after_failures || matches!(self.health, Health::Unhealthy { .. }) {
                    return None;
                }
                Health::Unhealthy { why, evidence: self.evidence.iter().cloned().collect() }
            }
        };
        if self.health == health {
            return None;
        }
        self.health = health.clone();
        Some(health)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sick() -> Result<(), String> {
        Err("refused".to_owned())
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn failures_count_after_the_grace_and_in_a_row() {
        let mut judge = Judge::new(2, ms(100));
        assert_eq!(judge.observe(ms(50), sick()), None, "in its grace");
        assert_eq!(judge.observe(ms(110), sick()), None, "the first that counts");
        assert_eq!(judge.observe(ms(120), Ok(())), Some(Health::Healthy));
        assert_eq!(judge.observe(ms(130), Ok(())), None, "still");
        assert_eq!(judge.observe(ms(140), sick()), None);
        assert_eq!(judge.observe(ms(150), Ok(())), None, "the row is broken");
        assert_eq!(judge.observe(ms(160), sick()), None);
        let evidence = vec!["after 160 ms: refused".to_owned(), "after 170 ms: refused".to_owned()];
        assert_eq!(judge.observe(ms(170), sick()), Some(Health::Unhealthy { why: "refused".to_owned(), evidence }));
        assert_eq!(judge.observe(ms(180), sick()), None, "said already");
        assert_eq!(judge.observe(ms(190), Ok(())), Some(Health::Healthy), "it recovers");
    }

    #[test]
    fn once_well_the_grace_is_over() {
        let mut judge = Judge::new(1, ms(1000));
        assert_eq!(judge.observe(ms(10), Ok(())), Some(Health::Healthy));
        assert!(matches!(judge.observe(ms(20), sick()), Some(Health::Unhealthy { .. })));
    }
}
