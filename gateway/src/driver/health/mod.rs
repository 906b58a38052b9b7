//! Whether an instance is well: probes at intervals, or an opinion from outside, judged by one rule.

mod probe;

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use actors::agent::judge::Judge;

pub use actors::agent::judge::Health;
pub use probe::{Probe, Surroundings};

/// The first pause between probes of an instance that is still starting; it doubles up to the interval.
const STARTING_PAUSE: Duration = Duration::from_millis(25);
/// Opinions that wait to be judged; one that finds no room is dropped, the next one says the same.
const OPINIONS_WAITING_MAX: usize = 16;

/// How an instance's health is found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is asked.
    pub probe: Probe,
    /// Between two probes.
    pub every: Duration,
    /// A probe that takes longer has failed. For opinions: how late one may be.
    pub timeout: Duration,
    /// So many failures in a row make it unhealthy.
    pub after_failures: u32,
    /// Failures of an instance that was not well yet do not count so long after its start.
    pub grace: Duration,
}

/// An instance's health changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The instance.
    pub instance: String,
    /// What it is now.
    pub health: Health,
}

/// Watches one instance's health until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    opinions: mpsc::Sender<Result<(), String>>,
    task: JoinHandle<()>,
}

impl Monitor {
    /// Begins to probe; must be called inside a tokio runtime. The first change says `Starting`.
    #[must_use]
    pub fn begin(instance: &str, check: Check, surroundings: Surroundings, changes: mpsc::Sender<Change>) -> Monitor {
        let (opinions, waiting) = mpsc::channel(OPINIONS_WAITING_MAX);
        let judge = Judge::new(check.after_failures, check.grace);
        let watch = Watch { instance: instance.to_owned(), check, surroundings, changes, judge, began: Instant::now() };
        Monitor { opinions, task: tokio::spawn(watch.run(waiting)) }
    }

    /// Hands in an opinion from outside: well, or why not. Heard only if the check is for opinions.
    pub fn opine(&self, opinion: Result<(), String>) {
        let _the_next_one_says_the_same = self.opinions.try_send(opinion);
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Watch {
    instance: String,
    check: Check,
    surroundings: Surroundings,
    changes: mpsc::Sender<Change>,
    judge: Judge,
    began: Instant,
}

impl Watch {
    async fn run(mut self, mut opinions: mpsc::Receiver<Result<(), String>>) {
        let mut pause = STARTING_PAUSE;
        let mut said = self.say(Health::Starting).await;
        while said {
            let outcome = match &self.check.probe {
                Probe::Opinion => self.opinion(&mut opinions).await,
                probe => probe.ask(&self.surroundings, self.check.timeout).await,
            };
            if let Some(health) = self.judge.observe(self.began.elapsed(), outcome) {
                said = self.say(health).await;
            }
            if self.check.probe != Probe::Opinion {
                let hurried = self.judge.is_starting() && self.began.elapsed() < self.check.grace;
                tokio::time::sleep(if hurried { pause.min(self.check.every) } else { self.check.every }).await;
                pause = pause.saturating_mul(2);
            }
        }
    }

    /// Waits for an opinion; silence is one too.
    async fn opinion(&self, opinions: &mut mpsc::Receiver<Result<(), String>>) -> Result<(), String> {
        let patience = self.check.every + self.check.timeout;
        match tokio::time::timeout(patience, opinions.recv()).await {
            Ok(Some(opinion)) => opinion,
            Ok(None) => std::future::pending().await,
            Err(_) => Err(format!("no opinion for {} ms", patience.as_millis())),
        }
    }

    /// `false` if nobody listens any more.
    async fn say(&self, health: Health) -> bool {
        self.changes.send(Change { instance: self.instance.clone(), health }).await.is_ok()
    }
}
