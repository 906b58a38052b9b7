//! Our policy: a machine goes where it is expected to make a server stay open the least longer.
//!
//! Nobody says how long a machine will run, so it is learned from those that ended (`survival`). A server will be empty
//! at a moment if all on it have ended; machines of one batch tend to end together, so they count as one. A machine
//! adds to it the time for which it is there and the others are not. A server that will stay open long anyway is not
//! spent on a machine that will soon be gone: the time it stays open afterwards counts a little as well. This is the
//! idea of NILAS and LAVA (Ling et al., "LAVA: Lifetime-Aware VM Allocation with Learned Distributions and Adaptation",
//! 2024).

use super::packing::{Policy, Server, least};
use super::survival::{Learned, ONE, STEPS, Survival, class, step, survival, width};
use super::trace::Request;
use std::collections::BTreeMap;

/// A second longer open counts so much.
const LONGER: i64 = 50;
/// A second open afterwards counts so much.
const AFTERWARDS: i64 = 1;

/// What is expected of one server.
#[derive(Clone, Debug)]
struct Outlook {
    /// The chance that it is empty, in each step of the time to come.
    empty: Survival,
    /// Changes whenever it does.
    version: u64,
}

/// The policy, and what it learned.
#[derive(Clone, Debug)]
pub struct Lifetimes<'a> {
    requests: &'a [Request],
    learned: Learned,
    now: i64,
    before: i64,
    outlooks: Vec<Outlook>,
    versions: u64,
    /// What is to come for a class at an age, as of now.
    known: BTreeMap<((u8, u32), i64), Survival>,
    hazards: BTreeMap<(u8, u32), [i64; STEPS]>,
    /// The batch and size that servers were last scored for, and the scores with the versions they hold for.
    scored: (u32, u8),
    scores: Vec<(u64, i64)>,
}

impl<'a> Lifetimes<'a> {
    /// One that knows nothing yet.
    pub fn new(requests: &'a [Request]) -> Self {
        Self {
            requests,
            learned: Learned::default(),
            now: 0,
            before: 0,
            outlooks: Vec::new(),
            versions: 0,
            known: BTreeMap::new(),
            hazards: BTreeMap::new(),
            scored: (u32::MAX, 0),
            scores: Vec::new(),
        }
    }

    /// What is to come for a machine of this row. Old ages are taken together.
    fn survival(&mut self, row: usize) -> Survival {
        let request = &self.requests[row];
        let age = match self.now - request.at {
            young @ 0..3_600 => young,
            grown @ 3_600..86_400 => grown / 1_800 * 1_800,
            old => old / 7_200 * 7_200,
        };
        let class = class(request);
        let hazards = self.hazards.entry(class).or_insert_with(|| self.learned.hazards(class));
        *self.known.entry((class, age)).or_insert_with(|| survival(hazards, age))
    }

    fn outlook(&mut self, server: &Server) -> Survival {
        let mut empty = [ONE; STEPS];
        let mut batches: Vec<(u32, u8)> = Vec::new();
        for row in &server.residents {
            let batch = (self.requests[*row].batch, self.requests[*row].flavor);
            if !batches.contains(&batch) {
                batches.push(batch);
                leave(&mut empty, &self.survival(*row));
            }
        }
        empty
    }

    /// Whether one of its batch and size is there.
    fn mates(&self, row: usize, server: &Server) -> bool {
        let same = |other: &usize| {
            let (one, other) = (&self.requests[row], &self.requests[*other]);
            (one.batch, one.flavor) == (other.batch, other.flavor)
        };
        server.residents.iter().rev().any(same)
    }

    fn version(&mut self) -> u64 {
        self.versions += 1;
        self.versions
    }
}

/// Another machine must have ended for the server to be empty.
fn leave(empty: &mut Survival, alive: &Survival) {
    for (empty, alive) in empty.iter_mut().zip(alive) {
        *empty = *empty * (ONE - alive) / ONE;
    }
}

/// What it costs to put a machine there: how much longer the server is open, and how long it is afterwards.
fn cost(empty: &Survival, alive: &Survival, mates: bool) -> i64 {
    let (mut longer, mut afterwards) = (0, 0);
    for at in 0..STEPS {
        longer += alive[at] * empty[at] / ONE * width(at);
        afterwards += (ONE - alive[at]) * (ONE - empty[at]) / ONE * width(at);
    }
    (if mates { 0 } else { LONGER * longer }) + AFTERWARDS * afterwards
}

impl Policy for Lifetimes<'_> {
    fn begin(&mut self, now: i64, servers: &[Server]) {
        (self.before, self.now) = (self.now, now);
        for row in servers.iter().flat_map(|server| &server.residents) {
            let request = &self.requests[*row];
            let first = step((self.before - request.at).max(0)).0;
            for passed in first..step(now - request.at).0 {
                self.learned.take_in(request, passed, false);
            }
        }
        self.known.clear();
        self.hazards.clear();
        self.outlooks =
            servers.iter().map(|server| Outlook { empty: self.outlook(server), version: self.version() }).collect();
    }

    fn choose(&mut self, row: usize, servers: &[Server]) -> usize {
        let request = &self.requests[row];
        let alive = self.survival(row);
        if self.scored != (request.batch, request.flavor) {
            self.scored = (request.batch, request.flavor);
            self.scores.clear();
        }
        self.scores.resize(servers.len(), (u64::MAX, 0));
        for (at, server) in servers.iter().enumerate().filter(|(_, server)| server.takes(request)) {
            let Outlook { empty, version } = &self.outlooks[at];
            if self.scores[at].0 != *version {
                self.scores[at] = (*version, cost(empty, &alive, self.mates(row, server)));
            }
        }
        least(servers, request, |at, server| (self.scores[at].1, server.cores))
    }

    fn placed(&mut self, row: usize, at: usize, servers: &[Server]) {
        let (alive, version) = (self.survival(row), self.version());
        let mates = self.mates(row, &servers[at]);
        if self.outlooks.len() <= at {
            self.outlooks.resize(at + 1, Outlook { empty: [ONE; STEPS], version: 0 });
        }
        let outlook = &mut self.outlooks[at];
        outlook.version = version;
        if !mates {
            leave(&mut outlook.empty, &alive);
        }
    }

    fn ended(&mut self, row: usize, at: i64) {
        let request = &self.requests[row];
        let last = step((at - request.at - 1).max(0)).0;
        let known = step((self.now - request.at).max(0)).0;
        for passed in known..last {
            self.learned.take_in(request, passed, false);
        }
        self.learned.take_in(request, last, true);
    }
}
