//! A steady load on the route of the shop, and what came of every request.

use crate::System;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// Visitors at the same time.
const VISITORS: u64 = 8;

/// A request that was answered, or not.
#[derive(Clone, Debug)]
pub struct Visit {
    /// When it was sent, since the load began.
    pub at: Duration,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// The load while it goes on.
pub struct Load {
    begun: Instant,
    over: AtomicBool,
    sent: AtomicU64,
    visits: Mutex<Vec<Visit>>,
}

impl Load {
    /// Sends so many requests a second for as long as `story` lasts. Returns every visit in the order they were sent.
    pub fn during(system: &System, per_second: u64, token: &str, story: impl FnOnce(&Load)) -> Vec<Visit> {
        let load = Load {
            begun: Instant::now(),
            over: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            visits: Mutex::default(),
        };
        scope(|scope| {
            for _ in 0..VISITORS {
                scope.spawn(|| load.visit(system, per_second, token));
            }
            // Ended even where the story panics, so that the panic is told.
            let _end = End(&load.over);
            story(&load);
        });
        let mut visits = load.visits.into_inner().expect("no visitor panicked");
        visits.sort_by_key(|visit| visit.at);
        visits
    }

    /// The time since the load began.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn visit(&self, system: &System, per_second: u64, token: &str) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_micros(number * 1_000_000 / per_second);
            sleep(due.saturating_sub(self.begun.elapsed()));
            let at = self.begun.elapsed();
            let (status, body) = system.get(Some(token));
            self.visits.lock().expect("no visitor panicked").push(Visit { at, status, body });
        }
    }
}

struct End<'l>(&'l AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
